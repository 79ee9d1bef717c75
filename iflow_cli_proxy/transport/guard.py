"""Fetches one image from a URL that a stranger wrote, and from nowhere else than the public internet.

Every name is resolved once and every answer judged; the connection goes to the judged addresses, so that an answer
which changes in the meantime changes nothing (DNS rebinding). Redirects are followed by hand, each as if it were the
first. No cookies, no credentials, no proxy, nothing decoded. Whatever goes wrong is the client's URL and so the
client's mistake; no message says what an address was.
"""

from __future__ import annotations

import asyncio
import binascii
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ssl import SSLContext, SSLError
from typing import Final
from urllib.parse import urljoin

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
    hdrs,
)
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from iflow_cli_proxy import __version__
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.request import Image
from iflow_cli_proxy.core.room import Room, Share
from iflow_cli_proxy.transport import faults
from iflow_cli_proxy.transport.addresses import AddressRules, Target, leads_inside, parse_url, read_address, refused
from iflow_cli_proxy.transport.image_types import HEAD_BYTES, TYPES, media_type_of
from iflow_cli_proxy.transport.lookup import Lookups
from iflow_cli_proxy.transport.trust import reason_of

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_HEADERS: Final = {
    "User-Agent": f"iflow2api/{__version__}",
    "Accept": ", ".join(TYPES),
    "Accept-Encoding": "identity",
}


@dataclass(frozen=True, kw_only=True)
class FetchRules(AddressRules):
    """Where images may come from, and how much of them."""

    limit_s: float = 10.0
    """For everything together: lookups, redirects and the last byte."""
    largest_bytes: int = 20 * 1024 * 1024
    redirects: int = 3


class GuardedFetch:
    """Fetches images by URL. Keeps no connection between two calls."""

    def __init__(
        self,
        rules: FetchRules | None = None,
        *,
        resolver: AbstractResolver | None = None,
        tls: SSLContext | None = None,
        room: Room | None = None,
    ) -> None:
        """`room` is what images may take up while they are fetched, together with all others in it."""
        self._rules = rules or FetchRules()
        self._resolver = resolver or Lookups()
        self._tls = tls
        self._room = room or Room()

    async def __call__(self, url: str, path: str) -> Image:
        """The image at `url`, as base64 with the type its bytes show; `path` is where the request has the URL.

        Raises:
            InvalidRequest: `image_url_not_allowed`, `image_not_fetched`, `image_too_large` or `image_type_unsupported`.
            Busy: others take up all the room there is.
        """
        share = self._room.share()
        try:
            async with asyncio.timeout(self._rules.limit_s):
                return await self._follow(url, share)
        except InvalidRequest as error:
            error.param = path
            raise
        except TimeoutError as error:
            raise _not_fetched(f"it took longer than {self._rules.limit_s:g} s", path) from error
        except (ClientError, OSError) as error:
            raise _not_fetched(_reason(error), path) from error
        finally:
            share.give_back()

    async def _follow(self, url: str, share: Share) -> Image:
        target = parse_url(url, self._rules)
        for _ in range(self._rules.redirects + 1):
            found = await self._visit(target, share)
            if isinstance(found, Image):
                return found
            target = self._next(target, found)
        raise refused(f"it is redirected more than {self._rules.redirects} times")

    def _next(self, target: Target, location: str) -> Target:
        """Where a redirect leads; never from TLS to plain text.

        One with a scheme is taken by its word: `urljoin` would read a URL without a host as a path on this one.
        """
        try:
            url = location if _SCHEME.match(location) else urljoin(target.url, location)
        except ValueError as error:
            raise refused("it is redirected to something that is no URL") from error
        following = parse_url(url, self._rules)
        if target.scheme == "https" and following.scheme != "https":
            raise refused("it is redirected to a connection without TLS")
        return following

    async def _visit(self, target: Target, share: Share) -> Image | str:
        """The image, or where it is said to be instead."""
        connector = TCPConnector(
            resolver=_Pinned(await self._judged(target)),
            use_dns_cache=False,
            force_close=True,
            ssl=self._tls if self._tls is not None else True,
        )
        session = ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=DummyCookieJar(),
            max_field_size=faults.HEADER_BYTES,
            max_headers=faults.HEADER_COUNT,
            timeout=ClientTimeout(total=None),
            trust_env=False,
        )
        async with (
            session,
            session.get(URL(target.url, encoded=True), headers=_HEADERS, allow_redirects=False) as response,
        ):
            if response.status in _REDIRECTS:
                return _location(response)
            if response.status != 200:
                raise _not_fetched(f"its server answered with status {response.status}")
            return await self._read(response, share)

    async def _judged(self, target: Target) -> Sequence[ResolveResult]:
        """The addresses of a name, all of them allowed; none for a target that is an address and was judged before."""
        if target.literal is not None:
            return ()
        try:
            answers = await self._resolver.resolve(target.host, target.port, socket.AF_UNSPEC)
        except (OSError, UnicodeError) as error:
            raise _not_fetched("its host name does not resolve") from error
        if not answers:
            raise _not_fetched("its host name does not resolve")
        for answer in answers:
            address = read_address(answer["host"])
            if address is None or not self._rules.is_allowed(address):
                raise leads_inside()
        return answers

    async def _read(self, response: ClientResponse, share: Share) -> Image:
        if response.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower() not in ("", "identity"):
            raise _not_fetched("its server compresses it although it was asked not to")
        if (response.content_length or 0) > self._rules.largest_bytes:
            raise self._too_large()
        data = bytearray()
        async for piece in response.content.iter_any():
            share.take(len(piece))
            data += piece
            if len(data) >= HEAD_BYTES and not media_type_of(bytes(data[:HEAD_BYTES])):
                break  # what is not wanted need not be read to its end
            if len(data) > self._rules.largest_bytes:
                raise self._too_large()
        media_type = media_type_of(bytes(data[:HEAD_BYTES]))
        if not media_type:
            kinds = ", ".join(kind.removeprefix("image/") for kind in TYPES)
            raise InvalidRequest(f"What the image URL leads to is none of {kinds}.", code="image_type_unsupported")
        return Image(data=binascii.b2a_base64(data, newline=False).decode(), media_type=media_type)

    def _too_large(self) -> InvalidRequest:
        return InvalidRequest(
            f"The image is larger than {self._rules.largest_bytes:,} bytes.",
            code="image_too_large",
            hint="send a smaller version of it",
        )


class _Pinned(AbstractResolver):
    """Knows one answer, whatever the DNS may say by now."""

    def __init__(self, answers: Sequence[ResolveResult]) -> None:
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return self._answers

    async def close(self) -> None:
        """Nothing to close."""


def _location(response: ClientResponse) -> str:
    locations = response.headers.getall(hdrs.LOCATION, [])
    if len(locations) != 1 or not locations[0]:
        raise _not_fetched("it is redirected, but not to one place")
    return locations[0]


def _reason(error: ClientError | OSError) -> str:
    """Why, without a word about where."""
    match error:
        case ClientConnectorError(os_error=SSLError() as cause):
            return f"its server's TLS connection failed: {reason_of(cause)}"
        case ClientConnectorError():
            return "its server cannot be reached"
        case ClientResponseError():
            return "its server's answer is not HTTP"
        case _:
            return "its server broke off"


def _not_fetched(why: str, path: str | None = None) -> InvalidRequest:
    return InvalidRequest(
        f"The image could not be fetched: {why}.",
        code="image_not_fetched",
        hint="send the image itself, as a data: URL",
        param=path,
    )
