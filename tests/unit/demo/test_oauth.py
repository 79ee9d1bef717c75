"""The paths for hand trials, as `curl` calls them."""

from __future__ import annotations

from iflow_cli_proxy.demo.mishaps import ALL
from iflow_cli_proxy.demo.run import DemoUpstream
from tests.support.demo_signin import Caller


async def test_a_person_sees_calls_waiting_faults_and_every_name(person: Caller, signing: DemoUpstream) -> None:
    await person.iflow_sign_in()
    signing.app.oauth.faults.append("refresh:overload@3")

    page = (await person.send("GET", "/demo")).body.decode()

    assert "authorize 0, code 1, refresh 0" in page
    assert "waiting: refresh:overload@3" in page
    assert all(name in page for name in ALL)


async def test_faults_are_added_and_cleared_over_http(person: Caller, signing: DemoUpstream) -> None:
    assert (await person.send("POST", "/demo/faults?add=refresh:overload@3")).status == 200
    assert list(signing.app.oauth.faults) == ["refresh:overload@3"]

    assert b"waiting: nothing" in (await person.send("DELETE", "/demo/faults")).body
    assert len(signing.app.oauth.faults) == 0


async def test_a_fault_that_does_not_exist_is_told_with_the_way_to_the_list(person: Caller) -> None:
    for path in ("/demo/faults", "/demo/faults?add=no_such"):
        answer = await person.send("POST", path)
        assert answer.status == 400
        assert b"GET /demo" in answer.body


async def test_all_access_tokens_can_be_ended_at_both_vendors(person: Caller, signing: DemoUpstream) -> None:
    iflow, qwen = await person.iflow_sign_in(), await person.qwen_sign_in()

    await person.send("POST", "/demo/expire")

    assert (await person.userinfo(iflow["access_token"])).status == 401
    assert signing.app.oauth.qwen.tokens.person_of(qwen["access_token"]) is None
    assert "access_token" in (await person.qwen_refresh(qwen["refresh_token"])).json


async def test_the_vendors_do_not_know_each_others_tokens(person: Caller) -> None:
    iflow, qwen = await person.iflow_sign_in(), await person.qwen_sign_in()
    assert (await person.qwen_refresh(iflow["refresh_token"])).status == 400
    assert (await person.userinfo(qwen["access_token"])).status == 401


async def test_what_was_changed_while_it_runs_holds_at_once(person: Caller, signing: DemoUpstream) -> None:
    signing.app.oauth.rules.poll_interval_s = 1
    assert (await person.device()).json["interval"] == 1
