from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from iflow_cli_proxy.core.errors import LoginRequired
from iflow_cli_proxy.providers.signin import OAuthClient
from iflow_cli_proxy.signin import loopback
from iflow_cli_proxy.signin.loopback import CodeListener, listen_for_code
from tests.support.patience import PATIENCE_S, until
from tests.support.raw_client import RawAnswer, RawClient, ask

STATE = "5" * 64
OTHER_STATE = "6" * 64
CLIENT = OAuthClient(
    provider="iflow", token_url="https://id.example/token", client_id="c", authorize_url="https://id.example/authorize"
)
GOOD = f"/oauth2callback?code=canary-code&state={STATE}"


@asynccontextmanager
async def listening(client: OAuthClient = CLIENT, **options: Any) -> AsyncIterator[tuple[CodeListener, int]]:
    async with listen_for_code(client, STATE, **options) as listener:
        yield listener, int(listener.redirect_uri.split(":")[2].partition("/")[0])


def request(port: int, target: str, *, method: str = "GET", host: str = "", extra: str = "") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{port}'}\r\n{extra}\r\n".encode()


async def get(port: int, target: str, **options: str) -> RawAnswer:
    return await ask(port, request(port, target, **options))


async def browse(port: int, target: str) -> RawAnswer:
    """As a browser: where it is sent on within this machine, it goes."""
    answer = await get(port, target)
    while answer.status == 303:
        answer = await get(port, answer.headers["location"])
    return answer


async def has_no_answer(listener: CodeListener) -> bool:
    try:
        await listener.code(0.01)
    except LoginRequired as error:
        return error.code == "timeout"
    return False


def is_free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def test_the_code_comes_back_and_the_browser_sees_how_it_ended() -> None:
    async with listening() as (listener, port):
        browser = asyncio.ensure_future(browse(port, GOOD))
        assert await listener.code() == "canary-code"
        assert not browser.done()
        await listener.finish(True, "iflow: <me>")
        page = await browser

    assert page.status == 200
    assert b"Signed in" in page.body
    assert b"iflow: &lt;me&gt;" in page.body
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["connection"] == "close"
    assert is_free(port)


async def test_i45_the_code_leaves_the_address_bar_at_once() -> None:
    async with listening() as (_, port):
        answer = await get(port, GOOD)
        assert answer.status == 303
        assert answer.headers["location"] == "/oauth2callback/done"
        assert answer.headers["referrer-policy"] == "no-referrer"
        await get_rid_of(port)


async def get_rid_of(port: int) -> None:
    """Leave the page that waits, as a person who closes the window."""
    client = await RawClient.connect(port)
    await client.send(request(port, "/oauth2callback/done"))
    client.close()


async def test_a_failure_tells_the_browser_what_to_type() -> None:
    async with listening() as (listener, port):
        browser = asyncio.ensure_future(browse(port, GOOD))
        await listener.code()
        await listener.finish(False, "The server is <away>.")
        page = await browser
        await listener.finish(True, "only the first word counts")

    assert b"The server is &lt;away&gt;." in page.body
    assert b"<code>iflow2api login iflow</code>" in page.body


async def test_a_block_that_is_left_without_a_word_tells_the_browser_too() -> None:
    async with listening() as (listener, port):
        browser = asyncio.ensure_future(browse(port, GOOD))
        await listener.code()
    assert b"The sign-in did not work" in (await browser).body


async def test_a_browser_is_not_kept_waiting_for_ever_and_may_look_again() -> None:
    async with listening(held_s=0.05) as (listener, port):
        assert b"Almost done" in (await browse(port, GOOD)).body
        assert await listener.code() == "canary-code"
        end = asyncio.ensure_future(listener.finish(True))
        assert b"Signed in" in (await get(port, "/oauth2callback/done")).body
        await end


@pytest.mark.parametrize(
    "query",
    [
        f"?code=evil&state={OTHER_STATE}",
        f"?code=evil&state={STATE[:-1]}",
        "?code=evil",
        "?code=evil&state=",
        "?code=evil&state=%F0%9F%92%A9%FF",
        f"?code=evil&state={STATE}&state={STATE}",
        f"?code=ev%00il&state={STATE}",
        "?error=access_denied&state=other",
    ],
)
async def test_i49_an_answer_without_our_state_is_refused_and_the_right_one_still_counts(query: str) -> None:
    async with listening() as (listener, port):
        for _ in range(3):
            page = await get(port, f"/oauth2callback{query}")
            assert page.status == 400
            assert b"iflow2api login iflow" in page.body
        assert await has_no_answer(listener)

        browser = asyncio.ensure_future(browse(port, GOOD))
        assert await listener.code() == "canary-code"
        await listener.finish(True)
        await browser


