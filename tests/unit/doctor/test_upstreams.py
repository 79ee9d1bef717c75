from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.config.schema import ProviderSettings, Settings
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.doctor.finding import Finding, Status
from iflow_cli_proxy.doctor.machine import Machine
from iflow_cli_proxy.doctor.upstreams import OTHER_HOSTS, could_not, examine
from iflow_cli_proxy.doctor.visit import Caller, offset_of, plan
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount
from iflow_cli_proxy.wiring.accounts import Accounts
from tests.support.fake_clock import FakeClock
from tests.support.machines import NOW, machine, names
from tests.support.raw_upstream import RawUpstream, Script
from tests.support.rerouted import Rerouted

IFLOW_HOSTS = ("apis.iflow.cn", "iflow.cn", "platform.iflow.cn")
EVERYBODY = dict.fromkeys((*IFLOW_HOSTS, *OTHER_HOSTS), ("127.0.0.1",))
KEY = SavedAccount(
    id="one", provider="iflow", label="ada", auth_type=AuthType.API_KEY, api_key=Secret("sk-0123456789abcdef")
)  # fmt: skip
PAGE = b"<!doctype html><p>Goodbye</p>"


def reply(status: int = 200, body: bytes = b"{}", **headers: str) -> Script:
    given = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return [f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body]


async def good(address: str, port: int, name: str, context: object) -> float | None:
    """Every host takes connections and has a good certificate."""
    return NOW + 90 * 86_400


def online(home: Path, known: Mapping[str, tuple[str, ...]] | None = None) -> Machine:
    return machine(home, resolve=names(EVERYBODY if known is None else known), connect=good)


class Visitor:
    """Looks at a provider whose API is a scripted server."""

    def __init__(self, home: Path, upstream: RawUpstream, transports: Rerouted) -> None:
        self.home = home
        self.upstream = upstream
        self.transports = transports
        self.told: list[str] = []

    async def __call__(
        self,
        *scripts: Script,
        known: Mapping[str, tuple[str, ...]] | None = None,
        saved: Sequence[SavedAccount] = (KEY,),
        name: str = "iflow",
        **table: Any,
    ) -> list[Finding]:
        self.upstream.then(*scripts)
        here = online(self.home, known)
        settings = Settings(providers={name: ProviderSettings(**table)} if table else {})
        accounts = Accounts(
            settings, here.paths, here.environ, clock=here.clock, home=self.home, transports=self.transports
        )
        for one in saved:
            accounts.store.create(one)
        visit = plan(accounts, accounts.known(), name)
        return await examine(visit, here, Caller(self.told.append, limit_s=5.0))


