"""From a flight to its document. What real exchanges leave is `integration/test_flights.py`."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import Overloaded
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.gateway.flight import Flight, RouteTaken, begun
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.routing.resolve import Route
from iflow_cli_proxy.server import flights
from iflow_cli_proxy.server.flights import Untold, begin_flight
from iflow_cli_proxy.transport.base import UpstreamRequest
from tests.support.fake_transport import FakeReply
from tests.support.gateway import settings_from

HERE = Route(provider="up", model="m")
KEY = "Zx9plain_words.of-a-key.77"


def exchange(**fields: Any) -> Exchange:
    return Exchange(**{"request_id": "req_1", "protocol": "openai_chat", "started_at": 10.0, "asked": "m", **fields})


def document(one: Exchange, flight: Flight) -> dict[str, Any]:
    return flights.document(one, flight, has_bodies=True)


def flown(room_bytes: int = 0) -> Flight:
    flight = begun("POST", "/v1/x", {"key": KEY}, {"Authorization": f"Bearer {KEY}"}, room_bytes=room_bytes)
    flight.asked.add(f'{{"model":"m","note":"{KEY}"}}'.encode())
    flight.fields = ("model", "note")
    return flight


def test_a_request_that_never_got_far_is_a_whole_document() -> None:
    told = document(exchange(status=400, error_kind="invalid_request"), flown())
    assert told["attempts"] == told["upstream_request"] == told["upstream_reply"] == []
    assert told["gaps"] is None
    assert told["error"] == {"kind": "invalid_request", "message": "", "hint": ""}
    assert told["client_request"]["query"] == {"key": "…y.77"}
    assert told["client_request"]["body"] is None
    assert told["client_request"]["fields"] == ["model", "note"]


async def test_an_attempt_is_told_with_its_times_since_the_request_came() -> None:
    flight = flown()
    one = flight.attempt("work", HERE, 10.5)
    one.sends(UpstreamRequest(url="http://up/v1?key=1", headers={"A": "b"}, body=b"{}", fields=("model",)), "gemini")
    heard = one.hears(FakeReply(b'{"ok":true}', status=503), lambda: 11.0)
    await heard.read()
    one.ends(Overloaded(f"too much, {KEY}"), 12.25)
    one.why_another = "another account"
    told = document(exchange(error_kind="overloaded"), flight)
    assert told["attempts"] == [
        {
            "n": 1,
            "account": "work",
            "route": "up/m",
            "url": "http://up/v1?…",
            "status": 503,
            "error_kind": "upstream_overloaded",
            "message": "too much, [secret]",
            "detail": "",
            "started_s": 0.5,
            "headers_s": 1.0,
            "first_content_s": None,
            "ended_s": 2.25,
            "retry": "another account",
        }
    ]
    assert told["upstream_request"][0]["protocol"] == "gemini"
    assert told["upstream_reply"][0]["fields"] == ["ok"]
    assert told["upstream_reply"][0]["body"] is None
    assert told["gaps"] == {"chunks": 1, "longest_s": 0.0, "buckets": [[0.1, 0], [1.0, 0], [10.0, 0], ["inf", 0]]}
    assert told["error"]["message"] == "too much, [secret]", "where the client was told nothing, the last attempt tells"


def test_bodies_are_kept_where_there_was_room_and_cut_where_it_ended() -> None:
    whole, cut = document(exchange(), flown(1000)), document(exchange(), flown(20))
    assert whole["client_request"]["body"] == '{"model":"m","note":"[secret]"}'
    assert (whole["client_request"]["cut"], cut["client_request"]["cut"]) == (False, True)
    assert cut["client_request"]["body"] == '{"model":"m","note'


def test_what_was_changed_on_the_way_is_told_once() -> None:
    mended, dropped = Note("messages[1]", "a result was added"), Note("seed", "left out")
    flight = flown()
    flight.repairs, flight.shortening = (mended,), "2 rounds"
    told = document(exchange(notes=(mended, dropped), described="1 image", repairs=1), flight)
    assert told["notes"] == [
        {"path": "messages[1]", "what": "a result was added"},
        {"path": "seed", "what": "left out"},
        {"path": "messages", "what": "images were described: 1 image"},
        {"path": "messages", "what": "shortened: 2 rounds"},
    ]


def test_the_route_is_told_in_the_order_it_was_decided() -> None:
    flight = flown()
    flight.route = RouteTaken(alias_of="n", routes=(HERE,), strategy="sticky", has_session=True, steps=("because.",))
    flight.remarks.append("and then.")
    assert document(exchange(), flight)["route"] == {
        "asked": "m",
        "alias": "n",
        "routes": ["up/m"],
        "strategy": "sticky",
        "session": True,
        "notes": ["because.", "and then."],
    }


def test_a_flight_that_cannot_be_told_says_so_instead_of_raising() -> None:
    flight = flown()
    flight.headers = None  # type: ignore[assignment]
    assert jsonx.decode(Untold(exchange(), flight)()) == {"broken": "AttributeError"}
    assert Untold(exchange(), flown(1000)).held_bytes > 8192


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("", (0, True, False, False)),
        ("[recorder]\ncontents = true\nmax_body_bytes = 2000\n", (2000, True, True, False)),
        ('[logging]\nlevel = "debug"\nbodies = "/b"\n', (262_144, True, False, True)),
        ('[logging]\nbodies = "/b"\n', (0, True, False, False)),
        ('[recorder]\nenabled = false\n[logging]\nlevel = "debug"\nbodies = "/b"\n', (262_144, False, False, True)),
    ],
)
def test_what_is_taped_is_what_somebody_keeps(toml: str, expected: tuple[int, bool, bool, bool]) -> None:
    flight = begin_flight(make_mocked_request("POST", "/v1/x?a=b"), settings_from(toml))
    assert flight is not None
    assert (flight.room_bytes, flight.is_for_ledger, flight.has_bodies, flight.is_for_log) == expected
    assert (flight.path, dict(flight.query)) == ("/v1/x", {"a": "b"})


@pytest.mark.parametrize("toml", ["[recorder]\nenabled = false\n", "[ledger]\nenabled = false\n"])
def test_where_nobody_keeps_anything_nothing_is_noted(toml: str) -> None:
    assert begin_flight(make_mocked_request("POST", "/v1/x"), settings_from(toml)) is None


def test_bodies_for_the_log_alone_are_not_told_to_the_ledger() -> None:
    assert jsonx.decode(Untold(exchange(), flown(1000))())["client_request"]["body"] is None
    assert jsonx.decode(Untold(exchange(), flown(1000), has_bodies=True)())["client_request"]["body"]
