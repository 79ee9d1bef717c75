"""What a person brings by clipboard: a code in one of the shapes it has on its way, or an API key.

Knows addresses, query strings, fragments, bare codes and what terminals and chats put around them. Refuses to ask:
whoever reads the terminal asks again on InvalidRequest and stops on LoginRequired.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.signin.callback import NO_CODE, checked_code, code_of, read_callback

_LONGEST: Final = 8_192
_LONGEST_KEY: Final = 4_096
_QUOTES: Final = "\"'`<>\u201c\u201d\u2018\u2019\u00ab\u00bb"
_SPACE: Final = re.compile(r"\s+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ANSWER: Final = re.compile(r"(?:^|[?#&])(?:code|error)=")
_ADDRESS: Final = re.compile(r"^(?:[a-z][a-z0-9+.-]*://|localhost\b|127\.0\.0\.1\b|www\.)", re.IGNORECASE)
_NO_ANSWER: Final = re.compile(_ADDRESS.pattern + r"|(?:^|[?#&])state=", re.IGNORECASE)
_SCHEME: Final = re.compile(r"^(?:authorization\s*:\s*)?(?:bearer(?:\s+|$))?", re.IGNORECASE)
_BARE_CODE: Final = re.compile(r"[A-Za-z0-9._~+/=:!*$|-]{8,}")
"""By itself, a word that nothing marks as a code must look like one: what is redeemed in vain ends the sign-in."""
_WHAT_TO_PASTE: Final = "paste the whole address from the browser's address bar, or the code the page shows"


def code_from(text: str, *, state: str) -> str:
    """The authorization code in a callback address, a query string, a fragment or by itself.

    A state that is there must be `state`; where a page shows only the code there is none to compare.

    Raises:
        InvalidRequest: there is no code for this sign-in in it; the hint says what to paste.
        LoginRequired: it is the provider's refusal.
    """
    words = _unwrapped(text, _LONGEST)
    if not words:
        raise InvalidRequest("Nothing was pasted.", hint=_WHAT_TO_PASTE)
    if _ANSWER.search(words):
        return code_of(read_callback(_parameters(words)), state, needs_state=False)
    if _NO_ANSWER.search(words):
        raise InvalidRequest(
            "There is no code in this.",
            hint="finish signing in first, then copy the address the browser ends at",
            code=NO_CODE,
        )
    if _SPACE.search(words):
        raise InvalidRequest("This is neither an address nor a code: it has blanks in it.", hint=_WHAT_TO_PASTE)
    code = checked_code(unquote(words))
    if not _BARE_CODE.fullmatch(code):
        raise InvalidRequest(
            "This is not a code: it is too short, or has characters that no code has.", hint=_WHAT_TO_PASTE
        )
    return code


def key_from(text: str) -> Secret:
    """An API key as it was copied. Raises InvalidRequest for what cannot be one."""
    words = _SCHEME.sub("", _unwrapped(text, _LONGEST_KEY))
    if not words:
        raise InvalidRequest("No API key was given.", hint="paste the key, it is not shown while you type")
    if words.startswith("enc:"):
        raise InvalidRequest(
            "This API key is encrypted; only the program that wrote it can read it.",
            hint="copy the key from the provider's own page",
        )
    if not words.isascii() or not words.isprintable() or _SPACE.search(words):
        raise InvalidRequest(
            "This is not an API key: it has characters that no key has.", hint="copy the key again, and only the key"
        )
    return Secret(words)


def _unwrapped(text: str, longest: int) -> str:
    """Without what surrounds it; a word that a terminal broke over several lines is whole again."""
    if len(text) > longest:
        raise InvalidRequest("This is far longer than anything to paste here.", hint=_WHAT_TO_PASTE)
    lines = [line.strip() for line in text.strip().splitlines()]
    words = "".join(lines).strip(_QUOTES + " \t")
    if _CONTROL.search(words):
        raise InvalidRequest("There are control characters in it.", hint="copy it again, as text")
    return words


def _parameters(words: str) -> str:
    """The query and the fragment as one query string; either may hold the answer."""
    rest, _, fragment = words.partition("#")
    before, mark, query = rest.partition("?")
    parts = [query if mark else "" if _ADDRESS.match(before) else before, fragment.lstrip("?")]
    return "&".join(_SPACE.sub("", part) for part in parts if part)
