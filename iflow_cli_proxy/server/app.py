"""The aiohttp application: its middlewares, routes and what a request may expect, in the order they happen."""

from __future__ import annotations

from aiohttp import hdrs, web

from iflow_cli_proxy.core.errors import ExpectationFailed, TooLarge
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.server.handlers import health, models
from iflow_cli_proxy.server.handlers.generate import generate
from iflow_cli_proxy.server.keys import EXCHANGE, STATE
from iflow_cli_proxy.server.middleware.access_log import log_access
from iflow_cli_proxy.server.middleware.client_auth import authenticate
from iflow_cli_proxy.server.middleware.errors import answer_errors, error_response
from iflow_cli_proxy.server.middleware.limits import admit
from iflow_cli_proxy.server.middleware.request_id import name_request
from iflow_cli_proxy.server.state import ServerState


def build_app(state: ServerState) -> web.Application:
    """No module-level app and no globals: a test passes a state of its own."""
    app = web.Application(middlewares=[name_request, log_access, answer_errors, authenticate, admit])
    app[STATE] = state
    routes = app.router
    for codec in CODECS.values():
        handler = generate(codec)
        for spec in codec.routes:
            routes.add_route(spec.method, spec.path, handler, expect_handler=expect)
    for prefix in ("/v1", ""):
        routes.add_get(f"{prefix}/models", models.list_models)
        routes.add_get(f"{prefix}/models/{{id:.+}}", models.get_model)
    routes.add_get("/v1/vision-models", models.list_vision_models)
    routes.add_get("/health", health.health)
    routes.add_get("/ready", health.ready)
    return app


async def expect(request: web.Request) -> web.StreamResponse | None:
    """`Expect: 100-continue` is granted only to a body we would take (I19); anything else we cannot meet."""
    state = request.app[STATE]
    request[EXCHANGE] = Exchange(request_id="", protocol="", started_at=state.clock.monotonic())
    if request.headers.get(hdrs.EXPECT, "").lower() != "100-continue":
        return error_response(request, ExpectationFailed("Only `Expect: 100-continue` can be met.", param="Expect"))
    limit = state.settings.current.server.max_body_bytes
    if (request.content_length or 0) > limit:
        return error_response(request, TooLarge(f"The body is larger than {limit} bytes."))
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    # The interim answer is not the answer: the writer must not think that the head is out.
    request.writer.output_size = 0
    return None
