"""Qwen's page and endpoints over a real socket, called the way the vendor's client calls them."""

from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.demo.run import DemoUpstream
from tests.support.demo_signin import VERIFIER, Caller
from tests.support.fake_clock import FakeClock

# --- device ---


async def test_a_device_code_comes_with_all_that_a_person_needs(person: Caller, signing: DemoUpstream) -> None:
    told = (await person.device()).json
    page = f"{signing.origin}/authorize"
    assert told["verification_uri"] == page
    assert told["verification_uri_complete"] == f"{page}?user_code={told['user_code']}&client=qwen-code"
    assert (told["expires_in"], told["interval"]) == (900, 5)
    assert len(told["user_code"]) == 9
    assert signing.app.oauth.calls == {"device": 1}


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_id": "x"}, 401, "invalid_client"),
        ({"scope": "openid"}, 400, "invalid_scope"),
        ({"code_challenge": None}, 400, "invalid_request"),
        ({"code_challenge": "short"}, 400, "invalid_request"),
        ({"code_challenge_method": "plain"}, 400, "invalid_request"),
        ({"client_secret": "x"}, 400, "invalid_request"),
    ],
)
async def test_a_device_request_must_be_exactly_the_vendors(
    person: Caller, changes: dict[str, str], status: int, error: str
) -> None:
    answer = await person.device(**changes)
    assert (answer.status, answer.json["error"]) == (status, error)


async def test_the_answer_must_be_wanted_as_json(person: Caller) -> None:
    assert (await person.device(accept="*/*")).status == 400


@pytest.mark.parametrize(
    ("fault", "field", "value"),
    [
        ("interval_0", "interval", 0),
        ("interval_huge", "interval", 1e9),
        ("interval_word", "interval", "x"),
        ("no_interval", "interval", None),
        ("no_device_code", "device_code", None),
        ("script_uri", "verification_uri_complete", "javascript:alert(1)"),
        ("file_uri", "verification_uri", "file:///etc/passwd"),
        ("short_life", "expires_in", 1),
    ],
)
async def test_i54_i55_a_device_answer_can_be_bent(
    person: Caller, signing: DemoUpstream, fault: str, field: str, value: Any
) -> None:
    signing.app.oauth.faults.append(fault)
    assert (await person.device()).json.get(field) == value


async def test_i54_a_user_code_can_try_to_steer_the_terminal(person: Caller, signing: DemoUpstream) -> None:
    signing.app.oauth.faults.append("steering_code")
    assert "\x1b" in (await person.device()).json["user_code"]


# --- page ---


async def test_the_page_of_a_code_offers_to_sign_in_or_to_refuse(person: Caller) -> None:
    told = (await person.device()).json
    page = await person.send("GET", told["verification_uri_complete"].removeprefix(person.demo.origin))
    assert b"Sign in as demo user" in page.body
    assert f'name="user_code" value="{told["user_code"]}"'.encode() in page.body


async def test_the_page_asks_for_the_code_when_it_is_not_in_the_address(person: Caller) -> None:
    page = await person.send("GET", "/authorize")
    assert b'name="user_code"' in page.body


async def test_a_typed_code_may_be_in_small_letters(person: Caller) -> None:
    told = (await person.device()).json
    assert (await person.confirm(f" {told['user_code'].lower()} ")).status == 200
    assert (await person.poll(told["device_code"])).status == 200


async def test_a_code_that_is_unknown_used_or_old_is_not_found(person: Caller, clock: FakeClock) -> None:
    used, old = (await person.device()).json, (await person.device()).json
    await person.confirm(used["user_code"])
    clock.advance(900)
    for code in ("NOPE-NOPE", used["user_code"], old["user_code"]):
        assert (await person.confirm(code)).status == 404
        assert (await person.send("GET", "/authorize", params={"user_code": code})).status == 404


# --- token ---


