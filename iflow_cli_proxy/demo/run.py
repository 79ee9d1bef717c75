"""Starting and ending the demo upstream on loopback, and the settings that lead a gateway to it."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.demo import iflow_signin, qwen_signin, standard_signin
from iflow_cli_proxy.demo.app import IFLOW_PATH, QWEN_PATH, STANDARD_PATH, DemoApp
from iflow_cli_proxy.demo.auth import Keys
from iflow_cli_proxy.demo.tokens import Rules

KEY: Final = "sk-demo-00000000000000000000000000000000"
"""The one key of a demo: it opens nothing but a simulation on loopback."""
DELAY_S: Final = 0.02
"""Between two chunks, so that a person sees words arrive."""

_ENDS_WITHIN_S: Final = 0.5


class DemoUpstream:
    """A demo that listens; `async with` closes it."""

    def __init__(self, app: DemoApp, runner: web.AppRunner, origin: str, key: str) -> None:
        self.app = app
        self.origin = origin
        self.url = f"{origin}{IFLOW_PATH}"
        """iFlow's base URL, as in `[providers.NAME]`."""
        self.qwen_url = f"{origin}{QWEN_PATH}"
        """Qwen's."""
        self.standard_url = f"{origin}{STANDARD_PATH}"
        """That of an API without peculiarities, whose bearer is the access token."""
        self.key = key
        self._runner = runner

    @property
    def providers(self) -> Mapping[str, Mapping[str, Any]]:
        """What `[providers]` of a config says to reach the demo: in the vendors' place, and as one without a name."""
        return {
            "iflow": {
                "base_url": self.url,
                "oauth": {
                    "authorize_url": self.origin + iflow_signin.AUTHORIZE_PATH,
                    "token_url": self.origin + iflow_signin.TOKEN_PATH,
                    "userinfo_url": self.origin + iflow_signin.USERINFO_PATH,
                },
            },
            "qwen": {
                "base_url": self.qwen_url,
                "oauth": {
                    "device_url": self.origin + qwen_signin.DEVICE_PATH,
                    "token_url": self.origin + qwen_signin.TOKEN_PATH,
                },
            },
            "standard": {
                "kind": "openai_compatible",
                "base_url": self.standard_url,
                "oauth": {
                    "authorize_url": self.origin + standard_signin.AUTHORIZE_PATH,
                    "device_url": self.origin + standard_signin.DEVICE_PATH,
                    "token_url": self.origin + standard_signin.TOKEN_PATH,
                    "client_id": standard_signin.CLIENT_ID,
                },
            },
        }

    @property
    def toml(self) -> str:
        """The same as text to paste into config.toml."""
        lines = []
        for name, table in self.providers.items():
            own = {leaf: value for leaf, value in table.items() if leaf != "oauth"}
            lines += [f"[providers.{name}]", *_leaves(own), f"[providers.{name}.oauth]", *_leaves(table["oauth"]), ""]
        return "\n".join(lines)

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
    token_lifetime_s: float = 0.0,
    approves_by_itself: bool = False,
    rules: Rules | None = None,
    clock: Clock | None = None,
    entropy: Entropy = os.urandom,
) -> DemoUpstream:
    """A demo on 127.0.0.1, at a free port unless one is named. Raises OSError when the port is taken.

    `rules` say all there is to say about sign-in; the two before it are those that a person sets most.
    """
    keys = keys or Keys(good={KEY})
    rules = rules or Rules(token_lifetime_s=token_lifetime_s, approves_by_itself=approves_by_itself)
    app = DemoApp(
        keys, delay_s=delay_s, seed=seed, one_at_a_time=one_at_a_time, rules=rules, clock=clock, entropy=entropy
    )
    listener = socket.create_server(("127.0.0.1", port))
    runner = web.AppRunner(
        app.build(), handler_cancellation=True, access_log=None, shutdown_timeout=_ENDS_WITHIN_S
    )  # fmt: skip
    await runner.setup()
    await web.SockSite(runner, listener).start()
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    return DemoUpstream(app, runner, origin, next(iter(keys.good), ""))


def _leaves(table: Mapping[str, str]) -> list[str]:
    return [f'{leaf} = "{value}"' for leaf, value in table.items()]
