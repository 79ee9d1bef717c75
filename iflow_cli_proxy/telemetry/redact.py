"""What may be shown of a text that may hold secrets or control characters.

The last line of defence for logs: whoever writes a line should have left the secret out already.
"""

from __future__ import annotations

import re
from typing import Final

from iflow_cli_proxy.core.secret import mask

_SECRETS: Final = re.compile(
    r"(?P<key>\b(?:sk|rk|pk|at|rt)-[A-Za-z0-9_\-]{8,})"
    r"|(?<=[Bb]earer )(?P<bearer>[^\s\"',;]{8,})"
    r"|(?P<jwt>\beyJ[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]*)"
    r"|(?<=[?&])(?P<query>(?:key|access_?[tT]oken|refresh_?[tT]oken|code|code_verifier|token|apiKey)=[^&\s\"']+)"
    r"|(?<=://)(?P<userinfo>[^/\s:@]+:[^/\s@]+)(?=@)"
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def redact(text: str) -> str:
    """`text` with everything that looks like a credential masked."""
    return _SECRETS.sub(_masked, text)


def one_line(text: str) -> str:
    """`text` without line ends, escapes and direction marks: nothing in it can forge a log line (I44)."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _masked(found: re.Match[str]) -> str:
    if found["query"]:
        name, _, _ = found["query"].partition("=")
        return f"{name}=…"
    if found["userinfo"]:
        return "…"
    return mask(found[0])