@pytest.fixture
async def look(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with RawUpstream() as upstream:
        transports = Rerouted({f"https://{host}": upstream.url for host in IFLOW_HOSTS})
        yield Visitor(tmp_path, upstream, transports)
        await transports.aclose()


def statuses(findings: list[Finding]) -> dict[str, Status]:
    return {one.subject: one.status for one in findings}


MODELS = reply(body=b'{"object":"list","data":[{"id":"glm-5"},{"id":"glm-4.7"}]}')
REFUSED = reply(401, b'{"error":{"message":"Unauthorized"}}')


async def test_a_living_vendor_is_looked_at_from_the_ground_up(look: Visitor) -> None:
    findings = await look(REFUSED, REFUSED, MODELS)

    assert statuses(findings) == dict.fromkeys((*IFLOW_HOSTS, "iflow", "iflow/ada"), Status.OK)
    assert "lists 2 models" in findings[-1].text
    assert look.told[-1] == "asking with iflow/ada"


async def test_only_the_last_question_shows_the_key(look: Visitor) -> None:
    findings = await look(REFUSED, REFUSED, MODELS)

    *first, last = (request.header("authorization") for request in look.upstream.requests)
    assert (first, last) == ([None, None], "Bearer sk-0123456789abcdef")
    assert [request.body for request in look.upstream.requests] == [b"", b"{}", b""]
    assert "0123456789" not in f"{findings}"


@pytest.mark.parametrize(
    ("models", "chat"),
    [
        (reply(200, PAGE), REFUSED),
        (REFUSED, reply(302, location="https://qoder.example/")),
        (reply(404), reply(404)),
        (REFUSED, reply(410)),
        (reply(502), reply(200, PAGE, content_type="text/html")),
    ],
)
async def test_a_vendor_that_is_gone_is_told_so_and_gets_no_key(look: Visitor, models: Script, chat: Script) -> None:
    findings = await look(models, chat, MODELS)

    assert statuses(findings)["iflow"] is Status.GONE
    assert "iflow/ada" not in statuses(findings)
    assert len(look.upstream.requests) == 2
    assert "iflow2api serve --upstream URL" in findings[-1].action


async def test_one_failure_that_may_pass_is_a_warning_and_the_account_is_tried(look: Visitor) -> None:
    findings = await look(reply(503), reply(504), reply(503))

    assert statuses(findings)["iflow"] is Status.WARNING
    assert statuses(findings)["iflow/ada"] is Status.WARNING


async def test_too_many_people_pass(look: Visitor) -> None:
    crowded = reply(body='{"status":"449","msg":"当前找我聊的人太多了","body":null}'.encode())

    assert statuses(await look(REFUSED, REFUSED, crowded))["iflow/ada"] is Status.WARNING


async def test_a_key_that_is_refused_needs_a_login(look: Visitor) -> None:
    findings = await look(REFUSED, REFUSED, REFUSED)

    assert (findings[-1].subject, findings[-1].status, findings[-1].needs_login) == ("iflow/ada", Status.FAILURE, True)
    assert findings[-1].action


async def test_the_same_page_from_a_relay_is_only_a_failure(tmp_path: Path, look: Visitor) -> None:
    transports = Rerouted({"https://relay.example": look.upstream.url})
    relay = Visitor(tmp_path, look.upstream, transports)
    known = {**EVERYBODY, "relay.example": ("127.0.0.1",)}

    findings = await relay(reply(200, PAGE), reply(200, PAGE), MODELS, known=known, base_url="https://relay.example/v1")
    await transports.aclose()

    assert statuses(findings)["iflow"] is Status.FAILURE
    assert "platform.iflow.cn" not in statuses(findings)


async def test_a_relay_beside_a_vendor_that_is_gone_is_judged_as_what_it_is(tmp_path: Path, look: Visitor) -> None:
    ways = {"https://apis.iflow.cn": look.upstream.url, "https://relay.example": look.upstream.url}
    transports = Rerouted(ways)
    both = Visitor(tmp_path, look.upstream, transports)
    known = {**EVERYBODY, "relay.example": ("127.0.0.1",)}
    relayed = replace(KEY, id="two", label="bob", base_url="https://relay.example/v1")

    findings = await both(
        reply(200, PAGE), REFUSED, REFUSED, REFUSED, MODELS, known=known, saved=[KEY, relayed]
    )  # fmt: skip
    await transports.aclose()

    found = statuses(findings)
    assert found["iflow at apis.iflow.cn"] is Status.GONE
    assert found["iflow at relay.example"] is Status.OK
    assert found["iflow/bob"] is Status.OK


# --- names ----------------------------------------------------------------------------------------------------------


async def test_a_vendor_whose_names_are_all_gone_is_not_called_at_all(look: Visitor) -> None:
    (found,) = await look(known={OTHER_HOSTS[1]: ("127.0.0.1",)})

    assert (found.status, found.subject) == (Status.GONE, "iflow")
    assert "apis.iflow.cn, iflow.cn, platform.iflow.cn" in found.text
    assert look.upstream.requests == []


async def test_where_no_name_resolves_at_all_it_is_this_machine(look: Visitor) -> None:
    (found,) = await look(known={})

    assert found.status is Status.FAILURE
    assert "no DNS" in found.text


async def test_one_name_that_is_gone_is_a_failure_of_its_own(look: Visitor) -> None:
    known = {host: address for host, address in EVERYBODY.items() if host != "platform.iflow.cn"}

    findings = await look(REFUSED, REFUSED, MODELS, known=known)

    assert statuses(findings) | {"platform.iflow.cn": Status.FAILURE} == statuses(findings)
    assert statuses(findings)["iflow/ada"] is Status.OK


async def test_behind_a_proxy_names_are_not_looked_at_from_here(look: Visitor) -> None:
    findings = await look(REFUSED, REFUSED, MODELS, known={}, proxy="http://127.0.0.1:9")

    assert (findings[0].status, findings[0].subject) == (Status.NOTE, "iflow")
    assert "the proxy in upstream.proxy" in findings[0].text
    assert not set(IFLOW_HOSTS) & set(statuses(findings))


# --- the plan -------------------------------------------------------------------------------------------------------


async def test_an_account_that_takes_no_requests_is_not_asked(look: Visitor) -> None:
    findings = await look(REFUSED, REFUSED, saved=[replace(KEY, is_refused=True)])

    assert "iflow/ada" not in statuses(findings)


async def test_a_provider_without_accounts_is_visited_where_it_stands(look: Visitor) -> None:
    findings = await look(REFUSED, REFUSED, saved=[])

    assert statuses(findings) == dict.fromkeys((*IFLOW_HOSTS, "iflow"), Status.OK)


def test_what_could_not_be_visited_is_a_failure_with_the_hint() -> None:
    found = could_not("desk", ConfigError("It has no base_url.", hint="write one"))

    assert (found.status, found.action) == (Status.FAILURE, "write one")


# --- the clock ------------------------------------------------------------------------------------------------------


async def test_f57_the_clock_is_compared_with_those_who_answer(look: Visitor) -> None:
    here = replace(online(look.home), clock=FakeClock(1_795_161_600.0 + 3600))
    dated = reply(401, date="Fri, 20 Nov 2026 08:00:00 GMT")
    look.upstream.then(dated)
    accounts = Accounts(
        Settings(), here.paths, here.environ, clock=here.clock, home=look.home, transports=look.transports
    )  # fmt: skip
    visit = plan(accounts, (), "iflow")
    await examine(visit, here, Caller(look.told.append))

    assert offset_of([visit]) == 3600.0
