"""Gone for good, or only not now: the rules of the wire references, as plain functions of what was seen.

A host is gone when none of its provider's names resolves while other names do; a service when it sends people to
another site, answers with a page where an API was, or has nothing left where chats went. A single 5xx, a limit that ran
out or "too many people" passes. Refuses to look at anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urljoin, urlsplit

from iflow_cli_proxy.core.errors import (
    CapacityError,
    ConnectionLost,
    ConnectTimedOut,
    CredentialError,
    CutOff,
    EmptyAnswer,
    Failing,
    GatewayError,
    Overloaded,
    TimedOut,
)
from iflow_cli_proxy.doctor.finding import Status
from iflow_cli_proxy.doctor.reach import Look, Trouble
from iflow_cli_proxy.doctor.vendors import Vendor
from iflow_cli_proxy.providers.signin import OAuthAnswer

CERTIFICATE_SOON_S: Final = 7 * 86_400.0
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_ABSENT: Final = (404, 410)
_PASSES: Final = (TimedOut, ConnectTimedOut, ConnectionLost, CutOff, EmptyAnswer, Overloaded, Failing, CapacityError)
_PAGE_STARTS: Final = (b"<!doctype", b"<html")


class Sign(StrEnum):
    """What an answer to a question without a key says about who answers."""

    ALIVE = "alive"
    """An API, also one that refuses us."""
    PAGE = "page"
    """Status 200 and a page for people."""
    MOVED = "moved"
    """To another site."""
    ABSENT = "absent"
    """Nothing there."""
    FAILING = "failing"
    """For now, as far as one answer can tell."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    status: Status
    text: str


# --- names, connections, certificates -------------------------------------------------------------------------------


def are_names_gone(looks: Sequence[Look], *, others_resolve: bool) -> bool:
    """None of the provider's names has an address any more, and that is not this machine's fault."""
    return bool(looks) and others_resolve and all(look.trouble is Trouble.NO_NAME for look in looks)


def judge_look(look: Look, *, now: float) -> Judgement:
    """One host by itself, on a machine where other names resolve."""
    match look.trouble:
        case None:
            return _judge_certificate(look, now)
        case Trouble.NO_NAME:
            return Judgement(status=Status.FAILURE, text=f"the name does not resolve ({look.detail}), others do")
        case Trouble.TIMED_OUT:
            return Judgement(status=Status.WARNING, text=f"{look.detail}; that may pass")
        case Trouble.REFUSED:
            return Judgement(status=Status.FAILURE, text=f"takes no connection ({look.detail})")
        case Trouble.CERTIFICATE:
            said = f"{look.detail}: the service is gone, or somebody is in between"
            return Judgement(status=Status.FAILURE, text=said)
        case Trouble.TLS:
            return Judgement(status=Status.FAILURE, text=f"TLS fails ({look.detail})")


def _judge_certificate(look: Look, now: float) -> Judgement:
    if look.certificate_ends_at is None:
        return Judgement(status=Status.OK, text="takes connections")
    left_s = look.certificate_ends_at - now
    if left_s < CERTIFICATE_SOON_S:
        days = max(0, int(left_s // 86_400))
        return Judgement(status=Status.NOTE, text=f"takes connections; its certificate ends in {days} d")
    return Judgement(status=Status.OK, text="takes connections, its certificate is good")


# --- answers --------------------------------------------------------------------------------------------------------


def sign_of(answer: OAuthAnswer, url: str, *, is_chat: bool = False, vendor: Vendor | None = None) -> Sign:
    """What the answer says; `is_chat` where nothing but the service itself can be."""
    if answer.status in _REDIRECTS:
        return Sign.MOVED if _leads_away(answer.headers.get("location", ""), url, vendor) else Sign.ALIVE
    if answer.status == 200 and _is_page(answer):
        return Sign.PAGE
    if answer.status in _ABSENT and is_chat and (vendor is not None or not _is_object(answer)):
        return Sign.ABSENT  # elsewhere an object most likely says that there is no such model
    return Sign.FAILING if answer.status >= 500 else Sign.ALIVE


def judge_sign(sign: Sign, vendor: Vendor | None) -> Judgement:
    """What follows for requests: only a vendor that has announced its end is taken for gone."""
    said = {
        Sign.ALIVE: "answers",
        Sign.PAGE: "answers with a web page where an API is expected",
        Sign.MOVED: "sends callers to another site",
        Sign.ABSENT: "has nothing at the address for chats",
        Sign.FAILING: "fails at the moment; that may pass",
    }[sign]
    match sign:
        case Sign.ALIVE:
            return Judgement(status=Status.OK, text=said)
        case Sign.FAILING:
            return Judgement(status=Status.WARNING, text=said)
        case _ if vendor is not None:
            return Judgement(status=Status.GONE, text=f"{vendor.name} appears to be shut down: it {said}")
        case _:
            return Judgement(status=Status.FAILURE, text=said)


def judge_device_answers(answers: Sequence[OAuthAnswer], is_granted: bool, vendor: Vendor | None) -> Judgement:
    """What asking for a device code says about the sign-in server, several times where it failed for now."""
    last = answers[-1]
    if is_granted:
        return Judgement(status=Status.OK, text="the sign-in server gives device codes")
    if last.status == 429:
        return Judgement(status=Status.WARNING, text="the sign-in server asks for patience; that may pass")
    if last.status >= 500 and (len(answers) < 2 or any(one.status < 500 for one in answers)):
        return Judgement(status=Status.WARNING, text=f"the sign-in server fails (status {last.status}); that may pass")
    said = f"the sign-in server gives no device code (status {last.status})"
    if vendor is not None:
        return Judgement(status=Status.GONE, text=f"signing in at {vendor.name} appears to be over: {said}")
    return Judgement(status=Status.FAILURE, text=said)


def judge_error(error: Exception) -> Judgement:
    """What a call with an account said."""
    if isinstance(error, GatewayError):
        text = error.message.rstrip(".")
        return Judgement(status=Status.WARNING if isinstance(error, _PASSES) else Status.FAILURE, text=text)
    if isinstance(error, TimeoutError):
        return Judgement(status=Status.WARNING, text="no answer in time; that may pass")
    return Judgement(status=Status.FAILURE, text="cannot be reached")


def needs_login(error: Exception) -> bool:
    return isinstance(error, CredentialError)


def _is_page(answer: OAuthAnswer) -> bool:
    kind = answer.headers.get("content-type", "").lower()
    return "text/html" in kind or answer.body.lstrip()[:20].lower().startswith(_PAGE_STARTS)


def _is_object(answer: OAuthAnswer) -> bool:
    return answer.body.lstrip().startswith(b"{")


def _leads_away(location: str, url: str, vendor: Vendor | None) -> bool:
    target = urljoin(url, location)
    if vendor is not None:
        return not vendor.owns(target)
    return _site(target) != _site(url)


def _site(url: str) -> str:
    """The last two names of the host; of an address all of it."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    parts = host.split(".")
    return host if parts[-1].isdigit() or ":" in host else ".".join(parts[-2:])
