"""The admin page's door over real sockets (RELIABILITY I26 to I35, I46): each attack, and what it gets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from iflow_cli_proxy.server.admin.passwords import hash_of
from iflow_cli_proxy.server.admin.sessions import IDLE_S
from iflow_cli_proxy.state.admin_file import AdminFile
from tests.support.admin import PASSWORD, Browser, admin_page, another
from tests.support.patience import until
from tests.support.raw_client import RawClient, ask
from tests.support.serving import serving

CALLS = ("/admin/logout", "/admin/password")
UPSTREAM = '[routing]\ndefault_provider = "up"\n[providers.up]\nbase_url = "http://127.0.0.1:9/v1"\n'


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with admin_page() as browser:
        yield browser


@pytest.mark.parametrize("host", ["evil.example", "evil.example:28000", "127.0.0.1.evil.example", "localhost.evil", ""])
@pytest.mark.parametrize(
    "path", ["/admin", "/admin/session", "/admin/accounts", "/admin/nothing", "/admin/static/x.js"]
)
async def test_i26_a_foreign_name_gets_nothing(browser: Browser, host: str, path: str) -> None:
    reply = await browser.get(path, Host=host)

    assert reply.status in (400, 421)
    assert not host or reply.kind == "misdirected"


async def test_i26_two_host_headers_get_nothing(browser: Browser) -> None:
    raw = b"GET /admin/session HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n"

    assert (await ask(browser.gateway.port, raw)).status in (400, 421)


async def test_i26_a_name_of_the_settings_is_ours() -> None:
    async with admin_page('[admin]\nhosts = ["gateway.example.com"]') as browser:
        cookie = f"iflow2api_admin_80={browser.cookie}"
        assert (await browser.get("/admin/session", Host="gateway.example.com", Cookie=cookie)).json["signed_in"]
        assert (await browser.get("/admin/session", Host="Gateway.Example.com:443")).status == 200
        assert (await browser.get("/admin/session", Host="other.example.com")).status == 421


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": None},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": None, "Sec_Fetch_Site": "none"},
    ],
    ids=str,
)
async def test_i27_only_a_page_of_ours_changes_anything(
    browser: Browser, path: str, headers: dict[str, str | None]
) -> None:
    reply = await browser.post(path, {}, **headers)

    assert (reply.status, reply.kind) == (403, "foreign_origin")
    assert (await browser.get("/admin/session")).json["signed_in"]


@pytest.mark.parametrize("token", [None, "", "0" * 64, "\u00e9"], ids=repr)
async def test_i27_the_token_of_the_page_is_needed(browser: Browser, token: str | None) -> None:
    reply = await browser.post("/admin/logout", {}, x_csrf_token=token)

    assert (reply.status, reply.kind) == (403, "csrf")


async def test_i27_the_token_of_another_session_is_none(browser: Browser) -> None:
    other = another(browser)
    await other.log_in()

    assert (await browser.post("/admin/logout", {}, x_csrf_token=other.csrf)).kind == "csrf"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
async def test_i27_a_body_that_is_not_called_json_is_not_read(browser: Browser, kind: str | None) -> None:
    reply = await browser.post("/admin/logout", {}, Content_Type=kind)

    assert reply.status == 415
    assert (await browser.get("/admin/session")).json["signed_in"]


async def test_i27_nothing_is_changed_by_a_get(browser: Browser) -> None:
    for path in ("/admin/logout", "/admin/server/stop", "/admin/password"):
        assert (await browser.get(path)).status == 404
    assert (await browser.get("/admin/session")).json["signed_in"]


async def test_i27_the_cookie_goes_nowhere_else(browser: Browser) -> None:
    cookie = (await browser.log_in()).headers["set-cookie"]

    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {"httponly", "path=/admin", "samesite=strict"}
    over_tls = await browser.post(
        "/admin/login", {"password": PASSWORD}, Origin=browser.origin.replace("http:", "https:")
    )
    assert "secure" in over_tls.headers["set-cookie"].lower()


@pytest.mark.parametrize("tossed", ["{name}=made-up; {ours}", "{ours}; {name}=made-up", "{ours}; {name}={other}"])
async def test_i34_a_cookie_that_somebody_else_on_this_host_has_set_signs_nobody_out(
    browser: Browser, tossed: str
) -> None:
    name = browser.cookie_name
    cookies = tossed.format(name=name, ours=f"{name}={browser.cookie}", other="0" * 64)

    assert (await browser.get("/admin/session", Cookie=cookies)).json["signed_in"]


async def test_i34_two_gateways_on_one_host_leave_each_other_signed_in(browser: Browser) -> None:
    async with admin_page() as beside:
        assert browser.cookie_name != beside.cookie_name
        jar = f"{browser.cookie_name}={browser.cookie}; {beside.cookie_name}={beside.cookie}"
        for one in (browser, beside):
            assert (await one.get("/admin/session", Cookie=jar)).json["csrf"] == one.csrf


async def test_i28_a_preflight_gets_no_leave(browser: Browser) -> None:
    for path in ("/admin/accounts", "/admin/login"):
        reply = await browser.send(
            "OPTIONS", path, b"", Origin="http://evil.example", Access_Control_Request_Method="POST", x_csrf_token=None
        )

        assert reply.status >= 400
        assert not [name for name in reply.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("name", ["X_Forwarded_For", "Forwarded", "X_Real_IP"])
async def test_i29_headers_do_not_say_who_tries(browser: Browser, name: str) -> None:
    stranger = another(browser)
    statuses = [
        (await stranger.post("/admin/login", {"password": "wrong"}, **{name: f"203.0.113.{n}"})).status
        for n in range(6)
    ]

    assert statuses[:3] == [401, 401, 401]
    assert 429 in statuses


async def test_i30_a_client_key_is_nothing_here_and_the_cookie_nothing_there() -> None:
    key = "sk-canary-0123456789abcdef"
    toml = f'[auth]\nrequired = "always"\nclient_keys = ["{key}"]\n' + UPSTREAM
    async with admin_page(toml) as browser:
        stranger = another(browser)
        for header in ({"Authorization": f"Bearer {key}"}, {"x_api_key": key}):
            assert (await stranger.post("/admin/logout", {}, **header)).status == 401
        assert (await browser.get("/v1/models")).status == 401
        assert (await stranger.get("/v1/models", Authorization=f"Bearer {key}")).status == 200


async def test_i31_wrong_passwords_are_slowed_down_and_the_right_one_waits_too(browser: Browser) -> None:
    stranger = another(browser)
    replies = [await stranger.log_in("wrong password 1") for _ in range(3)]
    late = await stranger.log_in()

    assert [(reply.status, reply.kind) for reply in replies] == [(401, "wrong_password")] * 3
    assert (late.status, late.kind) == (429, "throttled")
    assert int(late.headers["retry-after"]) >= 1
    assert (await browser.get("/admin/session")).json["signed_in"]


async def test_i31_many_tries_at_one_moment_count_each(browser: Browser) -> None:
    stranger = another(browser)
    replies = await asyncio.gather(*(stranger.log_in("wrong password 1") for _ in range(30)))

    assert sum(reply.status == 401 for reply in replies) <= 10
    assert {reply.status for reply in replies} == {401, 429}


async def test_i32_the_first_run_takes_the_token_and_takes_it_once() -> None:
    async with admin_page(is_signed_in=False) as browser:
        assert (await browser.get("/admin/session")).json["setup_needed"]
        guess = await browser.post("/admin/setup", {"token": "guess", "password": PASSWORD})
        token = browser.gateway.server.desk.setup_token.reveal()
        assert (guess.status, guess.kind) == (403, "wrong_token")
        assert (await browser.set_up()).json["signed_in"]
        again = await another(browser).post("/admin/setup", {"token": token, "password": "another long password"})
        assert (again.status, again.kind) == (409, "set_up_already")
        assert (await another(browser).log_in("another long password")).status == 401


async def test_i32_two_first_runs_at_once_make_one_password() -> None:
    async with admin_page(is_signed_in=False) as browser:
        token = browser.gateway.server.desk.setup_token.reveal()
        bodies = [{"token": token, "password": f"long password {n}"} for n in range(4)]
        replies = await asyncio.gather(*(another(browser).post("/admin/setup", body) for body in bodies))

        assert sorted(reply.status for reply in replies) == [200, 409, 409, 409]


@pytest.mark.parametrize("weak", ["", "short", "eleven char", "aaaaaaaaaaaaaaaa", "password1234!", "admin123456789"])
async def test_i33_a_password_that_is_guessed_first_is_refused(weak: str) -> None:
    async with admin_page(is_signed_in=False) as browser:
        reply = await browser.set_up(weak)

        assert reply.status == 400
        assert reply.json["error"]["param"] == "password"
        assert (await browser.get("/admin/session")).json["setup_needed"]


async def test_i34_a_session_is_made_by_signing_in_and_never_taken_over(browser: Browser) -> None:
    planted = another(browser)
    planted.cookie = "a" * 64
    await planted.log_in()

    assert planted.cookie != "a" * 64
    assert len(bytes.fromhex(planted.cookie)) == 32
    before = planted.cookie
    await planted.log_in()
    assert (await planted.get("/admin/session")).json["signed_in"]
    planted.cookie = before
    assert not (await planted.get("/admin/session")).json["signed_in"]


async def test_i34_signing_out_ends_one_and_another_password_all(browser: Browser) -> None:
    other, third = another(browser), another(browser)
    await other.log_in()
    await third.log_in()
    used = third.cookie
    assert (await third.post("/admin/logout", {})).json == {"signed_out": True}
    third.cookie = used
    assert (await third.post("/admin/logout", {})).status == 401

    old = browser.cookie
    changed = await browser.post("/admin/password", {"current": PASSWORD, "new": "quite another phrase"})
    assert changed.json["signed_in"]
    assert browser.cookie != old
    browser.csrf = changed.json["csrf"]
    assert (await browser.post("/admin/password", {"current": "no", "new": PASSWORD})).status == 401
    for gone in (old, other.cookie):
        assert not (await Browser(browser.gateway, browser.http, cookie=gone).get("/admin/session")).json["signed_in"]
    assert (await another(browser).log_in()).status == 401
    assert (await another(browser).log_in("quite another phrase")).status == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/admin/server/stop", b"{}"),
        ("/admin/playground", b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'),
    ],
)
async def test_i34_what_was_begun_before_signing_out_does_nothing_after_it(
    browser: Browser, path: str, body: bytes
) -> None:
    head = [
        f"POST {path} HTTP/1.1",
        f"Host: 127.0.0.1:{browser.gateway.port}",
        f"Origin: {browser.origin}",
        f"Cookie: {browser.cookie_name}={browser.cookie}",
        f"x-csrf-token: {browser.csrf}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    held_back = await RawClient.connect(browser.gateway.port)
    try:
        await held_back.send("\r\n".join([*head, "", ""]).encode() + body[:1])
        assert (await browser.post("/admin/logout", {})).status == 200
        await held_back.send(body[1:])
        assert (await held_back.answer()).status == 401
    finally:
        held_back.close()
    assert browser.gateway.server.state.is_accepting


async def test_i34_of_two_changes_of_one_password_one_counts(browser: Browser) -> None:
    changes = [{"current": PASSWORD, "new": f"quite another phrase {number}"} for number in range(3)]
    replies = await asyncio.gather(*(browser.post("/admin/password", one) for one in changes))

    assert sorted(reply.status for reply in replies) == [200, 401, 401]


async def test_i34_a_session_ends_when_nobody_uses_it(browser: Browser) -> None:
    (session,) = browser.gateway.server.desk.sessions._known.values()
    session.seen = (session.seen[0] - IDLE_S, session.seen[1])

    assert not (await browser.get("/admin/session")).json["signed_in"]


async def test_i34_a_password_set_in_the_terminal_ends_all(browser: Browser) -> None:
    AdminFile(browser.gateway.services.admin_file).save(hash_of("from the terminal"))
    sessions = browser.gateway.server.desk.sessions
    await until(lambda: not sessions._known)

    assert (await browser.post("/admin/logout", {})).status == 401
    assert (await browser.log_in("from the terminal")).status == 200


@pytest.mark.parametrize(
    "forged",
    [
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiIsImV4cCI6OTk5OTk5OTk5OX0.aaaa",
        "0" * 64,
        "admin",
        "%00",
    ],
)
async def test_i35_a_forged_session_opens_nothing(browser: Browser, forged: str) -> None:
    forger = Browser(browser.gateway, browser.http, cookie=forged, csrf=browser.csrf)

    assert (await forger.post("/admin/logout", {})).status == 401
    assert not (await forger.get("/admin/session")).json["signed_in"]


@pytest.mark.parametrize(
    "path",
    ["app.js.map", "../passwords.py", "..%2fpasswords.py", "%2e%2e/passwords.py", ".hidden", "views/", "", "index"],
)
async def test_i46_nothing_but_the_files_of_the_page_is_served(browser: Browser, path: str) -> None:
    reply = await another(browser).get(f"/admin/static/{path}")

    assert reply.status in (400, 404)
    assert b"scrypt" not in reply.body


async def test_every_answer_is_sealed(browser: Browser) -> None:
    for reply in (
        await browser.get("/admin"),
        await browser.get("/admin/session"),
        await browser.get("/admin/nothing"),
        await browser.get("/admin", Host="evil.example"),
        await browser.post("/admin/login", {"password": "wrong"}),
    ):
        assert reply.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert "unsafe" not in reply.headers["content-security-policy"]
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["cross-origin-opener-policy"] == "same-origin"
        assert reply.headers["cache-control"] in ("no-store", "no-cache")


async def test_files_are_asked_about_and_not_sent_twice(browser: Browser) -> None:
    first = await browser.get("/admin/")
    again = await browser.get("/admin/", If_None_Match=first.headers["etag"])

    assert first.headers["content-type"] == "text/html; charset=utf-8"
    assert (again.status, again.body) == (304, b"")


async def test_switched_off_there_is_nothing() -> None:
    async with admin_page("[admin]\nenabled = false", is_signed_in=False) as browser:
        for path in ("/admin", "/admin/session", "/admin/static/index.html"):
            assert (await browser.get(path)).status == 404
        assert (await browser.log_in()).status == 404


async def test_bodies_are_what_they_should_be(browser: Browser) -> None:
    stranger = another(browser)
    for body, param in (
        (b"{", None),
        (b"[]", None),
        ({}, "password"),
        ({"password": 5}, "password"),
        ({"password": "x", "more": 1}, "more"),
        (b'{"password": "' + b"x" * 300_000 + b'"}', None),
    ):
        reply = await stranger.post("/admin/login", body)
        assert reply.status in (400, 413)
        assert reply.json["error"]["param"] == param


async def test_the_cookie_of_a_browser_says_nothing_of_itself(browser: Browser) -> None:
    assert browser.cookie_name not in (await browser.get("/admin/session")).body.decode()


async def test_i32_the_token_is_on_the_screen_and_in_no_log(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'[logging]\nfile = "{(tmp_path / "file.log").as_posix()}"\n')
    with serving("--demo", home=tmp_path) as running:
        found = re.search(rf"{re.escape(running.url)}/admin#setup=(\S+)", running.log.read_text())
        assert found is not None
        body = {"token": found[1], "password": PASSWORD}
        async with aiohttp.ClientSession() as http:
            headers = {"Origin": running.url}
            async with http.post(f"{running.url}/admin/setup", json=body, headers=headers) as reply:
                assert reply.status == 200
            async with http.post(f"{running.url}/admin/setup", json=body, headers=headers) as reply:
                assert reply.status == 409
    assert running.log.read_text().count(found[1]) == 1
    assert found[1] not in (tmp_path / "file.log").read_text()

    with serving("--demo", home=tmp_path) as running:
        assert "#setup=" not in running.log.read_text()
        assert f"{running.url}/admin" in running.log.read_text()
