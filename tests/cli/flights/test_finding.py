"""Which exchange is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.cli.flights.finding import found
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.state.ledger_file import STEPS, open_writer
from tests.support.flights import flight, record
from tests.support.ledgers import row


@pytest.fixture
def here(tmp_path: Path) -> Session:
    record(tmp_path / "usage.sqlite3", [(row(number), flight()) for number in (1, 12, 13)])
    return Session({"IFLOW2API_HOME": str(tmp_path)})


@pytest.mark.parametrize(("wanted", "id"), [("req_12", "req_12"), ("12", "req_12"), ("1", "req_1"), ("req_1", "req_1")])
def test_a_whole_id_goes_before_longer_ones_that_begin_so(here: Session, wanted: str, id: str) -> None:
    assert found(here, wanted).row.request_id == id


def test_several_are_listed_and_none_is_told(here: Session) -> None:
    with pytest.raises(ConfigError, match="Several") as several:
        found(here, "req_")
    assert "req_13, req_12" in several.value.hint
    with pytest.raises(ConfigError, match="'nobody'"):
        found(here, "nobody")


def test_without_a_name_it_is_the_last_failure_and_there_may_be_none(here: Session) -> None:
    assert found(here, "", only_failed=False).row.request_id == "req_13"
    with pytest.raises(ConfigError, match="No exchange has failed") as none:
        found(here, "")
    assert "--last" in none.value.hint


def test_an_empty_ledger_and_none_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Nothing was ever recorded"):
        found(Session({"IFLOW2API_HOME": str(tmp_path)}), "")
    record(tmp_path / "usage.sqlite3", [])
    with pytest.raises(ConfigError, match="Nothing was recorded yet"):
        found(Session({"IFLOW2API_HOME": str(tmp_path)}), "")


def test_a_ledger_of_an_older_version_is_not_called_empty(tmp_path: Path) -> None:
    open_writer(tmp_path / "usage.sqlite3", steps=STEPS[:1]).close()
    with pytest.raises(ConfigError, match="older version") as old:
        found(Session({"IFLOW2API_HOME": str(tmp_path)}), "")
    assert "iflow2api serve" in old.value.hint
