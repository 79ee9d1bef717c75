"""Tables and accounts come together or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.cli.upstreams.tables import add_upstream, list_upstreams, refuse_removal, remove_upstream
from iflow_cli_proxy.core.errors import ConfigError

URL = "http://127.0.0.1:1/v1"


@pytest.fixture
def opened(tmp_path: Path) -> Session:
    environ = {"IFLOW2API_HOME": str(tmp_path), "HOME": str(tmp_path), "IFLOW_HOME": str(tmp_path / "none")}
    return Session(environ)


def test_a_table_that_would_not_do_keeps_the_key_out_too(opened: Session) -> None:
    with pytest.raises(ConfigError):
        add_upstream(opened, "desk", URL, "sk-0123456789", kind="nonsense")

    assert not list(opened.paths().accounts_dir.glob("*.json"))
    assert list_upstreams(opened) == []


def test_a_key_makes_an_account_of_that_name(opened: Session) -> None:
    _, account = add_upstream(opened, "Desk", URL, "sk-0123456789")

    assert account is not None
    assert (account.provider, account.label) == ("desk", "desk")
    assert [one.id for one in refuse_removal(opened, "DESK")] == [account.id]


def test_what_is_removed_can_be_added_again(opened: Session) -> None:
    _, account = add_upstream(opened, "desk", URL, "sk-0123456789")
    assert account is not None
    remove_upstream(opened, "desk", [account])

    _, again = add_upstream(opened, "desk", URL, "")

    assert again is None
    assert [row.name for row in list_upstreams(opened)] == ["desk"]


def test_the_default_provider_is_not_removed_from_under_the_gateway(opened: Session) -> None:
    add_upstream(opened, "desk", URL, "")
    opened.paths().config_file.write_text('[routing]\ndefault_provider = "desk"\n')

    with pytest.raises(ConfigError, match="would not start"):
        remove_upstream(opened, "desk", [])
    assert [row.name for row in list_upstreams(opened)] == ["desk"]
