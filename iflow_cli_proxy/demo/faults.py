"""Every way in which the demo upstream can be told to fail, in two tables.

ANSWERS replace the whole answer. STREAMS bend a good one: each gets the frames of a stream and says what happens on
the socket instead. A request names a fault by `x-demo-fault: NAME`, by the model `fault-NAME`, or by `MODEL+NAME`;
`NAME:7` gives a Retry-After of 7 s, `NAME@2` fails the first two requests only.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, TypeAlias

from iflow_cli_proxy.core import jsonx

HEADER: Final = "x-demo-fault"
MODEL_PREFIX: Final = "fault-"
MODEL_MARK: Final = "+"


@dataclass(frozen=True, kw_only=True)
class Plain:
    """An answer that is not a stream."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One wish, as a request names it."""

    name: str
    retry_after_s: int | None = None
    times: int = 0
    """How many requests it holds for; 0 for all."""


class Happening(Enum):
    """What can happen on the socket besides bytes."""

    HANG = "hang"
    """Nothing more, and the connection stays open."""
    CLOSE = "close"
    """The connection ends here in order, whatever the answer's head promised."""
    RESET = "reset"
    """The connection breaks."""


@dataclass(frozen=True)
class Pause:
    seconds: float


Step: TypeAlias = bytes | Pause | Happening
Bend: TypeAlias = Callable[[Sequence[bytes]], Iterator[Step]]


def http_error(status: int, message: str, **headers: str) -> Plain:
    return Plain(status=status, body=jsonx.encode({"error": {"message": message}}), headers=headers)


def business(status: str, message: str) -> Plain:
    """iFlow's way: a failure with status 200."""
    return Plain(body=jsonx.encode({"status": status, "msg": message, "body": None}))


def portal_error(status: int, code: str, message: str, *, kind: str = "") -> Plain:
    """Qwen's way."""
    error = {"code": code, "message": message, "type": kind or code, "param": None}
    return Plain(status=status, body=jsonx.encode({"error": error, "request_id": "demo"}))


_BLOCKED: Final = "Access to the current AK has been blocked due to unauthorized requests"

BUSINESS: Final[Mapping[str, Plain]] = {
    "449": business("449", "You exceeded your current rate limit"),
    "439": business("439", "Your API Token has expired."),
    "434": business("434", "Invalid apiKey，get your apiKey: https://iflow.cn/"),  # noqa: RUF001 -- the vendor's own
    "434_blocked": business("434", _BLOCKED),
    "438": business("438", _BLOCKED),
    "435": business("435", "Model not support"),
    "429": business("429", "rate limit"),
    "8211": Plain(body=b'{"error_code":8211,"msg":"model rate limit"}'),
    "511": Plain(body=b'{"error_code":511,"msg":"input exceeds the context window"}'),
    "514": Plain(body=b'{"error_code":514,"msg":"model error"}'),
    "503": business("503", "service busy"),
}

_BAD_REQUEST: Final = (
    'Bad request!: {"routify_response":{"trace_id":"0a1b2c3d4e5f60718293a4b5c6d7e8f9","success":false,'
    '"status":400,"error_source":"model"}}'
)
_PAGE: Final = b"<!DOCTYPE html><html><head><title>Gone</title></head><body><h1>It works!</h1></body></html>"

_HTTP: Final[Mapping[int, str]] = {
    400: _BAD_REQUEST,
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    406: "status 406",
    408: "Request Timeout",
    413: "Payload Too Large",
    422: "Unprocessable Entity",
    429: "Too many requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    511: "input is longer than the context window",
    514: "model error",
    529: "Overloaded",
}

