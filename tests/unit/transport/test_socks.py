from __future__ import annotations

import pytest
from python_socks import ProxyType

from iflow_cli_proxy.transport.lines import LineConnector
from iflow_cli_proxy.transport.proxy import Proxy
from iflow_cli_proxy.transport.socks import SocksConnector


@pytest.mark.parametrize(("scheme", "remote"), [("socks5", False), ("socks5h", True)])
async def test_the_scheme_says_who_resolves_names(scheme: str, remote: bool) -> None:
    proxy = Proxy(f"{scheme}://me:p%40ss@host:1081", "upstream.proxy")
    connector = SocksConnector(proxy, None, 5.0)
    assert isinstance(connector, LineConnector)
    assert connector._proxy_type is ProxyType.SOCKS5
    assert (connector._proxy_host, connector._proxy_port) == ("host", 1081)
    assert (connector._proxy_username, connector._proxy_password) == ("me", "p@ss")
    assert connector._rdns is remote
    await connector.close()
