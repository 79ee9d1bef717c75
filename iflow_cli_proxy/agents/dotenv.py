"""A file of `NAME=value` lines, edited as text: comments and order stay."""

from __future__ import annotations

import re
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json

_ASSIGNMENT: Final = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=(?P<value>.*)")
_PLAIN: Final = re.compile(r"[\w./:@%+-]*")


def read(text: str) -> dict[str, Json]:
    """What a shell would set, of values that end where their line does."""
    found = (_ASSIGNMENT.match(line) for line in text.split("\n"))
    return {one["name"]: one["value"].strip().strip("\"'") for one in found if one}


def with_value(text: str, name: tuple[str, ...], value: Json) -> str:
    """The text with one variable replaced or added."""
    [variable] = name
    line = f"{variable}={value if _PLAIN.fullmatch(str(value)) else jsonx.encode(str(value)).decode()}"
    lines = text.split("\n")
    places = [at for at, one in enumerate(lines) if (found := _ASSIGNMENT.match(one)) and found["name"] == variable]
    if places:
        lines[places[-1]] = line
        return "\n".join(lines)
    body = text.rstrip("\n")
    return f"{body}\n{line}\n" if body else f"{line}\n"
