"""What may be shown of a text that may hold secrets or control characters.

The last line of defence for logs: whoever writes a line should have left the secret out already.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from iflow_cli_proxy.core.secret import mask

_SECRETS: Final = re.compile(
    r"(?P<key>\b(?:(?:sk|rk|pk|at|rt)-|AIza|gsk_|hf_|gh[a-z]_)[A-Za-z0-9_\-]{8,})"
    r"|(?i:(?<=bearer )|(?<=basic )(?=[a-z+/]*[0-9=]))(?P<auth>[^\s\"',;]{8,})"
    r"|(?P<jwt>\beyJ[A-Za-z0-9_\-]{4,1024}\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]*)"
    r"|(?<=[?&])(?P<query>(?:key|access_?[tT]oken|refresh_?[tT]oken|code|code_verifier|token|api[_-]?[kK]ey"
    r"|(?:client_)?secret|password|sig|signature)=[^&\s\"']+)"
    r"|(?<=://)(?P<userinfo>[^/\s:@]{1,512}:[^/\s@]{1,512}|[^/\s:@]{16,512})(?=@)"
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LONGEST: Final = 16_384
"""Characters of one text that are shown: enough for any traceback, and a bound for the patterns."""
_LONGEST_NAME: Final = 200


def redact(text: str) -> str:
    """`text` with everything that looks like a credential masked, and no longer than anybody reads."""
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    return _SECRETS.sub(_masked, text)


def shown_name(name: str) -> str:
    """What a client gave for a name (of a model, say), without the key that some have sent in its place."""
    return _name(name[:_LONGEST_NAME])


@lru_cache(maxsize=1024)
def _name(name: str) -> str:
    return redact(name)


def one_line(text: str) -> str:
    """`text` without line ends, escapes, direction marks and halves of characters: nothing in it can forge a log line
    or keep it from being written (I44)."""
    return _CONTROL.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _masked(found: re.Match[str]) -> str:
    if found["query"]:
        name, _, _ = found["query"].partition("=")
        return f"{name}=…"
    if found["userinfo"]:
        return "…"
    return mask(found[0])
