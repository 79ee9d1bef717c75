"""Where a setting's value came from, and what is wrong with one.

Knows how to name a setting and a place to a person. Refuses to know how values are read or checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from iflow_cli_proxy.config.leaf import Path
from iflow_cli_proxy.core.errors import ConfigError

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


class Layer(StrEnum):
    """The sources in rising order of precedence."""

    DEFAULT = "default"
    CONFIG = "config"
    OVERRIDES = "overrides"
    ENVIRONMENT = "environment"
    FLAG = "flag"


@dataclass(frozen=True)
class Origin:
    """One source, and the place in it: a file with its line, a variable, a flag."""

    layer: Layer
    place: str = ""

    def __str__(self) -> str:
        return self.place or self.layer.value


DEFAULT: Final = Origin(Layer.DEFAULT)


class Origins:
    """The origin of every setting that is not left at its default."""

    def __init__(self, known: Mapping[Path, Origin] | None = None) -> None:
        self._known = dict(known or {})

    def of(self, path: Path) -> Origin:
        """Where the value came from; an entry of a table of free names counts for itself."""
        return self._known.get(path, DEFAULT)

    def under(self, path: Path) -> list[Origin]:
        """Every source that has set something at or below this name."""
        found = [origin for known, origin in self._known.items() if known[: len(path)] == path]
        return list(dict.fromkeys(found)) or [self.of(path)]

    def __len__(self) -> int:
        return len(self._known)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One mistake: which setting, where it stands, what is wrong, what to type instead."""

    name: str
    place: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text}; {self.hint}" if self.hint else text


class InvalidConfig(ConfigError):
    """Everything wrong with the configuration, reported at once; `problems` lists it for machines."""

    def __init__(self, problems: Iterable[Problem], *, hint: str = "") -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems]
        text = lines[0] if len(lines) == 1 else "\n  ".join([f"{len(lines)} settings are wrong:", *lines])
        super().__init__(
            text,
            hint=hint or _hint_for(self.problems),
            param=self.problems[0].name or None,
        )


def _hint_for(problems: tuple[Problem, ...]) -> str:
    """A file is corrected and checked again; a flag is just typed again."""
    if all(problem.name.startswith("--") for problem in problems):
        return "give it another value; `--help` lists the flags"
    return "correct it, then `iflow2api config validate`"


def dotted(path: Path) -> str:
    """`models.aliases."claude-*"`: the name as TOML would write it."""
    return ".".join(key if _BARE_KEY.fullmatch(key) else quoted(key) for key in path)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word most like this one, or nothing when none is close."""
    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.6)), "")


def quoted(text: str) -> str:
    """The text as a TOML string on one line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in escaped) + '"'
