"""One tree of errors. A class states facts about itself; behaviour elsewhere follows from the facts.

This module knows what went wrong, whose turn it is and whether a second attempt is allowed. It refuses to
know HTTP statuses and wire shapes: those are tables in `protocols/*/errors.py`, total over every `kind`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import StrEnum
from typing import ClassVar, Final


class Blame(StrEnum):
    """Who has to change something before this can work."""

    CLIENT = "client"
    ACCOUNT = "account"
    UPSTREAM = "upstream"
    GATEWAY = "gateway"


class Retry(StrEnum):
    """What a second attempt would need to be useful and safe (RELIABILITY R1)."""

    NEVER = "never"
    SAME = "same"
    OTHER_ACCOUNT = "other_account"
    OTHER_ROUTE = "other_route"


_LONGEST_WAIT_S: Final = 86_400


class GatewayError(Exception):
    """Anything that can go wrong on purpose.

    `message` is safe to show anyone, `detail` is for logs and must already be redacted, `hint` is the next thing
    to try. `param` is the JSON path (or header, or setting) at fault, `retry_after_s` a promise about the future.
    """

    kind: ClassVar[str] = "internal"
    blame: ClassVar[Blame] = Blame.GATEWAY
    retry: ClassVar[Retry] = Retry.NEVER
    is_ambiguous: ClassVar[bool] = False
    """True when the upstream may have done the work although no answer arrived (RELIABILITY R1, class C)."""

    def __init__(
        self,
        message: str,
        *,
        detail: str = "",
        hint: str = "",
        param: str | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint
        self.param = param
        self.code = code
        self.retry_after_s = retry_after_s
        self.status = status

    @property
    def wait_s(self) -> int | None:
        """`retry_after_s` as clients are told it: whole seconds, from one to a day."""
        if self.retry_after_s is None:
            return None
        return math.ceil(min(max(1, self.retry_after_s), _LONGEST_WAIT_S))


class InternalError(GatewayError):
    """Our bug. The client gets a request id, the log gets the traceback."""


# --- the client has to change something ---------------------------------------------------------------------------


class ClientError(GatewayError):
    kind = "invalid_request"
    blame = Blame.CLIENT


class InvalidRequest(ClientError):
    """The body or its headers are wrong; `param` is the JSON path."""


class Unauthenticated(ClientError):
    kind = "unauthenticated"


class Forbidden(ClientError):
    kind = "forbidden"


class UnknownModel(ClientError):
    kind = "unknown_model"


class NotFound(ClientError):
    """No such path."""

    kind = "not_found"


class MethodNotAllowed(ClientError):
    kind = "method_not_allowed"


class UnsupportedMedia(ClientError):
    kind = "unsupported_media"


class ExpectationFailed(ClientError):
    kind = "expectation_failed"


class TooLarge(ClientError):
    kind = "too_large"


class ContextOverflow(ClientError):
    """The prompt is longer than the model's window; a larger window elsewhere may do."""

    kind = "context_overflow"
    retry = Retry.OTHER_ROUTE


class ClientTooSlow(ClientError):
    """The body did not arrive within its limit."""

    kind = "client_too_slow"


class ContentFiltered(ClientError):
    kind = "content_filtered"


# --- there is no room right now -----------------------------------------------------------------------------------


class CapacityError(GatewayError):
    kind = "no_account"
    blame = Blame.ACCOUNT


class RateLimited(CapacityError):
    """The upstream asked us to slow down on this account."""

    kind = "rate_limited"
    retry = Retry.OTHER_ACCOUNT


class QuotaExhausted(CapacityError):
    """A day's or a plan's allowance is used up."""

    kind = "quota_exhausted"
    retry = Retry.OTHER_ACCOUNT


class NoAccountAvailable(CapacityError):
    """Nothing usable now: none configured, all resting, all waiting for a sign-in."""


class Busy(CapacityError):
    """The queue is full, or waiting in it took too long."""

    kind = "busy"


class Draining(CapacityError):
    """The gateway is stopping, or has been told to take no new work."""

    kind = "draining"
    blame = Blame.GATEWAY


# --- the upstream failed ------------------------------------------------------------------------------------------


class UpstreamError(GatewayError):
    kind = "upstream_error"
    blame = Blame.UPSTREAM


