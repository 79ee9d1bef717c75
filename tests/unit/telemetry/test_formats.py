from __future__ import annotations

import logging
import re
import sys
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.telemetry.formats import FIELDS, HumanFormatter, JsonFormatter


def record(message: str, *args: object, fields: dict[str, Any] | None = None) -> logging.LogRecord:
    made = logging.LogRecord("iflow2api.x", logging.WARNING, "x.py", 1, message, args, None)
    made.created = 1_700_000_000.25
    setattr(made, FIELDS, fields)
    return made


def as_json(made: logging.LogRecord) -> dict[str, Any]:
    line: dict[str, Any] = jsonx.decode(JsonFormatter().format(made).encode())
    return line


def test_a_json_line_has_time_level_message_and_the_fields() -> None:
    assert as_json(record("hello %s", "you", fields={"model": "m", "ms": 1.5, "none": None})) == {
        "time": "2023-11-14T22:13:20.250+00:00",
        "level": "warning",
        "message": "hello you",
        "model": "m",
        "ms": 1.5,
        "none": None,
    }


def test_a_field_cannot_pose_as_the_message_or_the_level() -> None:
    line = as_json(record("true", fields={"message": "false", "level": "info"}))

    assert (line["message"], line["level"]) == ("true", "warning")


def test_a_human_line_leaves_out_what_is_empty() -> None:
    line = HumanFormatter().format(record("hello", fields={"model": "m", "error": "", "none": None, "attempts": 0}))

    assert line.partition(" ")[2] == "WARNING hello model=m attempts=0"


@pytest.mark.parametrize("formatter", [HumanFormatter(), JsonFormatter()])
def test_one_record_is_one_line_without_secrets(formatter: logging.Formatter) -> None:
    strange = "a\r\nINFO forged \x1b[31m\u2028\ud800 sk-abcdefghijklmnop"
    line = formatter.format(record("%s", strange, fields={"model": strange}))

    assert line.isprintable()
    assert "abcdefgh" not in line
    line.encode()


@pytest.mark.parametrize("formatter", [HumanFormatter(), JsonFormatter()])
def test_a_traceback_is_part_of_the_line(formatter: logging.Formatter) -> None:
    made = record("our bug")
    try:
        raise ValueError("with Bearer abcdefghijkl0123")
    except ValueError:
        made.exc_info = sys.exc_info()

    line = formatter.format(made)

    assert "ValueError" in line
    assert "abcdefgh" not in line
    assert "\n" not in line


def test_the_id_of_the_request_stands_last_for_people() -> None:
    line = HumanFormatter().format(record("hello", fields={"request_id": "req_1", "model": "m"}))

    assert line.endswith("hello model=m request_id=req_1")


def test_colours_are_ours_alone() -> None:
    """What strangers say is escaped before anything is coloured."""
    line = HumanFormatter(has_colours=True).format(record("%s", "\x1b[31mred", fields={"request_id": "\x1b[1m"}))

    assert "\x1b[33mWARNING\x1b[0m" in line
    assert r"\x1b[31mred" in line
    assert re.sub(r"\x1b\[[0-9;]*m", "", line).isprintable()
    assert line.count("\x1b") == 6
