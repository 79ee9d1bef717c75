"""The aiohttp application: its middlewares, routes and what a request may expect, in the order they happen."""

from __future__ import annotations

from aiohttp import web

from iflow_cli_proxy.protocols import CODECS, COUNTERS
from iflow_cli_proxy.server.admin.desk import Desk
from iflow_cli_proxy.server.admin.routes import add_admin_routes
from iflow_cli_proxy.server.dialect import GEMINI_METHODS
from iflow_cli_proxy.server.handlers import accounts, docs, health, live, metrics, models, responses, sign_in
from iflow_cli_proxy.server.handlers.count_tokens import count_tokens
from iflow_cli_proxy.server.handlers.generate import generate
from iflow_cli_proxy.server.keys import METRICS_PATH, QUESTIONS, STATE
from iflow_cli_proxy.server.middleware.access_log import log_access
from iflow_cli_proxy.server.middleware.client_auth import authenticate
from iflow_cli_proxy.server.middleware.errors import answer_errors
from iflow_cli_proxy.server.middleware.limits import admit
from iflow_cli_proxy.server.middleware.request_id import name_request, sign
from iflow_cli_proxy.server.state import ServerState


def build_app(state: ServerState, desk: Desk | None = None) -> web.Application:
    """No module-level app and no globals: a test passes a state of its own. Without a desk there is no admin page."""
    app = web.Application(middlewares=[name_request, log_access, answer_errors, authenticate, admit])
    app[STATE] = state
    app.on_response_prepare.append(sign)
    app[QUESTIONS] = {}
    routes = app.router
    for codec in CODECS.values():
        handler = generate(codec, responses.begin if codec.name == responses.PROTOCOL else None)
        app[QUESTIONS][handler] = codec.name
        for spec in codec.routes:
            routes.add_route(spec.method, spec.path, handler, expect_handler=_later)
    for counter in COUNTERS:
        for path in counter.paths:
            routes.add_post(path, count_tokens(counter), expect_handler=_later)
    for prefix in ("/v1", "", "/anthropic/v1", "/v1beta"):
        routes.add_get(f"{prefix}/models", models.list_models)
        routes.add_get(f"{prefix}/models/{{id:.+}}", models.get_model)
    for prefix in ("/v1", ""):
        routes.add_get(f"{prefix}/responses/{{id}}", responses.get_response)
        routes.add_get(f"{prefix}/responses/{{id}}/input_items", responses.list_input_items)
        routes.add_delete(f"{prefix}/responses/{{id}}", responses.delete_response)
    routes.add_get("/v1/vision-models", models.list_vision_models)
    routes.add_get("/api/tags", models.list_models)
    routes.add_get("/api/ps", models.list_loaded_models)
    routes.add_get("/api/version", models.tell_ollama_version)
    routes.add_post("/api/show", models.show_ollama_model, expect_handler=_later)
    routes.add_post("/auth/initiate", sign_in.initiate, expect_handler=_later)
    routes.add_post("/auth/poll", sign_in.poll, expect_handler=_later)
    routes.add_get("/debug/accounts", accounts.list_accounts)
    routes.add_get("/debug/live", live.show_live)
    routes.add_post("/debug/accounts/{id}/reset", accounts.reset, expect_handler=_later)
    if desk is not None:
        add_admin_routes(app, desk, expect_handler=_later)
    for path in GEMINI_METHODS:
        routes.add_post(path, models.refuse_method, expect_handler=_later)
    routes.add_get(METRICS_PATH, metrics.show)
    routes.add_get("/openapi.json", docs.openapi)
    routes.add_get("/docs", docs.page)
    routes.add_get("/docs/{file}", docs.file)
    routes.add_get("/", health.greet)
    routes.add_get("/health", health.health)
    routes.add_get("/ready", health.ready)
    return app


async def _later(request: web.Request) -> None:
    """`Expect: 100-continue` is granted by whoever wants the body, so not before the key was checked (I19)."""
