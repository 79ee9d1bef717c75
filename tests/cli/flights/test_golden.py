"""A flight as a file of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iflow_cli_proxy.cli.flights.golden import read_golden, save_golden
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.state.flight_queries import Found
from tests.support.flights import flight
from tests.support.ledgers import row


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    one = Found(cursor=1, row=row(1), flight=flight())
    save_golden(one, tmp_path / "a.json")
    assert read_golden(tmp_path / "a.json")["flight"] == flight()


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    for number, text in enumerate(("", "{}", "[]", '{"format":"iflow2api-flight","version":99,"flight":{}}')):
        file = tmp_path / f"{number}.json"
        file.write_text(text)
        with pytest.raises(ConfigError, match="no recording"):
            read_golden(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_golden(tmp_path / "nothing.json")


def test_a_row_alone_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only the row"):
        save_golden(Found(cursor=1, row=row(1), flight=None), tmp_path / "a.json")
    with pytest.raises(ConfigError, match="only the row"):
        save_golden(Found(cursor=1, row=row(1), flight={"broken": "TypeError"}), tmp_path / "a.json")
    with pytest.raises(ConfigError, match="a folder"):
        save_golden(Found(cursor=1, row=row(1), flight=flight()), tmp_path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("row",), {}),
        (("row", "protocol"), 7),
        (("flight",), {}),
        (("flight", "client_request", "headers"), None),
        (("flight", "client_request", "cut"), "no"),
        (("flight", "client_request", "path"), []),
        (("flight", "upstream_request"), [7]),
    ],
)
def test_one_that_was_edited_badly_is_told_where(tmp_path: Path, place: tuple[str, ...], value: object) -> None:
    file = tmp_path / "a.json"
    save_golden(Found(cursor=1, row=row(1), flight=flight()), file)
    golden = json.loads(file.read_text())
    inner = golden
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    file.write_text(json.dumps(golden))
    with pytest.raises(ConfigError, match="not whole") as error:
        read_golden(file)
    assert place[0] in error.value.detail