async def test_i49_i50_the_first_answer_wins_and_a_second_is_told_that_it_is_over() -> None:
    async with listening() as (listener, port):
        both = await asyncio.gather(get(port, GOOD), get(port, GOOD.replace("canary-code", "second")))
        assert sorted(answer.status for answer in both) == [303, 400]
        assert b"This answer has been used" in next(answer.body for answer in both if answer.status == 400)
        code = await listener.code()
        assert code == ("canary-code" if both[0].status == 303 else "second")
        assert b"This answer has been used" in (await get(port, GOOD)).body
        assert await listener.code() == code
        await get_rid_of(port)


async def test_i50_a_refusal_ends_it_and_its_words_are_escaped() -> None:
    query = f"?error=bad&error_description=a%3Ci%3Eb%22%26&state={STATE}"
    async with listening() as (listener, port):
        browser = asyncio.ensure_future(browse(port, f"/oauth2callback{query}"))
        with pytest.raises(LoginRequired) as caught:
            await listener.code()
    page = await browser
    assert caught.value.code == "bad"
    assert b"a b&quot;&amp;" in page.body
    assert b"<i>" not in page.body


async def test_i50_a_refusal_by_the_person_is_named() -> None:
    async with listening() as (listener, port):
        browser = asyncio.ensure_future(browse(port, "/oauth2callback?error=access_denied"))
        with pytest.raises(LoginRequired) as caught:
            await listener.code()
    assert caught.value.code == "access_denied"
    assert b"refused in the browser" in (await browser).body


@pytest.mark.parametrize("target", ["/oauth2callback", "/oauth2callback?", f"/oauth2callback?state={STATE}"])
async def test_i50_a_code_in_the_fragment_cannot_be_seen_and_the_page_says_what_to_do(target: str) -> None:
    async with listening() as (listener, port):
        page = await get(port, target)
        assert page.status == 400
        assert b"# sign" in page.body
        assert b"paste it into the terminal" in page.body
        assert await has_no_answer(listener)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/", 404),
        ("/favicon.ico", 404),
        (GOOD.replace("callback", "callback/"), 404),
        (GOOD.replace("oauth2", "OAUTH2"), 404),
        (GOOD.replace("callback", "c%61llback"), 404),
        (f"/x/..{GOOD}", 404),
        (f"/{GOOD}", 404),
        (f"http://127.0.0.1{GOOD}", 404),
        ("/oauth2callback/done", 404),
    ],
)
async def test_i51_only_the_one_path_is_served(target: str, status: int) -> None:
    async with listening() as (listener, port):
        assert (await get(port, target)).status == status
        assert await has_no_answer(listener)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_i51_only_get_is_served(method: str) -> None:
    async with listening() as (listener, port):
        answer = await get(port, GOOD, method=method, extra="Content-Length: 0\r\n")
        assert (answer.status, answer.headers["allow"]) == (405, "GET")
        assert await has_no_answer(listener)


async def test_i51_a_method_that_nobody_knows_is_refused() -> None:
    async with listening() as (listener, port):
        assert (await get(port, GOOD, method="BREW")).status in (400, 405)
        assert await has_no_answer(listener)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}"])
async def test_i51_a_page_under_another_name_does_not_reach_us(host: str) -> None:
    async with listening() as (listener, port):
        assert (await get(port, GOOD, host=host.format(port=port))).status == 403
        assert await has_no_answer(listener)


@pytest.mark.parametrize(
    "extra",
    [
        "Origin: https://evil.example\r\n",
        "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n",
        "Sec-Fetch-Mode: cors\r\n",
        "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n",
        "Host: evil.example\r\n",
    ],
)
async def test_i51_pictures_frames_and_scripts_of_other_pages_do_not_reach_us(extra: str) -> None:
    async with listening() as (listener, port):
        assert (await get(port, GOOD, extra=extra)).status in (400, 403)
        assert await has_no_answer(listener)


