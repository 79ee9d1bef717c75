"""The aiohttp application around a gateway without sockets upstream: for tests of the server's own parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.config.schema import AuthSettings, ServerSettings, Settings
from iflow_cli_proxy.server.app import build_app
from iflow_cli_proxy.server.background import Supervisor
from iflow_cli_proxy.server.state import ServerState
from iflow_cli_proxy.state.paths import find_paths
from iflow_cli_proxy.wiring.accounts import Accounts
from tests.support.exchanges import bench
from tests.support.fake_clock import FakeClock
from tests.support.fake_transport import Answer, FakeReply

Client = TestClient[web.Request, web.Application]

QUESTION: Final = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
REPLY: Final = FakeReply(
    b'{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}'
)
WORD: Final = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n'
LAST: Final = b'data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
NOWHERE: Final = Path("/nonexistent")
EVENTS: Final = {"content-type": "text/event-stream"}


def shell_state(
    *answers: Answer, auth: AuthSettings | None = None, accounts: int = 1, concurrency: int = 0, **limits: Any
) -> ServerState:
    """`limits` are leaves of [server]; `answers` what the upstream says; 0 is no limit of concurrency."""
    settings = Settings(server=replace(ServerSettings(access_log=False), **limits), auth=auth or AuthSettings())
    return ServerState(
        settings=Live(settings),
        gateway=Live(bench(*(answers or (REPLY,)), count=accounts, concurrency=concurrency).gateway),
        accounts=Accounts(settings, find_paths({"IFLOW2API_HOME": str(NOWHERE)}), {}, home=NOWHERE),
        supervisor=Supervisor(),
        clock=FakeClock(),
        entropy=lambda size: bytes(range(size)),
    )


@asynccontextmanager
async def shell(state: ServerState) -> AsyncIterator[Client]:
    """A client of the application."""
    async with TestClient(TestServer(build_app(state))) as client:
        yield client
    await state.supervisor.aclose()


async def ask(client: Client, **fields: object) -> tuple[int, dict[str, str], bytes]:
    """Status, headers in lower case and body of one question."""
    async with client.post("/v1/chat/completions", json={**QUESTION, **fields}) as response:
        return response.status, {name.lower(): text for name, text in response.headers.items()}, await response.read()
