"""Copies of our own account files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.signin.foreign import account_file
from iflow_cli_proxy.signin.foreign.reading import Part
from iflow_cli_proxy.state.account_file import encode_account
from iflow_cli_proxy.state.sealing import KeySeal
from tests.support.saved_accounts import full_account, saved_account


def _part(data: bytes) -> Part:
    return Part(path=Path("a copy.json"), tree=jsonx.decode(data))


def test_a_copy_is_the_same_account_whatever_the_file_is_called() -> None:
    (account,) = account_file.read([_part(encode_account(full_account()))], {}).accounts

    assert account == full_account()


def test_a_sealed_copy_is_skipped_and_it_is_said_why() -> None:
    data = encode_account(saved_account(), KeySeal("keyring", bytes(32)))

    (skipped,) = account_file.read([_part(data)], {}).skipped

    assert "keyring" in skipped.reason


def test_a_copy_with_a_wrong_type_is_skipped_by_its_label() -> None:
    tree = jsonx.decode(encode_account(replace(saved_account(), label="me"))) | {"request_count": "many"}

    (skipped,) = account_file.read([Part(path=Path("x.json"), tree=tree)], {}).skipped

    assert skipped.name == "me"
    assert "request_count" in skipped.reason
