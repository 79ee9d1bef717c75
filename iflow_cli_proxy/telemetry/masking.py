"""What may be written down of headers, addresses and bodies: names and shapes, and of values what is no secret.

Headers are shown by name: what is not known to be harmless is masked, since a person may configure a credential under
any name. Bodies are shown as they are, without what looks like a credential and without the credentials of the same
exchange. Refuses to know what an exchange is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeVar
from urllib.parse import urlsplit

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.secret import hide, mask
from iflow_cli_proxy.telemetry.redact import one_line, redact

T = TypeVar("T")

_HARMLESS: Final = frozenset({
    "accept", "accept-charset", "accept-encoding", "accept-language", "accept-ranges", "age", "allow", "alt-svc",
    "anthropic-beta", "anthropic-dangerous-direct-browser-access", "anthropic-version", "cache-control",
    "cf-cache-status", "cf-ray", "connection", "content-disposition", "content-encoding", "content-language",
    "content-length", "content-type", "conversation-id", "date", "dnt", "expect", "expires", "forwarded", "host",
    "keep-alive", "last-modified", "openai-beta", "openai-processing-ms", "openai-version", "origin", "pragma",
    "priority", "retry-after", "server", "server-timing", "session-id", "session_id", "strict-transport-security",
    "te", "timing-allow-origin", "traceparent", "trailer", "transfer-encoding", "upgrade",
    "upgrade-insecure-requests", "user-agent", "vary", "via", "x-accel-buffering", "x-app", "x-client-request-id",
    "x-content-type-options", "x-dashscope-cachecontrol", "x-dashscope-useragent", "x-demo-fault", "x-frame-options",
    "x-goog-api-client", "x-iflow-timestamp", "x-no-retry", "x-powered-by", "x-request-id", "x-request-timeout",
    "x-requested-with", "x-should-retry", "x-title", "x-trace-id",
})  # fmt: skip
_HARMLESS_STARTS: Final = (
    "access-control-", "anthropic-ratelimit-", "eagleeye-", "ratelimit", "sec-ch-", "sec-fetch-", "x-envoy-",
    "x-iflow2api-", "x-ratelimit-", "x-stainless-",
)  # fmt: skip
_SECRET_ENDS: Final = ("key", "token", "secret", "auth", "authorization", "password")
_SHAPED: Final = frozenset({"x-iflow-signature"})
"""Made anew for each request; of these the shape is of interest."""
_HIDDEN: Final = frozenset({"cookie", "set-cookie"})
_HARMLESS_QUERY: Final = frozenset({"alt", "beta", "api-version", "prettyprint", "$alt"})
_LONGEST_VALUE: Final = 500
_LONGEST_CACHED: Final = 200
_MOST_CACHED: Final = 4096
_SCHEME: Final = re.compile(r"[A-Za-z]{2,12}")
_SHORTEST_SECRET: Final = 8

_SPEAKS: Final = re.compile("auth|key|token|secret|cookie|passw|credential", re.IGNORECASE)

_FIELD: Final = re.compile(
    r'["\'](?:[\w-]{0,40}(?:api[_-]?key|access[_-]?(?:key|token)|refresh_?token|id_?token|auth_?token|session_?token'
    r"|passw(?:or)?d|passphrase|secret|authorization|bearer|cookie|code_verifier|credential|private_?key)[\w-]{0,40}"
    r'|(?P<vague>token))\\{0,15}["\']\s{0,20}:[\s\[]{0,20}(?P<depth>\\{0,15})(?P<mark>["\'])',
    re.IGNORECASE,
)
"""Where the value begins of a field that says it holds a secret: in JSON, in JSON inside a string, in Python."""
_ASSIGNED: Final = re.compile(
    r"\b(?P<name>[A-Z][A-Z0-9_]{0,60}(?:KEY|TOKEN|SECRET|PASSWORD)=|(?i:x-api-key|x-goog-api-key): ?)"
    r"(?P<value>[^\s\"'\\&;,]{8,})"
)
"""In the environment of a program, and in headers that somebody wrote out."""
_QUOTES: Final = {mark: re.compile(rf"\\*{mark}") for mark in "\"'"}
_SHORTEST_VALUE: Final = 4
_SHORTEST_VAGUE: Final = 16
"""A piece of text has as many letters too rarely, in a list of tokens with their probabilities."""
_WORD_ENDS: Final = re.compile(r"[\s\",;{}\[\]]")
_LONGEST_TAIL: Final = 1024
_PIECE: Final = 8192
_LONGEST_PIECE: Final = 16_000
"""Of a text without any gap, such as an image in base64."""
_BETWEEN: Final = re.compile(r"[\n,;{}\[\]]")
"""Where a text may be taken apart without cutting a credential in two, or off the word that announces it."""


def shown_headers(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> dict[str, str]:
    """In their order and spelling; of a repeated one all values."""
    pairs = [*map(_SHOWN_BEFORE.__getitem__, headers.items() if isinstance(headers, Mapping) else headers)]
    shown = dict(pairs)
    if len(shown) == len(pairs):
        return shown
    every: dict[str, list[str]] = {}
    for name, told in pairs:
        every.setdefault(name, []).append(told)
    return {name: ", ".join(values) for name, values in every.items()}


def shown_header(name: str, value: str) -> str:
    """A value as it may be written down."""
    low = name.lower()
    if low in _HARMLESS or (low.startswith(_HARMLESS_STARTS) and not low.endswith(_SECRET_ENDS)):
        return one_line(redact(value[:_LONGEST_VALUE]))
    if low in _HIDDEN:
        return "…"
    if low in _SHAPED:
        return shape(value)
    scheme, blank, rest = value.partition(" ")
    if blank and _SCHEME.fullmatch(scheme):
        return f"{scheme} {mask(one_line(rest))}"
    return mask(one_line(value))


class _Remembering(dict[tuple[str, str], T]):
    """What came of a header, by its name and value: most of them are those of the request before.

    A dictionary that is asked without a frame of Python in between, since a flight has some thirty headers.
    """

    def __init__(self, find: Callable[[str, str], T]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, header: tuple[str, str]) -> T:
        name, value = header
        found = self._find(name, value)
        if len(name) + len(value) <= _LONGEST_CACHED:
            if len(self) >= _MOST_CACHED:
                self.clear()
            self[header] = found
        return found


_SHOWN_BEFORE: Final = _Remembering(lambda name, value: (name, shown_header(name, value)))


def credentials_in(*headers: Mapping[str, str]) -> tuple[str, ...]:
    """The values of headers and parameters whose names speak of credentials, without the scheme before them: whatever
    they look like, they are to be hidden in texts too. The longest first: one may be the end of another."""
    found: set[str] = set()
    for one in headers:
        found.update(*filter(None, map(_CREDENTIALS_BEFORE.__getitem__, one.items())))
    return tuple(found) if len(found) < 2 else tuple(sorted(found, key=len, reverse=True))


def _credentials_of(name: str, value: str) -> tuple[str, ...]:
    if not _SPEAKS.search(name):
        return ()
    bare = value.partition(" ")[2].strip() or value.strip()
    found = {bare, bare.partition("=")[2]}
    if "=" in value and name.lower() in _HIDDEN:
        found |= {pair.partition("=")[2].strip() for pair in value.split(";")}
    return tuple(secret for secret in found if len(secret) >= _SHORTEST_SECRET)


_CREDENTIALS_BEFORE: Final = _Remembering(_credentials_of)


def shown_query(query: Mapping[str, str]) -> dict[str, str]:
    """Names, and values only where they are known to be harmless."""
    return {
        one_line(name[:_LONGEST_CACHED]): redact(one_line(value[:_LONGEST_CACHED]))
        if name.lower() in _HARMLESS_QUERY
        else mask(one_line(value))
        for name, value in query.items()
    }


@lru_cache(maxsize=256)
def shown_url(url: str) -> str:
    """Where it leads, without user, password and what follows the path."""
    try:
        parts = urlsplit(url)
        place = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "…"
    return redact(f"{parts.scheme}://{place}{parts.path}" + ("?…" if parts.query else ""))


def shown_body(body: bytes, secrets: Sequence[str] = (), *, is_cut: bool = False) -> str:
    """A body as text; `secrets` are those of `credentials_in`.

    What was cut off ends before the word that the cut went through.
    """
    text = body.decode("utf-8", "replace")
    if is_cut:
        text = text[: _last_gap(text)]
    for secret in secrets:
        text = hide(hide(text, secret), _in_json(secret))
    text = _ASSIGNED.sub(lambda found: found["name"] + mask(found["value"]), "".join(_without_fields(text)))
    return "".join(map(redact, _pieces(text)))


def shape(value: str) -> str:
    """What a value looks like: `<64 hex>`, `<13 digits>`, `<36 characters>`."""
    for name, letters in (("digits", "0123456789"), ("hex", "0123456789abcdefABCDEF")):
        if value and not value.strip(letters):
            return f"<{len(value)} {name}>"
    return f"<{len(value)} characters>"


def _without_fields(text: str) -> Iterator[str]:
    """The text in pieces, values of fields that hold secrets masked."""
    told = at = 0
    while found := _FIELD.search(text, at):
        start = found.end()
        at = _end_of(text, start, found["mark"], len(found["depth"]))
        value = text[start:at]
        is_vague = bool(found["vague"])
        if len(value) < (_SHORTEST_VAGUE if is_vague else _SHORTEST_VALUE) or (is_vague and " " in value):
            continue
        yield text[told:start] + mask(value)
        told = at
    yield text[told:]


def _end_of(text: str, start: int, mark: str, depth: int) -> int:
    """Where a string ends whose marks have `depth` backslashes; a mark inside it has more, one around it has fewer."""
    for found in _QUOTES[mark].finditer(text, start):
        slashes = len(found[0]) - 1
        if slashes < depth or slashes % (2 * (depth + 1)) == depth:
            return found.end() - 1 - min(slashes, depth)
    return len(text)


def _pieces(text: str) -> Iterable[str]:
    """No longer than the patterns like, where the text allows it."""
    at = 0
    while at < len(text):
        gap = _BETWEEN.search(text, at + _PIECE, at + _LONGEST_PIECE)
        end = gap.start() if gap else at + _LONGEST_PIECE
        yield text[at:end]
        at = end


@lru_cache(maxsize=256)
def _in_json(secret: str) -> str:
    return jsonx.encode(secret).decode("utf-8", "replace")[1:-1]


def _last_gap(text: str) -> int:
    """Where the last whole word ends; a text that is one long word loses its end."""
    start = max(0, len(text) - _LONGEST_TAIL)
    found = [gap.start() for gap in _WORD_ENDS.finditer(text, start)]
    return found[-1] if found else start
