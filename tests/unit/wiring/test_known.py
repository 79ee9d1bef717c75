"""An account as it is known, and which two are one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.saved import AccountState
from iflow_cli_proxy.providers.discovery import Discovery, LiveSignIn, SharedFile
from iflow_cli_proxy.wiring.known import KnownAccount, accounts_in, is_among, is_resting, left_out, state_word, taken
from tests.support.places import FakePlace
from tests.support.wiring import qwen_account

NOW = 1_700_000_000.0


def known(id: str = "ada", **changes: Any) -> KnownAccount:
    saved = qwen_account(id, **changes)
    return KnownAccount(saved=saved, place=FakePlace(saved), origin=f"/home/{id}.json")


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (known(), True),
        (known(state=AccountState.DISABLED), False),
        (known(is_refused=True), False),
        (KnownAccount(saved=qwen_account(), is_used=False), False),
        (KnownAccount(saved=qwen_account(), is_sealed=True), False),
        (KnownAccount(saved=qwen_account(tokens=None)), True),
    ],
    ids=["in order", "switched off", "refused", "not for requests", "sealed", "a server without keys"],
)
def test_requests_go_out_on_what_is_in_order_and_on_keys_whatever_they_are(one: KnownAccount, expected: bool) -> None:
    assert one.is_usable(NOW) is expected


def test_different_sign_ins_are_different_accounts() -> None:
    assert not is_among(known("bob"), [qwen_account()])
    assert is_among(known("ada"), [qwen_account("eve"), qwen_account()])
    assert not is_among(known("ada"), [])


def test_two_accounts_without_any_token_are_not_the_same_for_that() -> None:
    only_key = qwen_account("key", tokens=None, api_key=Secret("sk-of-key"))
    assert not is_among(known("bob"), [qwen_account("empty", tokens=None)])
    assert is_among(KnownAccount(saved=qwen_account("nothing", tokens=None)), [only_key])


def test_a_key_in_the_environment_is_never_taken_for_an_imported_file() -> None:
    key = KnownAccount(saved=qwen_account("key", tokens=None, api_key=Secret("sk-of-key")), origin="QWEN_API_KEY")
    assert not is_among(key, [qwen_account(imported_from="QWEN_API_KEY")])


def test_a_live_sign_in_stands_for_the_account_of_its_id() -> None:
    live = LiveSignIn(
        account=qwen_account("cli"),
        file=SharedFile(path=Path("/home/creds.json"), merge=lambda data, _: data),
        parse=lambda _: None,
        is_kept_fresh=False,
    )
    key = Account(id="env", provider="qwen", label="env", api_key=Secret("sk-1"), concurrency=2, origin="QWEN_API_KEY")
    shadow = Account(id="cli", provider="qwen", label="cli", api_key=Secret("sk-2"))
    spare = Account(id="cli", provider="qwen", label="cli", api_key=Secret("sk-3"))
    place = FakePlace(None)

    one, two = accounts_in(Discovery(accounts=(shadow, key), live=(live,), spare=(spare,)), lambda _: place)

    assert (one.saved.id, one.place, one.is_kept_fresh, one.origin) == ("cli", place, False, "/home/creds.json")
    assert (two.saved.id, two.place, two.concurrency, two.origin) == ("env", None, 2, "QWEN_API_KEY")
    assert one.spare == two.spare == (Secret("sk-3"),)
    assert two.saved.bearer == Secret("sk-1")


def test_accounts_without_a_provider_are_told_once_for_each_provider() -> None:
    ours = [known("a", provider="gone"), known("b", provider="gone"), known("c", provider="qwen")]
    (finding,) = left_out(ours, {"qwen"})
    assert finding.where == "providers.gone"
    assert "[providers.gone]" in finding.hint


def test_a_sign_in_that_serves_another_provider_is_told_with_its_file_and_no_secret() -> None:
    finding = taken(known("ada", provider="relay"), known("ada"))
    assert finding.where == "/home/ada.json"
    assert "qwen" in finding.problem
    assert "relay" in finding.hint
    assert "at-of" not in str(finding)


@pytest.mark.parametrize(
    ("until", "of_model", "asked", "rests"),
    [
        (NOW + 1, "", "", True),
        (NOW + 1, "", "glm-5", True),
        (NOW + 1, "glm-5", "", True),
        (NOW + 1, "glm-5", "glm-5", True),
        (NOW + 1, "glm-5", "kimi", False),
        (NOW, "", "", False),
        (None, "", "", False),
    ],
)
def test_a_rest_is_for_all_models_or_for_one(until: float | None, of_model: str, asked: str, rests: bool) -> None:
    one = known(state=AccountState.COOLING, rests_until=until, rests_model=of_model)

    assert is_resting(one.saved, NOW, asked) is rests
    assert state_word(one, NOW) == ("cooling" if until == NOW + 1 else "ok")
