"""Who is calling: client keys, compared by digest, and the Host check that stands in for them on loopback."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from multidict import CIMultiDictProxy

from iflow_cli_proxy.config.safety import are_keys_required
from iflow_cli_proxy.core.errors import Forbidden, InvalidRequest, Unauthenticated
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.server.keys import EXCHANGE, STATE

_OPEN_PATHS: Final = frozenset({"/health", "/ready"})
_KEY_HEADERS: Final = ("x-api-key", "x-goog-api-key")
_HINT: Final = "send it as `Authorization: Bearer KEY` or `x-api-key: KEY`"


@web.middleware
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path not in _OPEN_PATHS:
        settings = request.app[STATE].settings.current
        if are_keys_required(settings):
            request[EXCHANGE].client = identify(request.headers, known_keys(settings.auth.client_keys))
        elif not is_own_host(request.headers.get(hdrs.HOST, ""), settings.server.host):
            raise Forbidden(
                "This Host name is not served without a client key.",
                hint="call it by 127.0.0.1 or localhost, or set auth.required to always",
                param="Host",
            )
    return await handler(request)


@lru_cache(maxsize=4)
def known_keys(keys: tuple[Secret, ...]) -> Mapping[bytes, str]:
    """Digest to name; the keys of the configuration have no names but their places."""
    return {_digest(key.reveal()): f"key {number}" for number, key in enumerate(keys, 1)}


def identify(headers: CIMultiDictProxy[str], known: Mapping[bytes, str]) -> str:
    """The name of the key the request brings.

    Looked up by the digest of its bytes, so neither its characters nor how much of it is right shows in the time taken
    (I2, I5).

    Raises:
        InvalidRequest: two different keys, or one header twice (I3).
        Unauthenticated: no key, or an unknown one; the same words for both.
    """
    given = list(_given(headers))
    if len(set(given)) > 1 or len(headers.getall(hdrs.AUTHORIZATION, ())) > 1:
        raise InvalidRequest("The request carries more than one key.", param="Authorization")
    name = known.get(_digest(given[0])) if given else None
    if name is None:
        raise Unauthenticated("A valid client key is required.", hint=_HINT)
    return name


def _given(headers: CIMultiDictProxy[str]) -> Iterable[str]:
    for value in headers.getall(hdrs.AUTHORIZATION, ()):
        scheme, _, key = value.partition(" ")
        yield key.strip() if scheme.lower() == "bearer" else ""
    for name in _KEY_HEADERS:
        yield from headers.getall(name, ())


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def is_own_host(header: str, bound: str) -> bool:
    """Whether a Host header is an address or our own name: a web page under a foreign name must not reach us (I26).

    Numbers are safe. The trick needs a name whose meaning its owner can change.
    """
    host = header.partition("]")[0][1:] if header.startswith("[") else header.partition(":")[0]
    return host.lower() in ("localhost", bound.lower()) or _is_address(host)


@lru_cache(maxsize=256)
def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
