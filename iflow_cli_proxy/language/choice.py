"""Which language a person reads, as far as the surroundings tell: the locale of a terminal, the header of a browser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

ENGLISH: Final = "en"
CHINESE: Final = "zh"
LANGUAGES: Final = (ENGLISH, CHINESE)

_LOCALE_VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
"""The first that says anything counts (POSIX, 8.2)."""
_SUBTAG: Final = re.compile(r"[A-Za-z]+")
_LONGEST_HEADER: Final = 1000


def of_locale(environ: Mapping[str, str]) -> str:
    """`zh` for `zh_CN.UTF-8`, `zh_TW`, `zh`; English for everything we do not speak."""
    named = next((text for name in _LOCALE_VARIABLES if (text := environ.get(name))), "")
    return of_tag(named) or ENGLISH


def of_accept_language(header: str) -> str:
    """The language a browser likes best among ours (RFC 9110, 12.5.4); English when it likes neither."""
    liked: dict[str, float] = {}
    for part in header[:_LONGEST_HEADER].split(","):
        name, _, parameters = part.partition(";")
        language = of_tag(name.strip())
        if language:
            liked[language] = max(liked.get(language, 0.0), _weight(parameters))
    best = max(liked, key=lambda language: liked[language], default=ENGLISH)
    return best if liked.get(best) else ENGLISH


def of_tag(tag: str) -> str:
    """The one of ours that a locale or a language tag names, as in `zh_TW.UTF-8` and `zh-CN`; nothing for any other."""
    found = _SUBTAG.match(tag)
    name = found[0].lower() if found else ""
    return name if name in LANGUAGES else ""


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