class Unreachable(UpstreamError):
    """DNS, connect or proxy failed before a request was written: a second attempt is always safe."""

    kind = "upstream_unreachable"
    retry = Retry.OTHER_ACCOUNT


class ConnectTimedOut(Unreachable):
    kind = "upstream_connect_timeout"


class TlsFailed(UpstreamError):
    """Certificate or handshake trouble. Never tried again without verification."""

    kind = "upstream_tls"


class ConnectionLost(UpstreamError):
    """The request was sent and the connection ended before any byte of an answer."""

    kind = "upstream_connection_lost"
    retry = Retry.SAME
    is_ambiguous = True


class TimedOut(UpstreamError):
    """One of our own limits ran out; `limit` names it (first_byte, idle, content, total), empty when it is not ours."""

    kind = "upstream_timeout"
    limit: str = ""

    def __init__(self, limit: str, after_s: float, hint: str = "") -> None:
        super().__init__(
            f"The upstream was too slow: the {limit.replace('_', ' ')} limit of {after_s:g} s ran out.",
            hint=hint or f"raise upstream.{limit}_timeout_s if the model needs longer",
            code="upstream_timeout",
        )
        self.limit = limit


class Overloaded(UpstreamError):
    """503 or 529: refused before any work was done."""

    kind = "upstream_overloaded"
    retry = Retry.OTHER_ACCOUNT


class Failing(UpstreamError):
    """500, 502, 504 or a business error of the same meaning: the work may or may not have been done."""

    kind = "upstream_failing"
    retry = Retry.OTHER_ACCOUNT
    is_ambiguous = True


class Malformed(UpstreamError):
    """The answer is not what the protocol promises: HTML, cut JSON, no choices, bad framing."""

    kind = "upstream_malformed"


class EmptyAnswer(Malformed):
    """Status 200 with nothing in it; worth one more try."""

    kind = "upstream_empty"
    retry = Retry.SAME
    is_ambiguous = True


class WebPage(Malformed):
    """Status 200 with HTML: something on the way answered, and no model worked; worth one more try."""

    retry = Retry.SAME
    is_ambiguous = True


class CutOff(Malformed):
    """The answer began and then stopped short."""

    kind = "upstream_cut"


def never_began() -> EmptyAnswer:
    """A stream that ended before it had anything to show."""
    return EmptyAnswer("The upstream ended the stream without an answer.")


def cut_short() -> CutOff:
    """An answer that ended before it had said why."""
    return CutOff("The upstream's answer was cut off before its end.")


class Rejected(UpstreamError):
    """The upstream says that the client's request is wrong; `status` is its 4xx."""

    kind = "upstream_rejected"
    blame = Blame.CLIENT


# --- the account needs attention ----------------------------------------------------------------------------------


class CredentialError(GatewayError):
    kind = "upstream_auth"
    blame = Blame.ACCOUNT
    retry = Retry.OTHER_ACCOUNT


class Expired(CredentialError):
    """A refresh may bring it back."""

    retry = Retry.SAME


class Revoked(CredentialError):
    """The vendor forbids this account what was asked for; it may still do other things."""


class Blocked(Revoked):
    """The vendor has blocked the account as a whole."""


class LoginRequired(CredentialError):
    """Only a person can fix it."""


# --- this machine -------------------------------------------------------------------------------------------------


class ConfigError(GatewayError):
    """A setting is wrong; `param` is its dotted name."""

    kind = "config"


class StateError(GatewayError):
    """A file of ours cannot be read or written."""

    kind = "state"


def every_error() -> Iterator[type[GatewayError]]:
    """Every class of the tree, for tables that must be total."""
    todo: list[type[GatewayError]] = [GatewayError]
    while todo:
        cls = todo.pop()
        yield cls
        todo += cls.__subclasses__()


def of_kind(kind: str, message: str, *, param: str | None = None, code: str | None = None) -> GatewayError:
    """The most general class of `kind` again, after a trip through a wire or an event; UpstreamError if unknown."""
    cls = next((cls for cls in every_error() if cls.kind == kind), UpstreamError)
    error = cls.__new__(cls)  # past the constructors of those that word their own messages
    GatewayError.__init__(error, message, param=param, code=code)
    return error
