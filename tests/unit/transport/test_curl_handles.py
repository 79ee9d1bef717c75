from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.transport.base import TransportOptions, UpstreamRequest
from iflow_cli_proxy.transport.curl_handles import Handle, Multi
from tests.support.raw_upstream import RawUpstream, answer, close


class Notebook:
    """Writes down what a handle reports."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.body = b""
        self.ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    def on_header(self, line: bytes) -> bool:
        self.lines.append(line)
        return True

    def on_body(self, data: bytes) -> int:
        self.body += data
        return len(data)

    def on_end(self, error: BaseException | None) -> None:
        self.ended.set_result(error)


@pytest.fixture
async def multi() -> AsyncIterator[Multi]:
    multi = Multi()
    yield multi
    await multi.close()  # type: ignore[no-untyped-call]


async def perform(multi: Multi, handle: Handle, request: UpstreamRequest) -> Notebook:
    notebook = Notebook()
    handle.receiver = notebook
    handle.prepare(request, None)
    multi.add_handle(handle)
    await asyncio.wait_for(notebook.ended, 2)
    handle.receiver = None
    handle.forget()
    return notebook


def test_an_unknown_browser_is_a_setting_to_correct() -> None:
    with pytest.raises(ConfigError) as caught:
        Handle(TransportOptions(impersonate="netscape4"))
    assert caught.value.param == "upstream.impersonate"


async def test_a_handle_reports_lines_pieces_and_the_end(multi: Multi) -> None:
    handle = Handle(TransportOptions())
    async with RawUpstream([answer(b"hello")]) as upstream:
        seen = await perform(multi, handle, UpstreamRequest(url=upstream.url, headers={}))
    assert seen.lines[0] == b"HTTP/1.1 200 OK\r\n"
    assert seen.lines[-1] == b"\r\n"
    assert (seen.body, seen.ended.result()) == (b"hello", None)


async def test_a_forgotten_request_leaves_nothing_for_the_next(multi: Multi) -> None:
    handle = Handle(TransportOptions())
    async with RawUpstream([answer(b"1")]) as upstream:
        first = UpstreamRequest(url=upstream.url, headers={"Authorization": "Bearer one", "X": "1"}, body=b"first")
        await perform(multi, handle, first)
        assert handle._body_handle is None
        await perform(multi, handle, UpstreamRequest(url=upstream.url, headers={"Authorization": "Bearer two"}))
        names = [name for name, _ in upstream.requests[1].headers]
    assert names == ["Host", "Authorization", "Accept-Encoding", "Content-Length"]
    assert upstream.requests[1].header("authorization") == "Bearer two"
    assert upstream.requests[1].body == b""


async def test_a_failure_is_reported_once_and_the_handle_lives_on(multi: Multi) -> None:
    handle = Handle(TransportOptions())
    async with RawUpstream([close], [answer(b"ok")]) as upstream:
        failed = await perform(multi, handle, UpstreamRequest(url=upstream.url, headers={}))
        assert failed.ended.result() is not None
        assert (await perform(multi, handle, UpstreamRequest(url=upstream.url, headers={}))).body == b"ok"


@pytest.mark.parametrize("header", [("X", "a\nb"), ("X", "a\r"), ("X\0", "a"), ("X\r\nY", "a")])
def test_a_header_with_a_line_break_is_refused(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="line break"):
        Handle(TransportOptions()).prepare(UpstreamRequest(url="http://h/", headers=dict([header])), None)
