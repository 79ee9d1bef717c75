"""RELIABILITY I47."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.state import bundle
from iflow_cli_proxy.state.account_file import encode_account
from iflow_cli_proxy.state.sealing import Cost, KeySeal, encrypt, stretch
from tests.support.saved_accounts import full_account, saved_account

CHEAP = Cost(n=2, p=1)
ACCOUNTS = (full_account(), saved_account("two", tokens=None))


def packed() -> bytes:
    return bundle.pack(ACCOUNTS, "correct horse", cost=CHEAP)


def packed_by_hand(content: Any) -> bytes:
    """A bundle with the right passphrase and whatever inside."""
    head = b'iflow2api bundle 1\n{"n":2,"r":8,"p":1,"salt":"AAAA"}\n'
    return head + encrypt(stretch("correct horse", bytes(3), CHEAP), jsonx.encode(content), context=head)


def entry(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = jsonx.decode(encode_account(saved_account()))
    return fields | changes


def test_accounts_come_out_as_they_went_in() -> None:
    assert bundle.unpack(packed(), "correct horse") == ACCOUNTS
    assert bundle.unpack(bundle.pack((), "x", cost=CHEAP), "x") == ()
    assert bundle.unpack(packed_by_hand({"accounts": [entry()], "later": 1}), "correct horse") == (saved_account(),)


def test_nothing_inside_can_be_read_without_the_passphrase() -> None:
    data = packed()

    assert data.startswith(b"iflow2api bundle 1\n")
    for word in (b"sk-key", b"example.com", b"provider", b"correct horse"):
        assert word not in data


def test_an_early_account_inside_is_brought_up_to_date() -> None:
    early = {"id": "one", "provider": "x", "name": "me", "type": "api_key", "api_key": "sk-1"}

    assert bundle.unpack(packed_by_hand({"accounts": [early]}), "correct horse")[0].label == "me"


@pytest.mark.parametrize("passphrase", ["wrong", "Correct horse", "correct horse "])
def test_i47_a_wrong_passphrase_is_a_clear_error(passphrase: str) -> None:
    with pytest.raises(StateError, match="passphrase is wrong, or") as caught:
        bundle.unpack(packed(), passphrase)
    assert caught.value.hint


def test_an_empty_passphrase_is_refused_both_ways() -> None:
    with pytest.raises(StateError, match="empty"):
        bundle.pack(ACCOUNTS, "", cost=CHEAP)
    with pytest.raises(StateError, match="empty"):
        bundle.unpack(packed(), "")


def test_i47_a_bundle_cut_or_altered_anywhere_is_refused() -> None:
    data = packed()

    for at in range(0, len(data), 5):
        for bad in (data[:at], data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]):
            with pytest.raises(StateError):
                bundle.unpack(bad, "correct horse")
    with pytest.raises(StateError):
        bundle.unpack(data + b"x", "correct horse")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"", "no bundle of iflow2api"),
        (lambda data: b"PK\x03\x04" + data, "no bundle of iflow2api"),
        (lambda data: data.replace(b"bundle 1", b"bundle 2"), "newer iflow2api"),
        (lambda data: data.replace(b"bundle 1", b"bundle 0"), "too old"),
        (lambda data: data.replace(b"bundle 1", b"bundle x"), "first line is damaged"),
        (lambda data: data.replace(b"bundle 1", b"bundle " + b"9" * 900), "first line is damaged"),
        (lambda data: data.replace(b'"n":2', b'"n":1073741824'), "second line is damaged"),
        (lambda data: data.replace(b'"n":2', b'"n":"2"'), "second line is damaged"),
        (lambda data: data.replace(b"{", b"", 1), "second line is damaged"),
        (lambda data: data[:40], "it is cut"),
        (lambda data: data + bytes(bundle.LARGEST_BYTES), "larger than 16 MB"),
    ],
)
def test_i47_what_is_no_bundle_of_today_is_told_apart(change: Callable[[bytes], bytes], message: str) -> None:
    with pytest.raises(StateError, match=message):
        bundle.unpack(change(packed()), "correct horse")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "no accounts"),
        ({}, "no accounts"),
        ({"accounts": {}}, "no accounts"),
        ({"accounts": [5]}, "account 1 has no id"),
        ({"accounts": [entry(), entry(id="../../etc/passwd")]}, "account 2 has no id"),
        ({"accounts": [entry(id="a/b")]}, "account 1 has no id"),
        ({"accounts": [entry(label=5)]}, "account 1: .*label"),
        ({"accounts": [entry(version=99)]}, "account 1: .*newer"),
        ({"accounts": [{"id": "one"}]}, "account 1: .*provider"),
    ],
)
def test_i47_a_wrong_schema_and_names_that_lead_outside_are_refused(content: Any, message: str) -> None:
    with pytest.raises(StateError, match=message):
        bundle.unpack(packed_by_hand(content), "correct horse")


def test_an_account_that_is_still_sealed_inside_is_refused() -> None:
    sealed = jsonx.decode(encode_account(saved_account(), KeySeal("keyring", bytes(32))))

    with pytest.raises(StateError, match="keyring of another machine"):
        bundle.unpack(packed_by_hand({"accounts": [sealed]}), "correct horse")


def test_unpacking_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    bundle.unpack(packed(), "correct horse")

    assert list(tmp_path.iterdir()) == []


def test_the_same_accounts_packed_twice_differ() -> None:
    assert packed() != packed()
    assert replace(ACCOUNTS[0]) == bundle.unpack(packed(), "correct horse")[0]


def test_a_bundle_says_what_it_is() -> None:
    assert bundle.is_bundle(packed())
    assert not bundle.is_bundle(b'{"accounts": []}')
