"""The sign-in servers of the demo in one object, and the paths by which a person makes them fail by hand.

curl -X POST 'http://127.0.0.1:PORT/demo/faults?add=refresh:overload@3'
curl http://127.0.0.1:PORT/demo
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from aiohttp import web

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.demo import mishaps
from iflow_cli_proxy.demo.auth import Keys
from iflow_cli_proxy.demo.desk import Desk
from iflow_cli_proxy.demo.iflow_signin import IflowSignIn
from iflow_cli_proxy.demo.qwen_signin import QwenSignIn
from iflow_cli_proxy.demo.standard_signin import StandardSignIn
from iflow_cli_proxy.demo.tokens import Rules


class OAuthDemo:
    """`faults` says what goes wrong next, `calls` what happened, `rules` how the servers behave."""

    def __init__(self, keys: Keys, rules: Rules, clock: Clock, entropy: Entropy, *, qwen_path: str) -> None:
        self.rules = rules
        self._desk = Desk(rules)
        self.iflow = IflowSignIn(self._desk, keys, rules, clock, entropy)
        self.qwen = QwenSignIn(self._desk, rules, clock, entropy, api_path=qwen_path)
        self.standard = StandardSignIn(self._desk, rules, clock, entropy)

    @property
    def calls(self) -> Counter[str]:
        return self._desk.calls

    @property
    def faults(self) -> mishaps.FaultQueue:
        return self._desk.faults

    def routes(self) -> Iterator[web.RouteDef]:
        yield from self.iflow.routes()
        yield from self.qwen.routes()
        yield from self.standard.routes()
        yield web.get("/demo", self._show)
        yield web.post("/demo/faults", self._add_fault)
        yield web.delete("/demo/faults", self._clear_faults)
        yield web.post("/demo/expire", self._expire)

    def release(self) -> None:
        """End the calls that hang on purpose."""
        self._desk.closing.set()

    async def _show(self, _: web.Request) -> web.StreamResponse:
        calls = ", ".join(f"{name} {self.calls[name]}" for name in mishaps.ENDPOINTS)
        lines = [
            f"calls:   {calls}",
            f"waiting: {', '.join(self.faults) or 'nothing'}",
            "",
            "POST   /demo/faults?add=[AT:]NAME[@TIMES]   let something go wrong next (@0: always)",
            "DELETE /demo/faults                         let everything go well again",
            "POST   /demo/expire                         end every access token now",
            "",
            f"AT:   {', '.join((mishaps.TOKEN, *mishaps.ENDPOINTS))}",
            f"NAME: {', '.join(mishaps.ALL)}",
        ]
        return web.Response(text="\n".join(lines) + "\n")

    async def _add_fault(self, request: web.Request) -> web.StreamResponse:
        try:
            self.faults.append(request.query.get("add", ""))
        except ValueError as error:
            return web.Response(status=400, text=f"{error}; GET /demo lists them\n")
        return await self._show(request)

    async def _clear_faults(self, request: web.Request) -> web.StreamResponse:
        self.faults.clear()
        return await self._show(request)

    async def _expire(self, request: web.Request) -> web.StreamResponse:
        for vendor in (self.iflow, self.qwen, self.standard):
            vendor.tokens.end_access()
        return await self._show(request)
