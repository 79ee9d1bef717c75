"""Requests that want a model in memory, or out of it, and no answer: an Ollama client sends them before the first one.

There is nothing to load behind a gateway, so they are answered at once and no upstream is asked.
"""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols.base import Envelope
from iflow_cli_proxy.protocols.ollama.reply import encode_head
from iflow_cli_proxy.protocols.ollama.request import GENERATE

_NOW: Final = (0, "0", "0s", "0m", "0h")
"""Values of `keep_alive` that ask for the model to be dropped."""


def answer_to_load(envelope: Envelope, created: int) -> bytes | None:
    """The whole answer, one line also where a stream was asked for; None for a request with something to answer.

    `created` is in epoch seconds.
    """
    values = envelope.values
    is_generate = envelope.flavor == GENERATE
    if any(values.get(name) for name in (("prompt", "suffix", "images") if is_generate else ("messages",))):
        return None
    keep_alive = values.get("keep_alive")
    is_unload = not isinstance(keep_alive, bool) and keep_alive in _NOW
    matter: dict[str, Json] = {"response": ""} if is_generate else {"message": {"role": "assistant", "content": ""}}
    ending = {"done": True, "done_reason": "unload" if is_unload else "load"}
    return jsonx.encode({**encode_head(envelope.model, created), **matter, **ending}) + b"\n"
