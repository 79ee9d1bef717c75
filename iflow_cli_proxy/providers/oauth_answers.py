"""Answers of OAuth servers made into tokens, device codes and polls, checked whole before anything of them is used.

What an answer must have makes it fail when it makes no sense: an access token, a bearer, a device code, a page to
open. What it may have counts as absent then: a refresh that failed over a strange lifetime would lose the rotated
refresh token in the same answer, and with it the sign-in (RELIABILITY I56). Refusals are `oauth_refusal.py`'s.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from iflow_cli_proxy.core.errors import Malformed, Overloaded
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import Tokens
from iflow_cli_proxy.providers.cleaning import plain_text
from iflow_cli_proxy.providers.oauth_refusal import error_word, is_good, object_in, refusal
from iflow_cli_proxy.providers.safe_url import is_safe
from iflow_cli_proxy.providers.signin import DeviceGrant, OAuthAnswer, OAuthClient, Waiting

_LONGEST_LIFE_S: Final = 10 * 365 * 86_400.0
"""Ten years; more is no lifetime but a mistake."""
_LONGEST_TOKEN: Final = 16_384
_LONGEST_SCOPE: Final = 2_000
_LONGEST_USER_CODE: Final = 64
_DEVICE_LIFE_S: Final = 900.0
_LONGEST_DEVICE_LIFE_S: Final = 3600.0
_INTERVAL_S: Final = 5.0
_SHORTEST_INTERVAL_S: Final = 2.0
LONGEST_INTERVAL_S: Final = 60.0
_POLL_REST_S: Final = 10.0
"""After "too many" between two polls, where minutes would outlast the code."""
_NUMBER: Final = re.compile(r"-?\d{1,20}(?:\.\d{1,10})?", re.ASCII)
_USER_CODE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")


def read_tokens(client: OAuthClient, answer: OAuthAnswer, *, now: float, old: Tokens | None = None) -> Tokens:
    """The tokens of an answer; where it is silent, refresh token, scope and base URL of `old` stay.

    Raises:
        LoginRequired: only a person can go on; `code` is the server's word.
        RateLimited, Overloaded: it may work later.
        Malformed: not an answer of a token endpoint, or of one whose tokens we cannot use.
    """
    body = object_in(answer)
    access = usable_token(body.get("access_token")) if body is not None and is_good(answer, body) else ""
    if body is None or not access:
        known = (old.access_token, old.refresh_token) if old else ()
        raise refusal(client, answer, body, lacks="access token", now=now, is_signed_in=old is not None, secrets=known)
    kept = old or Tokens(access_token=Secret(), scope=client.scope)
    life_s = _number(body.get("expires_in"))
    return Tokens(
        access_token=Secret(access),
        refresh_token=Secret(usable_token(body.get("refresh_token"))) or kept.refresh_token,
        expires_at=now + life_s if life_s is not None and 0 < life_s <= _LONGEST_LIFE_S else None,
        token_type=_bearer(body.get("token_type")),
        scope=_scope(body.get("scope")) or kept.scope,
        base_url=_base_url(client, body) or kept.base_url,
    )


def read_device(client: OAuthClient, answer: OAuthAnswer, *, now: float) -> DeviceGrant:
    """The device code and where to confirm it, fit to be shown. Raises as `read_tokens` does."""
    body = object_in(answer)
    code = usable_token(body.get("device_code")) if body is not None and is_good(answer, body) else ""
    if body is None or not code:
        raise refusal(client, answer, body, lacks="device code", now=now)
    complete = _page(body, "verification_uri_complete", "verification_url_complete")
    page = _page(body, "verification_uri", "verification_url") or complete
    if not page:
        raise Malformed(
            "The sign-in server names no page to confirm the code on that is safe to open.",
            hint="only https:// pages are opened, or http:// ones on this machine",
        )
    return DeviceGrant(
        device_code=Secret(code),
        user_code=_user_code(body.get("user_code")),
        verification_uri=page,
        verification_uri_complete=complete,
        expires_in_s=_device_life_s(body.get("expires_in")),
        interval_s=_interval_s(body.get("interval")),
    )


def read_poll(client: OAuthClient, answer: OAuthAnswer, *, now: float) -> Tokens | Waiting:
    """What a poll brought.

    Raises:
        Overloaded: it may work at the next poll.
        RateLimited: it may after `retry_after_s`.
        GatewayError: any other ends the flow.
    """
    body = object_in(answer)
    if body is None and answer.status < 300:
        raise Overloaded("The sign-in server did not answer the poll with JSON.", status=answer.status)
    match error_word(body):
        case "authorization_pending":
            return Waiting()
        case "slow_down":
            return Waiting(is_slower=True)
        case "pending" if is_good(answer, body) and body is not None and not body.get("access_token"):
            return Waiting()
        case _ if is_good(answer, body):
            return read_tokens(client, answer, now=now)
        case _:
            raise refusal(client, answer, body, lacks="access token", now=now, rest_s=_POLL_REST_S)


def usable_token(value: Any) -> str:
    """A token that can stand in a header; empty for anything else."""
    if not isinstance(value, str) or len(value) > _LONGEST_TOKEN:
        return ""
    text = value.strip()
    return text if text.isascii() and text.isprintable() and " " not in text else ""


def _bearer(value: Any) -> str:
    """The token type as the server spells it; only bearers can be used (I56: `mac`)."""
    if value is None or value == "":
        return "bearer"
    if not isinstance(value, str) or value.strip().lower() != "bearer":
        raise Malformed("The sign-in server's tokens are of a type that we cannot use; only bearer tokens are.")
    return value.strip()


def _scope(value: Any) -> str:
    words = " ".join(word for word in value if isinstance(word, str)) if isinstance(value, list) else value
    fine = isinstance(words, str) and len(words) <= _LONGEST_SCOPE and words.isascii() and words.isprintable()
    return str(words).strip() if fine else ""


def _base_url(client: OAuthClient, body: Mapping[str, Any]) -> str:
    if client.base_url_of is None:
        return ""
    stated = (body.get(field) for field in client.base_url_fields)
    made = (client.base_url_of(value) for value in stated if isinstance(value, str) and value.strip())
    return next((url for url in made if url), "")


def _page(body: Mapping[str, Any], *fields: str) -> str:
    """The first of the fields that holds an address which may be shown and opened (I54)."""
    values = (body.get(field) for field in fields)
    return next((value for value in values if isinstance(value, str) and is_safe(value)), "")


def _user_code(value: Any) -> str:
    code = " ".join(plain_text(value[:1000]).split()) if isinstance(value, str) else ""
    if len(code) > _LONGEST_USER_CODE or not _USER_CODE.fullmatch(code):
        raise Malformed("The sign-in server's answer has no code that a person could type.")
    return code


def _device_life_s(value: Any) -> float:
    life_s = _number(value)
    return min(max(life_s, 1.0), _LONGEST_DEVICE_LIFE_S) if life_s is not None and life_s > 0 else _DEVICE_LIFE_S


def _interval_s(value: Any) -> float:
    interval_s = _number(value)
    if interval_s is None:
        return _INTERVAL_S
    return min(max(interval_s, _SHORTEST_INTERVAL_S), LONGEST_INTERVAL_S)


def _number(value: Any) -> float | None:
    """A number, or a text that is one; None for anything that cannot be counted with."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
