"""The admin page in a real browser, against a real gateway: its door, what goes on, and who can use it.

Every test ends with an empty console: no error of a script, nothing that the content policy had to stop.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from tests.support.admin import PASSWORD
from tests.support.admin_visitor import VIEWS, House, opened
from tests.support.browser import ENTER, ESCAPE, TAB, Browser, missing
from tests.support.gateway import chat_body, post_chat

if reason := missing():
    pytest.skip(reason, allow_module_level=True)

NARROW = 380
WIDE = 1600


# --- the door -----------------------------------------------------------------------------------------------------


async def test_the_first_run_takes_the_token_from_the_address_and_a_long_password(house: House) -> None:
    me = house.visitor
    await me.follow_the_token()
    assert "setup=" not in await me.browser.address(), "not left behind for whoever looks at the screen"
    await me.fill(password="short")
    await me.press("Set up and sign in")
    await me.reads("Use at least 12 characters.", ".mistake")
    await me.press("Suggest one")
    suggested = await me.browser.script("return document.querySelector('[name=password]').value")
    assert len(suggested) == 24
    await me.press("Set up and sign in")
    await me.reads("Dashboard", "h1")
    await me.reads("ada", ".account")
    await me.browser.open(f"{house.gateway.url}/admin")
    await me.reads("Dashboard", "h1")


async def test_a_wrong_token_opens_nothing(house: House) -> None:
    me = house.visitor
    await me.browser.open("about:blank")
    await me.browser.open(f"{house.gateway.url}/admin#setup=guessed")
    await me.fill(password=PASSWORD)
    await me.press("Set up and sign in")
    await me.browser.until("document.querySelector('[name=token]').checkVisibility()", "another may be written")
    told = (
        "[...document.querySelectorAll('.toast.bad, .mistake')].some((one) => one.checkVisibility() && one.innerText)"
    )
    await me.browser.until(told, "a refusal")
    assert (await me.api("session"))["setup_needed"]


async def test_wrong_passwords_are_told_and_then_have_to_wait(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.press("Sign out")
    await me.reads("Sign in", "h1")
    for _ in range(4):
        await me.fill(password="not the password")
        await me.press("Sign in", "form")
        await me.browser.until("document.querySelector('.mistake').innerText", "what was wrong")
    for _ in range(6):
        if await me.browser.script("return document.querySelector('[type=submit]').disabled"):
            break
        await me.fill(password="not the password")
        await me.press("Sign in", "form")
        await me.browser.until("document.querySelector('[type=submit]:not([aria-busy])')", "an answer")
    await me.reads("Too many attempts. Try again in", ".mistake")
    assert await me.browser.script("return document.querySelector('[type=submit]').disabled")
    await me.fill(password=PASSWORD)
    await me.press("Sign in", "form")  # as soon as it is let
    await me.reads("Dashboard", "h1")


async def test_signing_out_ends_it_for_other_tabs_too(house: House) -> None:
    me = house.visitor
    await me.arrive()
    first = await me.browser.tab()
    await me.browser.show_tab(await me.browser.open_tab())
    await me.browser.look(WIDE, "light")
    await me.browser.open(f"{house.gateway.url}/admin#/keys")
    await me.reads("Client keys", "h1")
    await me.press("Sign out")
    await me.reads("Sign in", "h1")
    await me.browser.show_tab(first)
    await me.reads("Your session has ended.")


async def test_another_password_is_taken_for_the_current_one(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.press("Change password")
    await me.fill("dialog", current="not the password", new="another horse battery")
    await me.press("Change password", "dialog form")
    await me.browser.until("document.querySelector('dialog .mistake:not(:empty)')", "a refusal")
    await me.fill("dialog", current=PASSWORD)
    await me.press("Change password", "dialog form")
    await me.reads("The password is changed", "#toasts")
    await me.press("Sign out")
    await me.fill(password="another horse battery")
    await me.press("Sign in", "form")
    await me.reads("Dashboard", "h1")


# --- the dashboard ------------------------------------------------------------------------------------------------


async def test_a_request_is_seen_while_it_runs_and_counted_when_it_has_ended(chromium: Browser, tmp_path: Path) -> None:
    async with opened(chromium, tmp_path, delay_s=0.03) as house:
        me = house.visitor
        await me.arrive()
        await me.reads("Nothing is running.")
        await me.browser.script(LISTENS)
        body = chat_body(model="glm-4.7", stream=True)
        asking = asyncio.ensure_future(post_chat(house.gateway, body))
        await me.reads("glm-4.7", ".flights")
        await me.reads("streaming", ".flights")
        assert (await asking)[0] == 200
        await me.reads("Nothing is running.")
        await me.browser.until("document.querySelector('.tile dd').innerText === '1'", "one request of the last minute")
        assert await me.browser.script("return window.said") == [], "numbers that change every second are not read out"


LISTENS = """
const LIVE = '[aria-live], [role=status], [role=alert]';
const isSaid = (node) => (node.nodeType === 1 ? node : node.parentElement)?.closest(LIVE);
window.said = [];
const hear = (changes) => window.said.push(
  ...changes.filter(({ target }) => isSaid(target)).map(({ target }) => target.textContent),
);
new MutationObserver(hear).observe(document.body, { subtree: true, childList: true, characterData: true });
"""


async def test_the_page_finds_its_way_back_when_the_connection_breaks(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.reads("Accepting requests", ".gateway")
    await me.browser.script(
        "const real = window.WebSocket; window.broken = 0;"
        "window.WebSocket = function (...given) { window.broken += 1; return new real(...given); }"
    )
    for socket in list(house.gateway.server.desk.sockets):
        socket.end(1001, "gone for a moment")
    await me.browser.until("window.broken > 0", "another connection")
    await me.reads("Accepting requests", ".gateway")


async def test_a_connection_that_falls_silent_is_noticed(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.browser.script(SHORT_PATIENCE)
    for socket in list(house.gateway.server.desk.sockets):
        socket.end(1001, "gone for a moment")
    await me.reads("Connection lost", ".gateway")
    await me.browser.until("document.querySelector('.shell.lost')", "old numbers are told from new ones")
    await me.browser.script("window.WebSocket = window.real")
    await me.reads("Accepting requests", ".gateway")
    await me.browser.until("!document.querySelector('.shell.lost')", "new numbers")


SHORT_PATIENCE = """
window.real = window.WebSocket;
const wait = window.setTimeout;
window.setTimeout = (act, ms, ...more) => wait(act, ms / 20, ...more);
window.WebSocket = class { static OPEN = 1; readyState = 1; send() {} close() {} };
"""
"""Time runs twenty times as fast for the page, and its next connections say nothing at all."""


async def test_traffic_is_stopped_after_a_question_and_started_again(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.press("Stop accepting requests")
    await me.press("Cancel", "dialog")
    assert (await post_chat(house.gateway, chat_body(model="glm-4.7")))[0] == 200
    await me.press("Stop accepting requests")
    await me.press("Stop accepting requests", "dialog")
    await me.reads("Not accepting requests", ".gateway")
    assert (await post_chat(house.gateway, chat_body(model="glm-4.7")))[0] == 503
    await me.press("Start accepting requests")
    await me.reads("Accepting requests", ".gateway")
    assert (await post_chat(house.gateway, chat_body(model="glm-4.7")))[0] == 200


async def test_log_lines_arrive_by_themselves_until_it_is_paused(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.go("logs")
    await me.reads("No line yet.")
    log = house.gateway.server.state.log_lines
    log.write([log_line("the first"), log_line("the second", logging.ERROR)])
    await me.reads("the second", ".loglines")
    await me.press_choice("Error")
    await me.reads_no_more("the first", ".loglines")
    await me.press_choice("Info")
    await me.press("Pause")
    log.write([log_line("the third")])
    await me.reads("Go on (1 new)", ".heading")
    assert "the third" not in await me.browser.text(".loglines")
    await me.press("Go on (1 new)")
    await me.reads("the third", ".loglines")
    await me.fill(search="second")
    await me.reads_no_more("the third", ".loglines")


def log_line(text: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": text, "levelno": level, "levelname": logging.getLevelName(level)})


# --- for everybody ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_no_view_is_wider_than_a_telephone(house: House, language: str) -> None:
    me = house.visitor
    await post_chat(house.gateway, chat_body(model="glm-4.7" + "x" * 90))
    await me.browser.look(NARROW, "dark")
    await me.arrive(language)
    for view in VIEWS:
        await me.go(view)
        assert await me.overflows() == [], view
        said = await me.browser.text("h1")
        assert said.isascii() == (language == "en"), said


async def test_everything_that_can_be_used_has_a_name_and_every_view_one_heading(house: House) -> None:
    me = house.visitor
    await me.arrive()
    for view in VIEWS:
        await me.go(view)
        assert await me.browser.script(NAMELESS) == [], view
        assert await me.browser.script("return document.querySelectorAll('h1').length") == 1, view
        assert (
            await me.browser.script("return document.querySelectorAll('main, nav[aria-label], header.bar').length") >= 3
        )


NAMELESS = """
const isLabelled = (node) => [...(node.labels ?? [])].some((one) => one.textContent.trim());
const isNamed = (node) => node.ariaLabel || node.textContent.trim() || isLabelled(node);
const nameless = [...document.querySelectorAll('input, select, textarea, button, a, meter, img, [role=img]')]
  .filter((node) => !isNamed(node) && node.alt === undefined);
