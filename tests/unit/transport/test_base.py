from __future__ import annotations

from iflow_cli_proxy.transport.base import TransportOptions, UpstreamRequest


def test_equal_options_can_share_one_transport() -> None:
    shared = {TransportOptions(): 1}
    assert shared[TransportOptions()] == 1
    assert TransportOptions(proxy="http://p:1") not in shared


def test_a_request_posts_unless_told_otherwise() -> None:
    request = UpstreamRequest(url="http://h/", headers={})
    assert (request.method, request.body) == ("POST", b"")
