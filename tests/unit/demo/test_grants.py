from __future__ import annotations

import re

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.demo.faults import Plain
from iflow_cli_proxy.demo.grants import Codes, Devices, challenge_of, is_challenge
from iflow_cli_proxy.demo.tokens import Rules
from tests.support.demo_signin import CHALLENGE, VERIFIER
from tests.support.entropy import counting_entropy
from tests.support.fake_clock import FakeClock

PAGE = "http://127.0.0.1:1/authorize"


def error_of(answer: str | Plain) -> str:
    assert isinstance(answer, Plain)
    return str(jsonx.decode(answer.body)["error"])


@pytest.mark.parametrize(
    ("verifier", "challenge"),
    [
        (VERIFIER, CHALLENGE),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "6oZqdX5MOLq_qBJ8vppAnT4fk6AP8UiP9zX8-Rev_9A"),
        ("_" * 42 + "8", "Il9-dTKd1FqjVJddc5hzGTCTk686TGczvBNgGk8bh5Y"),
    ],
)
def test_challenges_are_those_of_the_reference(verifier: str, challenge: str) -> None:
    assert challenge_of(verifier) == challenge


@pytest.mark.parametrize(
    ("text", "method", "is_one"),
    [
        (CHALLENGE, "S256", True),
        (CHALLENGE, "plain", False),
        ("short", "S256", False),
        (CHALLENGE + "=", "S256", False),
    ],
)
def test_only_s256_makes_challenges(text: str, method: str, is_one: bool) -> None:
    assert is_challenge(text, method) is is_one


def test_a_code_works_once_at_one_address_and_for_ten_minutes() -> None:
    clock = FakeClock()
    codes = Codes(clock, counting_entropy())
    first, second, third = (codes.issue("ada", "http://a") for _ in range(3))

    assert codes.redeem(first, "http://a") == "ada"
    assert codes.redeem(first, "http://a") is None
    assert codes.redeem(second, "http://b") is None
    assert codes.redeem(second, "http://a") is None, "somebody has seen it"
    clock.advance(600)
    assert codes.redeem(third, "http://a") is None


def test_i52_a_stolen_code_is_useless_without_the_verifier() -> None:
    codes = Codes(FakeClock(), counting_entropy())
    assert codes.redeem(codes.issue("ada", "a", CHALLENGE), "a", "guess") is None
    assert codes.redeem(codes.issue("ada", "a", CHALLENGE), "a", VERIFIER) == "ada"


def test_a_device_is_found_by_its_user_code_until_somebody_decides() -> None:
    devices = Devices(Rules(), FakeClock(), counting_entropy())
    told = devices.begin(PAGE, CHALLENGE)
    user_code, device_code = str(told["user_code"]), str(told["device_code"])
    assert re.fullmatch("[B-Z]{4}-[B-Z]{4}", user_code)
    assert error_of(devices.poll(device_code, VERIFIER)) == "authorization_pending"

    found = devices.waiting(user_code.lower())
    assert found is not None
    found.person = "ada"

    assert devices.waiting(user_code) is None
    assert devices.poll(device_code, VERIFIER) == "ada"
    assert error_of(devices.poll(device_code, VERIFIER)) == "invalid_request"


def test_a_device_is_refused_or_too_old() -> None:
    clock = FakeClock()
    devices = Devices(Rules(device_lifetime_s=60), clock, counting_entropy())
    refused, old = devices.begin(PAGE), devices.begin(PAGE)
    found = devices.waiting(str(refused["user_code"]))
    assert found is not None
    found.is_refused = True

    assert error_of(devices.poll(str(refused["device_code"]))) == "access_denied"
    clock.advance(60)
    assert devices.waiting(str(old["user_code"])) is None
    assert error_of(devices.poll(str(old["device_code"]))) == "expired_token"


def test_a_challenge_binds_a_device_code_too() -> None:
    devices = Devices(Rules(approves_by_itself=True), FakeClock(), counting_entropy())
    bound, free = devices.begin(PAGE, CHALLENGE), devices.begin(PAGE)
    assert error_of(devices.poll(str(bound["device_code"]), "guess")) == "invalid_grant"
    assert devices.poll(str(bound["device_code"]), VERIFIER) == "demo"
    assert devices.poll(str(free["device_code"])) == "demo"


def test_the_address_with_the_code_may_name_the_client() -> None:
    devices = Devices(Rules(), FakeClock(), counting_entropy())
    told = devices.begin(PAGE, client="qwen-code")
    assert told["verification_uri_complete"] == f"{PAGE}?user_code={told['user_code']}&client=qwen-code"
    assert "client" not in str(devices.begin(PAGE)["verification_uri_complete"])
