"""The real server in this process, in front of an upstream that counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.config.load import with_upstream
from iflow_cli_proxy.config.schema import LedgerSettings, ServerSettings, Settings
from iflow_cli_proxy.server.listener import Listener
from iflow_cli_proxy.server.run import Server
from iflow_cli_proxy.state.paths import find_paths
from iflow_cli_proxy.wiring.services import Services
from tests.support.raw_client import ask
from tests.support.raw_upstream import RawUpstream, Script, answer

GOOD_BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
GOOD_ANSWER = answer(
    b'{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,'
    b'"completion_tokens":1,"total_tokens":2}}'
)


@dataclass(frozen=True)
class FrontDoor:
    listener: Listener
    server: Server
    upstream: RawUpstream

    @property
    def port(self) -> int:
        return self.listener.port

    @property
    def served(self) -> int:
        """How many requests reached the upstream."""
        return len(self.upstream.requests)

    async def is_well(self) -> bool:
        return (await ask(self.port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")).status == 200


@asynccontextmanager
async def front_door(*scripts: Script, **limits: Any) -> AsyncIterator[FrontDoor]:
    """A gateway on a free port of loopback; `limits` are leaves of [server]."""
    server_settings = ServerSettings(**{"port": 0, "drain_s": 0.0, "access_log": False, **limits})
    async with RawUpstream(*(scripts or ([GOOD_ANSWER],))) as upstream:
        settings = with_upstream(
            Settings(server=server_settings, ledger=LedgerSettings(enabled=False)), f"{upstream.url}/v1", "key"
        )
        services = Services(Live(settings), find_paths({"IFLOW2API_HOME": str(Path("/nonexistent"))}), {})
        server = Server(services)
        try:
            yield FrontDoor(await server.start(), server, upstream)
        finally:
            await server.aclose()
