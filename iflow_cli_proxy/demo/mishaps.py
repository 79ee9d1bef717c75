"""Every way in which the sign-in servers can be told to fail, and the queue that tells them.

ANSWERS stand in for the answer, and nothing happens behind it. BENDS change a good answer. MOMENTS are about the
connection and REDIRECTS about what the browser brings home. A wish is written `NAME`, `NAME@3` for three times,
`NAME@0` for ever, and `AT:NAME` for another endpoint than the fault's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.demo.faults import Plain

Fields: TypeAlias = dict[str, Any]
Bend: TypeAlias = Callable[[Fields], Fields]

ENDPOINTS: Final = ("authorize", "code", "refresh", "device", "poll", "userinfo")
TOKEN: Final = "token"
"""All of `code`, `refresh` and `poll`."""
_AT_TOKEN: Final = ("code", "refresh", "poll", TOKEN)

_PAGE: Final = b"<!DOCTYPE html><html><head><title>Gone</title></head><body><h1>It works!</h1></body></html>"
_LARGE: Final = "x" * (2 * 1024 * 1024)
_EVIL_HOST: Final = "http://192.0.2.1:9/steal"


def oauth_error(status: int, error: str, description: str = "") -> Plain:
    """RFC 6749, section 5.2."""
    said = {"error": error, "error_description": description} if description else {"error": error}
    return Plain(status=status, body=jsonx.encode(said))


def failure(code: str, message: str) -> Plain:
    """iFlow's way: status 200, and the code is text."""
    told = {"success": False, "code": code, "message": message, "exception": None, "data": None, "extra": None}
    return Plain(body=jsonx.encode(told))


OVERLOAD: Final = failure("500", "当前找我聊的人太多了，可以晚点再来问我哦。")  # noqa: RUF001 -- the vendor's own

ANSWERS: Final[Mapping[str, Plain]] = {
    "overload": OVERLOAD,
    "code_503": failure("503", "服务器过载"),
    "code_429": failure("429", "too many requests, rate limit"),
    **{
        f"http_{status}": Plain(status=status, body=b"upstream error", content_type="text/plain")
        for status in (400, 401, 403, 404, 410, 500, 502, 503, 504)
    },
    "http_429": Plain(status=429, body=b'{"error":"rate_limited"}', headers={"Retry-After": "1"}),
    "html": Plain(body=_PAGE, content_type="text/html"),
    "http_502_html": Plain(status=502, body=_PAGE, content_type="text/html"),
    "redirect": Plain(status=302, body=b"", headers={"Location": "http://127.0.0.1:9/elsewhere"}),
    "empty": Plain(body=b""),
    "null": Plain(body=b"null"),
    "list": Plain(body=b"[]"),
    "cut_json": Plain(body=b'{"access_token":"at-demo'),
    "large_page": Plain(body=_LARGE.encode(), content_type="text/html"),
    "invalid_grant": oauth_error(400, "invalid_grant", "the token or code is not valid any more"),
    "invalid_token": oauth_error(401, "invalid_token"),
    "invalid_client": oauth_error(401, "invalid_client"),
    "error_in_200": oauth_error(200, "invalid_grant", "Invalid refresh token"),
    "authorization_pending": oauth_error(400, "authorization_pending"),
    "pending_in_200": Plain(body=b'{"status":"pending"}'),
    "slow_down": oauth_error(400, "slow_down"),
    "slow_down_429": oauth_error(429, "slow_down"),
    "expired_token": oauth_error(400, "expired_token"),
    "access_denied": oauth_error(400, "access_denied", "the person said no"),
    "unknown_device": oauth_error(401, "invalid_request", "the device code is not known"),
    "userinfo_refused": failure("400", "access token is not valid"),
}


def _with(name: str, value: Any) -> Bend:
    return lambda fields: {**fields, name: value}


def _without(*names: str) -> Bend:
    return lambda fields: {name: value for name, value in fields.items() if name not in names}


def _at(uri: str) -> Bend:
    return lambda fields: {**fields, "verification_uri": uri, "verification_uri_complete": uri}


def _in_data(bend: Bend) -> Bend:
    return lambda fields: {**fields, "data": bend(fields["data"])}


