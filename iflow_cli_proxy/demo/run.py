"""Starting and ending the demo upstream on loopback."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from iflow_cli_proxy.demo.app import DemoApp
from iflow_cli_proxy.demo.auth import Keys

KEY: Final = "sk-demo-00000000000000000000000000000000"
"""The one key of a demo: it opens nothing but a simulation on loopback."""
DELAY_S: Final = 0.02
"""Between two chunks, so that a person sees words arrive."""

_ENDS_WITHIN_S: Final = 0.5


class DemoUpstream:
    """A demo that listens; `async with` closes it."""

    def __init__(self, app: DemoApp, runner: web.AppRunner, url: str, key: str) -> None:
        self.app = app
        self.url = url
        """Its base URL, as in `[providers.NAME]`."""
        self.key = key
        self._runner = runner

    async def aclose(self) -> None:
        """Stop listening and end what still hangs. Idempotent."""
        self.app.release()
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


async def start_demo(
    port: int = 0,
    *,
    keys: Keys | None = None,
    delay_s: float = DELAY_S,
    seed: int = 0,
    one_at_a_time: bool = False,
) -> DemoUpstream:
    """A demo on 127.0.0.1, at a free port unless one is named. Raises OSError when the port is taken."""
    keys = keys or Keys(good={KEY})
    app = DemoApp(keys, delay_s=delay_s, seed=seed, one_at_a_time=one_at_a_time)
    listener = socket.create_server(("127.0.0.1", port))
    runner = web.AppRunner(
        app.build(), handler_cancellation=True, access_log=None, shutdown_timeout=_ENDS_WITHIN_S
    )  # fmt: skip
    await runner.setup()
    await web.SockSite(runner, listener).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    return DemoUpstream(app, runner, url, next(iter(keys.good), ""))
