"""Connections through a SOCKS5 proxy. Imported only when one is configured.

Knows aiohttp_socks, which does the SOCKS talk and TLS behind it (docs/decisions/0002). `socks5` resolves names here,
`socks5h` leaves them to the proxy. Refuses to know requests and replies.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any
from urllib.parse import unquote, urlsplit

from aiohttp.client_proto import ResponseHandler
from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError

from iflow_cli_proxy.transport import faults
from iflow_cli_proxy.transport.lines import Line, LineConnector
from iflow_cli_proxy.transport.proxy import Proxy
from iflow_cli_proxy.transport.trust import reason_of


class SocksConnector(LineConnector, ProxyConnector):
    """A pool of lines whose far end is behind one proxy."""

    def __init__(self, proxy: Proxy, tls: ssl.SSLContext | None, connect_timeout_s: float) -> None:
        parts = urlsplit(proxy.url)
        self._proxy = proxy
        self._connect_timeout_s = connect_timeout_s
        super().__init__(
            tls,
            host=parts.hostname,
            port=parts.port,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            rdns=parts.scheme == "socks5h",
        )

    async def _wrap_create_connection(self, *args: Any, **kwargs: Any) -> tuple[asyncio.Transport, ResponseHandler]:
        try:
            return await super()._wrap_create_connection(*args, **kwargs)
        except ProxyTimeoutError as error:
            raise faults.connect_timed_out(self._proxy, self._connect_timeout_s) from error
        except ProxyConnectionError as error:
            raise faults.refused(self._proxy) from error
        except ProxyError as error:
            raise faults.proxy_refused(self._proxy) from error
        except ssl.SSLError as error:
            raise faults.tls_failed(reason_of(error)) from error
        except OSError as error:
            raise faults.proxy_refused(self._proxy) from error

    async def _connect_via_proxy(self, *args: Any, **kwargs: Any) -> tuple[asyncio.Transport, ResponseHandler]:
        transport, handler = await super()._connect_via_proxy(*args, **kwargs)
        line = Line(self._loop)
        line.owner = handler
        transport.set_protocol(line)
        line.connection_made(transport)
        return transport, line
