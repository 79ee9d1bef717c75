"""Who is calling: client keys, compared by digest, and the Host check that stands in for them on loopback.

A key that is sent is obeyed even where none is needed. Its limits hold on every route, and what a request used is
settled here when it has ended, whatever became of it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final, TypeAlias

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from multidict import CIMultiDictProxy

from iflow_cli_proxy.config.safety import are_keys_required
from iflow_cli_proxy.core.errors import Forbidden, InvalidRequest, Unauthenticated
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.core.usage import estimate_tokens
from iflow_cli_proxy.pool.client_key import ANYONE, Caller, ClientKey, check_usable, digest_of
from iflow_cli_proxy.pool.saved import AccountState
from iflow_cli_proxy.server.admin.paths import is_admin
from iflow_cli_proxy.server.dialect import GEMINI
from iflow_cli_proxy.server.keys import EXCHANGE, METRICS_PATH, STATE
from iflow_cli_proxy.server.state import ServerState
from iflow_cli_proxy.wiring.known import KEY_LIKE_ID

FindCaller: TypeAlias = Callable[[bytes], Caller | None]
"""Who calls with the secret of that digest."""

_WAITS_FOR_PEOPLE: Final = frozenset({"/auth/poll"})
"""Minutes in which nothing is at work, so that none of a key's places is taken."""
_OPEN_PATHS: Final = frozenset({"/", "/health", "/ready"})
_KEY_HEADERS: Final = ("x-api-key", "x-goog-api-key")
_HINT: Final = "send it as `Authorization: Bearer KEY` or `x-api-key: KEY`"


@web.middleware
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    state, exchange = request.app[STATE], request[EXCHANGE]
    if request.path in _OPEN_PATHS or (request.path == METRICS_PATH and state.settings.current.metrics.open):
        return await handler(request)
    if is_admin(request.path):
        return await handler(request)  # it has a door of its own, and client keys do not open it (I30)
    exchange.caller = caller = _caller_of(request, state)
    exchange.client = caller.name
    key = caller.key
    if key is None:
        _check_account(caller, state)
        return await handler(request)
    check_usable(key, state.clock.now())
    if not key.is_limited:
        return await handler(request)
    tokens = estimate_tokens(request.content_length or 0)
    is_running = request.method == hdrs.METH_POST and request.path not in _WAITS_FOR_PEOPLE
    admission = state.keys.admit(key, tokens, is_running=is_running)
    try:
        return await handler(request)
    finally:
        state.keys.settle(admission, exchange)


def _caller_of(request: web.Request, state: ServerState) -> Caller:
    settings = state.settings.current
    find = _finder(state)
    # Google documents `?key=` and its clients use it; anywhere else a key in a URL is none (I4).
    in_query = request.query.getall("key", ()) if request[EXCHANGE].protocol == GEMINI else ()
    if are_keys_required(settings):
        return identify(request.headers, find, in_query)
    caller = recognise(request.headers, find, in_query)
    if caller is ANYONE and not is_own_host(request.headers.get(hdrs.HOST, ""), settings.server.host):
        raise Forbidden(
            "This Host name is not served without a client key.",
            hint="call it by 127.0.0.1 or localhost, or set auth.required to always",
            param="Host",
        )
    return caller


def _finder(state: ServerState) -> FindCaller:
    """Looks in the configuration, in the key file and, where they are taken for keys, among the ids of accounts."""
    auth = state.settings.current.auth
    configured = known_keys(auth.client_keys)
    accounts = _account_callers(state) if auth.accept_account_ids else {}

    def find(digest: bytes) -> Caller | None:
        if (known := configured.get(digest) or accounts.get(digest)) is not None:
            return known
        key = state.keys.find(digest)
        return None if key is None else Caller(name=key.name, key=key)

    return find


@lru_cache(maxsize=4)
def known_keys(keys: tuple[Secret, ...]) -> Mapping[bytes, Caller]:
    """By digest; the keys of the configuration have no names but their places, and no limits."""
    named = {f"key {number}": digest_of(key.reveal()) for number, key in enumerate(keys, 1)}
    return {
        digest: Caller(name=name, key=ClientKey(name=name, digest=digest)) for name, digest in reversed(named.items())
    }


def _account_callers(state: ServerState) -> Mapping[bytes, Caller]:
    """Accounts of ours by the digest of their ids, which are as hard to guess as a key only where they are UUIDs."""
    ours = (one.saved for one in state.accounts.last_known() if one.is_ours)
    return by_account_id(tuple((one.id, f"{one.provider}/{one.label}") for one in ours))


def _check_account(caller: Caller, state: ServerState) -> None:
    """Raises Forbidden when the account that stands for a key is switched off."""
    known = state.accounts.last(caller.account_id) if caller.account_id else None
    if known is not None and known.saved.state is AccountState.DISABLED:
        raise Forbidden(
            "The account that this key stands for is switched off.",
            hint="ask whoever runs the gateway",
            code="key_disabled",
        )


@lru_cache(maxsize=4)
def by_account_id(accounts: tuple[tuple[str, str], ...]) -> Mapping[bytes, Caller]:
    """Callers who may use one account each, from ids and names."""
    return {digest_of(id): Caller(name=name, account_id=id) for id, name in accounts if KEY_LIKE_ID.fullmatch(id)}


def identify(headers: CIMultiDictProxy[str], find: FindCaller, in_query: Iterable[str] = ()) -> Caller:
    """Who calls with the key the request brings.

    Looked up by the digest of its bytes, so neither its characters nor how much of it is right shows in the time taken
    (I2, I5).

    Raises:
        InvalidRequest: two different keys, or one header twice (I3).
        Unauthenticated: no key, or an unknown one; the same words for both.
    """
    given = [*_given(headers), *in_query]
    if len(set(given)) > 1 or len(headers.getall(hdrs.AUTHORIZATION, ())) > 1:
        raise _more_than_one()
    caller = find(digest_of(given[0])) if given else None
    if caller is None:
        raise Unauthenticated("A valid client key is required.", hint=_HINT)
    return caller


def recognise(headers: CIMultiDictProxy[str], find: FindCaller, in_query: Iterable[str] = ()) -> Caller:
    """The same where no key is needed: words that are no keys of ours mean nothing.

    Raises:
        InvalidRequest: two different keys of ours; nobody picks the one with the wider limits (I3).
    """
    found = {caller for given in {*_given(headers), *in_query} if (caller := find(digest_of(given))) is not None}
    if len(found) > 1:
        raise _more_than_one()
    return found.pop() if found else ANYONE


def _more_than_one() -> InvalidRequest:
    return InvalidRequest("The request carries more than one key.", param="Authorization")


def _given(headers: CIMultiDictProxy[str]) -> Iterable[str]:
    for value in headers.getall(hdrs.AUTHORIZATION, ()):
        scheme, _, key = value.partition(" ")
        yield key.strip() if scheme.lower() == "bearer" else ""
    for name in _KEY_HEADERS:
        yield from headers.getall(name, ())


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
