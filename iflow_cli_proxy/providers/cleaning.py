"""Words of an upstream made fit for a client: useful text stays, everything that gives something away goes.

Upstreams put keys, addresses, file paths, stack traces and web pages into their error messages. Whatever looks like
one is replaced here, once, before a message enters our error tree (RELIABILITY section 2: "Never: a traceback, a file
path, an upstream address, a token"). When in doubt a word is lost rather than a secret shown. Refuses to know which
upstream is speaking and what its words mean.
"""

from __future__ import annotations

import html
import ipaddress
import re
import unicodedata
from typing import Final

from iflow_cli_proxy.core.secret import HIDDEN

LONGEST: Final = 300
"""Characters a cleaned message may have."""

_READ: Final = 2_000
"""Characters that are looked at: enough for any honest message, and a bound for the patterns below, some of which
take quadratic time on text made for the purpose (2000 characters: under 50 ms)."""

SECRET: Final = HIDDEN
ADDRESS: Final = "[address]"
PATH: Final = "[path]"
ID: Final = "[id]"

_PAGE: Final = re.compile(r"<\s*(?:!doctype|html|head|body)\b", re.IGNORECASE)
_TAG: Final = re.compile(r"<[/!]?[a-zA-Z][^<>]{0,500}>")
_ESCAPE_SEQUENCE: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC: titles, links
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # DCS and its sisters
    r"|\x1b[ -/]*[0-~]"
)
_TRACE: Final = re.compile(
    r"Traceback \(most recent call last\)|\bgoroutine \d+ \[|\bstack ?trace\b|\bCaused by:|\bstack backtrace:",
    re.IGNORECASE,
)
_TRACE_LINE: Final = re.compile(
    r"File \"[^\"]*\", line \d+(?:, in \S+)?"
    r"|\bat [\w.$<>/\[\] ]{0,120}\([^()\s]{0,200}:\d+(?::\d+)?\)"
    r"|\bat [^\s:]{0,200}[A-Za-z/][^\s:]{0,100}:\d+:\d+"
)
_LITERAL_ESCAPE: Final = re.compile(r"\\+[nrt](?![a-z])|\\+(?=[\"'/])")

_URL: Final = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}:(?://|\\/\\/|%2f%2f)[^\s\"'<>`]*", re.IGNORECASE)
_EMAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+")

_PREFIXED_KEY: Final = re.compile(
    r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f][0-9A-Fa-f]))(?:(?:sk|pk|rk|ak|xai|gsk|hf|pat|fw|nvapi|tvly|r8|whsec|xox[a-z])[-_]"
    r"|gh[a-z]_|github_pat_|glpat-|AIza|AKIA|ASIA|ya29\.|eyJ)[\w.*~+/=-]{3,}"
)
_AUTH_SCHEME: Final = re.compile(
    r"\b((?i:bearer|basic|digest))[\s:=]+(?=[^\s\"',;]*(?:\d|[a-z][A-Z])|[^\s\"',;]{16})[^\s\"',;]{4,}"
)
_NAMED_SECRET: Final = re.compile(
    r"(?P<name>(?:\b|_)(?:api|access|refresh|id|auth|session|private|client|secret|x-api)?[\s_-]?"
    r"(?:keys?|tokens?|secret|password|passwd|pwd|passphrase|authorization|cookie|credentials?|signature|bxauth)"
    r"\b(?:\s+(?:provided|given|used|sent|was|is))?[\"'`]?\s*(?:[:=\uff1a]|=>)\s*[\"'`]?)"
    r"(?P<value>[^\s\"'`,;&}\])\uff0c\u3002\uff1b]{3,})",
    re.IGNORECASE,
)
_UUID: Final = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE)
_LONG_WORD: Final = re.compile(r"[A-Za-z0-9+/_=]{12,}")

_TLD: Final = (
    "com|net|org|cn|io|ai|dev|app|cloud|co|us|uk|eu|de|fr|jp|kr|hk|tw|sg|in|ru|me|xyz|site|online|tech|info|biz|top"
    "|example|test|invalid|local|localdomain|internal|intranet|lan|corp|home|svc|cluster|arpa|aws|azure|run|gov|edu"
)
_HOST: Final = re.compile(
    rf"(?<![\w@.-])(?:[a-z0-9_](?:[a-z0-9_-]{{0,62}})\.)+(?:{_TLD})\.?(?![\w-])(?::\d{{1,5}})?(?:/[^\s\"'<>`]*)?",
    re.IGNORECASE,
)
_LOCAL_HOST: Final = re.compile(r"\blocalhost\b(?::\d{1,5})?(?:/[^\s\"'<>`]*)?", re.IGNORECASE)
_HOST_PORT: Final = re.compile(r"(?<![\w.-])(?P<host>[A-Za-z][\w.-]{0,120}):(?P<port>\d{2,5})(?!\w)")
_NAMED_HOST: Final = re.compile(
    r"\b(?P<name>host(?:name)?|server|upstream|backend|endpoint|dial tcp|lookup|connect to)"
    r"(?P<sep>\s*[=:]\s*[\"'`]?|\s+[\"'`])(?P<value>[\w.-]{2,})",
    re.IGNORECASE,
)
_NOT_HOSTS: Final = frozenset(
    {
        "after", "at", "byte", "char", "code", "column", "count", "errno", "error", "error_code", "expected", "got",
        "http", "index", "length", "limit", "line", "max", "message", "min", "position", "request", "response", "size",
        "status", "status_code", "token", "tokens", "value", "version",
    }
)  # fmt: skip
"""Words before a colon and a number that are no host."""
_IPV4: Final = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\d)(?:/\d{1,2})?(?::\d{1,5})?")
_IPV6: Final = re.compile(r"\[?(?<![\w:.])(?P<ip>[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:(?:\.\d{1,3}){3})?)"
                          r"(?![\w:])(?:%\w+)?\]?(?::\d{1,5})?", re.IGNORECASE)  # fmt: skip

