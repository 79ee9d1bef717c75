from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core.errors import InvalidRequest, Overloaded
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, AuthType, SavedAccount, Tokens
from iflow_cli_proxy.signin.enrol import Enrolled, enrol
from iflow_cli_proxy.signin.identity import check_label
from iflow_cli_proxy.signin.signed_in import SignedIn
from iflow_cli_proxy.signin.timing import lacks_profile
from iflow_cli_proxy.state.accounts import AccountStore
from tests.support.entropy import counting_entropy
from tests.support.fake_clock import FakeClock

NOW = FakeClock().now()


class Bench:
    def __init__(self, folder: Path) -> None:
        self.store = AccountStore(folder, clock=FakeClock())
        self.entropy = counting_entropy()

    def enrol(self, signed_in: SignedIn, *, provider: str = "iflow", now: float = NOW, **options: Any) -> Enrolled:
        return enrol(self.store, provider, signed_in, now=now, entropy=self.entropy, **options)

    def put(self, id: str, **changes: Any) -> None:
        self.store.change(id, lambda held: replace(held, **changes))

    @property
    def accounts(self) -> tuple[SavedAccount, ...]:
        return self.store.load().accounts

    @property
    def labels(self) -> list[str]:
        return [account.label for account in self.accounts]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "accounts")


def tokens(number: int, *, life_s: float = 3600.0) -> Tokens:
    return Tokens(
        access_token=Secret(f"at-{number:010}"), refresh_token=Secret(f"rt-{number:010}"), expires_at=NOW + life_s
    )


def person(number: int, *, user_id: str = "", label: str = "", life_s: float = 3600.0, key: str = "") -> SignedIn:
    return SignedIn(
        auth_type=AuthType.OAUTH,
        tokens=tokens(number, life_s=life_s),
        api_key=Secret(key),
        user_id=user_id,
        label=label,
    )


def key(text: str) -> SignedIn:
    return SignedIn(auth_type=AuthType.API_KEY, api_key=Secret(text))


@pytest.mark.parametrize("text", ["../x", "a b", "CON"])
def test_i39_a_name_that_could_be_a_path_is_refused_before_anything_is_kept(text: str, bench: Bench) -> None:
    with pytest.raises(InvalidRequest):
        bench.enrol(key("sk-1"), label=text)
    assert bench.accounts == ()


@pytest.mark.parametrize("text", ["a", "0", "work", "work-2_x", "x" * 63])
def test_i39_a_plain_name_is_taken_as_it_is(text: str, bench: Bench) -> None:
    assert bench.enrol(key("sk-1"), label=text).account.label == text


def test_a_new_identity_is_a_new_account(bench: Bench) -> None:
    me = replace(person(1, user_id="7", label="Me@Example.com", key="sk-1"), base_url="https://up.example/v1")
    done = bench.enrol(me)

    [account] = bench.accounts
    assert done.is_new
    assert done.account == account
    assert (account.provider, account.label, account.user_id) == ("iflow", "me-example-com", "7")
    assert (account.auth_type, account.api_key.reveal(), account.tokens) == (AuthType.OAUTH, "sk-1", tokens(1))
    assert (account.base_url, account.created_at, account.state) == ("https://up.example/v1", NOW, AccountState.OK)
    assert account.is_usable(NOW)


@pytest.mark.parametrize(
    ("signed_in", "label"),
    [
        (person(1, user_id="u-7"), "u-7"),
        (person(1, label="用户", user_id="42"), "42"),
        (person(1, label="用户"), "iflow"),
        (key("sk-1"), "iflow"),
    ],
)
def test_a_label_is_made_of_what_is_known(signed_in: SignedIn, label: str, bench: Bench) -> None:
    assert bench.enrol(signed_in).account.label == label


def test_labels_are_unique_within_a_provider(bench: Bench) -> None:
    for number in range(3):
        bench.enrol(key(f"sk-{number}"))
    bench.enrol(key("sk-x"), provider="deepseek", label="iflow")
    assert sorted(bench.labels) == ["iflow", "iflow", "iflow-2", "iflow-3"]


def test_a_long_label_is_cut_for_its_number(bench: Bench) -> None:
    labels = {bench.enrol(person(number, user_id=str(number), label="x" * 63)).account.label for number in range(1, 4)}
    assert labels == {"x" * 63, "x" * 61 + "-2", "x" * 61 + "-3"}
    assert all(check_label(label) for label in labels)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (person(1, user_id="7"), person(2, user_id="7")),
        (person(1), person(1, life_s=7200)),
        (person(1, key="sk-1"), person(2, key="sk-1")),
        (key("sk-1"), person(2, key="sk-1")),
        (person(1, label="me"), person(2, label="me")),
    ],
    ids=["user_id", "tokens", "api_key", "key_then_sign_in", "name"],
)
def test_the_same_identity_is_updated_and_not_doubled(first: SignedIn, second: SignedIn, bench: Bench) -> None:
    old = bench.enrol(first).account
    done = bench.enrol(second, now=NOW + 60)

    [account] = bench.accounts
    assert (done.is_new, done.account) == (False, account)
    assert (account.id, account.label, account.created_at) == (old.id, old.label, NOW)
    assert account.tokens == second.tokens
    assert account.auth_type is second.auth_type


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (person(1, user_id="7"), person(2, user_id="8")),
        (person(1, user_id="7", label="me"), person(2, user_id="8", label="me")),
        (person(1, label="a.b@example.com"), person(2, label="a-b@example.com")),
        (person(1), person(2)),
        (key("sk-1"), key("sk-2")),
        (key("sk-1"), person(1)),
    ],
)
def test_different_identities_are_different_accounts(first: SignedIn, second: SignedIn, bench: Bench) -> None:
    bench.enrol(first)
    assert bench.enrol(second).is_new
    assert len(bench.accounts) == len(set(bench.labels)) == 2


