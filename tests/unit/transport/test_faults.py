from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import ConnectionLost, Malformed, Retry
from iflow_cli_proxy.transport import faults
from iflow_cli_proxy.transport.proxy import Proxy

PROXY = Proxy("http://me:hunter2@10.1.2.3:3128", "HTTPS_PROXY")


def test_no_message_shows_a_proxys_address_or_password() -> None:
    for fault in (
        faults.refused(PROXY),
        faults.connect_timed_out(PROXY, 5),
        faults.proxy_refused(PROXY, 407),
        faults.proxy_refused(PROXY, 502),
        faults.proxy_refused(PROXY),
    ):
        said = f"{fault.message} {fault.hint} {fault.detail} {fault.param}"
        assert "HTTPS_PROXY" in fault.message
        assert "hunter2" not in said
        assert "10.1.2.3" not in said


def test_a_proxys_status_is_told() -> None:
    assert "password (status 407)" in faults.proxy_refused(PROXY, 407).message
    assert "(status 502)" in faults.proxy_refused(PROXY, 502).message
    assert "status" not in faults.proxy_refused(PROXY).message


def test_a_stale_connection_is_a_lost_one_to_everybody_else() -> None:
    stale = faults.lost(is_stale=True)
    assert isinstance(stale, ConnectionLost)
    assert (stale.kind, stale.retry, stale.is_ambiguous) == (ConnectionLost.kind, Retry.SAME, True)
    assert not isinstance(faults.lost(), faults.StaleConnection)


@pytest.mark.parametrize("status", [200, 204, 404, 529, 599])
def test_ordinary_heads_pass(status: int) -> None:
    faults.check_head(status, lengths=1, transfer_encoding=None)
    faults.check_head(status, lengths=0, transfer_encoding=" Chunked ")
    faults.check_head(status, lengths=0, transfer_encoding=None)


@pytest.mark.parametrize(
    ("status", "lengths", "coding"),
    [(101, 0, None), (0, 0, None), (600, 0, None), (200, 2, None), (200, 1, "chunked"), (200, 0, "gzip, chunked")],
)
def test_heads_with_an_unclear_body_are_refused(status: int, lengths: int, coding: str | None) -> None:
    with pytest.raises(Malformed):
        faults.check_head(status, lengths=lengths, transfer_encoding=coding)
