"""What an OAuth server means when it does not give what was asked: gone for good, not now, or nothing that makes sense.

Knows the codes of RFC 6749, 6750 and 8628 and the habits of servers that put them into a 200, into sentences or beside
a status that says something else. For good is only what a server states as such or answers with 400, 401 or 403; when
in doubt it may pass, since a sign-in that is given up too early costs a person's time. Refuses to know who asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from iflow_cli_proxy.core.errors import GatewayError, LoginRequired, Malformed, Overloaded, RateLimited
from iflow_cli_proxy.core.jsonx import JsonError, decode_strict
from iflow_cli_proxy.core.secret import Secret, hide
from iflow_cli_proxy.providers.cleaning import clean_message
from iflow_cli_proxy.providers.complaint import find_complaint
from iflow_cli_proxy.providers.retry_after import retry_after_s
from iflow_cli_proxy.providers.signin import OAuthAnswer, OAuthClient

LARGEST_BYTES: Final = 1_048_576
"""An answer beyond this is no token answer (RELIABILITY I56)."""
REST_S: Final = 300.0
"""After "too many": a token endpoint wants more patience than an API does."""

_OVER: Final[Mapping[str, str]] = {
    "invalid_grant": "The sign-in server did not accept this code.",
    "invalid_token": "The sign-in server does not accept this token.",
    "expired_token": "The code expired before it was confirmed.",
    "access_denied": "The sign-in was refused at the provider.",
    "login_required": "The provider wants a person to sign in again.",
    "interaction_required": "The provider wants a person to sign in again.",
    "consent_required": "The provider wants a person to agree again.",
}
"""Codes after which the same request never works again."""
_OVER_LATER: Final[Mapping[str, str]] = {
    **_OVER,
    **dict.fromkeys(("invalid_grant", "invalid_token"), "The sign-in server no longer accepts this sign-in."),
}
"""The same where no code was shown, but the tokens of a sign-in that had been good."""
_MISFIT: Final[Mapping[str, tuple[str, str]]] = {
    "invalid_client": ("The sign-in server does not know our client_id, or does not take its secret.", "client_id"),
    "unauthorized_client": ("The sign-in server does not let our client_id sign in this way.", "client_id"),
    "unsupported_grant_type": ("The sign-in server does not offer this kind of sign-in.", "token_url"),
    "invalid_scope": ("The sign-in server does not grant the scope we ask for.", "scope"),
    "invalid_redirect_uri": ("The sign-in server does not know our redirect address.", "redirect_path"),
    "redirect_uri_mismatch": ("The sign-in server does not know our redirect address.", "redirect_path"),
}
"""Codes about the client as it is configured, each with the setting to look at."""
_OVER_IN_TEXT: Final = re.compile(
    r"invalid[_ -](?:grant|token|refresh[_ -]?token)|token[ _](?:is |has )?(?:expired|revoked)"
)
_RATE: Final = re.compile(r"too[_ ]many|rate[_ -]?limit|quota|slow_down")
_PASSES: Final = re.compile(
    r"overload|timed?[_ -]?out|temporarily|try again later|server_error|太多|服务器过载|繁忙|网络"
)
_WORD: Final = re.compile(r"[a-z][a-z_]{2,48}")
"""Without digits: what has some may be an echoed token."""
_READ_CHARACTERS: Final = 2_000
_DOCTOR: Final = "run `iflow2api doctor` to see whether the provider still answers"


def object_in(answer: OAuthAnswer) -> dict[str, Any] | None:
    """The JSON object of an answer; None when it is anything else, or too large."""
    if len(answer.body) > LARGEST_BYTES:
        return None
    try:
        value = decode_strict(answer.body)
    except JsonError:
        return None
    return value if isinstance(value, dict) else None


def is_good(answer: OAuthAnswer, body: Mapping[str, Any] | None) -> bool:
    """Whether the answer claims success; servers also put errors into a 200."""
    claims = body is not None and not body.get("error") and body.get("success") not in (False, "false")
    return claims and 200 <= answer.status < 300


def error_word(body: Mapping[str, Any] | None) -> str:
    """The error code (`invalid_grant`) wherever it stands; empty when there is none."""
    if body is None:
        return ""
    complaint = find_complaint(body)
    candidates = (body.get("error"), complaint.code, complaint.type, complaint.message)
    words = (word.strip().lower() for word in candidates if isinstance(word, str))
    return next((word for word in words if _WORD.fullmatch(word)), "")


def refusal(
    client: OAuthClient,
    answer: OAuthAnswer,
    body: Mapping[str, Any] | None,
    *,
    lacks: str,
    now: float,
    rest_s: float = REST_S,
    is_signed_in: bool = False,
    secrets: Iterable[Secret] = (),
) -> GatewayError:
    """The error for an answer without what was asked for, which `lacks` names ("access token").

    `rest_s` is the least wait after "too many"; `is_signed_in` says that tokens were shown and not a code; `secrets`
    are never repeated even if the server does.
    """
    said = _read(answer, body, secrets)
    wait_s = retry_after_s(answer.headers, now)
    if answer.status >= 500:
        return _overloaded(said, wait_s)
    if for_good := _for_good(client, said, _OVER_LATER if is_signed_in else _OVER):
        return for_good
    if 429 in (said.status, said.number) or _RATE.search(said.words):
        return RateLimited(
            "The sign-in server asks us to slow down.",
            detail=said.shown,
            retry_after_s=max(rest_s, wait_s or 0.0),
            status=said.status,
        )
    if said.status in (408, 425) or said.number >= 500 or _PASSES.search(said.words):
        return _overloaded(said, wait_s)
    if said.is_page or (body is None and said.status not in (400, 401)):
        return _unreadable(answer, said)
    meant = said.status if said.status >= 400 else said.number
    if meant in (400, 401, 403):
        sentence = f"The sign-in server refuses this sign-in (status {meant})."
        return LoginRequired(said.appended_to(sentence), hint=_sign_in(client), code=said.code, status=said.status)
    if said.status >= 300:
        return _unreadable(answer, said)
    sentence = f"The sign-in server's answer has no {lacks}."
    return Malformed(said.appended_to(sentence), hint=_DOCTOR, code=said.code, status=said.status)


@dataclass(frozen=True, kw_only=True)
class _Said:
    """What the server said about the failure."""

    status: int
    word: str
    number: int
    """A status inside of the body, 0 when there is none."""
    words: str
    """Everything, in lower case, to look things up in; never to be shown."""
    shown: str
    """The sentence for people, cleaned."""
    is_page: bool

    @property
    def code(self) -> str | None:
        return self.word or None

    def appended_to(self, sentence: str) -> str:
        return f"{sentence} It says: {self.shown}" if self.shown else sentence


def _read(answer: OAuthAnswer, body: Mapping[str, Any] | None, secrets: Iterable[Secret]) -> _Said:
    complaint = find_complaint(body)
    word = error_word(body)
    text = _described(body or {}) or complaint.message
    for secret in secrets:
        text = hide(text, secret.reveal())
    raw = "" if body is not None else answer.body[:_READ_CHARACTERS].decode("utf-8", "replace")
    is_called_page = "html" in answer.headers.get("content-type", "").lower()
    return _Said(
        status=answer.status,
        word=word,
        number=complaint.number if 400 <= complaint.number <= 599 else 0,
        words=f"{word} {complaint.words} {text} {raw if answer.status in (400, 401) else ''}".lower(),
        shown="" if text.strip().lower() == word else clean_message(text),
        is_page=body is None and (is_called_page or raw.lstrip().startswith("<")),
    )


def _described(body: Mapping[str, Any]) -> str:
    """The sentence beside an error's code (RFC 6749, section 5.2, and what others call it)."""
    texts = (body.get(field) for field in ("error_description", "message", "msg"))
    return next((text for text in texts if isinstance(text, str) and text.strip()), "")