BENDS: Final[Mapping[str, Bend]] = {
    "no_access_token": _without("access_token"),
    "empty_access_token": _with("access_token", ""),
    "no_refresh_token": _without("refresh_token"),
    "refresh_token_null": _with("refresh_token", None),
    "no_expires_in": _without("expires_in"),
    "expires_in_null": _with("expires_in", None),
    "expires_in_0": _with("expires_in", 0),
    "expires_in_negative": _with("expires_in", -3600),
    "expires_in_digits": _with("expires_in", "3600"),
    "expires_in_word": _with("expires_in", "soon"),
    "expires_in_huge": _with("expires_in", 1e12),
    "token_type_mac": _with("token_type", "mac"),
    "no_resource_url": _without("resource_url"),
    "evil_resource_url": _with("resource_url", _EVIL_HOST),
    "large": _with("padding", _LARGE),
    "no_device_code": _without("device_code"),
    "no_interval": _without("interval"),
    "interval_0": _with("interval", 0),
    "interval_huge": _with("interval", 1e9),
    "interval_word": _with("interval", "x"),
    "short_life": _with("expires_in", 1),
    "no_complete_uri": _without("verification_uri_complete"),
    "script_uri": _with("verification_uri_complete", "javascript:alert(1)"),
    "file_uri": _at("file:///etc/passwd"),
    "http_uri": _at(_EVIL_HOST),
    "steering_code": _with("user_code", "\x1b[2J\x1b]0;owned\x07EVIL"),
    "empty_api_key": _in_data(_with("apiKey", "")),
    "no_api_key": _in_data(_without("apiKey")),
    "no_email": _in_data(_with("email", "")),
    "no_names": _in_data(_without("email", "phone", "userName")),
}

MOMENTS: Final = ("cut_before", "cut_after", "reset", "hang", "slow")
"""The connection ends before anything has happened, or after (tokens are issued, nobody hears of them); it breaks; it
stays silent; the answer comes late."""

REDIRECTS: Final[Mapping[str, Bend]] = {
    "refused": lambda query: {"error": "access_denied", "state": query.get("state", "")},
    "script_error": lambda query: {"error": "<script>alert(1)</script>", "state": query.get("state", "")},
    "wrong_state": _with("state", "a-state-of-somebody-else"),
    "no_state": _without("state"),
    "no_code": _without("code"),
    "unknown_code": _with("code", "code-demo-nobody-has-it"),
}

ALL: Final = (*ANSWERS, *BENDS, *MOMENTS, *REDIRECTS)

_HOMES: Final = {
    **dict.fromkeys(REDIRECTS, "authorize"),
    **dict.fromkeys(("empty_api_key", "no_api_key", "no_email", "no_names", "userinfo_refused"), "userinfo"),
    **dict.fromkeys(
        ("no_device_code", "no_interval", "interval_0", "interval_huge", "interval_word", "short_life",
         "no_complete_uri", "script_uri", "file_uri", "http_uri", "steering_code"), "device"),
    **dict.fromkeys(
        ("authorization_pending", "pending_in_200", "slow_down", "slow_down_429", "expired_token", "access_denied",
         "unknown_device"), "poll"),
}  # fmt: skip
"""Where a fault belongs when a wish does not say; all others to the token endpoint."""

_WISH: Final = re.compile(r"(?:(?P<at>[a-z]+):)?(?P<name>[a-z0-9_]+)(?:@(?P<times>\d{1,4}))?")


@dataclass
class _Queued:
    name: str
    at: str
    left: int
    """0: for ever."""


class FaultQueue:
    """What goes wrong next, in order; each endpoint takes the first that is meant for it."""

    def __init__(self) -> None:
        self._queued: list[_Queued] = []

    def append(self, wish: str) -> None:
        """Raises ValueError when nothing is called so."""
        match = _WISH.fullmatch(wish.strip())
        if match is None or match["name"] not in ALL or match["at"] not in (None, TOKEN, *ENDPOINTS):
            raise ValueError(f"there is no fault {wish!r}")
        at = match["at"] or _HOMES.get(match["name"], TOKEN)
        self._queued.append(_Queued(match["name"], at, int(match["times"] or 1)))

    def take(self, endpoint: str) -> str:
        """The name of the fault that is due there now, or nothing."""
        for queued in self._queued:
            if queued.at == endpoint or (queued.at == TOKEN and endpoint in _AT_TOKEN):
                if queued.left == 1:
                    self._queued.remove(queued)
                queued.left = max(0, queued.left - 1)
                return queued.name
        return ""

    def clear(self) -> None:
        self._queued.clear()

    def __iter__(self) -> Iterator[str]:
        return (f"{queued.at}:{queued.name}@{queued.left}" for queued in self._queued)

    def __len__(self) -> int:
        return len(self._queued)
