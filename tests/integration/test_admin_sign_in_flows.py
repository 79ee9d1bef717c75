"""Signing in at a provider from the admin page, against the demo's servers over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.admin import Browser, Reply, admin_page, another
from tests.support.demo_signin import Caller
from tests.support.patience import until
from tests.support.people import Household, household


class Desk:
    """A page that is signed in, and the person's other window at the provider."""

    def __init__(self, house: Household, browser: Browser) -> None:
        self.house = house
        self.browser = browser
        self.caller = Caller(house.demo, browser.http)

    async def decide(self, url: str, decision: str = "approve") -> str:
        """Press a button of iFlow's page; where the browser is sent."""
        path, _, query = url.partition("?")
        async with self.browser.http.post(
            path,
            data=f"{query}&decision={decision}&account=ada",
            headers={"content-type": "application/x-www-form-urlencoded"},
            allow_redirects=False,
        ) as answer:
            return answer.headers["location"]

    async def follow(self, address: str) -> tuple[int, str]:
        async with self.browser.http.get(address.replace("localhost", "127.0.0.1")) as answer:
            return answer.status, await answer.text()

    async def state(self, flow: str) -> Any:
        return (await self.browser.get(f"/admin/oauth/flows/{flow}")).json

    async def ended(self, flow: str) -> Any:
        known = self.browser.gateway.server.desk.flows.find(flow)
        assert known is not None
        await until(lambda: not known.is_waiting)
        return await self.state(flow)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with (
        household(tmp_path) as house,
        admin_page(house.toml("iflow", "qwen"), house.environ, home=tmp_path) as browser,
    ):
        house.demo.app.oauth.faults.append("device:interval_0")
        yield Desk(house, browser)


async def test_the_browser_of_this_machine_comes_back_by_itself(desk: Desk) -> None:
    begun = (await desk.browser.post("/admin/oauth/url", {"provider": "iflow", "label": "work"})).json
    assert begun["lands_here"]
    assert 0 < begun["expires_in_s"] <= 600
    assert (await desk.state(begun["flow"]))["state"] == "waiting"

    status, last = await desk.follow(await desk.decide(begun["url"]))
    assert status == 200
    assert "admin page" in last
    done = await desk.ended(begun["flow"])
    assert (done["state"], done["error"]) == ("done", None)
    assert (done["account"]["label"], done["account"]["state"], done["account"]["in_use"]) == ("work", "ok", True)
    assert done["account"]["can_refresh"]
    secrets = [desk.house.store.load().accounts[0].bearer, desk.house.store.load().accounts[0].tokens.refresh_token]  # type: ignore[union-attr]
    assert not any(secret.reveal().encode() in seen for seen in desk.browser.seen for secret in secrets)


async def test_from_elsewhere_the_last_address_is_pasted(tmp_path: Path) -> None:
    async with (
        household(tmp_path) as house,
        admin_page(house.toml("iflow") + '\n[admin]\nhosts = ["gateway.lan"]', home=tmp_path) as browser,
    ):
        desk = Desk(house, browser)
        cookie = f"iflow2api_admin_80={browser.cookie}"
        away = {"Host": "gateway.lan", "Origin": "http://gateway.lan", "Cookie": cookie}
        begun = (await browser.post("/admin/oauth/url", {"provider": "iflow"}, **away)).json
        assert not begun["lands_here"]
        address = await desk.decide(begun["url"])

        nonsense = await browser.post("/admin/oauth/paste", {"flow": begun["flow"], "text": "two words"})
        assert (nonsense.status, nonsense.json["error"]["param"]) == (400, "text")
        foreign = address.replace("state=", "state=0")
        assert (await browser.post("/admin/oauth/paste", {"flow": begun["flow"], "text": foreign})).status == 400
        pasted = await browser.post("/admin/oauth/paste", {"flow": begun["flow"], "text": f" {address}\n"})
        assert pasted.status == 200
        assert (await desk.ended(begun["flow"]))["state"] == "done"
        again = await browser.post("/admin/oauth/paste", {"flow": begun["flow"], "text": address})
        assert (again.status, again.kind) == (409, "no_paste")
        code = parse_qs(urlsplit(address).query)["code"][0].encode()
        assert not any(code in seen for seen in browser.seen)


async def test_here_too_it_can_be_pasted(desk: Desk) -> None:
    begun = (await desk.browser.post("/admin/oauth/url", {"provider": "iflow"})).json
    address = await desk.decide(begun["url"])
    await desk.browser.post("/admin/oauth/paste", {"flow": begun["flow"], "text": address})

    assert (await desk.ended(begun["flow"]))["state"] == "done"


async def test_what_is_refused_there_has_failed_here(desk: Desk) -> None:
    begun = (await desk.browser.post("/admin/oauth/url", {"provider": "iflow"})).json
    _, last = await desk.follow(await desk.decide(begun["url"], "deny"))
    failed = await desk.ended(begun["flow"])

    assert failed["state"] == "failed"
    assert failed["error"]["kind"] == "access_denied"
    assert "did not work" in last


async def test_a_device_code_is_confirmed_anywhere(desk: Desk) -> None:
    begun = (await desk.browser.post("/admin/oauth/device", {"provider": "qwen", "label": "phone"})).json
    assert begun["qr_svg"].startswith("<svg")
    assert begun["user_code"] in begun["verification_uri_complete"]
    await desk.caller.confirm(begun["user_code"])
    done = await desk.ended(begun["flow"])

    assert (done["account"]["provider"], done["account"]["label"]) == ("qwen", "phone")
    assert (await desk.browser.post("/admin/oauth/paste", {"flow": begun["flow"], "text": "x" * 20})).status == 409


