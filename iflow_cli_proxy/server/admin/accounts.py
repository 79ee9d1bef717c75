"""`/admin/accounts` and `/admin/providers`: the accounts and what is done to them by hand.

What changes a file goes through the store, and is in force when the answer comes. Where ids of accounts are taken for
client keys they are secrets, so the page calls accounts by a digest there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Final

from iflow_cli_proxy.config.checks import http_url_or_empty
from iflow_cli_proxy.core.errors import ConfigError, InvalidRequest, NotFound, StateError
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount, disabled, enabled
from iflow_cli_proxy.server.account_rows import account_rows
from iflow_cli_proxy.server.admin.desk import Desk
from iflow_cli_proxy.server.admin.guard import Handler
from iflow_cli_proxy.server.admin.ledger import ask_ledger
from iflow_cli_proxy.server.admin.sign_in import Nothing
from iflow_cli_proxy.server.admin.visit import Visit
from iflow_cli_proxy.signin.identity import check_label
from iflow_cli_proxy.signin.pasted import key_from
from iflow_cli_proxy.signin.signed_in import SignedIn
from iflow_cli_proxy.state.ledger_queries import Sums, by_account
from iflow_cli_proxy.state.ledger_question import day_began
from iflow_cli_proxy.state.ledger_shapes import short_json
from iflow_cli_proxy.wiring.known import KnownAccount, origin_of
from iflow_cli_proxy.wiring.offers import offers

_HANDLE_DIGITS: Final = 16
_NOTHING: Final[Mapping[str, Sums]] = {}
_NO_USE: Final = Sums()

Step = Callable[[Visit, KnownAccount], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class _NewKey:
    provider: str
    api_key: str = field(repr=False)
    label: str = ""
    base_url: str = ""


async def list_accounts(visit: Visit) -> Json:
    return {"accounts": await _rows(visit.desk)}


async def add_account(visit: Visit) -> Json:
    """Keep an API key, as `login --api-key` does; the provider is not asked."""
    given = await visit.body(_NewKey)
    provider = provider_named(visit.desk, given.provider)
    if problem := http_url_or_empty(given.base_url):
        raise InvalidRequest(f"This takes {problem}.", param="base_url")
    if not visit.state.accounts.sign_in(provider).takes_api_key:
        raise InvalidRequest(f"{provider} takes no API keys.", param="provider")
    try:
        key = key_from(given.api_key)
    except InvalidRequest as error:
        error.param = "api_key"
        raise
    signed_in = SignedIn(auth_type=AuthType.API_KEY, api_key=key, base_url=given.base_url)
    kept = await visit.desk.keep(provider, signed_in, label_named(given.label))
    visit.note("account %s/%s was added", kept.provider, kept.label)
    return {"account": await row_of(visit.desk, kept.id)}


async def delete_account(visit: Visit) -> Json:
    known = _ours(_find(visit))
    await asyncio.to_thread(visit.state.accounts.store.delete, known.saved.id)
    await visit.desk.services.look_again()
    visit.note("account %s/%s was deleted", known.saved.provider, known.saved.label)
    return {"deleted": True}


def stepping(done: str, step: Step) -> Handler:
    """A call that does one thing to one account and shows what became of it; `done` is for the log."""

    async def handle(visit: Visit) -> Json:
        await visit.body(Nothing)
        known = _find(visit)
        await step(visit, known)
        visit.note("account %s/%s was %s", known.saved.provider, known.saved.label, done)
        return {"account": await row_of(visit.desk, known.saved.id)}

    return handle


async def enable(visit: Visit, known: KnownAccount) -> None:
    """In use again, with everything forgotten that kept it out."""
    await _change(visit, _ours(known), partial(enabled, now=visit.state.clock.now()))
    await visit.state.reset_account(known.saved.id)


async def disable(visit: Visit, known: KnownAccount) -> None:
    await _change(visit, _ours(known), disabled)


async def reset(visit: Visit, known: KnownAccount) -> None:
    await visit.state.reset_account(known.saved.id)


async def refresh(visit: Visit, known: KnownAccount) -> None:
    """Ask its server for newer tokens now. Raises GatewayError when that fails."""
    if known.place is None or not known.saved.can_refresh:
        raise InvalidRequest(
            "There is nothing to refresh: this account is only a key.", status=409, code="nothing_to_refresh"
        )
    await visit.state.accounts.refresher.refresh(known.saved.id, is_forced=True)
    await visit.desk.services.look_again()


async def list_providers(visit: Visit) -> Json:
    """What can be signed in to, and what is written in the configuration."""
    written = visit.state.settings.current.providers
    return {
        "providers": [
            {
                "name": one.name,
                "title": one.title,
                "base_url": one.base_url,
                "enabled": one.is_enabled,
                "is_written": one.is_written,
                "methods": list(one.methods),
                "notice": one.notice,
                "key_page": one.key_page,
            }
            for one in offers(visit.state.accounts, written)
        ]
    }


def provider_named(desk: Desk, name: str) -> str:
    """Raises NotFound, with the nearest name there is."""
    try:
        desk.state.accounts.table(name)
    except ConfigError as error:
        raise NotFound(error.message, hint=error.hint, param="provider") from error
    return name.lower()


def label_named(text: str) -> str:
    """Raises InvalidRequest for what cannot be the name of an account."""
    try:
        return check_label(text) if text else ""
    except InvalidRequest as error:
        error.param = "label"
        raise


async def row_of(desk: Desk, account_id: str) -> Json:
    """The row of one account; null when it is gone meanwhile."""
    handle = handle_of(desk, account_id)
    return next((row for row in await _rows(desk) if row["id"] == handle), None)


def handle_of(desk: Desk, account_id: str) -> str:
    """What the page calls an account by."""
    if not desk.state.settings.current.auth.accept_account_ids:
        return account_id
    return sha256(b"account " + account_id.encode()).hexdigest()[:_HANDLE_DIGITS]


async def _rows(desk: Desk) -> list[dict[str, Json]]:
    state = desk.state
    sums = _NOTHING
    with suppress(StateError):  # what they did today is not worth more than the accounts themselves
        began = day_began(state.clock.now())
        sums = await ask_ledger(
            desk.services.ledger_file, lambda connection: by_account(connection, began), nothing=_NOTHING
        )
    found = zip(state.accounts.last_known(), account_rows(state), strict=True)
    return [{**row, **_more(desk, known, sums)} for known, row in found]


def _more(desk: Desk, known: KnownAccount, sums: Mapping[str, Sums]) -> dict[str, Json]:
    saved = known.saved
    return {
        "id": handle_of(desk, saved.id),
        "origin": origin_of(known).value,
        "auth_type": saved.auth_type.value,
        "can_refresh": saved.can_refresh and known.place is not None,
        "today": short_json(sums.get(f"{saved.provider}/{saved.label}", _NO_USE)),
    }


def _find(visit: Visit) -> KnownAccount:
    wanted = visit.request.match_info["id"]
    for known in visit.state.accounts.last_known():
        if handle_of(visit.desk, known.saved.id) == wanted:
            return known
    raise NotFound("There is no such account.", hint="it may have been deleted; load the page again")


def _ours(known: KnownAccount) -> KnownAccount:
    """Raises InvalidRequest for one that is kept by somebody else."""
    if known.is_ours:
        return known
    where = "the program that signed it in" if known.place is not None else "the configuration or the environment"
    raise InvalidRequest("This account is not kept here.", hint=f"it is kept by {where}", status=409, code="not_ours")


async def _change(visit: Visit, known: KnownAccount, edit: Callable[[SavedAccount], SavedAccount]) -> None:
    await asyncio.to_thread(visit.state.accounts.store.change, known.saved.id, edit)
    await visit.desk.services.look_again()
