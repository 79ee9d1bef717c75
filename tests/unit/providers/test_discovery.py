from __future__ import annotations

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.providers.discovery import Discovery, Finding


def test_what_was_found_can_be_logged_without_showing_a_key() -> None:
    account = Account(id="a", provider="iflow", label="a", api_key=Secret("sk-canary0123456789"))
    found = Discovery(accounts=(account,), spare=(account,), findings=(Finding(where="f", problem="p"),))
    assert "canary" not in repr(found)
    assert "canary" not in str(found)
