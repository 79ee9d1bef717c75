"""The browser's way back: one port on 127.0.0.1, open for one answer to one sign-in (RFC 8252, section 7.3).

Knows which request is that answer and which page the browser gets. Refuses to redeem a code, and to know what became
of it until it is told. Whatever it takes in is refused unless it is a GET of the one path, by our own name, as a page
of its own, with the state of this sign-in (RELIABILITY I49 to I52). The browser is sent on from the address with the
code in it at once, to a page that waits for the end.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Final

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from iflow_cli_proxy.core.errors import ConfigError, InvalidRequest, LoginRequired
from iflow_cli_proxy.providers.signin import OAuthClient
from iflow_cli_proxy.signin import pages
from iflow_cli_proxy.signin.callback import FOREIGN, NO_CODE, code_of, read_callback
from iflow_cli_proxy.signin.pages import TERMINAL, Page, Words

HELD_S: Final = 60.0
"""How long a browser is kept waiting for the end."""
TIMEOUT_S: Final = 300.0
"""How long a person may take."""
_FAREWELL_S: Final = 2.0
"""How long the end waits for a browser to fetch the page that tells it."""
_ADDRESS: Final = "127.0.0.1"
_FREE_PORTS_TRIED: Final = 8


class CodeListener:
    """Waits for one answer; made by `listen_for_code`."""

    def __init__(
        self, client: OAuthClient, state: str, port: int, *, held_s: float = HELD_S, words: Words = TERMINAL
    ) -> None:
        self.redirect_uri = f"http://{client.redirect_host}:{port}{client.redirect_path}"
        self._client = client
        self._state = state
        self._hosts = {f"{name}:{port}" for name in (client.redirect_host.lower(), "localhost", _ADDRESS)}
        self._done_path = client.redirect_path.rstrip("/") + "/done"
        self._login = f"iflow2api login {client.provider}".rstrip()
        self._held_s = held_s
        self._words = words
        self._answer: str | LoginRequired | None = None
        self._came = asyncio.Event()
        self._end: Page | None = None
        self._ended = asyncio.Event()
        self._shown = asyncio.Event()

    async def code(self, timeout_s: float = TIMEOUT_S) -> str:
        """The authorization code.

        Raises:
            LoginRequired: it was refused, or nobody came back in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._came.wait()
        except TimeoutError as error:
            raise LoginRequired(
                f"Nobody came back from the browser within {_in_words(timeout_s)}.",
                hint=f"`{self._login}` starts again; with --paste it needs no way back from the browser",
                code="timeout",
            ) from error
        if isinstance(self._answer, LoginRequired):
            raise self._answer
        assert self._answer is not None
        return self._answer

    async def finish(self, ok: bool, message: str = "", *, command: str = "") -> None:
        """Tell the browser how it ended; returns when the page was fetched, or after a moment without that.

        `message` says who signed in or what went wrong, `command` what to type then. Only the first call counts.
        """
        if self._end is None:
            said = self._words
            page = pages.signed_in(message, said) if ok else pages.failed(message, command or self._login, said)
            self._conclude(page)
        if self._answer is not None and not self._shown.is_set():
            try:
                async with asyncio.timeout(_FAREWELL_S):
                    await self._shown.wait()
            except TimeoutError:
                self._shown.set()  # nobody looks any more

    def _conclude(self, page: Page) -> None:
        self._end = page
        self._ended.set()

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Every request that comes in."""
        path, _, query = request.raw_path.partition("?")
        if not self._is_addressed(request) or not _is_page_of_its_own(request):
            return _response(pages.not_served(403))
        is_done = path == self._done_path and self._answer is not None
        if path != self._client.redirect_path and not is_done:
            return _response(pages.not_served(404))
        if request.method != hdrs.METH_GET:
            response = _response(pages.not_served(405))
            response.headers[hdrs.ALLOW] = hdrs.METH_GET
            return response
        return await self._show_end(request) if is_done else self._take(query)

    def _is_addressed(self, request: web.BaseRequest) -> bool:
        """A page under another name must not reach this port, even when that name leads to this machine."""
        names = request.headers.getall(hdrs.HOST, [])
        return len(names) == 1 and names[0].lower() in self._hosts

    def _take(self, query: str) -> web.Response:
        answer: str | LoginRequired
        try:
            answer = code_of(read_callback(query), self._state, needs_state=True)
        except LoginRequired as refusal:
            answer = refusal
        except InvalidRequest as error:
            return _response(_page_for(error, self._login))
        if self._answer is not None:
            return _response(pages.used_already())
        self._answer = answer
        if isinstance(answer, LoginRequired):
            self._conclude(pages.failed(answer.message, self._login, self._words))
        self._came.set()
        return _redirect(self._done_path)

    async def _show_end(self, request: web.BaseRequest) -> web.Response:
        try:
            async with asyncio.timeout(self._held_s):
                await self._ended.wait()
        except TimeoutError:
            return _response(pages.in_progress())
        assert self._end is not None
        response = _response(self._end)
        await response.prepare(request)
        await response.write_eof()
        self._shown.set()
        return response


@asynccontextmanager
async def listen_for_code(
    client: OAuthClient, state: str, *, held_s: float = HELD_S, words: Words = TERMINAL
) -> AsyncIterator[CodeListener]:
    """Listen while the block runs, on `client.redirect_port` if it is free and else on any port.

    Leaving the block without `finish` shows the browser that the sign-in did not end well.

    Raises:
        ConfigError: no port can be opened.
    """
    with ExitStack() as held:
        sock = _open_port(client, held)
        listener = CodeListener(client, state, sock.getsockname()[1], held_s=held_s, words=words)
        server = web.Server(listener.serve, handler_cancellation=True, access_log=None, logger=_quiet_log())
        accepting = await asyncio.get_running_loop().create_server(server, sock=sock)
        try:
            yield listener
        finally:
            try:
                more = " The terminal says more." if words is TERMINAL else ""
                await listener.finish(False, f"It was given up before its end.{more}")
            finally:
                accepting.close()
                server.pre_shutdown()
                await server.shutdown(_FAREWELL_S)


def _open_port(client: OAuthClient, held: ExitStack) -> socket.socket:
    """A listening socket that nobody shares, closed by `held`."""
    failure: OSError | None = None
    for port in (client.redirect_port, *[0] * _FREE_PORTS_TRIED):
        with ExitStack() as trying:
            try:
                sock = trying.enter_context(_listening(port))
                if client.redirect_host != _ADDRESS:
                    _reserve_v6(sock.getsockname()[1], trying)
            except OSError as error:
                failure = error
                continue
            held.push(trying.pop_all())
            return sock
    raise ConfigError(
        f"No port of {_ADDRESS} can be opened for the browser's way back: {failure and failure.strerror}.",
        hint="`iflow2api login --paste` needs none",
    ) from failure


def _listening(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        # Windows reads SO_REUSEADDR as leave to take a port from the program that holds it.
        exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR if exclusive is None else exclusive, 1)
        sock.bind((_ADDRESS, port))
        sock.listen()
    except BaseException:
        sock.close()
        raise
    return sock


def _reserve_v6(port: int, held: ExitStack) -> None:
    """Keep the same port of ::1 from strangers, without listening: browsers try it first for `localhost`.

    A refused connection there makes them take 127.0.0.1. Raises OSError when somebody has it already.
    """
    try:
        sock = held.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(("::1", port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise
        # This machine has no IPv6.


def _is_page_of_its_own(request: web.BaseRequest) -> bool:
    """Whether a person's browser goes there, rather than a picture, frame or script of some page (Fetch Metadata)."""
    headers = request.headers
    return (
        hdrs.ORIGIN not in headers
        and headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
        and headers.get("Sec-Fetch-Dest", "document") == "document"
    )


def _page_for(error: InvalidRequest, login: str) -> Page:
    if error.code == FOREIGN:
        return pages.foreign(login)
    return pages.without_code(login) if error.code == NO_CODE else pages.malformed(error.message, login)


def _response(page: Page) -> web.Response:
    response = web.Response(
        status=page.status, body=page.html, content_type="text/html", charset="utf-8", headers=pages.HEADERS
    )
    response.force_close()
    return response


def _redirect(where: str) -> web.Response:
    response = web.Response(status=303, headers={**pages.HEADERS, hdrs.LOCATION: where})
    response.force_close()
    return response


def _in_words(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} minute{'' if minutes == 1 else 's'}" if seconds >= 60 else f"{seconds:g} seconds"


class _WithoutStrangers(logging.Filter):
    """aiohttp reports every request that is not HTTP, with its bytes; whoever knocks here is nobody's concern."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def _quiet_log() -> logging.Logger:
    log = logging.getLogger(__name__)
    if not log.filters:
        log.addFilter(_WithoutStrangers())
    return log
