"""The parts; the whole is in tests/integration/test_admin_socket.py."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.server.admin.socket import Pace, _check_handshake
from tests.support.fake_clock import FakeClock


def test_sixty_frames_in_ten_seconds_and_not_one_more() -> None:
    clock = FakeClock()
    pace = Pace(clock)

    assert all(pace.allows() for _ in range(60))
    assert not pace.allows()
    clock.advance(10)
    assert pace.allows()


@pytest.mark.parametrize("version", ["", "7", "8", "12", "14", "13, 8"])
def test_only_version_13_is_spoken(version: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        _check_handshake(
            make_mocked_request(
                "GET", "/admin/ws", {"Upgrade": "websocket", "Sec-WebSocket-Version": version, "Sec-WebSocket-Key": "x"}
            )
        )
    assert raised.value.status == 426
