"""The desk that every call of a sign-in server passes: it counts, and fails when it was told to.

Knows when in a call each kind of mishap happens. Refuses to know what the call is for.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.demo.faults import Plain
from iflow_cli_proxy.demo.mishaps import ANSWERS, BENDS, FaultQueue, oauth_error
from iflow_cli_proxy.demo.sending import hang_up, whole
from iflow_cli_proxy.demo.tokens import Rules

FORM: Final = "application/x-www-form-urlencoded"
DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"


class Desk:
    """Shared by the servers of both vendors."""

    def __init__(self, rules: Rules) -> None:
        self.calls: Counter[str] = Counter()
        """By endpoint: `authorize`, `code`, `refresh`, `device`, `poll`, `userinfo`."""
        self.faults = FaultQueue()
        self.closing = asyncio.Event()
        """Ends the calls that hang on purpose."""
        self._rules = rules

    def sign_for(self, account: str) -> str:
        """Who signs in by what was typed on a page: `ada+overload@2` is ada, with a fault to come.

        Raises:
            ValueError: there is no such fault, or no name.
        """
        person, mark, wish = account.strip().partition("+")
        if not person:
            raise ValueError("the account needs a name")
        if mark:
            self.faults.append(wish)
        return person

    async def serve(self, request: web.Request, endpoint: str, work: Callable[[], Plain]) -> web.StreamResponse:
        """Answer with what `work` makes, unless something is to go wrong."""
        self.calls[endpoint] += 1
        name = self.faults.take(endpoint)
        if name in ANSWERS:
            return whole(ANSWERS[name])
        if name in ("cut_before", "reset"):
            return hang_up(request, is_reset=name == "reset")
        if name == "hang":
            await self.closing.wait()
            return hang_up(request)
        plain = work()
        if name == "cut_after":
            return hang_up(request)
        if name == "slow":
            await asyncio.sleep(self._rules.slow_s)
        if name in BENDS and plain.status == 200:
            plain = Plain(body=jsonx.encode(BENDS[name](jsonx.decode(plain.body))))
        return whole(plain)


async def read_form(request: web.Request) -> dict[str, str] | None:
    """The fields of a form; None when the body is none, or names a field twice."""
    if request.content_type != FORM:
        return None
    try:
        pairs = parse_qsl(await request.text(), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        return None
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else None


def form_complaint(form: Mapping[str, str], *wanted: str) -> Plain | None:
    """Exactly these fields, none of them empty."""
    if complaint := missing_fields(form, *wanted):
        return complaint
    if unknown := sorted(set(form) - set(wanted)):
        return oauth_error(400, "invalid_request", f"not expected: {', '.join(unknown)}")
    return None


def missing_fields(form: Mapping[str, str], *wanted: str) -> Plain | None:
    """At least these fields, none of them empty."""
    missing = [name for name in wanted if not form.get(name)]
    return oauth_error(400, "invalid_request", f"missing: {', '.join(missing)}") if missing else None


def basic(user: str, password: str) -> str:
    """The value of an `Authorization` header (RFC 7617)."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
