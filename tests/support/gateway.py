"""A real gateway in this process: real sockets, real settings, any upstream a test names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.config.load import ConfigText, load
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.server.run import Server
from iflow_cli_proxy.state.paths import find_paths
from iflow_cli_proxy.wiring.services import Services


@dataclass
class RunningGateway:
    """What a test holds on to. `exchanges` collects the record of every exchange that ended."""

    url: str
    port: int
    server: Server
    services: Services
    exchanges: list[Exchange]

    @property
    def in_flight(self) -> int:
        """Requests being served plus leases out: both must be 0 when nothing runs."""
        standings = self.services.pool.standings()
        return len(self.server.state.in_flight) + sum(standing.in_flight for standing in standings)

    async def is_idle_within(self, limit_s: float = 1.0) -> bool:
        """Whether every slot is free again within `limit_s`."""
        for _ in range(int(limit_s / 0.01)):
            if not self.in_flight:
                return True
            await asyncio.sleep(0.01)
        return not self.in_flight


def settings_from(toml: str, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings as `config.toml` would give them, on a free port of loopback."""
    config = ConfigText("config.toml", toml)
    return load(config=config, environ=environ, flags={"server.port": 0, "server.host": "127.0.0.1"})[0]


def upstream_table(url: str, *, transport: str = "plain", more: str = "") -> str:
    """The TOML of one provider called `up` that answers for every model."""
    return f"""
[routing]
default_provider = "up"
[providers.up]
kind = "openai_compatible"
base_url = "{url}"
transport = "{transport}"
{more}
"""


@asynccontextmanager
async def running_gateway(
    toml: str, environ: Mapping[str, str] | None = None, *, home: Path | None = None
) -> AsyncIterator[RunningGateway]:
    """Serve with these settings; nothing of this machine's user is read. `home` stands in for theirs and for ours."""
    with TemporaryDirectory() as folder:
        home = home or Path(folder)
        around = {"IFLOW2API_HOME": str(home), **(environ or {})}
        live = Live(settings_from(toml, environ))
        services = Services(live, find_paths(around), around, home=home, chance=lambda: 0.5)
        server = Server(services)
        exchanges: list[Exchange] = []
        server.state.observers.append(exchanges.append)
        listener = await server.start()
        try:
            yield RunningGateway(listener.urls[0], listener.port, server, services, exchanges)
        finally:
            await server.aclose()


def chat_body(*, stream: bool = False, **fields: object) -> dict[str, object]:
    body: dict[str, object] = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    return body | ({"stream": True} if stream else {})


async def post_chat(
    gateway: RunningGateway, body: object = None, **options: object
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (lower case) and whole body of one call; default body is a plain question."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{gateway.url}/v1/chat/completions", json=body or chat_body(), **options) as response,  # type: ignore[arg-type]
    ):
        return response.status, {k.lower(): v for k, v in response.headers.items()}, await response.read()
