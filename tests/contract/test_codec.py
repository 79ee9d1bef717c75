"""One suite for every codec: what the gateway relies on, whichever protocol it speaks."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError, RateLimited, every_error, of_kind
from iflow_cli_proxy.core.events import Ended, Failed, Started
from iflow_cli_proxy.core.stage import Chain, run
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.protocols.base import Codec, EncodeOptions, Inbound

pytestmark = pytest.mark.parametrize("codec", CODECS.values(), ids=lambda codec: codec.name)
KINDS = sorted({cls.kind for cls in every_error()})


def decoded(codec: Codec, wire: bytes) -> list[object]:
    return run(Chain(codec.framer(), codec.stream_decoder(codec.decode_error, frozenset())), [wire])


def test_it_is_registered_under_its_name_and_its_routes_are_its_own(codec: Codec) -> None:
    others = [route for other in CODECS.values() if other is not codec for route in other.routes]

    assert CODECS[codec.name] is codec
    assert codec.routes
    assert not set(codec.routes) & set(others)


def test_every_error_has_a_status_a_json_body_and_an_event(codec: Codec) -> None:
    for kind in KINDS:
        error = of_kind(kind, "Something went wrong.")
        reply = codec.encode_error(error, "req_1")

        assert 400 <= reply.status < 600
        assert b"Something went wrong." in jsonx.encode(jsonx.decode(reply.body))
        assert codec.decode_error(jsonx.decode(reply.body)) is not None
        if codec.is_passed_on:
            continue
        event = decoded(codec, codec.stream_error(error))[-1]
        assert isinstance(event, Failed)
        assert "Something went wrong." in event.message


def test_an_error_never_shows_its_detail(codec: Codec) -> None:
    error = GatewayError("No.", detail="sk-0123456789")

    assert b"sk-0123456789" not in codec.encode_error(error, "req_1").body + codec.stream_error(error)


def test_retry_after_reaches_the_client(codec: Codec) -> None:
    assert codec.encode_error(RateLimited("No.", retry_after_s=6.5), "req_1").headers["retry-after"] == "7"


def test_r7_a_ping_is_whole_and_means_nothing(codec: Codec) -> None:
    if codec.is_passed_on:
        assert codec.ping == b"", "there is no silence to fill"
        return
    assert codec.ping.endswith(b"\n")
    *_, event = decoded(codec, codec.ping * 3)
    assert isinstance(event, Failed)
    assert event.kind == "upstream_empty"


def test_r4_only_a_good_stream_gets_the_end_marker(codec: Codec) -> None:
    if codec.is_passed_on:
        assert codec.end_marker == b""
        return
    good = b"".join(run(codec.stream_encoder(EncodeOptions()), [Started(), Ended()]))
    bad = b"".join(run(codec.stream_encoder(EncodeOptions()), [Started(), Failed(kind="upstream_cut", message="m")]))

    assert good.endswith(codec.end_marker)
    assert not codec.end_marker or codec.end_marker not in bad


def test_an_empty_body_is_the_clients_mistake(codec: Codec) -> None:
    with pytest.raises(GatewayError) as caught:
        codec.read_envelope(Inbound(protocol=codec.name, body=b""))

    assert caught.value.kind == "invalid_request"
