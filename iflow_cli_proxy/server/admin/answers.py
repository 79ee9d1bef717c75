"""How the admin page is answered: JSON, errors in the page's own shape, and the headers that seal every answer.

Knows the wire. Refuses to know who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import hdrs, web
from multidict import CIMultiDict

from iflow_cli_proxy.core.errors import ClientError, ConfigError, GatewayError
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.language import ENGLISH, of_accept_language, translate
from iflow_cli_proxy.protocols.openai_errors import TABLE
from iflow_cli_proxy.server.json_answer import json_answer

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""On every answer under /admin."""

_FOR_READING: Final = frozenset({"help", "next_step", "notice"})
"""Fields of answers that hold sentences of ours."""


def seal(headers: CIMultiDict[str]) -> None:
    """Add what every answer carries; a page with a policy of its own keeps it."""
    for name, value in HEADERS.items():
        headers.setdefault(name, value)


def language_of(request: web.BaseRequest) -> str:
    """What the person at the page reads."""
    return of_accept_language(request.headers.get(hdrs.ACCEPT_LANGUAGE, ""))


def spoken(value: Json, language: str) -> Json:
    """The same with the sentences in it as the person at the page reads them."""
    if language == ENGLISH:
        return value
    match value:
        case dict():
            return {
                name: translate(held, language)
                if name in _FOR_READING and isinstance(held, str)
                else spoken(held, language)
                for name, held in value.items()
            }
        case list() | tuple():
            return [spoken(held, language) for held in value]
        case _:
            return value


def error_document(error: GatewayError, language: str = ENGLISH) -> dict[str, Json]:
    """`kind` is the error's own word where it has one."""
    return {
        "kind": error.code or error.kind,
        "message": translate(error.message, language),
        "hint": translate(error.hint, language),
        "param": _param(error),
    }


def error_answer(error: GatewayError, language: str = ENGLISH) -> web.Response:
    """`{"error": {"kind", "message", "hint", "param"}}`."""
    response = json_answer({"error": error_document(error, language)}, status_of(error))
    if error.wait_s is not None:
        response.headers[hdrs.RETRY_AFTER] = str(error.wait_s)
    return response


def status_of(error: GatewayError) -> int:
    """Its own where it is one of ours: a provider's 401 would be taken for the end of the session. What is wrong with
    the settings is what the person has just asked for."""
    if isinstance(error, ClientError) and error.status is not None:
        return error.status
    return 400 if isinstance(error, ConfigError) else TABLE[error.kind].status


def _param(error: GatewayError) -> str | None:
    """A field of the body is called like its flag of the command line, which errors from below name."""
    return error.param.removeprefix("--") if error.param else None