def _for_good(client: OAuthClient, said: _Said, sentences: Mapping[str, str]) -> GatewayError | None:
    if said.word in _MISFIT:
        sentence, leaf = _MISFIT[said.word]
        setting = f"providers.{client.provider or 'NAME'}.oauth.{leaf}"
        return LoginRequired(
            said.appended_to(sentence), hint=f"check {setting}", param=setting, code=said.word, status=said.status
        )
    is_over = said.word in sentences or _OVER_IN_TEXT.search(said.words) is not None
    if not is_over:
        return None
    code = said.word if said.word in sentences else "invalid_grant"
    return LoginRequired(said.appended_to(sentences[code]), hint=_sign_in(client), code=code, status=said.status)


def _overloaded(said: _Said, wait_s: float | None) -> Overloaded:
    told = f" (status {said.status})" if said.status >= 400 else ""
    return Overloaded(
        f"The sign-in server cannot answer now{told}.",
        detail=said.shown,
        hint="try again in a few minutes",
        retry_after_s=wait_s,
        status=said.status,
    )


def _unreadable(answer: OAuthAnswer, said: _Said) -> Malformed:
    if len(answer.body) > LARGEST_BYTES:
        what = f"an answer of more than {LARGEST_BYTES} bytes"
    elif 300 <= said.status < 400:
        what = f"a redirect (status {said.status}), which is not followed"
    elif said.is_page:
        what = f"a web page instead of JSON (status {said.status})"
    elif said.status in (404, 405, 410):
        what = f"status {said.status}: there is no such service at this address"
    elif said.status >= 400:
        what = f"status {said.status}, which says nothing about the sign-in"
    else:
        what = "something that is not a JSON object"
    return Malformed(
        said.appended_to(f"The sign-in server sent {what}."), hint=_DOCTOR, code=said.code, status=said.status
    )


def _sign_in(client: OAuthClient) -> str:
    return f"run `iflow2api login {client.provider}`" if client.provider else "run `iflow2api login`"