async def test_what_a_browser_sends_of_itself_is_fine() -> None:
    headers = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"
    async with listening(replace(CLIENT, redirect_host="localhost")) as (listener, port):
        assert listener.redirect_uri == f"http://localhost:{port}/oauth2callback"
        assert (await get(port, GOOD, host=f"LOCALHOST:{port}", extra=headers)).status == 303
        assert await listener.code() == "canary-code"
        await get_rid_of(port)


async def test_i51_a_hundred_strangers_and_bytes_that_are_no_http_change_nothing(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with listening() as (listener, port):
        answers = await asyncio.gather(*(get(port, f"/{number}") for number in range(100)))
        assert {answer.status for answer in answers} == {404}
        await asyncio.gather(*(ask(port, b"\x16\x03\x01 canary-code\r\n\r\n") for _ in range(5)))
        await ask(port, request(port, f"/oauth2callback?code={'x' * 20_000}"))
        silent = [await RawClient.connect(port) for _ in range(5)]
        browser = asyncio.ensure_future(browse(port, GOOD))
        assert await listener.code() == "canary-code"
        await listener.finish(True)
        assert (await browser).status == 200
    for client in silent:
        client.close()
    assert not [record for record in caplog.records if record.levelno >= logging.INFO]
    assert "canary" not in caplog.text
    assert capfd.readouterr().err == ""


async def test_i51_the_listener_is_on_loopback_alone() -> None:
    async with listening() as (_, port):
        with socket.socket() as sock:
            sock.settimeout(1)
            assert sock.connect_ex(("127.0.0.2", port)) != 0


async def test_i51_after_its_time_nobody_listens_any_more() -> None:
    async with listening() as (listener, port):
        with pytest.raises(LoginRequired) as caught:
            await listener.code(0.02)
    assert caught.value.code == "timeout"
    assert "iflow2api login iflow" in caught.value.hint
    assert is_free(port)
    with pytest.raises(ConnectionRefusedError):
        await RawClient.connect(port)


async def test_a_cancelled_wait_frees_the_port_and_the_browsers() -> None:
    ports: list[int] = []

    async def sign_in() -> None:
        async with listening() as (listener, port):
            ports.append(port)
            await listener.code()

    task = asyncio.ensure_future(sign_in())
    await until(lambda: bool(ports))
    idle = await RawClient.connect(ports[0])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(PATIENCE_S):
            await task
    assert await idle.is_closed_by_peer()
    idle.close()
    assert is_free(ports[0])


async def test_a_browser_that_has_gone_away_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback, "_FAREWELL_S", 0.05)
    async with listening() as (listener, port):
        assert (await get(port, GOOD)).status == 303
        await listener.code()
        async with asyncio.timeout(1):
            await listener.finish(True)


async def test_i52_the_registered_port_is_tried_first_and_can_be_used_again_at_once() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        wanted = sock.getsockname()[1]
    for _ in range(2):
        async with listening(replace(CLIENT, redirect_port=wanted)) as (listener, port):
            assert port == wanted
            browser = asyncio.ensure_future(browse(port, GOOD))
            await listener.code()
            await listener.finish(True)
            await browser


@pytest.mark.parametrize(("address", "host"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")])
async def test_i52_a_port_that_another_program_has_is_not_shared(address: str, host: str) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((address, 0))
        taken.listen()
        client = replace(CLIENT, redirect_port=taken.getsockname()[1], redirect_host=host)
        async with listening(client) as (_, port):
            assert port != client.redirect_port
            assert (await get(port, "/")).status == 404


async def test_i52_for_localhost_the_port_of_ipv6_is_kept_from_strangers_too() -> None:
    client = replace(CLIENT, redirect_host="localhost")
    with socket.socket(socket.AF_INET6) as stranger:
        try:
            stranger.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        stranger.listen()
        wanted = stranger.getsockname()[1]
        async with listening(replace(client, redirect_port=wanted)) as (_, port):
            assert port != wanted
            with socket.socket(socket.AF_INET6) as late:
                late.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with pytest.raises(OSError) as caught:  # noqa: PT011 -- its number is looked at
                    late.bind(("::1", port))
                assert caught.value.errno == errno.EADDRINUSE
