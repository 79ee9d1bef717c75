from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, AuthType, SavedAccount, Tokens
from iflow_cli_proxy.signin.identity import check_label, free_label, is_dead, made_label, marks, revived, slug
from tests.support.saved_accounts import saved_account

NOT_LABELS = [
    "", "../x", "a/b", "a\\b", ".", "..", "x" * 64, "x" * 300, "a\x00b", "CON", "con", "nul", "com1", "-x", "_x",
    "%2e%2e", "\u0430bc", "a b", "A", "me@example.com", "a.b", "a\n", "\uff41",
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_LABELS)
def test_i39_a_name_that_could_be_a_path_or_look_like_another_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_label(text)
    assert caught.value.hint.startswith("try ")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("me@example.com", "me-example-com"),
        ("138****0000", "138-0000"),
        ("Élodie Müller", "elodie-muller"),
        ("../../etc/passwd", "etc-passwd"),
        ("--x--", "x"),
        ("用户", ""),
        ("CON", "con-account"),
        ("\x1b[31mred", "31mred"),
        ("x" * 5000, "x" * 63),
        ("", ""),
    ],
)
def test_i39_names_from_providers_are_made_into_labels(text: str, label: str) -> None:
    assert slug(text) == label
    assert not label or check_label(label) == label


def test_a_label_is_made_of_the_first_text_that_leaves_something() -> None:
    assert made_label("用户", "", "u.7", "iflow") == "u-7"
    assert made_label("", "用户") == "account"


def test_a_label_that_is_taken_gets_a_number_and_is_cut_for_it() -> None:
    assert free_label("work", {"home"}) == "work"
    assert free_label("work", {"work", "work-2"}) == "work-3"
    assert free_label("x" * 63, {"x" * 63}) == "x" * 61 + "-2"


def test_the_surest_marks_come_first_and_none_is_empty() -> None:
    tokens = Tokens(access_token=Secret("at"), refresh_token=Secret("rt"))
    account = SavedAccount(
        id="x", provider="iflow", label="me", auth_type=AuthType.OAUTH, api_key=Secret("sk"), tokens=tokens, user_id="7"
    )

    assert [(kind, text) for _, kind, text in marks(account)] == [
        ("id", "x"), ("key", "sk"), ("refresh token", "rt"), ("access token", "at"), ("user", "7"),
    ]  # fmt: skip
    assert marks(SavedAccount(id="", provider="iflow", label="me", auth_type=AuthType.API_KEY)) == []


def test_marks_are_of_one_provider() -> None:
    assert not set(marks(saved_account(provider="iflow"))) & set(marks(saved_account(provider="qwen")))


@pytest.mark.parametrize("changes", [{"state": AccountState.NEEDS_LOGIN}, {"is_refused": True}])
def test_a_dead_account_is_revived_without_a_mark(changes: dict[str, object]) -> None:
    dead = saved_account(
        last_error="dead",
        last_error_at=1.0,
        failing_since=1.0,
        refresh_failures=3,
        **changes,  # type: ignore[arg-type]
    )

    assert is_dead(dead)
    assert not is_dead(revived(dead))
    assert revived(dead) == saved_account()


@pytest.mark.parametrize("state", [AccountState.DISABLED, AccountState.COOLING])
def test_what_a_person_or_the_upstream_has_decided_is_not_revived(state: AccountState) -> None:
    account = saved_account(state=state, rests_until=2e9)
    assert (revived(account).state, revived(account).rests_until) == (state, 2e9)
