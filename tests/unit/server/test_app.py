"""Which paths there are. How each behaves is in tests/integration/test_routes.py."""

from __future__ import annotations

import re

from iflow_cli_proxy.protocols import CODECS, COUNTERS
from iflow_cli_proxy.server.app import build_app
from iflow_cli_proxy.server.keys import STATE
from tests.support.shell import shell_state


def _canonical(path: str) -> str:
    """As aiohttp calls it: names without their patterns."""
    return re.sub(r"\{(\w+):[^}]*\}", r"{\1}", path)


async def test_every_route_of_every_protocol_is_served() -> None:
    app = build_app(shell_state())
    served = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None}

    asked = {(spec.method, _canonical(spec.path)) for codec in CODECS.values() for spec in codec.routes}
    asked |= {("POST", _canonical(path)) for counter in COUNTERS for path in counter.paths}
    assert asked <= served
    assert {("GET", "/health"), ("GET", "/ready"), ("GET", "/v1/models"), ("HEAD", "/models")} <= served


async def test_two_applications_share_nothing() -> None:
    one, other = shell_state(), shell_state()

    assert build_app(one)[STATE] is one
    assert build_app(other)[STATE] is other
