"""How a log record looks: human lines for a terminal, JSON lines for machines.

One record is one line whatever is in it (I44), and whatever looks like a credential is masked (I45).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.telemetry.redact import one_line, redact

_SHORT: Final = 100
_PLAIN: Final = "\x1b[0m"
_FAINT: Final = "\x1b[2m"
_COLOURS: Final = {
    logging.DEBUG: _FAINT,
    logging.WARNING: "\x1b[33m",
    logging.ERROR: "\x1b[31m",
    logging.CRITICAL: "\x1b[1;31m",
}
FIELDS: Final = "fields"
"""`extra={"fields": {...}}`: what a line holds besides the message."""
_REQUEST: Final = "iflow2api_request"
_DOCUMENT: Final = "iflow2api_document"


class HumanFormatter(logging.Formatter):
    """`12:30:05 INFO    message key=value`, the request's id last; on a screen that has colours with a few of them."""

    def __init__(self, *, has_colours: bool = False) -> None:
        super().__init__()
        self._has_colours = has_colours

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        fields = {name: value for name, value in _fields(record).items() if value not in (None, "")}
        request_id = fields.pop("request_id", "")
        tail = "".join(f" {name}={value}" for name, value in fields.items())
        text = _shown(f"{record.getMessage()}{tail}{_trouble(record)}")
        whose = _shown(f" request_id={request_id}") if request_id else ""
        if not self._has_colours:
            return f"{at} {record.levelname:<7} {text}{whose}"
        level = f"{_COLOURS.get(record.levelno, '')}{record.levelname:<7}{_PLAIN}"
        return f"{_FAINT}{at}{_PLAIN} {level} {text}{_FAINT}{whose}{_PLAIN}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `message`, and the record's fields."""

    def format(self, record: logging.LogRecord) -> str:
        return jsonx.encode(document_of(record)).decode()


def document_of(record: logging.LogRecord) -> Mapping[str, Any]:
    """What a JSON line says. Several targets show one record, so it is worked out once and kept with it."""
    kept: Mapping[str, Any] | None = getattr(record, _DOCUMENT, None)
    if kept is not None:
        return kept
    line: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "message": _shown(record.getMessage() + _trouble(record)),
    }
    for name, value in _fields(record).items():
        line.setdefault(name, value if isinstance(value, int | float | None) else _shown(str(value)))
    setattr(record, _DOCUMENT, line)
    return line


def note_request(record: logging.LogRecord, request_id: str) -> None:
    """The line belongs to this request, if to any."""
    if request_id:
        setattr(record, _REQUEST, request_id)


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    fields = getattr(record, FIELDS, None) or {}
    request_id = getattr(record, _REQUEST, "")
    return {"request_id": request_id, **fields} if request_id else fields


def _shown(text: str) -> str:
    return _shown_again(text) if len(text) <= _SHORT else one_line(redact(text))


@lru_cache(maxsize=1024)
def _shown_again(text: str) -> str:
    """Most words of a log come again and again: paths, models, accounts, kinds of errors."""
    return one_line(redact(text))


def _trouble(record: logging.LogRecord) -> str:
    if not record.exc_info:
        return ""
    return " | " + logging.Formatter().formatException(record.exc_info)