async def test_a_poll_waits_for_the_person_and_works_once(person: Caller, signing: DemoUpstream) -> None:
    told = (await person.device()).json
    pending = await person.poll(told["device_code"])
    await person.confirm(told["user_code"])
    done = await person.poll(told["device_code"])
    again = await person.poll(told["device_code"])

    assert (pending.status, pending.json["error"]) == (400, "authorization_pending")
    assert done.json["status"] == "success"
    assert (done.json["token_type"], done.json["expires_in"]) == ("Bearer", 21_600)
    assert done.json["resource_url"] == signing.qwen_url
    assert again.status == 401
    assert signing.app.oauth.calls["poll"] == 3


async def test_nobody_has_to_press_a_button_when_told_so(person: Caller, signing: DemoUpstream) -> None:
    signing.app.oauth.rules.approves_by_itself = True
    told = (await person.device()).json
    assert (await person.poll(told["device_code"])).status == 200


async def test_a_refusal_is_told_to_the_program(person: Caller) -> None:
    told = (await person.device()).json
    assert (await person.confirm(told["user_code"], "refuse")).status == 200
    assert (await person.poll(told["device_code"])).json["error"] == "access_denied"


async def test_a_device_code_ends_in_time(person: Caller, signing: DemoUpstream, clock: FakeClock) -> None:
    signing.app.oauth.rules.device_lifetime_s = 30
    told = (await person.device()).json
    clock.advance(30)
    assert (await person.poll(told["device_code"])).json["error"] == "expired_token"


async def test_i52_a_wrong_verifier_gets_nothing_even_after_the_approval(person: Caller) -> None:
    told = (await person.device()).json
    await person.confirm(told["user_code"])
    wrong = await person.poll(told["device_code"], code_verifier=VERIFIER[:-1] + "l")
    assert wrong.json["error"] == "invalid_grant"
    assert (await person.poll(told["device_code"], code_verifier=None)).json["error"] == "invalid_request"
    assert (await person.poll(told["device_code"])).status == 200


async def test_i55_a_poll_can_be_told_to_slow_down_in_both_ways_and_to_fail_in_passing(
    person: Caller, signing: DemoUpstream
) -> None:
    told = (await person.device()).json
    await person.confirm(told["user_code"])
    for fault in ("slow_down", "slow_down_429", "poll:http_500", "poll:http_504", "pending_in_200", "expired_token"):
        signing.app.oauth.faults.append(fault)

    answers = [await person.poll(told["device_code"]) for _ in range(7)]

    assert [answer.status for answer in answers] == [400, 429, 500, 504, 200, 400, 200]
    assert answers[0].json == answers[1].json == {"error": "slow_down"}
    assert answers[6].json["access_token"]


async def test_a_refresh_rotates_and_a_dead_token_is_told_plainly(person: Caller, signing: DemoUpstream) -> None:
    signing.app.oauth.rules.reuse_window_s = 0
    first = await person.qwen_sign_in()
    second = (await person.qwen_refresh(first["refresh_token"])).json
    dead = await person.qwen_refresh(first["refresh_token"])

    assert second["refresh_token"] != first["refresh_token"]
    assert second["resource_url"] == signing.qwen_url
    assert (dead.status, dead.json["error"]) == (400, "invalid_grant")
    assert signing.app.oauth.calls["refresh"] == 2


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_id": "x"}, "invalid_client"),
        ({"client_secret": "x"}, "invalid_request"),
        ({"refresh_token": None}, "invalid_request"),
    ],
)
async def test_a_refresh_must_be_exactly_the_vendors(person: Caller, form: dict[str, str], error: str) -> None:
    told = await person.qwen_sign_in()
    assert (await person.qwen_refresh(**{"refresh_token": told["refresh_token"], **form})).json["error"] == error


@pytest.mark.parametrize(
    ("fault", "field", "value"),
    [
        ("no_resource_url", "resource_url", None),
        ("evil_resource_url", "resource_url", "http://192.0.2.1:9/steal"),
        ("refresh_token_null", "refresh_token", None),
        ("expires_in_huge", "expires_in", 1e12),
        ("expires_in_digits", "expires_in", "3600"),
    ],
)
async def test_i56_a_token_answer_can_be_bent(
    person: Caller, signing: DemoUpstream, fault: str, field: str, value: Any
) -> None:
    told = await person.qwen_sign_in()
    signing.app.oauth.faults.append(fault)
    assert (await person.qwen_refresh(told["refresh_token"])).json.get(field) == value
