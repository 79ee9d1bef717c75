"""Row F46: an upstream that misbehaves in HTTP/2, which only the `mimic` transport speaks."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from tests.support.faults import ROLE, STOP, Facing, facing, piece, whole
from tests.support.h2_upstream import (
    INTERNAL_ERROR,
    REFUSED_STREAM,
    H2Upstream,
    Step,
    data,
    goaway,
    headers,
    rst,
    settings_flood,
)
from tests.support.transports import MB, rss_bytes

EVENTS = "text/event-stream"
GOOD: Sequence[Step] = [headers(), data(whole(), is_last=True)]


def said(*datas: str) -> bytes:
    return b"".join(f"data: {each}\n\n".encode() for each in datas)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def facing_h2(
    authority: trustme.CA, folder: Path, *scripts: Sequence[Step]
) -> AsyncIterator[tuple[Facing, H2Upstream]]:
    authority.cert_pem.write_to_path(folder / "ca.pem")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    async with (
        H2Upstream(tls, *scripts) as upstream,
        facing("mimic", more=f'ca_file = "{folder}/ca.pem"', url=lambda _: f"{upstream.url}/v1") as it,
    ):
        yield it, upstream


async def test_f46_a_good_answer_over_http_2(authority: trustme.CA, tmp_path: Path) -> None:
    stream = [headers(EVENTS), data(said(ROLE, piece("hello"))), data(said(STOP, "[DONE]"), is_last=True)]
    async with facing_h2(authority, tmp_path, GOOD, stream) as (it, upstream):
        await it.expect_answered(attempts=1)
        await it.expect_answered(text="hello", stream=True, attempts=1)
        assert upstream.connections == 1


@pytest.mark.parametrize(
    "script",
    [[rst(INTERNAL_ERROR)], [goaway(is_below=False, code=INTERNAL_ERROR), rst(INTERNAL_ERROR)]],
    ids=["rst", "goaway"],
)
async def test_f46_a_stream_reset_before_its_answer_is_tried_once_more(
    authority: trustme.CA, tmp_path: Path, script: list[Step]
) -> None:
    async with facing_h2(authority, tmp_path, script, GOOD) as (it, upstream):
        await it.expect_answered(attempts=2)
        assert upstream.requests == 2
    async with facing_h2(authority, tmp_path, script) as (it, upstream):
        await it.expect_refused(502, "upstream_connection_lost", attempts=2)
        assert upstream.requests == 2


@pytest.mark.parametrize("step", [rst(REFUSED_STREAM), goaway(is_below=True)], ids=["refused", "goaway-below"])
async def test_f46_a_stream_that_was_never_looked_at_is_sent_again(
    authority: trustme.CA, tmp_path: Path, step: Step
) -> None:
    async with facing_h2(authority, tmp_path, [step], GOOD) as (it, upstream):
        await it.expect_answered()
        assert upstream.requests == 2


async def test_f46_a_stream_that_is_always_refused_is_given_up(authority: trustme.CA, tmp_path: Path) -> None:
    async with facing_h2(authority, tmp_path, [rst(REFUSED_STREAM)]) as (it, upstream):
        await it.expect_refused(502, "upstream_connection_lost", attempts=2)
        # libcurl itself sends a refused stream five times more, and has no option against it.
        assert upstream.requests <= 12


async def test_f46_a_stream_reset_in_the_middle_ends_in_an_error_event(authority: trustme.CA, tmp_path: Path) -> None:
    cut = [headers(EVENTS), data(said(ROLE, piece("hello"))), rst(INTERNAL_ERROR)]
    async with facing_h2(authority, tmp_path, cut) as (it, upstream):
        await it.expect_broken("upstream_cut", text="hello", attempts=1)
        assert upstream.requests == 1


async def test_f46_a_running_stream_outlives_a_goaway(authority: trustme.CA, tmp_path: Path) -> None:
    last_words = [headers(EVENTS), data(said(ROLE, piece("hel"))), goaway(is_below=False)]
    rest = data(said(piece("lo"), STOP, "[DONE]"), is_last=True)
    async with facing_h2(authority, tmp_path, [*last_words, rest], GOOD) as (it, upstream):
        await it.expect_answered(text="hello", stream=True, attempts=1)
        await it.expect_answered()
        assert upstream.connections == 2


async def test_f46_a_flood_of_settings_costs_no_memory(authority: trustme.CA, tmp_path: Path) -> None:
    async with facing_h2(authority, tmp_path, [settings_flood(20_000), *GOOD]) as (it, _):
        before = rss_bytes()
        heard = await it.ask()
        assert heard.status in (200, 502, 504)
        assert rss_bytes() - before < 20 * MB