async def test_a_code_that_is_refused_has_failed(desk: Desk) -> None:
    begun = (await desk.browser.post("/admin/oauth/device", {"provider": "qwen"})).json
    await desk.caller.confirm(begun["user_code"], "deny")

    assert (await desk.ended(begun["flow"]))["state"] == "failed"


async def test_one_that_is_given_up_waits_no_more(desk: Desk) -> None:
    for path, provider in (("url", "iflow"), ("device", "qwen")):
        begun = (await desk.browser.post(f"/admin/oauth/{path}", {"provider": provider})).json
        assert (await desk.browser.send("DELETE", f"/admin/oauth/flows/{begun['flow']}")).json == {"given_up": True}
        failed = await desk.ended(begun["flow"])
        assert (failed["state"], failed["error"]["kind"]) == ("failed", "given_up")
    await until(lambda: desk.browser.gateway.server.state.sign_ins_waited_for == 0)
    assert not desk.house.store.load().accounts


async def test_there_are_sixteen_at_most(desk: Desk) -> None:
    begun = [await desk.browser.post("/admin/oauth/url", {"provider": "iflow"}) for _ in range(17)]

    assert [reply.status for reply in begun] == [200] * 16 + [503]
    await desk.browser.send("DELETE", f"/admin/oauth/flows/{begun[0].json['flow']}")
    await desk.ended(begun[0].json["flow"])
    assert (await desk.browser.post("/admin/oauth/url", {"provider": "iflow"})).status == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("url", {"provider": "nobody"}, 404, "provider"),
        ("device", {"provider": "nobody"}, 404, "provider"),
        ("device", {"provider": "iflow"}, 400, "provider"),
        ("url", {"provider": "iflow", "label": "../x"}, 400, "label"),
        ("url", {}, 400, "provider"),
        ("paste", {"flow": "nobody", "text": "x"}, 404, None),
    ],
)
async def test_what_makes_no_sense_is_refused(
    desk: Desk, path: str, body: dict[str, str], status: int, param: str | None
) -> None:
    reply = await desk.browser.post(f"/admin/oauth/{path}", body)

    assert (reply.status, reply.json["error"]["param"]) == (status, param)


async def test_a_page_that_is_not_safe_to_open_leaves_nobody_waiting(tmp_path: Path) -> None:
    unsafe = """
[providers.desk]
base_url = "https://desk.example/v1"
[providers.desk.oauth]
authorize_url = "http://desk.example/authorize"
token_url = "https://desk.example/token"
client_id = "me"
"""
    async with admin_page(unsafe, home=tmp_path) as browser:
        for _ in range(20):
            reply = await browser.post("/admin/oauth/url", {"provider": "desk"})
            assert reply.status == 400
        assert not any(flow.is_waiting for flow in browser.gateway.server.desk.flows._known.values())


class Ours:
    """A provider whose registered redirect is the page's own callback."""

    def __init__(self, house: Household, browser: Browser) -> None:
        self.desk = Desk(house, browser)
        self.browser = browser

    async def call(self, query: str, **headers: str) -> Reply:
        return await another(self.browser).get(f"/admin/oauth/callback?{query}", **headers)


@pytest.fixture
async def ours(tmp_path: Path) -> AsyncIterator[Ours]:
    async with household(tmp_path) as house:
        toml = house.toml("iflow").replace(
            "[providers.iflow.oauth]", '[providers.iflow.oauth]\nredirect_path = "/admin/oauth/callback"'
        )
        async with admin_page(toml, house.environ, home=tmp_path) as browser:
            yield Ours(house, browser)


async def test_i49_our_own_callback_takes_one_answer_by_its_state(ours: Ours) -> None:
    begun = (await ours.browser.post("/admin/oauth/url", {"provider": "iflow"})).json
    query = urlsplit(await ours.desk.decide(begun["url"])).query
    state = parse_qs(query)["state"][0]

    for wrong in (
        "", "code=abc", f"code=abc&state={'0' * len(state)}", "code=abc&state=", f"code=abc&state={state[:-1]}",
        f"code=a&code=b&state={state}", f"state={state}",
    ):  # fmt: skip
        assert (await ours.call(wrong)).status == 400
    assert (await ours.call(query, Sec_Fetch_Mode="no-cors")).status == 403
    assert (await ours.desk.state(begun["flow"]))["state"] == "waiting"

    sent_on = await ours.call(query)
    assert sent_on.status == 303
    assert "code" not in sent_on.headers["location"]
    last = await another(ours.browser).get(sent_on.headers["location"])
    assert "Signed in" in last.body.decode()
    assert "sha256-" in last.headers["content-security-policy"]
    assert (await ours.desk.ended(begun["flow"]))["state"] == "done"
    assert (await ours.call(query)).status == 400


async def test_i49_a_refusal_comes_back_too(ours: Ours) -> None:
    begun = (await ours.browser.post("/admin/oauth/url", {"provider": "iflow"})).json
    state = parse_qs(urlsplit(begun["url"]).query)["state"][0]
    sent_on = await ours.call(f"error=access_denied&state={state}")
    last = await another(ours.browser).get(sent_on.headers["location"])

    assert "did not work" in last.body.decode()
    assert (await ours.desk.ended(begun["flow"]))["error"]["kind"] == "access_denied"
