"""An account is a value that shows no secret."""

from __future__ import annotations

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.account import Account


def test_an_account_never_shows_its_key() -> None:
    one = Account(id="a", provider="p", label="mine", api_key=Secret("sk-0123456789abcdef"))
    assert "0123456789" not in repr(one)
    assert one == Account(id="a", provider="p", label="mine", api_key=Secret("sk-0123456789abcdef"))
