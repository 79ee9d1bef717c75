"""The arguments of a tool call as the text the service takes: whole JSON, whatever the history holds.

A call whose stream was cut, or one an agent wrote by hand, may hold less; one such message makes the service refuse the
whole conversation. Refuses to know messages.
"""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.repair import mended_arguments

_UNREADABLE: Final = "arguments"
"""The key under which text that is no JSON is handed on."""


def mended(arguments: Json) -> str:
    """`arguments` as JSON text, unchanged if it is that already."""
    found = mended_arguments(arguments)
    return jsonx.encode({_UNREADABLE: arguments}).decode() if found is None else found
