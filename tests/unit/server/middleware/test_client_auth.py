"""Keys and hosts, as functions. Every route and header form is tried in tests/integration/test_client_keys.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from iflow_cli_proxy.config.schema import AuthSettings, KeysRequired
from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.core.errors import InvalidRequest, Unauthenticated
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.client_key import ANYONE, Caller, digest_of
from iflow_cli_proxy.pool.saved import AccountState
from iflow_cli_proxy.server.middleware.client_auth import (
    by_account_id,
    identify,
    is_own_host,
    known_keys,
    recognise,
)
from iflow_cli_proxy.state.accounts import AccountStore
from iflow_cli_proxy.state.paths import find_paths
from iflow_cli_proxy.wiring.accounts import Accounts
from tests.support.saved_accounts import saved_account
from tests.support.shell import ask, shell, shell_state

KNOWN = known_keys((Secret("first-key"), Secret("schlüssel")))


def brought(*headers: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(headers))


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ([("Authorization", "Bearer first-key")], "key 1"),
        ([("authorization", "BEARER  first-key ")], "key 1"),
        ([("X-Api-Key", "schlüssel")], "key 2"),
        ([("x-goog-api-key", "first-key")], "key 1"),
        ([("x-api-key", "first-key"), ("Authorization", "Bearer first-key")], "key 1"),
    ],
)
def test_a_known_key_has_a_name_for_the_log(headers: list[tuple[str, str]], name: str) -> None:
    assert identify(brought(*headers), KNOWN.get).name == name
    assert recognise(brought(*headers), KNOWN.get).name == name


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "")],
        [("Authorization", "first-key")],
        [("Authorization", "Basic first-key")],
        [("Authorization", "Bearer")],
        [("x-api-key", "")],
        [("x-api-key", "First-Key")],
        [("x-api-key", "\udcff\udcfe")],
        [("Cookie", "first-key")],
    ],
)
def test_anything_else_is_refused_in_the_same_words(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(Unauthenticated, match="A valid client key is required"):
        identify(brought(*headers), KNOWN.get)
    assert recognise(brought(*headers), KNOWN.get) is ANYONE


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", "Bearer first-key"), ("Authorization", "Bearer first-key")],
        [("Authorization", "Bearer first-key"), ("x-api-key", "schlüssel")],
        [("Authorization", "Basic x"), ("x-api-key", "first-key")],
        [("x-api-key", "first-key"), ("x-api-key", "other")],
    ],
)
def test_two_keys_are_one_too_many(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        identify(brought(*headers), KNOWN.get)

    assert type(caught.value.param) is str  # a multidict's own kind of text cannot be encoded


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ([("Authorization", "Bearer any"), ("x-api-key", "first-key")], "key 1"),
        ([("Authorization", "Bearer any"), ("x-api-key", "other")], ""),
        ([("Authorization", "Bearer first-key"), ("Authorization", "Bearer first-key")], "key 1"),
    ],
)
def test_where_no_key_is_needed_words_that_are_none_mean_nothing(headers: list[tuple[str, str]], name: str) -> None:
    assert recognise(brought(*headers), KNOWN.get).name == name


def test_i3_two_keys_of_ours_are_one_too_many_even_where_none_is_needed() -> None:
    with pytest.raises(InvalidRequest):
        recognise(brought(("Authorization", "Bearer first-key"), ("x-api-key", "schlüssel")), KNOWN.get)


def test_the_first_of_two_equal_keys_of_the_configuration_gives_the_name() -> None:
    assert [caller.name for caller in known_keys((Secret("a"), Secret("a"))).values()] == ["key 1"]


def test_only_ids_that_nobody_can_guess_are_taken_for_keys() -> None:
    uuid = "0b9f3c1e-8f2d-4b7a-9c3d-1e2f3a4b5c6d"
    known = by_account_id(((uuid, "iflow/work"), ("live-qwen", "qwen/live"), ("1", "qwen/one")))

    assert set(known) == {digest_of(uuid)}
    caller = known[digest_of(uuid)]
    assert (caller.name, caller.account_id, caller.key) == ("iflow/work", uuid, None)


def test_keys_are_known_by_digest_only() -> None:
    assert not any(b"key" in digest for digest in KNOWN)
    assert {len(digest) for digest in KNOWN} == {32}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("localhost:28000", True),
        ("127.0.0.1", True),
        ("[::1]:28000", True),
        ("192.168.1.7:28000", True),
        ("box", True),
        ("BOX:1", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example:28000", False),
        ("[evil.example]", False),
        ("", False),
        ("2130706433", False),
    ],
)
def test_a_host_header_is_ours_when_it_is_a_number_or_our_name(header: str, expected: bool) -> None:
    assert is_own_host(header, "box") is expected


async def test_the_client_is_named_in_its_record() -> None:
    state = shell_state(auth=AuthSettings(required="always", client_keys=(Secret("first-key"),)))
    names: list[str] = []
    state.observers.append(lambda exchange: names.append(exchange.client))
    async with shell(state) as client:
        assert (await ask(client))[0] == 401
        client.session.headers["x-api-key"] = "first-key"
        assert (await ask(client))[0] == 200
        current = state.settings.current
        state.settings.replace(replace(current, auth=replace(current.auth, client_keys=())))
        assert (await ask(client))[0] == 401

    assert [name for name in names if name] == ["key 1"]


@pytest.mark.parametrize(("accepts", "statuses"), [(True, [200, 401]), (False, [401, 401])])
async def test_the_id_of_an_account_of_ours_is_a_key_for_that_account(
    tmp_path: Path, accepts: bool, statuses: list[int]
) -> None:
    """As iflow-go has it; a sign-in of another program has a fixed id, which everybody knows."""
    uuid = "0b9f3c1e-8f2d-4b7a-9c3d-1e2f3a4b5c6d"
    AccountStore(tmp_path / "accounts", clock=SystemClock()).create(saved_account(uuid, label="work"))
    auth = AuthSettings(required="always", accept_account_ids=accepts, client_keys=(Secret("first-key"),))
    state = shell_state(auth=auth)
    state.accounts = Accounts(state.settings.current, find_paths({"IFLOW2API_HOME": str(tmp_path)}), {}, home=tmp_path)
    state.accounts.known()
    state.gateway.current.turnstile.pool.replace([Account(id=uuid, provider="up", label="work")])
    callers: list[Caller] = []
    state.observers.append(lambda exchange: callers.append(exchange.caller))
    async with shell(state) as client:
        got = []
        for word in (uuid, uuid[:-1]):
            client.session.headers["x-api-key"] = word
            got.append((await ask(client))[0])

    assert got == statuses
    assert [caller.account_id for caller in callers if caller.account_id] == ([uuid] if accepts else [])


@pytest.mark.parametrize("required", ["always", "auto"])
async def test_i6_an_account_that_is_switched_off_opens_no_door(tmp_path: Path, required: KeysRequired) -> None:
    uuid = "0b9f3c1e-8f2d-4b7a-9c3d-1e2f3a4b5c6d"
    store = AccountStore(tmp_path / "accounts", clock=SystemClock())
    store.create(replace(saved_account(uuid, label="work"), state=AccountState.DISABLED))
    state = shell_state(auth=AuthSettings(required=required, accept_account_ids=True))
    state.accounts = Accounts(state.settings.current, find_paths({"IFLOW2API_HOME": str(tmp_path)}), {}, home=tmp_path)
    state.accounts.known()
    async with shell(state) as client:
        client.session.headers["x-api-key"] = uuid
        status, _, body = await ask(client)
        models = (await client.get("/v1/models")).status

    assert (status, models) == (403, 403)
    assert b'"code":"key_disabled"' in body


async def test_i4_a_key_in_the_url_is_one_on_google_s_paths_only() -> None:
    state = shell_state(auth=AuthSettings(required="always", client_keys=(Secret("sk-a-long-enough-key"),)))
    body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    async with shell(state) as client:
        for path, status in (
            ("/v1beta/models/m:generateContent?key=sk-a-long-enough-key", 200),
            ("/v1beta/models/m:generateContent?key=sk-a-wrong-one", 401),
            ("/v1beta/models/m:generateContent?key=sk-a-long-enough-key&key=sk-a-wrong-one", 400),
            ("/v1beta/models?key=sk-a-long-enough-key", 200),
            ("/v1/models?key=sk-a-long-enough-key", 401),
        ):
            ask = client.post(path, json=body) if "generate" in path else client.get(path)
            async with ask as answer:
                assert answer.status == status, path
