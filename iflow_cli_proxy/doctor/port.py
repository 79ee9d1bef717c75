"""Can the gateway listen where it is told to, or does it already, or who is in the way?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from iflow_cli_proxy import __version__
from iflow_cli_proxy.config.schema import ServerSettings
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError, GatewayError
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.doctor.finding import Finding, Group, Status
from iflow_cli_proxy.signin.calling import call
from iflow_cli_proxy.transport.base import Transport, UpstreamRequest
from iflow_cli_proxy.wiring.binding import bind, resolve, url_of

_HEALTH_WITHIN_S: Final = 5.0
"""A busy machine is no reason to take our own gateway for a stranger."""

_finding = partial(Finding, group=Group.SERVER)


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """Where the gateway is to be found on this machine, whether or not it runs."""

    url: str
    version: str | None = None
    """Of the one that runs; None when none does."""


async def find_gateway(server: ServerSettings, transport: Transport) -> Gateway:
    """Ask at the configured address. Raises ConfigError when the host has no address."""
    _, address = (await resolve(server.host))[0]
    url = url_of(address, server.port)
    return Gateway(url=url, version=await _version_at(url, transport) if server.port else None)


async def examine(server: ServerSettings, gateway: Gateway) -> Finding:
    subject = f"port {server.port}"
    if not server.port:
        return _finding(status=Status.OK, subject="port", text="a free one is taken at each start")
    if gateway.version is not None:
        return _running(gateway, subject)
    try:
        for sock in await bind(await resolve(server.host), server.port):
            sock.close()
    except ConfigError as error:
        return _finding(status=Status.FAILURE, subject=subject, text=error.message, action=error.hint)
    return _finding(status=Status.OK, subject=subject, text=f"is free on {server.host}; no gateway runs there")


def _running(gateway: Gateway, subject: str) -> Finding:
    if gateway.version != __version__:
        return _finding(
            status=Status.WARNING,
            subject=subject,
            text=f"a gateway runs there, of version {gateway.version}; this is {__version__}",
            action="stop it and start it anew: iflow2api serve",
        )
    return _finding(status=Status.OK, subject=subject, text=f"a gateway of this version runs at {gateway.url}")


async def _version_at(url: str, transport: Transport) -> str | None:
    """What our own `/health` says; None from anybody else."""
    request = UpstreamRequest(url=f"{url}/health", headers={"Accept": "application/json"}, method="GET")
    try:
        answer = await call(transport, request, limit_s=_HEALTH_WITHIN_S)
        told = jsonx.decode(answer.body) if answer.status == 200 else None
    except (GatewayError, JsonError):
        return None
    version = told.get("version") if isinstance(told, dict) and told.get("status") == "ok" else None
    return version if isinstance(version, str) else None
