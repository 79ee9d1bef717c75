from __future__ import annotations

import subprocess
import sys

import pytest

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.transport import TRANSPORTS, open_transport
from iflow_cli_proxy.transport.base import TransportOptions
from iflow_cli_proxy.transport.mimic import MimicTransport
from iflow_cli_proxy.transport.plain import PlainTransport


@pytest.mark.parametrize(
    ("kind", "cls"), [("plain", PlainTransport), ("auto", PlainTransport), ("mimic", MimicTransport)]
)
async def test_each_kind_opens_its_transport(kind: str, cls: type) -> None:
    transport = open_transport(TransportOptions(kind=kind))
    assert type(transport) is cls
    await transport.aclose()


def test_an_unknown_kind_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        open_transport(TransportOptions(kind="telepathy"))
    assert caught.value.param == "upstream.transport"
    assert all(kind in caught.value.hint for kind in TRANSPORTS)


def test_looking_at_the_port_loads_no_http_library() -> None:
    code = (
        "import sys, iflow_cli_proxy.transport.base, iflow_cli_proxy.transport;"
        "print([name for name in ('aiohttp', 'curl_cffi', 'aiohttp_socks') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"