const ids = [...document.querySelectorAll('[id]')].map((node) => node.id);
const twice = ids.filter((id, index) => ids.indexOf(id) !== index);
return [...nameless.map((node) => node.outerHTML.slice(0, 120)), ...twice];
"""


async def test_a_keyboard_is_enough(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.go("accounts")
    assert await me.browser.script("return document.activeElement.tagName") == "H1", (
        "a new view is read from its heading"
    )
    await me.browser.open("about:blank")
    await me.browser.open(f"{house.gateway.url}/admin#/accounts")
    await me.reads("ada", ".account")
    await me.browser.press(TAB)
    assert await me.browser.script("return document.activeElement.className") == "skip"
    await me.browser.press(ENTER)
    assert await me.browser.script("return document.activeElement.id") == "main"
    await me.browser.press(TAB, ENTER)
    await me.browser.until("document.querySelector('dialog select')", "the dialog")
    await me.browser.press(ESCAPE)
    await me.browser.until("!document.querySelector('dialog')", "closed")
    assert await me.browser.script("return document.activeElement.innerText") == "Add an account", "where it was"


async def test_the_menu_of_a_telephone_opens_and_closes(house: House) -> None:
    me = house.visitor
    await me.browser.look(NARROW, "light")
    await me.arrive()
    assert not await me.browser.script("return document.querySelector('nav a').checkVisibility()")
    await me.press("Menu")
    await me.press("Models", "nav")
    await me.reads("Models", "h1")
    assert not await me.browser.script("return document.querySelector('nav a').checkVisibility()")
    await me.press("Menu")
    await me.browser.press(ESCAPE)
    assert await me.browser.script("return document.activeElement.getAttribute('aria-expanded')") == "false"


async def test_language_and_theme_are_chosen_and_remembered(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.press("中文")
    await me.reads("概览", "h1")
    await me.press("浅色或深色")
    await me.browser.open(f"{house.gateway.url}/admin")
    await me.reads("概览", "h1")
    assert await me.browser.script("return document.documentElement.lang") == "zh-Hans"
    assert await me.browser.script("return document.documentElement.dataset.theme") == "dark"
    await me.browser.script("localStorage.clear()")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_stands_out_from_its_ground(house: House, scheme: str) -> None:
    """4.5 to 1 for every word that is seen (WCAG 2.2, 1.4.3, level AA), measured where the browser has drawn it."""
    me = house.visitor
    await me.browser.look(WIDE, scheme)
    await me.arrive()
    for view in VIEWS:
        await me.go(view)
        assert await me.browser.script(FAINT) == [], view


FAINT = """
const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
const paint = (colours) => {
  canvas.clearRect(0, 0, 1, 1);
  for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255);
};
const light = (colours) => {
  const [r, g, b] = paint(colours).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const grounds = (node) => (node ? [...grounds(node.parentElement), getComputedStyle(node).backgroundColor] : ['white']);
const faint = (node) => {
  const below = grounds(node);
  const [ink, ground] = [light([...below, getComputedStyle(node).color]), light(below)];
  return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05) < 4.5;
};
const isRead = (node) => node.checkVisibility() && !node.closest(':disabled, .unseen, .skip, svg')
  && [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
return [...document.querySelectorAll('body *')].filter((node) => isRead(node) && faint(node))
  .map((node) => `${node.tagName}.${node.className} ${node.textContent.slice(0, 40)}`);
"""
