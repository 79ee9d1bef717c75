"""RELIABILITY F53, I45."""

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount, Tokens
from iflow_cli_proxy.state.account_file import Unreadable, decode_account, encode_account, sealed_by, version_in
from iflow_cli_proxy.state.sealing import KeySeal, Seal
from tests.support.saved_accounts import full_account, saved_account

PATH = Path("one.json")
SEAL = KeySeal("keyring", bytes(32))
SECRETS = (b"sk-key", b"at-of", b"rt-of")


def no_seal(kind: str) -> Seal | None:
    return None


def decode(data: bytes, seal: Seal | None = None) -> SavedAccount:
    return decode_account(data, PATH, lambda kind: seal)


def text_of(**changes: Any) -> bytes:
    return jsonx.indented(jsonx.decode(encode_account(saved_account())) | changes)


def test_the_sample_leaves_no_field_at_its_default() -> None:
    full, plain = full_account(), SavedAccount(id="", provider="", label="", auth_type=AuthType.API_KEY)
    same = {each.name for each in fields(full) if getattr(full, each.name) == getattr(plain, each.name)}

    assert same == set()


@pytest.mark.parametrize("seal", [None, SEAL])
def test_an_account_comes_back_as_it_was(seal: Seal | None) -> None:
    for account in (
        full_account(),
        saved_account(),
        saved_account(tokens=None),
        saved_account(api_key=Secret(), tokens=Tokens(access_token=Secret("at"))),
    ):
        assert decode(encode_account(account, seal), seal) == account


def test_the_text_is_for_people() -> None:
    assert encode_account(saved_account(tokens=None, extras={"note": "mine"})).decode() == (
        """{
  "version": 1,
  "id": "one",
  "provider": "iflow",
  "label": "one@example.com",
  "state": "ok",
  "auth_type": "oauth",
  "api_key": "sk-key-of-one",
  "api_key_expires_at": null,
  "tokens": null,
  "base_url": "",
  "user_id": "",
  "created_at": "2020-09-13T12:26:40Z",
  "updated_at": "2020-09-13T12:26:41Z",
  "refreshed_at": null,
  "last_used_at": null,
  "request_count": 0,
  "last_error": "",
  "last_error_at": null,
  "failing_since": null,
  "refresh_failures": 0,
  "is_refused": false,
  "enabled_at": null,
  "rests_until": null,
  "rests_model": "",
  "rest_reason": "",
  "concurrency": null,
  "imported_from": "",
  "note": "mine"
}
"""
    )


def test_fields_nobody_knows_survive_also_inside_the_tokens() -> None:
    tokens = {"access_token": "at", "id_token": {"a": [1]}}
    account = decode(text_of(note="mine", big=2**80, tokens=tokens))

    assert account.extras == {"note": "mine", "big": 2**80, "tokens": {"id_token": {"a": [1]}}}
    again = jsonx.decode(encode_account(replace(account, label="new")))
    assert (again["note"], again["big"], again["tokens"]["id_token"]) == ("mine", 2**80, {"a": [1]})


def test_an_unknown_field_cannot_take_the_place_of_a_known_one() -> None:
    extras = {"label": "evil", "version": 9, "sealed": "x", "tokens": {"access_token": "evil"}}

    assert decode(encode_account(saved_account(extras=extras))).label == "one@example.com"
    assert b"evil" not in encode_account(saved_account(extras=extras))


