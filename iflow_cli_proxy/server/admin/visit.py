"""One call of the admin page, as its handlers see it: who calls, what they bring, and the line the log gets.

Refuses to know what a call does. Handlers get a visit only after `guard.py` has let it in.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiohttp import web

from iflow_cli_proxy.config.safety import is_loopback
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest, Unauthenticated
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.server.admin.sessions import Session
from iflow_cli_proxy.server.body import read_json_body
from iflow_cli_proxy.server.connection import holder_of
from iflow_cli_proxy.server.keys import EXCHANGE
from iflow_cli_proxy.server.state import ServerState
from iflow_cli_proxy.telemetry.formats import FIELDS

if TYPE_CHECKING:
    from iflow_cli_proxy.server.admin.desk import Desk

_LOG: Final = logging.getLogger("iflow2api.admin")
_LARGEST_BODY_BYTES: Final = 262_144

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Visit:
    request: web.Request
    desk: Desk
    session: Session | None = None
    """None where nobody has to be signed in, or nobody is."""
    needs_session: bool = False

    @property
    def state(self) -> ServerState:
        return self.desk.state

    @property
    def address(self) -> str:
        """Of the connection; what headers say of it is not believed (I29)."""
        transport = self.request.transport
        return holder_of(transport.get_extra_info("peername")) if transport is not None else ""

    @property
    def is_from_here(self) -> bool:
        """Whether the connection comes from this machine; a program in front of us does too."""
        transport = self.request.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        return isinstance(peer, tuple) and is_loopback(str(peer[0]).partition("%")[0])

    @property
    def signed_in(self) -> Session:
        """Raises Unauthenticated where the guard has asked for nobody."""
        if self.session is None:
            raise signed_out()
        return self.session

    async def body(self, shape: type[T]) -> T:
        """The body as one of our dataclasses, every field of which is known. Raises InvalidRequest with the field."""
        value = await self.json()
        if not isinstance(value, Mapping):
            raise InvalidRequest("The body must be a JSON object.")
        known = {one.name for one in fields(shape)}  # type: ignore[arg-type]  # a dataclass, as it says
        for name in value:
            if name not in known:
                hint = f"known: {', '.join(sorted(known))}" if known else "an empty object is enough"
                raise InvalidRequest("There is no such field here.", param=name[:100], hint=hint)
        try:
            return jsonx.convert(value, shape)
        except JsonError as error:
            raise InvalidRequest(f"{error.what}.", param=error.path or None) from error

    async def json(self) -> Any:
        limits = self.state.settings.current.server
        small = replace(limits, max_body_bytes=min(limits.max_body_bytes, _LARGEST_BODY_BYTES))
        data = await read_json_body(self.request, small)
        if self.needs_session:
            self.check_still_signed_in()
        try:
            return jsonx.decode_strict(data or b"{}")
        except JsonError as error:
            raise InvalidRequest(f"The body is not JSON: {error.what}.") from error

    def check_still_signed_in(self) -> None:
        """Raises Unauthenticated for a session that has ended while the body was on its way: a sender can hold it."""
        if not self.desk.sessions.lasts(self.signed_in):
            raise signed_out()

    def note(self, what: str, *words: object) -> None:
        """One line for what was changed: never a secret, and who did it only by the name of a session."""
        named = {
            "request_id": self.request[EXCHANGE].request_id,
            "session": self.session.name if self.session is not None else None,
            "from": self.address,
        }
        _LOG.info("admin: %s", what % words, extra={FIELDS: named})


def signed_out() -> Unauthenticated:
    return Unauthenticated("Sign in first.", hint="open /admin in a browser", code="signed_out")
