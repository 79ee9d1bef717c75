"""Streamed chat as bytes: what an upstream sends, what a client asks, and whether what it got was whole."""

from __future__ import annotations

from typing import Final

from tests.support.raw_upstream import LAST_CHUNK, Step, event, stream_head

MODELS: Final = b'{"object":"list","data":[]}'
STREAM_BODY: Final = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}'
DONE: Final = b"data: [DONE]\n\n"
WHOLE: Final = b"0\r\n\r\n"
"""How a chunked body ends; its absence says that something was cut."""


def delta(text: str = "word", finish: str = "null") -> bytes:
    """One event with a piece of text."""
    return event(
        '{"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
        f'{{"content":"{text}"}},"finish_reason":{finish}}}]}}'
    )


def stream_of(*steps: Step) -> list[Step]:
    """A good stream of one word, then `steps`, then its proper end."""
    return [stream_head(), delta("first"), *steps, delta("last", '"stop"'), event("[DONE]"), LAST_CHUNK]


def request(
    body: bytes = STREAM_BODY, *headers: bytes, path: bytes = b"/v1/chat/completions", host: bytes = b"localhost"
) -> bytes:
    """A POST of JSON."""
    head = [b"POST %b HTTP/1.1" % path, b"Host: " + host, b"Content-Type: application/json"]
    return b"\r\n".join([*head, *headers, b"Content-Length: %d" % len(body)]) + b"\r\n\r\n" + body


def get(path: bytes, method: bytes = b"GET") -> bytes:
    return b"%b %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (method, path)