_WINDOWS_PATH: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]:[\\/]+[^\s\"'<>|`]*|\\\\[\w.$-]+\\[^\s\"'<>|`]*")
_WORD: Final = re.compile(r"[^\s\"']+")
_BACKSLASHED: Final = re.compile(r"\w\\+\w")
_PATH: Final = re.compile(r"(?<![\w/.])(?:~|\.{1,2})?/(?:[\w.@+%~-]+/)+[\w.@+%~-]*(?::\d+)?")
_ROOTED: Final = re.compile(
    r"(?<![\w/])(?:~/|/(?:home|root|usr|etc|var|tmp|opt|app|srv|mnt|proc|dev|data|workspace|run|Users|Library)\b)[^\s\"']*"
)
_SOURCE_FILE: Final = re.compile(
    r"(?<![\w-])[\w./-]+\.(?:py|pyc|pyx|so|dll|go|rs|java|kt|rb|php|mjs|tsx?|jsx)(?::\d+)*\b"
)

_LAST_WORD: Final = re.compile(r"[!-~]{1,256}\Z")
_SPACE: Final = re.compile(r"\s+")


def clean_message(text: object) -> str:
    """The safe part of what an upstream said, on one line of at most 300 characters; empty when nothing is left."""
    if not isinstance(text, str):
        return ""
    if len(text) > _READ:  # not the word that is cut: half a key may no longer look like one
        text = _LAST_WORD.sub("", text[:_READ])
    words = plain_text(text)
    if _PAGE.search(words):
        return ""
    words = _TAG.sub(" ", words)
    words = _TRACE.split(words, maxsplit=1)[0]
    words = _without_addresses(_TRACE_LINE.sub(" ", words))
    words = _without_secrets(_without_paths(words))
    words = _SPACE.sub(" ", words).strip(" -:,;|")
    return words if len(words) <= LONGEST else words[: LONGEST - 1].rstrip() + "…"


def plain_text(text: str) -> str:
    """Without terminal sequences, control and invisible characters, or HTML entities that could hide any of them."""
    text = html.unescape(html.unescape(text))
    text = _ESCAPE_SEQUENCE.sub("", text)
    return "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    if char.isascii() and char.isprintable():
        return char
    category = unicodedata.category(char)
    if category in ("Cf", "Cs", "Co", "Cn", "Mn", "Me"):  # direction marks, zero-width characters, piled-up accents
        return ""
    return " " if category[0] in "CZ" else char


def _without_addresses(text: str) -> str:
    text = _URL.sub(ADDRESS, text)
    text = _EMAIL.sub(ADDRESS, text)
    text = _IPV4.sub(ADDRESS, text)
    text = _IPV6.sub(_ipv6, text)
    text = _WINDOWS_PATH.sub(PATH, text)  # before hosts: C:\host.com\x is a path
    text = _ROOTED.sub(PATH, text)
    text = _HOST.sub(ADDRESS, text)
    text = _LOCAL_HOST.sub(ADDRESS, text)
    text = _HOST_PORT.sub(_host_port, text)
    return _NAMED_HOST.sub(_named_host, text)


def _ipv6(match: re.Match[str]) -> str:
    ip = match["ip"]
    if not any(char.isalnum() for char in ip):
        return match[0]
    try:
        ipaddress.IPv6Address(ip)
    except ValueError:
        return match[0]
    return ADDRESS


def _host_port(match: re.Match[str]) -> str:
    last_word = re.split(r"[.-]", match["host"].lower())[-1]
    return match[0] if last_word in _NOT_HOSTS or last_word.endswith(("_code", "_tokens")) else ADDRESS


def _named_host(match: re.Match[str]) -> str:
    looks_named = any(char in "._-" or char.isdigit() for char in match["value"]) or "=" in match["sep"]
    return f"{match['name']}{match['sep']}{ADDRESS}" if looks_named else match[0]


def _without_secrets(text: str) -> str:
    text = _PREFIXED_KEY.sub(SECRET, text)
    text = _AUTH_SCHEME.sub(rf"\1 {SECRET}", text)
    text = _NAMED_SECRET.sub(_named_secret, text)
    text = _UUID.sub(ID, text)
    return _LONG_WORD.sub(_long_word, text)


def _named_secret(match: re.Match[str]) -> str:
    value = match["value"]
    is_plain_number = value.rstrip(".").isdigit() and len(value) < 8  # "max tokens: 4096"
    return match[0] if value.startswith("[") or is_plain_number else match["name"] + SECRET


def _long_word(match: re.Match[str]) -> str:
    """A run that no language has: hex, base64, or letters mixed with digits. Snake case and prose stay."""
    word = match[0]
    digits = sum(char.isdigit() for char in word)
    if digits == 0:
        is_prose = "_" in word or word.islower() or word.isupper() or len(word) < 24
        return word if is_prose else SECRET
    pieces = re.split(r"[_/]", word)
    if len(pieces) > 1 and max(len(piece) for piece in pieces) < 12:
        return word
    return SECRET if digits >= 4 or len(word) >= 20 else word


def _without_paths(text: str) -> str:
    text = _LITERAL_ESCAPE.sub(" ", text)
    text = _WORD.sub(lambda match: PATH if _BACKSLASHED.search(match[0]) else match[0], text)
    text = _PATH.sub(PATH, text)
    return _SOURCE_FILE.sub(PATH, text)
