"""New, newer or nothing new: what becomes of accounts that are brought in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, AuthType, SavedAccount, Tokens
from iflow_cli_proxy.signin.foreign.taking import Fate, Step, plan, renewed
from tests.support.entropy import counting_entropy

NOW = 1_000.0
UUID = "0b5c2d5e-7d34-4f0e-9a51-0123456789ab"


def _key(key: str = "sk-1", **more: object) -> SavedAccount:
    return replace(
        SavedAccount(id="", provider="iflow", label="me", auth_type=AuthType.API_KEY, api_key=Secret(key)),
        **more,  # type: ignore[arg-type]
    )


def _signed_in(refresh: str = "rt-1", ends_at: float | None = 500.0, **more: object) -> SavedAccount:
    tokens = Tokens(access_token=Secret(f"at-{refresh}"), refresh_token=Secret(refresh), expires_at=ends_at)
    return _key(auth_type=AuthType.OAUTH, tokens=tokens, **more)


def _plan(existing: list[SavedAccount], *brought: SavedAccount) -> list[Step]:
    return plan(existing, brought, now=NOW, entropy=counting_entropy())


def test_an_unknown_account_gets_an_id_a_free_label_and_its_dates() -> None:
    (step,) = _plan([_key("sk-other", id="x", label="me")], _key())

    assert step.fate is Fate.IMPORTED
    assert len(step.account.id) == 36
    assert (step.account.label, step.account.created_at, step.account.updated_at) == ("me-2", NOW, NOW)


def test_labels_are_made_such_as_can_be_typed() -> None:
    labels = [step.account.label for step in _plan([], _key("a", label="Me@Work.Example"), _key("b", label="日本"))]

    assert labels == ["me-work-example", "iflow"]


def test_labels_at_different_providers_do_not_stand_in_each_others_way() -> None:
    (step,) = _plan([_key(id="x", provider="qwen")], _key())

    assert (step.fate, step.account.label) == (Fate.IMPORTED, "me")


def test_an_id_that_comes_along_is_kept_unless_it_is_taken() -> None:
    first, second = _plan([], _key("a", id=UUID), _key("b", id="../../etc/passwd"))

    assert first.account.id == UUID
    assert len(second.account.id) == 36, "what is no UUID is no id"
    (third,) = _plan([_key("c", id=UUID, provider="qwen")], _key("a", id=UUID))
    assert third.account.id != UUID


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        (_key(), _signed_in(), True),
        (_signed_in(api_key=Secret()), _signed_in(api_key=Secret("sk-2")), True),
        (_key("a", user_id="7"), _key("b", user_id="7"), True),
        (_key("a", id=UUID), _key("b", id=UUID), True),
        (_key("a"), _key("b"), False),
        (_key(), _key(provider="qwen"), False),
        (_key("a", label="x"), _key("b", label="x"), False),
    ],
)
def test_accounts_are_the_same_by_key_refresh_token_person_or_id(
    one: SavedAccount, other: SavedAccount, are_same: bool
) -> None:
    (step,) = _plan([one], other)

    assert (step.fate is not Fate.IMPORTED) is are_same


def test_a_thousand_accounts_are_planned_at_once() -> None:
    many = [_key(f"sk-{number}", label=f"a{number}") for number in range(1000)]

    assert {step.fate for step in _plan(many, *many)} == {Fate.ALREADY_THERE}


def test_what_is_brought_twice_is_imported_once() -> None:
    assert [step.fate for step in _plan([], _key(), _key(label="again"))] == [Fate.IMPORTED, Fate.ALREADY_THERE]


def test_a_sign_in_completes_a_key_that_is_known_already() -> None:
    (step,) = _plan([_key(id="x", label="mine")], _signed_in())

    assert (step.fate, step.account.id, step.account.label) == (Fate.UPDATED, "x", "mine")
    assert step.account.auth_type is AuthType.OAUTH


def test_a_key_alone_takes_nothing_from_a_sign_in() -> None:
    assert [step.fate for step in _plan([_signed_in(id="x")], _key())] == [Fate.ALREADY_THERE]


def test_of_two_sign_ins_the_one_that_ends_later_is_newer() -> None:
    known = _signed_in("rt-1", 500.0)

    assert renewed(known, _signed_in("rt-2", 400.0), now=NOW) is None
    assert renewed(known, _signed_in("rt-2", None), now=NOW) is None
    assert renewed(known, _signed_in("rt-1", 900.0), now=NOW) is None, "the same refresh token is the same sign-in"
    newer = renewed(known, _signed_in("rt-2", 600.0), now=NOW)
    assert newer is not None
    assert newer.tokens is not None
    assert newer.tokens.refresh_token.reveal() == "rt-2"


def test_of_two_keys_of_one_person_the_one_of_the_newer_file_is_newer() -> None:
    known = _key("a", user_id="7", updated_at=100.0)

    assert renewed(known, _key("b", user_id="7", updated_at=50.0), now=NOW) is None
    newer = renewed(known, _key("b", user_id="7", updated_at=150.0), now=NOW)
    assert newer is not None
    assert newer.api_key.reveal() == "b"


def test_a_dead_credential_gives_way_to_an_older_one_and_every_mark_goes() -> None:
    dead = _signed_in(
        "rt-1",
        500.0,
        state=AccountState.NEEDS_LOGIN,
        is_refused=True,
        last_error="refused",
        last_error_at=1.0,
        failing_since=1.0,
        refresh_failures=3,
        rests_until=2000.0,
    )

    alive = renewed(dead, _signed_in("rt-0", 400.0), now=NOW)

    assert alive is not None
    assert (alive.state, alive.is_refused, alive.last_error, alive.refresh_failures) == (AccountState.OK, False, "", 0)
    assert (alive.failing_since, alive.rests_until, alive.last_error_at) == (None, None, None)


def test_an_account_that_was_switched_off_stays_off() -> None:
    newer = renewed(_signed_in(state=AccountState.DISABLED), _signed_in("rt-2", 900.0), now=NOW)

    assert newer is not None
    assert newer.state is AccountState.DISABLED