def test_the_same_key_at_another_provider_is_another_account(bench: Bench) -> None:
    bench.enrol(key("sk-1"))
    assert bench.enrol(key("sk-1"), provider="mirror").is_new


def test_a_given_name_finds_its_account_and_renames_that_of_the_same_person(bench: Bench) -> None:
    bench.enrol(key("sk-1"), label="work")
    assert not bench.enrol(key("sk-2"), label="work").is_new
    assert bench.accounts[0].api_key.reveal() == "sk-2"
    assert bench.enrol(key("sk-2"), label="job").account.label == "job"
    assert bench.labels == ["job"]


def test_a_given_name_never_takes_the_place_of_another_identity(bench: Bench) -> None:
    bench.enrol(person(1, user_id="7", key="sk-1"), label="work")
    assert bench.enrol(person(2, user_id="8"), label="work").account.label == "work-2"
    assert bench.enrol(key("sk-3"), label="work").account.label == "work-3"
    assert bench.accounts[0].tokens == tokens(1)


def test_a_new_sign_in_clears_every_mark_of_the_dead_one_and_keeps_the_rest(bench: Bench) -> None:
    id = bench.enrol(person(1, user_id="7", key="sk-1"), label="work").account.id
    bench.put(
        id, state=AccountState.NEEDS_LOGIN, is_refused=True, last_error="dead", last_error_at=NOW, failing_since=NOW,
        refresh_failures=9, request_count=5, last_used_at=NOW, extras={"note": {"a": 1}}, concurrency=3, base_url="https://own.example",
        imported_from="/old",
    )  # fmt: skip
    account = bench.enrol(person(2, user_id="7", key="sk-2"), now=NOW + 60).account

    assert (account.state, account.is_refused, account.last_error) == (AccountState.OK, False, "")
    assert (account.last_error_at, account.failing_since, account.refresh_failures) == (None, None, 0)
    assert (account.label, account.request_count, account.last_used_at) == ("work", 5, NOW)
    assert account.concurrency == 3
    assert (account.extras, account.base_url, account.imported_from) == ({"note": {"a": 1}}, "https://own.example", "")
    assert account.is_usable(NOW + 60)


@pytest.mark.parametrize("state", [AccountState.DISABLED, AccountState.COOLING])
def test_what_a_person_or_the_upstream_has_decided_stays(state: AccountState, bench: Bench) -> None:
    id = bench.enrol(person(1, user_id="7")).account.id
    bench.put(id, state=state, rests_until=NOW + 500)
    account = bench.enrol(person(2, user_id="7")).account
    assert (account.state, account.rests_until) == (state, NOW + 500)


def test_where_nothing_is_known_of_the_person_the_one_account_that_waits_is_it(bench: Bench) -> None:
    id = bench.enrol(person(1), provider="qwen").account.id
    bench.enrol(person(2), provider="qwen")
    bench.put(id, state=AccountState.NEEDS_LOGIN)

    assert bench.enrol(person(3), provider="qwen").account.id == id
    assert len(bench.accounts) == 2


@pytest.mark.parametrize(("signed_in", "label"), [(person(2), "other"), (person(2, label="somebody"), "")])
def test_a_waiting_account_is_not_guessed_where_somebody_has_a_name(
    signed_in: SignedIn, label: str, bench: Bench
) -> None:
    id = bench.enrol(person(1), provider="qwen").account.id
    bench.put(id, state=AccountState.NEEDS_LOGIN)
    assert bench.enrol(signed_in, provider="qwen", label=label).is_new


def test_of_two_waiting_accounts_neither_is_guessed(bench: Bench) -> None:
    for id in [bench.enrol(person(number), provider="qwen").account.id for number in (1, 2)]:
        bench.put(id, is_refused=True)
    assert bench.enrol(person(3), provider="qwen").is_new


def test_tokens_without_their_key_are_kept_out_of_use_and_asked_for_later(bench: Bench) -> None:
    account = bench.enrol(replace(person(1), problem=Overloaded("The server is busy."))).account

    assert account.tokens == tokens(1)
    assert not account.is_usable(NOW)
    assert lacks_profile(account)
    assert account.last_error.endswith("The server is busy.")


def test_the_key_from_before_goes_on_until_the_new_one_comes(bench: Bench) -> None:
    bench.enrol(person(1, user_id="7", key="sk-1"), label="work")
    account = bench.enrol(replace(person(2), problem=Overloaded("busy")), label="work").account

    assert (account.api_key.reveal(), account.tokens) == ("sk-1", tokens(2))
    assert account.is_usable(NOW)
    assert lacks_profile(account)


def test_the_bare_key_of_a_sign_in_does_not_cost_it_its_tokens(bench: Bench) -> None:
    bench.enrol(person(1, key="sk-1"))
    account = bench.enrol(key("sk-1")).account
    assert (account.auth_type, account.tokens) == (AuthType.OAUTH, tokens(1))
