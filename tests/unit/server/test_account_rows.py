"""Rows of accounts; what each field says is tested where they are served, in handlers/test_accounts.py."""

from __future__ import annotations

from iflow_cli_proxy.server.account_rows import account_rows
from tests.support.shell import shell_state


async def test_without_accounts_there_are_no_rows() -> None:
    assert account_rows(shell_state()) == []
