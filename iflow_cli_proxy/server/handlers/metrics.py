"""`GET /metrics`: counters and gauges for Prometheus.

For whoever may use every account and every model (`privilege.py`), since it tells of all of them; for everybody where
the settings open it, as for a scraper in a closed network.
"""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web

from iflow_cli_proxy.core.errors import NotFound
from iflow_cli_proxy.server.keys import STATE
from iflow_cli_proxy.server.measuring import vitals_of
from iflow_cli_proxy.server.origin import refuse_other_origins
from iflow_cli_proxy.server.privilege import refuse_limited_callers


async def show(request: web.Request) -> web.Response:
    state = request.app[STATE]
    settings = state.settings.current.metrics
    if not settings.enabled:
        raise NotFound("Metrics are switched off here.", hint="set metrics.enabled to true")
    if not settings.open:
        refuse_other_origins(request)
        refuse_limited_callers(request)
    vitals, accept = vitals_of(state), request.headers.get(hdrs.ACCEPT, "")
    # In a thread: thousands of series take longer to write down than a stream should wait.
    text, content_type = await asyncio.to_thread(state.metrics.exposition, vitals, accept)
    return web.Response(body=text, headers={hdrs.CONTENT_TYPE: content_type, hdrs.CACHE_CONTROL: "no-store"})
