"""Images from a client's request to an upstream's socket: not fetched unless asked for, then fetched with care (I21).

A canary listens on this machine. Nothing that a request says may make the gateway knock there.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.gateway.describing import Describer
from iflow_cli_proxy.gateway.images import inline_images
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.gateway.vision import VisionBridge
from iflow_cli_proxy.protocols.base import Inbound
from iflow_cli_proxy.transport.guard import FetchRules, GuardedFetch
from tests.support.fake_clock import FakeClock
from tests.support.faults import whole
from tests.support.gateway import post_chat, running_gateway, upstream_table
from tests.support.images import CODEC, HTML, PNG, Names, asking, content_of, data_url, image, text
from tests.support.raw_upstream import RawUpstream, answer, head

GOOD = answer(whole("A red square."))
SHOWN = answer(PNG, headers={"Content-Type": "image/png"})


def guard(*ports: int, names: Names | None = None) -> GuardedFetch:
    """As in service, but that plain http and loopback itself count as the public internet, by name only."""
    here = ip_address("127.0.0.1")
    rules = FetchRules(allows_http=True, ports=frozenset(ports), is_allowed=lambda address: address == here)
    return GuardedFetch(rules, resolver=names or Names(["127.0.0.1"]))


def body(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": list(parts)}], **fields}


@pytest.mark.parametrize("stream", [False, True])
async def test_i21_by_default_the_gateway_fetches_nothing_and_passes_the_url_on(stream: bool) -> None:
    async with RawUpstream([SHOWN]) as canary, RawUpstream([GOOD]) as upstream:
        url = f"{canary.url}/a.png"
        async with running_gateway(upstream_table(upstream.url)) as gateway:
            status, _, _ = await post_chat(gateway, body(text("look"), image(url), stream=stream))

        assert status == 200
        sent = jsonx.decode(upstream.requests[0].body)
        assert sent["messages"][0]["content"] == [text("look"), image(url)]
        assert canary.connections == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO", "FILE:/etc/passwd"])
async def test_i21_a_url_of_another_kind_is_refused_by_its_path_and_goes_nowhere(url: str) -> None:
    async with (
        RawUpstream([GOOD]) as upstream,
        running_gateway(upstream_table(upstream.url)) as gateway,
    ):
        status, _, answered = await post_chat(gateway, body(image(url)))

        assert status == 400
        assert jsonx.decode(answered)["error"]["param"].startswith("messages[0].content[0].image_url")
        assert upstream.requests == []


async def test_a_picture_is_fetched_and_goes_on_as_data() -> None:
    async with RawUpstream([head("302 Moved", {"Location": "/b.png", "Content-Length": "0"})], [SHOWN]) as server:
        url = f"http://images.example:{server.port}/a.png"
        changed = await inline_images(CODEC, asking(text("look"), image(url)), guard(server.port))

    assert content_of(changed) == [text("look"), image(data_url())]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://[::1]:{port}/a.png", "image_url_not_allowed"),
        ("http://localhost:{port}/a.png", "image_url_not_allowed"),
        ("http://2130706433:{port}/a.png", "image_url_not_allowed"),
        ("http://user@127.0.0.1:{port}/a.png", "image_url_not_allowed"),
        ("http://169.254.169.254/latest/meta-data/", "image_url_not_allowed"),
        ("http://metadata.google.internal/computeMetadata/v1/", "image_url_not_allowed"),
    ],
)
async def test_i22_what_is_refused_is_a_400_that_names_its_place(url: str, code: str) -> None:
    async with RawUpstream([SHOWN]) as canary:
        request = asking(text("look"), image(url.format(port=canary.port)))
        with pytest.raises(InvalidRequest) as caught:
            await inline_images(CODEC, request, guard(canary.port))
        assert canary.connections == []

    reply = CODEC.encode_error(caught.value, "req_1")
    error = jsonx.decode(reply.body)["error"]
    assert (reply.status, error["code"], error["param"]) == (400, code, "messages[0].content[1].image_url.url")


async def test_i23_a_redirect_to_the_metadata_service_ends_there() -> None:
    away = head("302 Moved", {"Location": "http://169.254.169.254/latest/meta-data/", "Content-Length": "0"})
    async with RawUpstream([away]) as server:
        url = f"http://images.example:{server.port}/a.png"
        with pytest.raises(InvalidRequest) as caught:
            await inline_images(CODEC, asking(image(url)), guard(server.port))

    assert caught.value.code == "image_url_not_allowed"
    assert "169" not in caught.value.message


async def test_i24_a_name_that_changes_its_mind_is_not_believed_twice() -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    async with RawUpstream([SHOWN]) as server:
        fetch = guard(server.port, names=names)
        first = asking(image(f"http://images.example:{server.port}/a.png"))
        await inline_images(CODEC, first, fetch)
        with pytest.raises(InvalidRequest) as caught:
            await inline_images(CODEC, first, fetch)

        assert (caught.value.code, len(server.requests), len(names.asked)) == ("image_url_not_allowed", 1, 2)


async def test_i25_one_bad_picture_among_good_ones_refuses_the_request() -> None:
    async with RawUpstream([SHOWN], [answer(HTML, headers={"Content-Type": "image/png"})], [SHOWN]) as server:
        urls = [f"http://images.example:{server.port}/{number}.png" for number in range(3)]
        with pytest.raises(InvalidRequest) as caught:
            await inline_images(CODEC, asking(*map(image, urls)), guard(server.port))

    assert caught.value.code == "image_type_unsupported"


async def test_a_model_that_sees_nothing_is_told_by_one_that_does() -> None:
    async with (
        RawUpstream([GOOD]) as upstream,
        running_gateway(upstream_table(upstream.url)) as gateway,
    ):
        ended: list[Exchange] = []
        describe = Describer(
            "seer",
            ask=gateway.services.gateway.current.answer,
            codec=CODEC,
            clock=FakeClock(),
            new_id=lambda: "req_1",
            on_end=ended.append,
        )
        bridged = await VisionBridge("seer", describe).bridged(CODEC, asking(text("colour?"), image(data_url())))
        again = Inbound(protocol=CODEC.name, body=jsonx.encode(bridged.envelope.values))
        await gateway.services.gateway.current.answer(again, Exchange(request_id="r", protocol="", started_at=0.0))

        asked, told = (jsonx.decode(request.body) for request in upstream.requests)
        assert (asked["model"], asked.get("stream", False)) == ("seer", False)
        assert asked["messages"][0]["content"][1] == image(data_url())
        assert told["model"] == "blind"
        assert told["messages"][0]["content"] == [text("colour?"), text("[Image: A red square.]")]
        (exchange,) = ended
        assert bridged.usage == exchange.usage
        assert bridged.usage.total == 8
        assert await gateway.is_idle_within()
