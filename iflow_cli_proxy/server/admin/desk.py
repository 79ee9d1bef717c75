"""What the calls of the admin page share: who is signed in, the password, the first run, and the server they steer.

Knows when a password changes and whose sessions end with that. Refuses to know requests.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from aiohttp import WSCloseCode

from iflow_cli_proxy.core.errors import InvalidRequest, Unauthenticated
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.server.admin import passwords
from iflow_cli_proxy.server.admin.broadcast import Broadcast
from iflow_cli_proxy.server.admin.flows import Flows
from iflow_cli_proxy.server.admin.sessions import Sessions
from iflow_cli_proxy.server.admin.throttle import Throttle
from iflow_cli_proxy.server.state import ServerState
from iflow_cli_proxy.signin.enrol import enrol
from iflow_cli_proxy.signin.signed_in import SignedIn
from iflow_cli_proxy.state.admin_file import AdminFile, PasswordHash
from iflow_cli_proxy.state.atomic import Stamp
from iflow_cli_proxy.wiring.services import Services

if TYPE_CHECKING:
    from iflow_cli_proxy.server.admin.settings import Steering
    from iflow_cli_proxy.server.admin.socket import Socket

_LOG: Final = logging.getLogger("iflow2api.admin")
LOOK_EVERY_S: Final = 1.0
_HASHED_AT_ONCE: Final = 2
"""Each takes 32 MB and a tenth of a second of a core, which answers share with it."""


class Desk:
    """One for each server."""

    def __init__(self, state: ServerState, services: Services) -> None:
        self.state = state
        self.services = services
        self.sessions = Sessions(state.clock)
        self.throttle = Throttle(state.clock)
        self.setup_token = Secret()
        """Opens the first run once, while there is no password; empty else."""
        self.steering: Steering | None = None
        """How settings are changed; None for a server that was not started from files."""
        self.sockets: set[Socket] = set()
        self.broadcast = Broadcast(state)
        self.flows = Flows(state, self.keep)
        self._file = AdminFile(services.admin_file)
        self._stamp: Stamp | None = None
        self._hashing = asyncio.Semaphore(_HASHED_AT_ONCE)
        self._writing = asyncio.Lock()
        """Held from a write of ours until it is no news any more."""

    def close(self) -> None:
        """Let every page know that the server leaves: open sockets would hold it up."""
        for socket in tuple(self.sockets):
            socket.end(WSCloseCode.GOING_AWAY, "the gateway is stopping")
        self.flows.close()

    async def keep(self, provider: str, signed_in: SignedIn, label: str = "") -> SavedAccount:
        """A sign-in as an account of ours, in force at once. Raises StateError for a disk that does not take it."""
        state = self.state
        done = await asyncio.to_thread(
            enrol, state.accounts.store, provider, signed_in, label=label, now=state.clock.now(), entropy=state.entropy
        )
        await self.services.look_again()
        return done.account

    async def open(self) -> None:
        """Look whether there is a password, and make a token for the first run if there is none."""
        self._stamp = await asyncio.to_thread(self._file.stamp)
        self.setup_token = Secret() if self._stamp else Secret(secrets.token_urlsafe(24))

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Take up what the terminal does to the password; every session ends with it."""
        while True:
            await sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        async with self._writing:
            stamp = await asyncio.to_thread(self._file.stamp)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self.setup_token = Secret()
            ended = self.sessions.end_all()
        _LOG.info("admin: the password was changed in the terminal; %d sessions ended", ended)

    async def has_password(self) -> bool:
        return await asyncio.to_thread(self._file.stamp) is not None

    async def check_password(self, given: str, address: str) -> Stamp | None:
        """The stamp of the file in which it is right.

        Raises:
            RateLimited: too many tries.
            Unauthenticated: it is wrong, or no more.
            InvalidRequest: there is no password yet (409).
        """
        self.throttle.knock(address)
        await self.look()  # or the session that begins now would be ended for a password it knows
        stamp = self._stamp
        kept = await asyncio.to_thread(self._file.load)
        async with self._hashing:
            is_right = await asyncio.to_thread(passwords.is_right, given, kept)
        is_right = is_right and stamp == self._stamp  # else it was the password when the question came, and is no more
        if kept is None:
            raise InvalidRequest(
                "There is no password yet.",
                hint="open the address that `iflow2api serve` has printed, or `iflow2api admin password`",
                status=409,
                code="setup_needed",
            )
        if not is_right:
            self.throttle.failed(address)
            raise _wrong_password()
        self.throttle.succeeded(address)
        return stamp

    async def set_first_password(self, token: str, password: str, address: str) -> None:
        """The first run, for whoever holds the token: it opens nothing a second time (I32).

        Raises:
            RateLimited: too many tries.
            InvalidRequest: there is a password already (409), the token is wrong (403), or the password is weak.
        """
        self.throttle.knock(address)
        known = self.setup_token.reveal()
        given = token.encode("utf-8", "surrogatepass")
        is_token = bool(known) and secrets.compare_digest(given, known.encode())
        if not known or not is_token:
            self.throttle.failed(address)
            raise await self._no_first_run()
        passwords.check_new(password)
        hashed = await self._hashed(password)
        async with self._writing:
            is_first = await asyncio.to_thread(self._file.save_first, hashed)
            if is_first:
                await self._is_ours()
        if not is_first:
            raise await self._no_first_run()
        self.throttle.succeeded(address)

    async def set_password(self, password: str, *, instead_of: Stamp | None) -> int:
        """Put another one in force; how many sessions ended. `instead_of` is what the old one was found right in.

        Raises:
            InvalidRequest: it is weak.
            Unauthenticated: somebody has changed it meanwhile, so that whoever asks knows it no more.
        """
        passwords.check_new(password, param="new")
        hashed = await self._hashed(password)
        async with self._writing:
            if instead_of != await asyncio.to_thread(self._file.stamp):
                raise _wrong_password()
            await asyncio.to_thread(self._file.save, hashed)
            await self._is_ours()
            return self.sessions.end_all()

    async def _hashed(self, password: str) -> PasswordHash:
        async with self._hashing:
            return await asyncio.to_thread(passwords.hash_of, password)

    async def _is_ours(self) -> None:
        """What has just been written is no news."""
        self._stamp = await asyncio.to_thread(self._file.stamp)
        self.setup_token = Secret()

    async def _no_first_run(self) -> InvalidRequest:
        if await self.has_password():
            return InvalidRequest(
                "There is a password already.", hint="sign in with it", status=409, code="set_up_already"
            )
        return InvalidRequest(
            "This is not the token of the first run.",
            hint="`iflow2api serve` prints an address with it when it starts; `iflow2api admin password` needs none",
            status=403,
            code="wrong_token",
            param="token",
        )


def _wrong_password() -> Unauthenticated:
    return Unauthenticated(
        "The password is wrong.", hint="`iflow2api admin password` sets another one", code="wrong_password"
    )
