"""The vendors' own addresses, answered by a server on loopback: what is called https://apis.iflow.cn goes there."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from iflow_cli_proxy.config.schema import ProviderSettings
from iflow_cli_proxy.transport.base import Transport, UpstreamReply, UpstreamRequest
from iflow_cli_proxy.wiring.transports import Transports


class Rerouted(Transports):
    """`ways` maps the beginning of an address to what stands there instead; other addresses may not be called."""

    def __init__(self, ways: Mapping[str, str]) -> None:
        super().__init__()
        self.called: list[UpstreamRequest] = []
        """As they were meant."""
        self._ways = ways

    def of(self, table: ProviderSettings) -> Transport:
        return _Detour(super().of(table), self._ways, self.called)


class _Detour:
    def __init__(self, inner: Transport, ways: Mapping[str, str], called: list[UpstreamRequest]) -> None:
        self._inner = inner
        self._ways = ways
        self._called = called

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        self._called.append(request)
        for start, instead in self._ways.items():
            if request.url.startswith(start):
                url = instead + request.url.removeprefix(start)
                return await self._inner.send(msgspec.structs.replace(request, url=url))
        raise AssertionError(f"nobody expected a call of {request.url.partition('?')[0]}")

    async def aclose(self) -> None:
        await self._inner.aclose()
