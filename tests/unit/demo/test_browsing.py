"""Where the browser may be sent, and the page of a code, whose answers are in the tests of each vendor's sign-in."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.demo.browsing import is_loopback, send_back
from iflow_cli_proxy.demo.desk import Desk
from iflow_cli_proxy.demo.run import DemoUpstream
from iflow_cli_proxy.demo.tokens import Rules
from tests.support.demo_signin import Caller


@pytest.mark.parametrize(
    ("redirect", "is_here"),
    [
        ("http://localhost:11451/oauth2callback", True),
        ("http://127.0.0.1/cb", True),
        ("http://[::1]:8/cb", True),
        ("https://localhost/cb", False),
        ("http://localhost.evil.example/cb", False),
        ("http://localhost:1@evil.example/cb", False),
        ("http://user@localhost/cb", False),
        ("//localhost/cb", False),
        ("javascript:alert(1)", False),
        ("", False),
    ],
)
def test_i53_only_ports_of_this_machine_are_a_way_back(redirect: str, is_here: bool) -> None:
    assert is_loopback(redirect) is is_here


def test_the_query_is_added_to_the_one_that_is_there_and_a_fault_bends_it_once() -> None:
    desk = Desk(Rules())
    desk.faults.append("no_state")
    said = {"code": "a b", "state": "s"}

    sent = [send_back(desk, place, said).headers["Location"] for place in ("http://h/cb", "http://h/cb?x=1")]

    assert sent == ["http://h/cb?code=a+b", "http://h/cb?x=1&code=a+b&state=s"]


async def test_every_vendor_has_a_page_of_its_own_for_codes(person: Caller, signing: DemoUpstream) -> None:
    told = (await person.device()).json
    asked = {"user_code": told["user_code"]}
    assert (await person.send("GET", "/authorize", params=asked)).status == 200
    assert (await person.send("GET", "/standard/device", params=asked)).status == 404
    assert signing.app.oauth.calls["authorize"] == 1