ANSWERS: Final[Mapping[str, Plain]] = {
    **{f"http_{status}": http_error(status, message) for status, message in _HTTP.items()},
    **{f"business_{name}": plain for name, plain in BUSINESS.items()},
    "html": Plain(body=_PAGE, content_type="text/html"),
    "http_429_html": Plain(status=429, body=_PAGE, content_type="text/html"),
    "http_502_html": Plain(status=502, body=_PAGE, content_type="text/html"),
    "redirect": Plain(status=302, body=b"", headers={"Location": "http://127.0.0.1:9/elsewhere"}),
    "empty": Plain(body=b""),
    "null": Plain(body=b"null"),
    "list": Plain(body=b"[]"),
    "no_choices": Plain(body=b'{"id":"c1","object":"chat.completion","created":1,"model":"m"}'),
    "cut_json": Plain(body=b'{"id":"c1","object":"chat.completion","choices":[{"index":0,"mess'),
    "error_object": Plain(body=b'{"error":{"message":"The engine is on fire","type":"server_error"}}'),
    **{
        f"quota_{status}": portal_error(status, "insufficient_quota", "Free allocated quota exceeded.")
        for status in (403, 429)
    },
    "throttled": portal_error(429, "limit_requests", "Requests throttling triggered, please try again later."),
    "token_expired": portal_error(401, "invalid_api_key", "invalid access token or token expired"),
    "tool_order": portal_error(400, "InternalError.Algo.InvalidParameter", "tool_calls must be answered directly"),
    "leaky": http_error(
        500,
        'Traceback (most recent call last): File "/srv/iflow/app.py", line 7, in chat; key sk-demo-leaked-0123456789 '
        "at http://10.1.2.3:8080/internal",
    ),
    "leaky_400": http_error(
        400, "bad parameter; see /srv/iflow/app.py, http://10.1.2.3:8080/internal and sk-demo-leaked-0123456789"
    ),
}


def _half(frames: Sequence[bytes]) -> int:
    return len(frames) // 2


