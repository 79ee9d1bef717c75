"""Every path of the admin page, what it needs, and who answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from aiohttp import web

from iflow_cli_proxy.core.errors import NotFound
from iflow_cli_proxy.server.admin import (
    accounts,
    keys,
    models,
    oauth,
    pages,
    playground,
    records,
    settings,
    sign_in,
    socket,
    steering,
)
from iflow_cli_proxy.server.admin.desk import Desk
from iflow_cli_proxy.server.admin.guard import Answer, Handler, Needs, guarded
from iflow_cli_proxy.server.admin.paths import START
from iflow_cli_proxy.server.admin.visit import Visit
from iflow_cli_proxy.server.handlers import docs
from iflow_cli_proxy.server.keys import QUESTIONS

ExpectHandler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse | None]]

CALLS: Final[tuple[tuple[str, str, Needs, Handler], ...]] = (
    ("GET", "", Needs.NOTHING, pages.show_page),
    ("GET", "/", Needs.NOTHING, pages.show_page),
    ("GET", "/static/{path:.+}", Needs.NOTHING, pages.show_file),
    ("GET", "/docs", Needs.NOTHING, docs.page_of_admin),
    ("GET", "/docs/{file}", Needs.SESSION, docs.file_of_admin),
    ("GET", "/openapi.json", Needs.SESSION, docs.openapi_of_admin),
    ("GET", "/session", Needs.ORIGIN, sign_in.show_session),
    ("POST", "/setup", Needs.ORIGIN, sign_in.set_up),
    ("POST", "/login", Needs.ORIGIN, sign_in.log_in),
    ("POST", "/logout", Needs.SESSION, sign_in.log_out),
    ("POST", "/password", Needs.SESSION, sign_in.change_password),
    ("GET", "/lang/{language:[a-z]+}.json", Needs.ORIGIN, steering.show_texts),
    ("GET", "/live", Needs.SESSION, steering.show_live),
    ("GET", "/logs", Needs.SESSION, steering.show_logs),
    ("POST", "/server/start", Needs.SESSION, steering.start),
    ("POST", "/server/stop", Needs.SESSION, steering.stop),
    ("GET", "/ws", Needs.SOCKET, socket.talk),
    ("GET", "/providers", Needs.SESSION, accounts.list_providers),
    ("GET", "/accounts", Needs.SESSION, accounts.list_accounts),
    ("POST", "/accounts", Needs.SESSION, accounts.add_account),
    ("DELETE", "/accounts/{id}", Needs.SESSION, accounts.delete_account),
    ("POST", "/accounts/{id}/enable", Needs.SESSION, accounts.stepping("enabled", accounts.enable)),
    ("POST", "/accounts/{id}/disable", Needs.SESSION, accounts.stepping("disabled", accounts.disable)),
    ("POST", "/accounts/{id}/reset", Needs.SESSION, accounts.stepping("reset", accounts.reset)),
    ("POST", "/accounts/{id}/refresh", Needs.SESSION, accounts.stepping("refreshed", accounts.refresh)),
    ("GET", "/keys", Needs.SESSION, keys.list_keys),
    ("POST", "/keys", Needs.SESSION, keys.create_key),
    ("POST", "/keys/{name}/rotate", Needs.SESSION, keys.rotate_key),
    ("DELETE", "/keys/{name}", Needs.SESSION, keys.revoke_key),
    ("GET", "/models", Needs.SESSION, models.list_models),
    ("PUT", "/models/aliases", Needs.SESSION, settings.replace_aliases),
    ("GET", "/settings", Needs.SESSION, settings.show_settings),
    ("PATCH", "/settings", Needs.SESSION, settings.change_settings),
    ("GET", "/usage", Needs.SESSION, records.show_usage),
    ("GET", "/requests", Needs.SESSION, records.list_requests),
    ("GET", "/requests/{id}", Needs.SESSION, records.show_request),
    ("POST", "/oauth/url", Needs.SESSION, oauth.begin_code),
    ("POST", "/oauth/device", Needs.SESSION, oauth.begin_device),
    ("POST", "/oauth/paste", Needs.SESSION, oauth.paste),
    ("GET", "/oauth/callback", Needs.NOTHING, oauth.come_back),
    ("POST", "/playground", Needs.SESSION, playground.ask),
    ("GET", "/oauth/flows/{flow}", Needs.SESSION, oauth.show_flow),
    ("DELETE", "/oauth/flows/{flow}", Needs.SESSION, oauth.give_up),
)


def add_admin_routes(app: web.Application, desk: Desk, *, expect_handler: ExpectHandler) -> None:
    """The page and its calls, and behind them a door for everything else that begins like them."""
    for method, path, needs, handler in CALLS:
        guard = guarded(desk, needs, handler)
        if handler is playground.ask:
            app[QUESTIONS][guard] = playground.PROTOCOL
        if method == "GET":
            app.router.add_get(START + path, guard)
        else:
            app.router.add_route(method, START + path, guard, expect_handler=expect_handler)
    nothing = guarded(desk, Needs.NOTHING, _nothing)
    app.router.add_route("*", START + "/{rest:.*}", nothing, expect_handler=expect_handler)


async def _nothing(visit: Visit) -> Answer:
    raise NotFound(f"There is nothing at this path for {visit.request.method}.")
