"""Single values out of other programs' files: words, secrets, counts and addresses.

Knows what makes a value unusable. Refuses to know which program means what by a field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from iflow_cli_proxy.config.checks import is_http_url
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.signin.foreign.reading import Unusable

_LONGEST_SECRET: Final = 16_384
_LONGEST_WORD: Final = 256
_REFERENCE: Final = re.compile(r"\$(?:\{(?P<braced>\w+)\}|(?P<bare>\w+))")
_ADDRESS: Final = re.compile(r"https?://[^\s/?#@\\]+(?:/[^\s?#@\\]*)?", re.IGNORECASE)


def word(tree: Mapping[str, Json], *names: str) -> str:
    """The first of these fields that is text and not empty, trimmed and on one line; "" when there is none."""
    for name in names:
        value = tree.get(name)
        if isinstance(value, str) and value.strip():
            return " ".join(value.split())[:_LONGEST_WORD]
    return ""


def count(tree: Mapping[str, Json], name: str) -> int:
    """A field that counts something; 0 when it does not."""
    value = tree.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53 else 0


def secret(
    tree: Mapping[str, Json], *names: str, what: str = "API key", environ: Mapping[str, str] | None = None
) -> Secret:
    """The first of these fields that holds something, trimmed; empty when none does.

    With `environ`, `$VAR` and `${VAR}` in it are filled in.

    Raises:
        Unusable: it is encrypted, not text, or could not stand in a header.
    """
    for name in names:
        value = tree.get(name)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            raise Unusable(f"its {what} is not text")
        text = (value if environ is None else _filled_in(value, environ, what)).strip()
        if not text:
            continue
        if text.startswith("enc:"):
            raise Unusable(f"its {what} is encrypted, and only the program that wrote it can read it")
        if not (text.isascii() and text.isprintable()) or " " in text or len(text) > _LONGEST_SECRET:
            raise Unusable(f"its {what} has characters that none has, or far too many")
        return Secret(text)
    return Secret()


def address(text: str) -> str:
    """An http or https base URL without a slash at its end; "" for anything else."""
    return text.rstrip("/") if _ADDRESS.fullmatch(text) and is_http_url(text) else ""


def _filled_in(value: str, environ: Mapping[str, str], what: str) -> str:
    def fill(match: re.Match[str]) -> str:
        name = match["braced"] or match["bare"]
        if name not in environ:
            raise Unusable(f"it takes its {what} from the variable {name}, which is not set")
        return environ[name]

    return _REFERENCE.sub(fill, value)