def test_few_fields_are_enough() -> None:
    text = b'{"id": "one", "provider": "x", "label": "me", "auth_type": "api_key", "api_key": "sk-1"}'

    assert decode(text) == SavedAccount(
        id="one", provider="x", label="me", auth_type=AuthType.API_KEY, api_key=Secret("sk-1")
    )


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "it is empty"),
        (b"\n \n", "it is empty"),
        (b"[]", "Expected an object"),
        (b'{\n  "id": "one",\n  "lab', "line 3, column 7: Input data was truncated"),
        (b'{"id": "\xff"}', "not valid UTF-8"),
        (b"\xff\xfe{\x00}\x00", "line 1, column 1: invalid character"),
        (b'{"id": "one"}', "Field required (provider)"),
        (b'{"id": "one", "provider": 5}', "line 1, column 15: Expected str, got int (provider)"),
        (text_of(version="x"), "line 2, column 3: Expected a version number (version)"),
        (text_of(state="happy"), "line 6, column 3: Invalid enum value (state)"),
        (text_of(request_count=1.5), "line 24, column 3: Expected int, got float (request_count)"),
        (text_of(updated_at="yesterday"), "line 21, column 3: Invalid RFC3339 encoded datetime (updated_at)"),
        (text_of(tokens={"refresh_token": "r"}), "Field required (tokens.access_token)"),
        (text_of(tokens={"access_token": "a", "expires_at": []}), None),
        (text_of(id="two"), "line 3, column 3: it should be one, like the name of the file (id)"),
        (b"[" * 100_000, None),
        (text_of(sealed="x"), "Field required (sealed_by)"),
        (text_of(sealed=5, sealed_by="keyring"), "line 36, column 3: Expected str, got int (sealed)"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_f53_what_is_wrong_is_told_with_its_place(data: bytes, problem: str | None) -> None:
    with pytest.raises(Unreadable) as caught:
        decode(data)

    assert not caught.value.is_intact
    assert problem is None or caught.value.problem.startswith(problem)


@pytest.mark.parametrize("url", ["apis.iflow.cn/v1", "ftp://x/v1", "https://a b/v1", "https://", "https://me:pw@x/v1"])
def test_a_credential_is_never_sent_to_what_is_no_address(url: str) -> None:
    tokens = jsonx.decode(text_of())["tokens"]
    for name, text in {
        "base_url": text_of(base_url=url),
        "tokens.base_url": text_of(tokens={**tokens, "base_url": url}),
    }.items():
        with pytest.raises(Unreadable) as caught:
            decode(text)
        assert re.fullmatch(rf"line \d+, column \d+: Expected a URL .+ \({name}\)", caught.value.problem)


def test_i45_no_secret_is_in_any_message() -> None:
    for data in (encode_account(saved_account())[:n] for n in range(0, 700, 7)):
        with pytest.raises(Unreadable) as caught:
            decode(data)
        shown = f"{caught.value} {caught.value.problem} {caught.value.detail} {caught.value.hint}".encode()
        assert not any(secret in shown for secret in SECRETS)


def test_a_newer_file_is_intact_and_not_for_us() -> None:
    with pytest.raises(Unreadable, match="written by a newer iflow2api") as caught:
        decode(text_of(version=99, id=[]))

    assert caught.value.is_intact
    assert caught.value.hint == "upgrade iflow2api"


def test_a_sealed_text_shows_everything_but_the_secrets() -> None:
    text = encode_account(full_account(), SEAL)

    assert not any(secret in text for secret in SECRETS)
    assert sealed_by(text) == "keyring"
    assert jsonx.decode(text)["tokens"]["expires_at"] == "2023-11-14T23:13:20.250000Z"


def test_without_the_key_the_rest_can_be_read_and_the_file_is_intact() -> None:
    def locked(kind: str) -> Seal | None:
        raise StateError("The keyring is locked.", hint="unlock it")

    for find_seal, problem in ((locked, "The keyring is locked"), (no_seal, "its secrets are sealed by keyring")):
        with pytest.raises(Unreadable, match=problem) as caught:
            decode_account(encode_account(full_account(), SEAL), PATH, find_seal)

        account = full_account()
        assert caught.value.is_intact
        assert account.tokens is not None
        assert caught.value.account == replace(
            account, api_key=Secret(), tokens=replace(account.tokens, access_token=Secret(), refresh_token=Secret())
        )


def test_sealed_secrets_do_not_open_in_the_file_of_another_account() -> None:
    other = jsonx.decode(encode_account(saved_account("two"), SEAL))

    with pytest.raises(Unreadable, match="altered, or sealed with another key") as caught:
        decode(text_of(sealed=other["sealed"], sealed_by="keyring"), SEAL)

    assert caught.value.is_intact


def test_a_key_typed_in_beside_the_sealed_ones_wins() -> None:
    fields = jsonx.decode(encode_account(saved_account(), SEAL))

    account = decode(jsonx.encode({**fields, "api_key": "sk-new"}), SEAL)

    assert account == saved_account(api_key=Secret("sk-new"))


@pytest.mark.parametrize("inside", [b"x", b"[]", b'{"api_key": 5}'])
def test_sealed_nonsense_is_damage(inside: bytes) -> None:
    sealed = SEAL.seal(inside, context=b"iflow2api account one")

    with pytest.raises(Unreadable, match="no secrets of an account"):
        decode(text_of(sealed=sealed, sealed_by="keyring"), SEAL)


def test_the_version_and_the_seal_can_be_asked_for_alone() -> None:
    assert version_in(b'{"id": "one"}') == 0
    assert version_in(encode_account(saved_account())) == 1
    assert sealed_by(encode_account(saved_account())) == ""
    assert sealed_by(b"{") == ""
