"""Keys and hosts, as functions. Every route and header form is tried in tests/integration/test_client_keys.py."""

from __future__ import annotations

from dataclasses import replace

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from iflow_cli_proxy.config.schema import AuthSettings
from iflow_cli_proxy.core.errors import InvalidRequest, Unauthenticated
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.server.middleware.client_auth import (
    identify,
    is_own_host,
    known_keys,
)
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
    assert identify(brought(*headers), KNOWN) == name


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
        identify(brought(*headers), KNOWN)


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
        identify(brought(*headers), KNOWN)

    assert type(caught.value.param) is str  # a multidict's own kind of text cannot be encoded


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
