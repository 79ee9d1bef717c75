"""A whole examination with calls: the demo upstream in the vendors' place, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.demo.run import DemoUpstream, start_demo
from iflow_cli_proxy.doctor import upstreams
from iflow_cli_proxy.doctor.finding import Diagnosis, Finding, Group, Status
from iflow_cli_proxy.doctor.run import Wish, examine
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount, Tokens
from iflow_cli_proxy.state.accounts import AccountStore
from tests.support.demo_signin import Caller
from tests.support.machines import machine, names, write
from tests.support.rerouted import Rerouted
from tests.support.serving import serving

HOSTS = ("apis.iflow.cn", "iflow.cn", "platform.iflow.cn", "chat.qwen.ai", "portal.qwen.ai")


@dataclass
class Clinic:
    """A machine, and the vendors it can reach."""

    home: Path
    demo: DemoUpstream
    transports: Rerouted
    clock: Any = None

    async def look(self, *providers: str, fixes: bool = False, **changes: Any) -> Diagnosis:
        async def connect(*given: object) -> float:
            return SystemClock().now() + 90 * 86_400

        here = machine(
            self.home,
            {"IFLOW2API_SERVER_PORT": "0"},
            clock=self.clock or SystemClock(),
            resolve=names(dict.fromkeys(HOSTS, ("127.0.0.1",))),
            connect=connect,
            **changes,
        )
        wish = Wish(providers=providers, fixes=fixes, is_online=True)
        return await examine(here, wish, transports=self.transports)

    @property
    def store(self) -> AccountStore:
        return AccountStore(self.home / "gateway" / "accounts", clock=SystemClock())

    async def sign_in_to_iflow(self, **changes: Any) -> SavedAccount:
        """An account of ours whose access token ended an hour ago."""
        async with aiohttp.ClientSession() as session:
            caller = Caller(self.demo, session)
            told = await caller.iflow_sign_in()
            profile = (await caller.userinfo(told["access_token"])).json["data"]
        account = SavedAccount(
            id="one",
            provider="iflow",
            label="ada",
            auth_type=AuthType.OAUTH,
            api_key=Secret(profile["apiKey"]),
            tokens=Tokens(
                access_token=Secret(told["access_token"]),
                refresh_token=Secret(changes.get("refresh_token", told["refresh_token"])),
                expires_at=SystemClock().now() - 3600,
            ),
        )
        self.store.create(account)
        return account

    async def sign_in_to_qwen(self) -> None:
        """As Qwen Code leaves it."""
        async with aiohttp.ClientSession() as session:
            told = await Caller(self.demo, session).qwen_sign_in()
        ends = int((SystemClock().now() + told["expires_in"]) * 1000)
        tree = {"access_token": told["access_token"], "refresh_token": told["refresh_token"], "token_type": "Bearer"}
        write(self.home / ".qwen" / "oauth_creds.json", {**tree, "expiry_date": ends})


@pytest.fixture
async def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clinic]:
    monkeypatch.setattr(upstreams, "_BETWEEN_TRIES_S", 0.0)
    async with await start_demo(delay_s=0.0) as demo:
        transports = Rerouted(
            {
                "https://portal.qwen.ai/v1": demo.qwen_url,
                **{f"https://{host}": demo.origin for host in HOSTS},
            }
        )
        yield Clinic(tmp_path, demo, transports)
        await transports.aclose()


def of(diagnosis: Diagnosis, subject: str, group: Group = Group.UPSTREAMS) -> Finding:
    return next(one for one in diagnosis.findings if (one.group, one.subject) == (group, subject))


async def test_everybody_alive_is_well(clinic: Clinic) -> None:
    await clinic.sign_in_to_iflow()
    await clinic.sign_in_to_qwen()

    diagnosis = await clinic.look()

    assert diagnosis.is_well
    online = {one.subject: one.status for one in diagnosis.findings if one.group is Group.UPSTREAMS}
    assert online == dict.fromkeys(
        (*HOSTS, "iflow", "iflow/ada", "qwen", "qwen sign-in", "qwen/default"), Status.OK
    )  # fmt: skip
    assert of(diagnosis, "clock", Group.ENVIRONMENT).text == "agrees with the upstreams"


async def test_i45_nothing_secret_is_in_what_is_found(clinic: Clinic) -> None:
    account = await clinic.sign_in_to_iflow()
    await clinic.sign_in_to_qwen()
    told = jsonx.decode((clinic.home / ".qwen" / "oauth_creds.json").read_bytes())
    assert account.tokens is not None
    secrets = [account.api_key, account.tokens.access_token, account.tokens.refresh_token]

    diagnosis = await clinic.look(fixes=True)

    shown = "".join(str(one.as_json()) for one in diagnosis.findings)
    assert not [one for one in secrets if one.reveal() in shown]
    assert told["access_token"] not in shown
    assert told["refresh_token"] not in shown


async def test_a_sign_in_that_has_ended_is_refreshed_and_kept(clinic: Clinic) -> None:
    before = await clinic.sign_in_to_iflow()

    told = await clinic.look()
    mended = await clinic.look(fixes=True)

    assert of(told, "iflow/ada", Group.ACCOUNTS).action == "iflow2api token refresh iflow/ada"
    assert clinic.demo.app.oauth.calls["refresh"] == 1
    assert of(mended, "iflow/ada", Group.ACCOUNTS).repaired.startswith("refreshed; ends in")
    (after,) = clinic.store.load().accounts
    assert after.tokens != before.tokens


async def test_a_refresh_token_that_is_dead_needs_a_login_and_the_file_stays(clinic: Clinic) -> None:
    await clinic.sign_in_to_iflow()
    clinic.demo.app.oauth.faults.append("refresh:invalid_grant@0")

    found = of(await clinic.look(fixes=True), "iflow/ada", Group.ACCOUNTS)

    assert (found.status, found.needs_login) == (Status.FAILURE, True)
    assert len(clinic.store.load().accounts) == 1


async def test_an_overloaded_sign_in_server_passes(clinic: Clinic) -> None:
    await clinic.sign_in_to_iflow()
    clinic.demo.app.oauth.faults.append("refresh:overload@0")

    diagnosis = await clinic.look(fixes=True)

    found = of(diagnosis, "iflow/ada", Group.ACCOUNTS)
    assert (found.status, found.needs_login) == (Status.WARNING, False)
    assert "could not be repaired" in found.text


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ("device:html@0", Status.GONE),
        ("device:redirect@0", Status.GONE),
        ("device:http_404@0", Status.GONE),
        ("device:http_504@0", Status.GONE),
        ("device:http_504@1", Status.OK),
        ("device:http_429@0", Status.WARNING),
        ("device:no_device_code@0", Status.GONE),
        ("device:reset@0", Status.WARNING),
    ],
)
async def test_qwens_sign_in_server_is_gone_or_only_failing(clinic: Clinic, wish: str, status: Status) -> None:
    clinic.demo.app.oauth.faults.append(wish)

    diagnosis = await clinic.look("qwen")

    found = of(diagnosis, "qwen sign-in")
    assert found.status is status
    assert ("https://dashscope-intl.aliyuncs.com" in found.action) is (status is not Status.OK)


async def test_asking_for_a_device_code_signs_nobody_in(clinic: Clinic) -> None:
    await clinic.look("qwen")

    calls = clinic.demo.app.oauth.calls
    assert (calls["device"], calls["poll"]) == (1, 0)


async def test_f57_a_clock_that_is_an_hour_ahead_is_a_failure(clinic: Clinic) -> None:
    class Ahead(SystemClock):
        def now(self) -> float:
            return super().now() + 3600

    clinic.clock = Ahead()

    found = of(await clinic.look("iflow"), "clock", Group.ENVIRONMENT)

    assert found.status is Status.FAILURE
    assert "ahead of the upstreams" in found.text


async def test_only_those_that_are_named_are_visited(clinic: Clinic) -> None:
    await clinic.sign_in_to_iflow()

    diagnosis = await clinic.look("qwen")

    assert not [one for one in diagnosis.findings if one.group is Group.UPSTREAMS and "iflow" in one.subject]


async def test_a_running_gateway_of_ours_is_known_by_its_health(tmp_path: Path) -> None:
    with serving("--demo", home=tmp_path) as running:
        port = running.url.rpartition(":")[2]
        variables = {"IFLOW2API_SERVER_PORT": port, "OPENAI_BASE_URL": f"{running.url}/v1"}
        diagnosis = await examine(machine(tmp_path, variables), Wish())

    assert of(diagnosis, f"port {port}", Group.SERVER).status is Status.OK
    assert of(diagnosis, "OPENAI_BASE_URL", Group.CLIENTS).text == "points at this gateway"
