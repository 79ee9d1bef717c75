"""Answers given at the door: a refusal in OpenAI's error shape, as raw bytes or as a response.

Knows which words and which status a broken request deserves. Refuses to repeat a single byte of what the client
sent: not in the answer, and not in the log either, for a misplaced line break may put a key there.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web
from aiohttp.http_exceptions import BadHttpMethod, HttpProcessingError, LineTooLong

from iflow_cli_proxy.core.errors import GatewayError, InternalError, InvalidRequest, TooLarge
from iflow_cli_proxy.protocols.openai_errors import encode_error

MAX_LINE_BYTES: Final = 8190
MAX_FIELD_BYTES: Final = 8192
"""Of one header, name and value. It differs from MAX_LINE_BYTES so that the parser's error says which one ran out."""
MAX_HEADERS: Final = 100
MAX_HEAD_BYTES: Final = 65_536

SERVER_NAME: Final = "iflow2api"
"""What answers say of us. aiohttp would name itself and Python, with versions."""
_REQUEST_ID: Final = "X-Request-Id"


def of_parser(error: BaseException | None) -> GatewayError:
    """What is wrong with a request that aiohttp's parser would not take."""
    match error:
        case LineTooLong(args=(_, limit, *_)) if limit == MAX_LINE_BYTES:
            return TooLarge("The request target is too long.", code="uri_too_long", status=414)
        case LineTooLong():
            return headers_too_large()
        case BadHttpMethod():
            return InvalidRequest("This is not an HTTP/1.1 request.", hint="use http:// and HTTP/1.1")
        case HttpProcessingError(message="Too many headers received"):
            return headers_too_large()
        case HttpProcessingError() | web.RequestPayloadError():
            return InvalidRequest("The request is not valid HTTP.")
        case _:
            return InternalError("The gateway failed while handling this request.")


def headers_too_large() -> TooLarge:
    return TooLarge("The request headers are too large.", code="headers_too_large", status=431)


def response(error: GatewayError, request_id: str) -> web.Response:
    """`error` as the last answer on its connection."""
    status, body, headers = _wire(error, request_id)
    answer = web.Response(status=status, body=body, headers=headers)
    answer.force_close()
    return answer


def raw_response(error: GatewayError, request_id: str) -> bytes:
    """The same for a connection on which no request was understood."""
    status, body, headers = _wire(error, request_id)
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode("ascii") + body


def _wire(error: GatewayError, request_id: str) -> tuple[int, bytes, dict[str, str]]:
    reply = encode_error(error, request_id)
    headers = {
        **reply.headers,
        hdrs.CONTENT_TYPE: "application/json",
        hdrs.SERVER: SERVER_NAME,
        _REQUEST_ID: request_id,
        hdrs.CONNECTION: "close",
    }
    return error.status or reply.status, reply.body, headers
