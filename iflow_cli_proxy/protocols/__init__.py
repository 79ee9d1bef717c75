"""Every protocol we speak, one registration line each."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.protocols import openai_chat
from iflow_cli_proxy.protocols.base import Codec

CODECS: Final[dict[str, Codec]] = {
    openai_chat.CODEC.name: openai_chat.CODEC,
}
