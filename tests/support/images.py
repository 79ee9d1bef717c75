"""Small pictures, requests that hold some, and a name service that says what a test wants."""

from __future__ import annotations

import socket
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.protocols.base import Envelope, Inbound

CODEC = CODECS["openai_chat"]
PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0" + bytes(40)
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(40)
GIF = b"GIF89a\1\0\1\0" + bytes(40)
WEBP = b"RIFF\x30\0\0\0WEBPVP8 " + bytes(40)
BMP = b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0" + bytes(40)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
HTML = b"<!doctype html><html><body>BM GIF89a</body></html>"


def data_url(data: bytes = PNG, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{b64encode(data).decode()}"


def image(url: str = "https://images.example/a.png", **more: Any) -> dict[str, Any]:
    """A part of a Chat Completions message."""
    return {"type": "image_url", "image_url": {"url": url, **more}}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def asking(
    *parts: dict[str, Any], model: str = "blind", more: Sequence[dict[str, Any]] = (), **fields: Any
) -> Envelope:
    """A checked request: one message of these parts, then `more` messages."""
    body = {"model": model, "messages": [{"role": "user", "content": list(parts)}, *more], **fields}
    return CODEC.read_envelope(Inbound(protocol=CODEC.name, body=jsonx.encode(body)))


def content_of(envelope: Envelope, number: int = 0) -> Any:
    """What goes upstream as one message's content."""
    return jsonx.decode(jsonx.encode(envelope.fields["messages"]))[number]["content"]


class Names(AbstractResolver):
    """Answers each lookup with the next of `answers`, the last one for ever; an empty one is a name nobody knows."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} is unknown")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing to close."""
