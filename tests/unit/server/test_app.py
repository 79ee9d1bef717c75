"""Which paths there are. How each behaves is in tests/integration/test_routes.py."""

from __future__ import annotations

from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.server.app import build_app
from iflow_cli_proxy.server.keys import STATE
from tests.support.shell import shell_state


async def test_every_route_of_every_protocol_is_served() -> None:
    app = build_app(shell_state())
    served = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None}

    assert {(spec.method, spec.path) for codec in CODECS.values() for spec in codec.routes} <= served
    assert {("GET", "/health"), ("GET", "/ready"), ("GET", "/v1/models"), ("HEAD", "/models")} <= served


async def test_two_applications_share_nothing() -> None:
    one, other = shell_state(), shell_state()

    assert build_app(one)[STATE] is one
    assert build_app(other)[STATE] is other
