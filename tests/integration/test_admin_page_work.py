"""The work that is done on the admin page, by its buttons in a real browser.

As in `test_admin_page.py`, the console stays empty.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.core import jsonx
from tests.support.admin_visitor import House, opened
from tests.support.browser import Browser, missing
from tests.support.gateway import chat_body, post_chat

if reason := missing():
    pytest.skip(reason, allow_module_level=True)


RECORDED = "(await (await fetch('/admin/requests')).json()).requests.length"
"""Rows of the ledger, which is written in batches."""


# --- accounts -----------------------------------------------------------------------------------------------------


async def test_an_account_is_added_by_a_device_code(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.go("accounts")
    await me.press("Add an account")
    await me.browser.until("document.querySelector('dialog select')", "the providers")
    await me.choose("dialog select", "qwen")
    await me.press("Get a code", "dialog")
    await me.browser.until("document.querySelector('#user-code')", "the code")
    code = await me.browser.text("#user-code")
    await me.browser.until("document.querySelector('.qr')?.naturalWidth > 0", "the picture for the telephone")
    page = await me.browser.tab()
    await me.browser.show_tab(await me.browser.open_tab())
    await me.browser.open(f"{house.household.demo.origin}/authorize")
    await me.browser.write("#user_code", code)
    await me.browser.click("#next")
    await me.browser.write("#account", "grace")
    await me.browser.click("#approve")
    await me.browser.see("Signed in", "h1")
    await me.browser.show_tab(page)
    await me.reads("is ready.", "#toasts")
    await me.browser.until("document.querySelectorAll('article.account').length === 2", "its card")
    status, _, answer = await post_chat(house.gateway, chat_body(model="coder-model"))
    assert status == 200, answer


async def test_an_account_is_added_by_the_browser(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.go("accounts")
    await me.press("Add an account")
    await me.browser.until("document.querySelector('dialog select')", "the providers")
    await me.choose("dialog select", "iflow")
    await me.fill("dialog", label="second")
    await me.press("Get the sign-in page", "dialog")
    address = await me.browser.until("document.querySelector('dialog a.button')?.href", "the address")
    page = await me.browser.tab()
    await me.browser.show_tab(await me.browser.open_tab())
    await me.browser.open(address)
    await me.browser.write("#account", "grace")
    await me.browser.click("#approve")
    await me.browser.until("document.querySelector('h1')?.innerText === 'Signed in'", "the last page")
    await me.browser.show_tab(page)
    await me.reads("second is ready.", "#toasts")
    assert {one.label for one in house.household.store.load().accounts} == {"ada", "second"}


async def test_an_account_is_added_by_an_api_key(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.go("accounts")
    await me.press("Add an account")
    await me.browser.until("document.querySelector('dialog select')", "the providers")
    await me.choose("dialog select", "deepseek")
    await me.fill("dialog", label="team", api_key="sk-not-to-be-seen-again")
    await me.press("Add the account", "dialog")
    await me.reads("team is ready.", "#toasts")
    await me.reads("team", ".grid")
    assert "not-to-be-seen" not in await me.browser.script("return document.documentElement.outerHTML")


async def test_an_account_is_switched_off_and_on_and_deleted(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.go("accounts")
    await me.press("Disable: ada")
    await me.reads("Disabled", "article.account")
    assert (await post_chat(house.gateway, chat_body(model="glm-4.7")))[0] == 503
    await me.press("Enable: ada")
    await me.reads("Ready", "article.account")
    await me.press("Reset: ada")
    await me.reads("ada starts afresh.", "#toasts")
    await me.press("Refresh: ada")
    await me.reads("ada has a new token.", "#toasts")
    await me.press("Delete: ada")
    await me.reads("Delete ada?", "dialog")
    await me.press("Delete", "dialog")
    await me.reads("No account yet.", ".grid")
    assert house.household.store.load().accounts == ()


# --- client keys --------------------------------------------------------------------------------------------------


async def test_a_key_is_created_with_limits_used_and_revoked(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.go("keys")
    await me.press("Create a key")
    await me.fill("dialog", name="Not A Name!")
    await me.press("Create the key", "dialog")
    await me.browser.until("document.querySelector('dialog [name=name][aria-invalid]')", "what is wrong with it")
    await me.fill("dialog", name="laptop", rpm="50", concurrency="2", models="glm-*", budget="5")
    await me.choose("dialog [name=unit]", "usd")
    await me.press("Create the key", "dialog")
    await me.browser.until("document.querySelector('#secret')", "the secret")
    secret = await me.browser.text("#secret")
    await me.press("Close", "dialog")
    await me.reads("laptop", ".table")
    await me.reads("50 requests/min", ".table")
    await me.reads("$5.00 a month", ".table")
    assert secret not in await me.browser.script("return document.documentElement.outerHTML"), "shown once"
    headers = {"Authorization": f"Bearer {secret}"}
    assert (await post_chat(house.gateway, chat_body(model="glm-4.7"), headers=headers))[0] == 200
    await me.press("Revoke: laptop")
    await me.press("Revoke", "dialog")
    await me.reads("Revoked", ".table")
    assert (await post_chat(house.gateway, chat_body(model="glm-4.7"), headers=headers))[0] == 401


async def test_a_key_gets_another_secret(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.go("keys")
    await me.press("Create a key")
    await me.fill("dialog", name="ci")
    await me.press("Create the key", "dialog")
    await me.browser.until("document.querySelector('#secret')", "the secret")
    first = await me.browser.text("#secret")
    await me.press("Close", "dialog")
    await me.press("Rotate: ci")
    await me.press("Rotate", "dialog")
    await me.browser.until("document.querySelector('#secret')", "the other secret")
    assert await me.browser.text("#secret") != first


# --- models and settings ------------------------------------------------------------------------------------------


async def test_an_alias_is_written_and_answers(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.go("models")
    await me.reads("glm-4.7", ".table")
    await me.fill(search="kimi")
    await me.reads_no_more("glm-4.7", ".table")
    await me.press("Add an alias")
    await me.fill(".alias:last-child", glob="gpt-*", model="glm-4.7")
    await me.press("Save aliases")
    await me.reads("The aliases are saved", "#toasts")
    _, headers, body = await post_chat(house.gateway, chat_body(model="gpt-4o"))
    assert headers["x-iflow2api-route"] == "iflow/glm-4.7", body


async def test_a_setting_is_changed_and_applies_at_once(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.go("settings")
    assert not await me.browser.script("return document.querySelector('.savebar').checkVisibility()")
    await me.choose("[name='routing.strategy']", "sticky")
    await me.fill(**{"resilience.max_attempts": "5"})
    await me.reads("2 changes are not saved", ".savebar")
    await me.press("Save")
    await me.reads("Saved and in effect.", "#toasts")
    applied = house.gateway.server.state.settings.current
    assert (applied.routing.strategy, applied.resilience.max_attempts) == ("sticky", 5)
    overrides = (house.household.home / "overrides.toml").read_text()
    assert "sticky" in overrides
    await me.press("Back to the default", "[data-name='routing.strategy']")
    await me.press("Save")
    await me.reads_no_more("not saved", ".savebar")
    assert house.gateway.server.state.settings.current.routing.strategy == "least_busy"


async def test_a_value_that_makes_no_sense_is_refused_at_its_field(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.go("settings")
    await me.fill(**{"resilience.max_attempts": "5000", "routing.queue_places": "7"})
    await me.press("Save")
    row = "[data-name='resilience.max_attempts']"
    await me.browser.until(
        f"document.querySelector({jsonx.encode(row + ' .mistake').decode()}).innerText", "the complaint"
    )
    applied = house.gateway.server.state.settings.current
    assert (applied.resilience.max_attempts, applied.routing.queue_places) == (3, 100), "nothing of it"


async def test_nobody_leaves_unsaved_settings_behind_by_mistake(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.go("settings")
    await me.fill(**{"routing.queue_places": "7"})
    await me.press("Models", "nav")
    await me.reads("Leave without saving?", "dialog")
    await me.press("Cancel", "dialog")
    await me.reads("1 change is not saved", ".savebar")
    assert (await me.browser.address()).endswith("#/settings")
    await me.press("Models", "nav")
    await me.press("Leave", "dialog")
    await me.reads("Models", "h1")


# --- what was asked -----------------------------------------------------------------------------------------------


async def test_a_request_leads_from_the_log_to_its_flight_record(house: House) -> None:
    me = house.visitor
    await me.arrive()
    assert (await post_chat(house.gateway, chat_body(model="glm-4.7")))[0] == 200
    assert (await post_chat(house.gateway, chat_body(model="glm-4.7+http_502_html")))[0] >= 500
    await me.browser.until(f"{RECORDED} === 2", "both are recorded")
    await me.go("requests")
    await me.browser.until("document.querySelectorAll('tbody tr').length === 2", "both")
    await me.browser.click("[name=failed]")
    await me.browser.until("document.querySelectorAll('tbody tr').length === 1", "the failed one")
    await me.browser.click("tbody a")
    await me.reads("Request", "h1")
    await me.reads("Attempts", ".view")
    await me.reads("iflow/glm-4.7+http_502_html", ".timeline")


async def test_usage_is_drawn_and_told_in_a_table(house: House) -> None:
    me = house.visitor
    await me.arrive()
    await me.go("usage")
    await me.reads("Nothing was asked in this time.")
    assert (await post_chat(house.gateway, chat_body(model="glm-4.7")))[0] == 200
    await me.browser.until(f"{RECORDED} === 1", "it is recorded")
    await me.go("accounts")
    await me.go("usage")
    await me.reads("glm-4.7", "table")
    assert await me.browser.script("return document.querySelectorAll('.bars .series-0').length") == 1
    await me.press_choice("Account")
    await me.reads("ada", "table")


async def test_the_playground_streams_and_stops(chromium: Browser, tmp_path: Path) -> None:
    async with opened(chromium, tmp_path, delay_s=0.02) as house:
        me = house.visitor
        await me.arrive()
        await me.go("playground")
        await me.fill(model="glm-4.7", prompt="Say something long")
        await me.press("Send")
        await me.browser.until("document.querySelector('.words')?.textContent", "the first words")
        await me.press("Stop")
        await me.reads("Stopped", ".turn.model")
        await me.fill(prompt="And again")
        await me.press("Send")
        await me.reads("tokens/s", ".turn.model:last-child")
        assert await house.gateway.is_idle_within(5.0)