def _cut(frames: Sequence[bytes]) -> Iterator[Step]:
    half = _half(frames)
    yield from frames[:half]
    yield frames[half][: len(frames[half]) // 2]
    yield Happening.CLOSE


def _reset(frames: Sequence[bytes]) -> Iterator[Step]:
    yield Happening.RESET


def _reset_midway(frames: Sequence[bytes]) -> Iterator[Step]:
    yield from frames[: _half(frames)]
    yield Happening.RESET


def _hang(frames: Sequence[bytes]) -> Iterator[Step]:
    yield Happening.HANG


def _stall(frames: Sequence[bytes]) -> Iterator[Step]:
    yield from frames[: _half(frames)]
    yield Happening.HANG


def _open_end(frames: Sequence[bytes]) -> Iterator[Step]:
    yield from frames
    yield Happening.HANG


def _slow(frames: Sequence[bytes]) -> Iterator[Step]:
    for frame in frames:
        yield Pause(0.2)
        yield frame


def _one_byte(frames: Sequence[bytes]) -> Iterator[Step]:
    for byte in b"".join(frames):
        yield bytes((byte,))


def _pings_only(frames: Sequence[bytes]) -> Iterator[Step]:
    while True:
        yield b": ping\n\n"
        yield Pause(0.05)


def _no_done(frames: Sequence[bytes]) -> Iterator[Step]:
    yield from (frame for frame in frames if b"[DONE]" not in frame)


def _no_finish(frames: Sequence[bytes]) -> Iterator[Step]:
    yield from (frame for frame in frames if b"[DONE]" not in frame and b'"finish_reason":"' not in frame)


def _network_error(frames: Sequence[bytes]) -> Iterator[Step]:
    yield from frames[: _half(frames)]
    yield b'data:{"choices":[{"index":0,"delta":{},"finish_reason":"network_error"}]}\n\n'


def _first_network_error(frames: Sequence[bytes]) -> Iterator[Step]:
    yield b'data:{"choices":[{"index":0,"delta":{},"finish_reason":"network_error"}]}\n\n'


def _error_finish(frames: Sequence[bytes]) -> Iterator[Step]:
    """Qwen's way to fail in the middle."""
    yield from frames[: _half(frames)]
    yield b'data:{"choices":[{"index":0,"delta":{"content":"429 throttling"},"finish_reason":"error_finish"}]}\n\n'
    yield b"data:[DONE]\n\n"


def _with_event(event: bytes) -> Bend:
    def bend(frames: Sequence[bytes]) -> Iterator[Step]:
        half = _half(frames)
        yield from frames[:half]
        yield event
        yield from frames[half:]

    return bend


def _first_event_error(frames: Sequence[bytes]) -> Iterator[Step]:
    yield b'data:{"status":"449","msg":"You exceeded your current rate limit","body":null}\n\n'


def _error_event(frames: Sequence[bytes]) -> Iterator[Step]:
    yield from frames[: _half(frames)]
    yield b'data:{"error":{"message":"The engine is on fire","type":"server_error"}}\n\n'


def _gzip_unlabelled(frames: Sequence[bytes]) -> Iterator[Step]:
    yield gzip.compress(b"".join(frames), mtime=0)


def _crlf(frames: Sequence[bytes]) -> Iterator[Step]:
    for frame in frames:
        yield b": comment\r\n" + frame.replace(b"\n", b"\r\n")


def _spaced(frames: Sequence[bytes]) -> Iterator[Step]:
    for frame in frames:
        yield frame.replace(b"data:", b"data: ", 1)


def _no_events(frames: Sequence[bytes]) -> Iterator[Step]:
    yield b""


STREAMS: Final[Mapping[str, Bend]] = {
    "cut": _cut,
    "reset": _reset,
    "reset_midway": _reset_midway,
    "hang": _hang,
    "stall": _stall,
    "open_end": _open_end,
    "slow": _slow,
    "one_byte": _one_byte,
    "pings_only": _pings_only,
    "no_done": _no_done,
    "no_finish": _no_finish,
    "network_error": _network_error,
    "first_network_error": _first_network_error,
    "error_finish": _error_finish,
    "bad_json_event": _with_event(b"data:{not json\n\n"),
    "bad_utf8_event": _with_event(b'data:{"choices":[{"index":0,"delta":{"content":"\xff\xfe"}}]}\n\n'),
    "unknown_event": _with_event(b'event:weather\ndata:{"object":"forecast","choices":[]}\n\n'),
    "first_event_error": _first_event_error,
    "error_event": _error_event,
    "gzip_unlabelled": _gzip_unlabelled,
    "crlf": _crlf,
    "spaced": _spaced,
    "no_events": _no_events,
}
"""By name."""

FOR_JSON: Final = frozenset(
    {"cut", "reset", "reset_midway", "hang", "stall", "open_end", "slow", "one_byte", "gzip_unlabelled", "no_events"}
)
"""Those that make sense for a JSON answer too, which is one frame to them."""

WISHES: Final = frozenset({"json_for_stream", "usage_zero", "no_usage", "think_tags", "no_ids"})
"""Faults that the answer itself obeys; they never break the connection."""

ALL: Final = (*ANSWERS, *STREAMS, *sorted(WISHES))
"""Every name a request may give."""

_WISH: Final = re.compile(r"(?P<name>[a-z0-9_]+)(?::(?P<after>\d{1,4}))?(?:@(?P<times>\d{1,4}))?")


def find_fault(header: str, model: str) -> tuple[Fault | None, str]:
    """The fault a request asks for, and the model without it. A header wins over the model's name."""
    named = ""
    if model.startswith(MODEL_PREFIX):
        named, model = model.removeprefix(MODEL_PREFIX), ""
    elif MODEL_MARK in model:
        model, _, named = model.rpartition(MODEL_MARK)
    match = _WISH.fullmatch((header or named).strip())
    if match is None or match["name"] not in ALL:
        return None, model
    after, times = match["after"], match["times"]
    fault = Fault(name=match["name"], retry_after_s=int(after) if after else None, times=int(times or 0))
    return fault, model


def plain_answer(fault: Fault) -> Plain | None:
    """The answer for a fault of ANSWERS; a 429 that is no used-up quota always says when to come back."""
    plain = ANSWERS.get(fault.name)
    if plain is None:
        return None
    is_short = plain.status == 429 and fault.name != "quota_429"
    wait_s = fault.retry_after_s if fault.retry_after_s is not None else 1 if is_short else None
    return plain if wait_s is None else replace(plain, headers={**plain.headers, "Retry-After": str(wait_s)})
