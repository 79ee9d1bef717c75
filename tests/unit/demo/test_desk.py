"""When in a call each kind of mishap happens, seen from the other end of a socket."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from iflow_cli_proxy.demo.desk import basic, form_complaint
from iflow_cli_proxy.demo.mishaps import ANSWERS
from iflow_cli_proxy.demo.run import DemoUpstream
from tests.support.demo_signin import IFLOW_BASIC, IFLOW_ID, IFLOW_SECRET, Caller


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_that_stands_in_comes_as_it_is_and_nothing_happens_behind_it(
    person: Caller, signing: DemoUpstream, name: str
) -> None:
    tokens = await person.iflow_sign_in()
    signing.app.oauth.faults.append(f"refresh:{name}")

    answer = await person.iflow_refresh(tokens["refresh_token"])

    assert (answer.status, answer.body) == (ANSWERS[name].status, ANSWERS[name].body)
    assert signing.app.oauth.iflow.tokens.is_live(tokens["refresh_token"])
    assert "access_token" in (await person.iflow_refresh(tokens["refresh_token"])).json


@pytest.mark.parametrize(("name", "survives"), [("cut_before", True), ("reset", True), ("cut_after", False)])
async def test_f49_a_connection_ends_before_or_after_the_token_was_replaced(
    person: Caller, signing: DemoUpstream, name: str, survives: bool
) -> None:
    tokens = await person.iflow_sign_in()
    signing.app.oauth.faults.append(f"refresh:{name}")

    with pytest.raises(aiohttp.ClientError):
        await person.iflow_refresh(tokens["refresh_token"])

    assert signing.app.oauth.iflow.tokens.is_live(tokens["refresh_token"]) is survives
    assert signing.app.oauth.calls["refresh"] == 1
    assert "access_token" in (await person.iflow_refresh(tokens["refresh_token"])).json


async def test_a_slow_answer_has_done_its_work_before_it_waits(person: Caller, signing: DemoUpstream) -> None:
    tokens = await person.iflow_sign_in()
    signing.app.oauth.rules.slow_s = 60
    signing.app.oauth.faults.append("slow")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(person.iflow_refresh(tokens["refresh_token"]), 0.1)

    assert not signing.app.oauth.iflow.tokens.is_live(tokens["refresh_token"])


async def test_a_slow_answer_is_a_good_one(person: Caller, signing: DemoUpstream) -> None:
    tokens = await person.iflow_sign_in()
    signing.app.oauth.faults.append("slow")
    assert "access_token" in (await person.iflow_refresh(tokens["refresh_token"])).json


async def test_a_silent_call_ends_with_the_demo(person: Caller, signing: DemoUpstream) -> None:
    signing.app.oauth.faults.append("device:hang")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(person.device(), 0.05)
    signing.app.oauth.faults.append("device:hang")
    waiting = asyncio.ensure_future(person.device())
    await asyncio.sleep(0.05)
    assert not waiting.done()

    signing.app.release()

    with pytest.raises(aiohttp.ClientError):
        await waiting


async def test_bends_change_only_good_answers(person: Caller, signing: DemoUpstream) -> None:
    tokens = await person.iflow_sign_in()
    signing.app.oauth.faults.append("no_access_token@2")

    assert (await person.iflow_refresh(tokens["refresh_token"], client_id="x")).json["error"] == "invalid_client"
    assert set((await person.iflow_refresh(tokens["refresh_token"])).json) == {
        "refresh_token", "expires_in", "token_type", "scope",
    }  # fmt: skip


async def test_a_large_answer_has_two_megabytes(person: Caller, signing: DemoUpstream) -> None:
    signing.app.oauth.faults.append("large")
    answer = await person.redeem(await person.code())
    assert len(answer.body) > 2 * 1024 * 1024
    assert answer.json["access_token"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"grant_type":"refresh_token"}', "application/json"),
        (b"grant_type=a&grant_type=b", "application/x-www-form-urlencoded"),
        (b"grant_type", "application/x-www-form-urlencoded"),
        (b"\xff\xfe=1", "application/x-www-form-urlencoded; charset=utf-8"),
    ],
)
async def test_what_is_no_form_is_refused(person: Caller, body: bytes, content_type: str) -> None:
    headers = {"Content-Type": content_type, "Accept": "application/json"}
    for path in ("/oauth/token", "/api/v1/oauth2/token", "/api/v1/oauth2/device/code"):
        answer = await person.send("POST", path, data=body, headers=headers)
        assert (answer.status, answer.json["error"]) == (400, "invalid_request")


def test_a_form_has_exactly_the_wanted_fields() -> None:
    assert form_complaint({"a": "1", "b": "2"}, "a", "b") is None
    for form in ({"a": "1"}, {"a": "1", "b": ""}, {"a": "1", "b": "2", "c": "3"}):
        assert form_complaint(form, "a", "b") is not None


def test_the_basic_header_is_the_one_of_the_reference() -> None:
    assert basic(IFLOW_ID, IFLOW_SECRET) == IFLOW_BASIC
    assert IFLOW_BASIC == "Basic MTAwMDkzMTEwMDE6NFozWWpYeWNWc1F2eUdGMWV0aU5sSUJCNFJzcVNEdFc="


async def test_an_account_name_may_carry_a_fault(person: Caller, signing: DemoUpstream) -> None:
    code = await person.code("ada+refresh:overload@2")
    assert list(signing.app.oauth.faults) == ["refresh:overload@2"]
    tokens = (await person.redeem(code)).json
    assert signing.app.oauth.iflow.tokens.person_of(tokens["access_token"]) == "ada"


@pytest.mark.parametrize("account", ["", "  ", "+overload", "ada+no_such_fault", "ada+"])
async def test_an_account_name_that_is_none_is_told(person: Caller, account: str) -> None:
    assert (await person.decide(account=account)).status == 400
    grant = (await person.device()).json
    assert (await person.confirm(grant["user_code"], account=account)).status == 400
