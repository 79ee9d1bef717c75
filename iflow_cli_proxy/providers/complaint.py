"""What an upstream says went wrong, taken out of the many shapes in which upstreams say it.

Knows OpenAI's error object and its cousins (FastAPI's `detail`, vLLM's flat object, MiniMax's `base_resp`, Gemini's
list, iFlow's `status` and `msg`). Refuses to know what the words mean and whether they are fit to be shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from iflow_cli_proxy.core.jsonx import Json

_MESSAGE_KEYS: Final = ("message", "msg", "error_message", "error_msg", "detail", "status_msg", "reason", "title")
_CODE_KEYS: Final = ("code", "error_code", "status_code", "status", "http_status")
_ERROR_KEYS: Final = ("error", "errors", "detail", "base_resp", "exception")
_DEEPEST: Final = 4


@dataclass(frozen=True, kw_only=True)
class Complaint:
    """Words as the upstream wrote them: not cleaned, never to be shown as they are."""

    message: str = ""
    code: str = ""
    """A word or a number as text."""
    type: str = ""
    param: str = ""

    @property
    def number(self) -> int:
        """The code when it is a number of sensible size, else 0."""
        return int(self.code) if self.code.isascii() and self.code.isdigit() and len(self.code) <= 6 else 0

    @property
    def words(self) -> str:
        """Everything it says, lower-cased, for looking things up in."""
        return f"{self.code} {self.type} {self.message}".lower()

    def __bool__(self) -> bool:
        return bool(self.message or self.code or self.type)


def find_complaint(body: Json) -> Complaint:
    """The complaint in a decoded answer; an empty one when there is none."""
    return _read(body, _DEEPEST)


def names_an_error(body: Json) -> bool:
    """Whether the answer has something in a place where only errors stand."""
    if not isinstance(body, dict):
        return isinstance(body, list) and any(names_an_error(item) for item in body[:1])
    if body.get("object") == "error" or body.get("type") == "error" or body.get("success") is False:
        return True
    if any(body.get(key) for key in ("error", "errors", "error_code", "error_msg")):
        return True
    base = body.get("base_resp")
    return isinstance(base, dict) and bool(base.get("status_code"))


def _read(value: Json, depth: int) -> Complaint:
    if isinstance(value, str):
        return Complaint(message=value)
    if isinstance(value, list):
        return next((found for item in value[:3] if depth and (found := _read(item, depth - 1))), Complaint())
    if not isinstance(value, dict):
        return Complaint()
    own = Complaint(
        message=_first_text(value, _MESSAGE_KEYS),
        code=_first_code(value),
        type=_text(value.get("type")),
        param=_text(value.get("param")),
    )
    for key in _ERROR_KEYS if depth else ():
        inner = _read(value.get(key), depth - 1)
        if inner:
            return Complaint(
                message=inner.message or own.message,
                code=inner.code or own.code,
                type=inner.type or own.type,
                param=inner.param or own.param,
            )
    return own


def _first_text(value: dict[str, Any], keys: tuple[str, ...]) -> str:
    return next((text for key in keys if (text := _text(value.get(key)))), "")


def _first_code(value: dict[str, Any]) -> str:
    for key in _CODE_KEYS:
        code = value.get(key)
        if isinstance(code, str) and code.strip():
            return code.strip()
        if isinstance(code, int) and not isinstance(code, bool):
            return str(code)
    return ""


def _text(value: Json) -> str:
    return value.strip() if isinstance(value, str) else ""
