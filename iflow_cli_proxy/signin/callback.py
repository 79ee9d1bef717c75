"""What comes back from an authorize page (RFC 6749, section 4.1.2): read without trust, and judged against the state.

Knows the parameters and what each failure means for the person. Refuses to know how they got here: over loopback
(`loopback.py`) or through the clipboard (`pasted.py`). `iss` (RFC 9207) is not looked at: no provider here declares
one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from secrets import compare_digest
from typing import Final
from urllib.parse import unquote, unquote_plus

from iflow_cli_proxy.core.errors import InvalidRequest, LoginRequired
from iflow_cli_proxy.providers.cleaning import clean_message

FOREIGN: Final = "foreign_state"
"""The `code` of an InvalidRequest for an answer that belongs to another sign-in."""
NO_CODE: Final = "no_code"
REFUSED: Final = "access_denied"

_NAMES: Final = ("code", "state", "error", "error_description")
_CODE: Final = re.compile(r"[\x21-\x7e]{1,4096}")
_ERROR_NAME: Final = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_AGAIN: Final = "`iflow2api login` starts again"


@dataclass(frozen=True, kw_only=True)
class Callback:
    """As sent: nothing in it has been checked or cleaned."""

    code: str = field(default="", repr=False)
    state: str = field(default="", repr=False)
    error: str = ""
    error_description: str = ""


def read_callback(query: str) -> Callback:
    """The parameters of a query string, unknown ones left out.

    A `+` in a code or state stays one: servers put base64 there and forget to encode it, and no code has a blank.

    Raises:
        InvalidRequest: one of them stands there twice, which no honest server does.
    """
    found: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name not in _NAMES:
            continue
        if name in found:
            raise InvalidRequest(f"The answer of the sign-in page names `{name}` twice.", hint=_AGAIN, param=name)
        found[name] = unquote_plus(value) if name.startswith("error") else unquote(value)
    return Callback(**found)


def code_of(callback: Callback, state: str, *, needs_state: bool) -> str:
    """The code, when it is an answer to the sign-in that `state` belongs to.

    A refusal without a state is believed: it redeems nothing, and some servers leave the state out of it.

    Raises:
        InvalidRequest: it is not: `code` tells which (`FOREIGN`, `NO_CODE`).
        LoginRequired: the person or the provider refused.
    """
    if callback.state and not _is_same(callback.state, state):
        raise _foreign()
    if callback.error:
        raise _refusal(callback)
    if not callback.code:
        raise InvalidRequest("The answer of the sign-in page holds no code.", hint=_AGAIN, code=NO_CODE, param="code")
    if needs_state and not callback.state:
        raise _foreign()
    return checked_code(callback.code)


def checked_code(text: str) -> str:
    """Raises InvalidRequest for what cannot be an authorization code."""
    if not _CODE.fullmatch(text):
        raise InvalidRequest(
            "This is not an authorization code: it has characters that no code has, or far too many.",
            hint="copy only the code, or the whole address of the page that shows it",
            param="code",
        )
    return text


def _is_same(given: str, ours: str) -> bool:
    """Compared in constant time."""
    return compare_digest(given.encode("utf-8", "surrogateescape"), ours.encode("utf-8", "surrogateescape"))


def _foreign() -> InvalidRequest:
    return InvalidRequest(
        "This answer belongs to another sign-in than the one that is waiting.",
        hint="use the page that this sign-in has opened",
        code=FOREIGN,
        param="state",
    )


def _refusal(callback: Callback) -> LoginRequired:
    name = callback.error if _ERROR_NAME.fullmatch(callback.error) else ""
    if name == REFUSED:
        return LoginRequired("The sign-in was refused in the browser.", hint=_AGAIN, code=name)
    words = clean_message(callback.error_description) or clean_message(callback.error) or "it gave no reason"
    return LoginRequired(f"The sign-in page reports a failure: {words}", hint=_AGAIN, code=name or None)
