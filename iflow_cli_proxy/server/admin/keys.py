"""`/admin/keys`: client keys, made, listed with what they have used, given another secret, and ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from iflow_cli_proxy.core.errors import ConfigError, InvalidRequest, NotFound
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.pool.client_key import ClientKey, digest_of, new_secret
from iflow_cli_proxy.server.admin.ledger import ask_ledger
from iflow_cli_proxy.server.admin.sign_in import Nothing
from iflow_cli_proxy.server.admin.visit import Visit
from iflow_cli_proxy.state import key_shapes as shapes
from iflow_cli_proxy.state.key_wishes import Wish, check_pool, key_from, revoked, rotated
from iflow_cli_proxy.state.keys import KeyFile
from iflow_cli_proxy.state.ledger_queries import Sums, sums_by
from iflow_cli_proxy.state.ledger_shapes import short_json
from iflow_cli_proxy.state.retention import day_of, month_of

_LONGEST_GRACE_S: Final = 366 * 86_400.0
_NOTHING: Final[Mapping[str, Sums]] = {}
_NO_USE: Final = Sums()


@dataclass(frozen=True, kw_only=True)
class _NewKey:
    """As `key create` takes them; null is as good as nothing."""

    name: str
    models: tuple[str, ...] | None = None
    accounts: tuple[str, ...] | None = None
    pool: str | None = None
    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None
    budget: str | int | float | None = None
    per: str | None = None
    expires: str | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Rotate:
    grace_s: float = 0.0


async def list_keys(visit: Visit) -> Json:
    """Those of keys.toml and those of the configuration, which nothing here changes."""
    now = visit.state.clock.now()
    known = (await asyncio.to_thread(_file(visit).load)).keys
    used = await _used(visit, {key.name: key.created_at for key in known}, now)
    rows = [_row(key, now, used) for key in known]
    configured = visit.state.settings.current.auth.client_keys
    for number, secret in enumerate(configured, 1):
        shape = shapes.configured_json(number, secret)
        rows.append({**shape, "note": "", "masked": str(secret), "used": used(shape["name"])})
    return {"keys": rows}


async def create_key(visit: Visit) -> Json:
    """The secret is in this answer and nowhere else: only its hash is kept."""
    given = await visit.body(_NewKey)
    now, secret = visit.state.clock.now(), new_secret(os.urandom)
    key = key_from(_wish(given), digest_of(secret.reveal()), now)
    check_pool(key.pool, visit.state.settings.current.pools)
    try:
        await asyncio.to_thread(_file(visit).add, key)
    except ConfigError as error:
        raise InvalidRequest(error.message, hint="give it another name", param="name", status=409) from error
    await visit.state.keys.look()
    visit.note("client key %s was made", key.name)
    return {"key": _row(key, now, _unused), "secret": secret.reveal()}


async def rotate_key(visit: Visit) -> Json:
    """Another secret; the one before works on for `grace_s`, or ends at once."""
    given = await visit.body(_Rotate)
    if not (isfinite(given.grace_s) and 0 <= given.grace_s <= _LONGEST_GRACE_S):
        raise InvalidRequest("This takes seconds, a year at most.", param="grace_s")
    now, secret = visit.state.clock.now(), new_secret(os.urandom)
    digest = digest_of(secret.reveal())
    name = await _named(visit)
    try:
        (key,) = await asyncio.to_thread(
            _file(visit).change, [name], lambda old: rotated(old, digest, now, given.grace_s)
        )
    except ConfigError as error:
        raise InvalidRequest(error.message, hint="make a new key", status=409, code="revoked") from error
    await visit.state.keys.look()
    visit.note("client key %s got another secret", key.name)
    return {"key": _row(key, now, await _used(visit, {key.name: key.created_at}, now)), "secret": secret.reveal()}


async def revoke_key(visit: Visit) -> Json:
    """Out of use for good; requests that were let in go on."""
    await visit.body(Nothing)
    now, name = visit.state.clock.now(), await _named(visit)
    await asyncio.to_thread(_file(visit).change, [name], lambda key: revoked(key, now))
    await visit.state.keys.look()
    visit.note("client key %s was revoked", name)
    return {"revoked": True}


def _file(visit: Visit) -> KeyFile:
    return KeyFile(visit.desk.services.keys_file)


async def _named(visit: Visit) -> str:
    """The name in the path. Raises NotFound, or InvalidRequest (409) for one that stands in the configuration."""
    name = visit.request.match_info["name"]
    known = (await asyncio.to_thread(_file(visit).load)).keys
    if any(key.name == name for key in known):
        return name
    configured = visit.state.settings.current.auth.client_keys
    if name in (f"key {number}" for number in range(1, len(configured) + 1)):
        raise InvalidRequest(
            "This key stands in the configuration.", hint="take it out of auth.client_keys", status=409, code="not_ours"
        )
    raise NotFound("There is no such key.", hint="load the page again")


def _wish(given: _NewKey) -> Wish:
    """Raises InvalidRequest for a limit below nothing."""
    for name in ("rpm", "tpm", "concurrency"):
        if (getattr(given, name) or 0) < 0:
            raise InvalidRequest("This takes a whole number, 0 for no limit.", param=name)
    return Wish(
        name=given.name,
        models=given.models or (),
        accounts=given.accounts or (),
        pool=given.pool or "",
        rpm=given.rpm or 0,
        tpm=given.tpm or 0,
        concurrency=given.concurrency or 0,
        budget="" if given.budget is None else str(given.budget),
        per=given.per or "",
        expires=given.expires or "",
        note=given.note or "",
    )


def _row(key: ClientKey, now: float, used: Any) -> dict[str, Json]:
    return {**shapes.as_json(key, now), "masked": None, "used": used(key.name)}


def _unused(_: str) -> Json:
    return {"today": short_json(_NO_USE), "month": short_json(_NO_USE)}


async def _used(visit: Visit, born: Mapping[str, float], now: float) -> Any:
    """What each has used today and this month, in UTC as budgets are; not what an earlier key of its name did."""

    def since(moment: float) -> Any:
        return lambda connection: {
            name: sums for (name,), sums in sums_by(connection, ("key",), moment, born=dict(born)) if name
        }

    file = visit.desk.services.ledger_file
    day = await ask_ledger(file, since(day_of(now)), nothing=_NOTHING)
    month = await ask_ledger(file, since(month_of(now)), nothing=_NOTHING)
    return lambda name: {
        "today": short_json(day.get(name, _NO_USE)),
        "month": short_json(month.get(name, _NO_USE)),
    }
