"""A whole day of a gateway at debug level with every kind of secret there is, and none in anything it said (I45).

To have another output searched, write a deed: an async function that takes the `Scene`, does something and lets the
canaries hear what came of it; `DEEDS` lists them in order. Another kind of secret is one more `set_out`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from iflow_cli_proxy.config.load import ConfigText, load
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.state.accounts import AccountStore
from iflow_cli_proxy.state.paths import find_paths
from iflow_cli_proxy.state.vault import open_seal
from iflow_cli_proxy.telemetry.traces import NEEDED, is_installed
from tests.support.canaries import Canaries
from tests.support.cli import run_cli
from tests.support.front_door import GOOD_ANSWER
from tests.support.people import Household, household
from tests.support.proxies import HttpProxy
from tests.support.raw_upstream import LAST_CHUNK, RawUpstream, answer, event, reset, stream_head
from tests.support.serving import THIS_PYTHON, Running, serving, surroundings

pytest.importorskip("cryptography")

KEEPERS: Final = ("accounts/", "config.toml", "keys.toml", "overrides.toml", "admin.json")
"""Files that are there to hold secrets, hashes of them or sealed ones."""
QUESTION: Final = {"messages": [{"role": "user", "content": "hi"}]}
ADMIN_PAGES: Final = (
    "/admin", "/admin/live", "/admin/providers", "/admin/accounts", "/admin/keys", "/admin/models", "/admin/settings",
    "/admin/usage?by=day,model", "/admin/requests?limit=50", "/admin/logs?level=debug&limit=2000",
    "/admin/lang/zh.json",
)  # fmt: skip
JSON: Final = {"Content-Type": "application/json"}
PROXY_USER: Final = "proxy-user"


@dataclass
class Scene:
    canaries: Canaries
    house: Household
    running: Running
    env: dict[str, str]
    session: aiohttp.ClientSession
    answers: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    """Of every question, answered or not."""

    def secret(self, name: str) -> str:
        return self.canaries.secrets[name]

    async def call(self, method: str, path: str, *, key: str | None = None, **more: Any) -> bytes:
        """One request of a client, by its key unless another is given; its answer is heard, head and all."""
        key = self.secret("client key of the configuration") if key is None else key
        headers = {**({"Authorization": f"Bearer {key}"} if key else {}), **more.pop("headers", {})}
        async with self.session.request(method, f"{self.running.url}{path}", headers=headers, **more) as reply:
            body = await reply.read()
        self.answers.append(reply.status)
        self.ids += [reply.headers["x-request-id"]] if method == "POST" else []
        self.canaries.hear(f"answer to {method} {path.partition('?')[0]}", repr(reply.headers) + body.decode())
        return body

    async def ask(self, model: str, **more: Any) -> bytes:
        return await self.call("POST", "/v1/chat/completions", json={"model": model, **QUESTION, **more})

    async def run(self, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A command beside the server; what it prints is not heard by itself, for some are there to print secrets."""
        return await run(self.house.home, self.env, *args, stdin=stdin)

    async def run_and_hear(self, *args: str, stdin: str = "") -> None:
        done = await self.run(*args, stdin=stdin)
        self.canaries.hear(f"iflow2api {' '.join(args)}", done.stdout + done.stderr)

    def note_accounts(self, when: str) -> None:
        """Every token and key that lies in the store now."""
        for account in store_of(self.house, self.env).load().accounts:
            named = {"key": account.api_key, **vars_of(account.tokens)}
            for kind, secret in named.items():
                if secret:
                    self.canaries.set_out(f"{kind} of {account.label} {when}", secret.reveal())
            self.canaries.hear("repr of an account", repr(account))


async def run(home: Path, env: dict[str, str], *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run, [*THIS_PYTHON, *args], env=surroundings(home, env), cwd=home, capture_output=True, text=True,
        input=stdin, timeout=60,
    )  # fmt: skip


def vars_of(tokens: Any) -> dict[str, Any]:
    return {"access token": tokens.access_token, "refresh token": tokens.refresh_token} if tokens else {}


def store_of(house: Household, env: dict[str, str]) -> AccountStore:
    folder = find_paths(house.around).accounts_dir
    return AccountStore(folder, clock=SystemClock(), seal=open_seal("passphrase", folder, env))


# --- deeds ------------------------------------------------------------------------------------------------------------


async def ask_in_every_protocol(scene: Scene) -> None:
    """Good answers of accounts that were signed in, and of a key behind a proxy."""
    for model in ("glm-5", "coder-model", "desk/m"):
        await scene.ask(model)
        await scene.ask(model, stream=True)
    key = scene.secret("client key of the configuration")
    await scene.call(
        "POST", "/v1/messages", json={"model": "glm-5", "max_tokens": 9, **QUESTION}, key="", headers={"x-api-key": key}
    )
    contents = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    for given in (key, scene.secret("unknown key in a query")):
        await scene.call("POST", f"/v1beta/models/glm-5:generateContent?key={given}", json=contents, key="")
        await scene.call(
            "POST", f"/v1beta/models/glm-5:streamGenerateContent?alt=sse&key={given}", json=contents, key=""
        )
        await scene.call("POST", f"/v1/chat/completions?key={given}", json={"model": "glm-5", **QUESTION}, key="")


async def meet_an_upstream_that_tells_our_key(scene: Scene) -> None:
    """It answers with errors that repeat what it was sent, then breaks off."""
    for stream in (False, True, False, True, False):
        await scene.ask("loud/m", stream=stream)
    await scene.ask("nowhere/m")


async def knock_as_a_stranger(scene: Scene) -> None:
    wrong = scene.secret("key of somebody else")
    await scene.call("GET", "/v1/models", key=wrong)
    await scene.call("GET", f"/v1/models/{wrong}", key="")
    await scene.call("GET", f"/{wrong}")
    await scene.ask(wrong)
    await scene.call("POST", "/v1/chat/completions", data=f'{{"model": "{wrong}",'.encode(), headers=JSON)
    await scene.call("POST", "/v1/chat/completions", json={"model": "glm-5", "api_key": wrong, wrong: 1, **QUESTION})
    await scene.call("GET", "/v1/models", headers={"x-request-id": wrong.replace(".", "/"), "user-agent": wrong})


async def use_a_key_of_the_key_file(scene: Scene) -> None:
    """Made by a command that shows it once, used, and looked at."""
    made = await scene.run("key", "create", "team", "--json")
    secret = scene.canaries.set_out("key of keys.toml", jsonx.decode(made.stdout.encode())["key"])
    scene.canaries.hear("standard error of key create", made.stderr)
    scene.running.process.send_signal(signal.SIGHUP)
    async with asyncio.timeout(20):
        while scene.answers[-1:] != [200]:
            await scene.call("GET", "/v1/models", key=secret)
            await asyncio.sleep(0.02)
    await scene.run_and_hear("key", "list", "--json")


async def sign_in_by_a_device_code(scene: Scene) -> None:
    """The code and the verifier are told to whoever began, and to nobody else."""
    bearer = {"Authorization": f"Bearer {scene.secret('client key of the configuration')}"}
    async with scene.session.post(f"{scene.running.url}/auth/initiate", headers=bearer) as reply:
        grant = jsonx.decode(await reply.read())
    for name in ("device_code", "code_verifier"):
        scene.canaries.set_out(name, grant[name])
    known = {name: grant[name] for name in ("device_code", "code_verifier")} | {"interval": 1}
    await scene.call("POST", "/auth/poll", json={**known, "device_code": grant["device_code"] + "x"})
    await scene.call("POST", "/auth/poll", json={**known, "account": "by-device"})
    scene.note_accounts("after a sign-in")
    await scene.ask("coder-model")


async def refresh_everything(scene: Scene) -> None:
    await scene.run_and_hear("token", "refresh", "--all", "--force")
    scene.note_accounts("after a refresh")
    await scene.ask("glm-5")


async def look_at_everything(scene: Scene) -> None:
    for path in ("/", "/health", "/ready", "/v1/models", "/metrics", "/debug/accounts", "/debug/live", "/openapi.json"):
        await scene.call("GET", path)
    for command in ("token list --json", "token list", "config show", "config show --json", "doctor", "doctor --json",
                    "usage --json", "usage --by key,model", "models --json", "upstream list --json",
                    "admin url"):  # fmt: skip
        await scene.run_and_hear(*command.split())


async def explain_what_happened(scene: Scene) -> None:
    """With the bodies of both sides, which the recorder keeps here; a golden is made to be given away."""
    await scene.run_and_hear("explain")
    env = surroundings(scene.house.home, scene.env)
    for name in scene.ids:
        for form in ("--full", "--json"):
            told = run_cli("explain", name, form, env=env)  # in this process: there are many
            scene.canaries.hear(f"explain {form}", told.out + told.err)
    await scene.run_and_hear("explain", scene.ids[0], "--save", "golden.json")
    assert (scene.house.home / "golden.json").exists()


async def look_at_the_admin_page(scene: Scene) -> None:
    """Whoever signs in is told the session and its token; from then on nobody is."""
    password = scene.canaries.set_out("password of the admin page", f"correct {os.urandom(12).hex()}")
    await scene.run_and_hear("admin", "password", stdin=f"{password}\n")
    origin = {"Origin": scene.running.url, **JSON}
    body = jsonx.encode({"password": password})
    async with scene.session.post(f"{scene.running.url}/admin/login", data=body, headers=origin) as reply:
        assert reply.status == 200
        (cookie,) = reply.cookies.values()
        csrf = jsonx.decode(await reply.read())["csrf"]
    scene.canaries.set_out("session of the admin page", cookie.value)
    signed_in = {"Cookie": f"{cookie.key}={cookie.value}", **origin}
    wrong = jsonx.encode({"current": password + "x", "new": password})
    await scene.call("POST", "/admin/password", key="", data=wrong, headers={**signed_in, "x-csrf-token": csrf})
    for path in (*ADMIN_PAGES, *(f"/admin/requests/{name}" for name in scene.ids)):
        await scene.call("GET", path, key="", headers=signed_in)


async def print_the_settings(scene: Scene) -> None:
    settings, origins = load(
        config=ConfigText("config.toml", (scene.house.home / "config.toml").read_text()), environ=scene.env, flags={}
    )
    scene.canaries.hear("repr of the settings", repr(settings) + repr(origins))


Deed = Callable[[Scene], Awaitable[None]]
DEEDS: Final[tuple[Deed, ...]] = (
    ask_in_every_protocol,
    meet_an_upstream_that_tells_our_key,
    knock_as_a_stranger,
    use_a_key_of_the_key_file,
    sign_in_by_a_device_code,
    refresh_everything,
    look_at_everything,
    explain_what_happened,
    look_at_the_admin_page,
    print_the_settings,
)


# --- the stage --------------------------------------------------------------------------------------------------------


def loud(key: str, password: str) -> tuple[list[Any], ...]:
    """An upstream that repeats what it should keep to itself: in an error, in a stream, in a reset."""
    words = f"Invalid key {key}, sent with Authorization: Bearer {key} by http://{PROXY_USER}:{password}@10.0.0.7/v1"
    error = jsonx.encode({"error": {"message": words, "type": "invalid_request_error"}})
    told = jsonx.encode({"error": {"message": words, "code": 400}}).decode()
    word = '{"choices":[{"index":0,"delta":{"content":"word"},"finish_reason":null}]}'
    return [answer(error, 400)], [stream_head(), event(word), event(told), LAST_CHUNK], [answer(error, 401)], [reset]


def config(scene_toml: str, canaries: Canaries, desk: str, noisy: str, proxy: str) -> str:
    secret = canaries.secrets
    return f"""
{scene_toml}
[providers.desk]
kind = "openai_compatible"
base_url = "{desk}/v1"
api_key = "{secret["key of an upstream"]}"
proxy = "{proxy}"
models = ["m"]
headers = {{ "x-team" = "{secret["header of an upstream"]}" }}
[providers.loud]
kind = "openai_compatible"
base_url = "{noisy}/v1"
api_key = "{secret["key of a loud upstream"]}"
models = ["m"]
[providers.nowhere]
kind = "openai_compatible"
base_url = "http://127.0.0.1:9/v1"
proxy = "http://{PROXY_USER}:{secret["password of a proxy"]}@127.0.0.1:9"
api_key = "{secret["key of an upstream"]}"
models = ["m"]
[tracing]
enabled = {str(all(map(is_installed, NEEDED))).lower()}
endpoint = "http://127.0.0.1:9"
headers = {{ "authorization" = "{secret["header for a collector"]}" }}
"""


def secrets() -> Canaries:
    """Of shapes that no pattern knows, so that only care keeps them in: whoever holds them knows what they are."""
    canaries = Canaries()
    for number, name in enumerate(
        ("client key of the configuration", "key of an upstream", "key of a loud upstream", "header of an upstream",
         "password of a proxy", "passphrase", "unknown key in a query",
         "header for a collector"), 1,
    ):  # fmt: skip
        canaries.set_out(name, f"{os.urandom(8).hex()}.of.no.usual.shape.{number}.{os.urandom(8).hex()}")
    canaries.set_out("key of somebody else", f"sk-{os.urandom(24).hex()}")  # a word of a stranger is known by its shape
    basic = f"{PROXY_USER}:{canaries.secrets['password of a proxy']}"
    canaries.set_out("basic credentials of a proxy", b64encode(basic.encode()).decode())
    return canaries


@asynccontextmanager
async def scene(home: Path) -> AsyncIterator[Scene]:
    canaries = secrets()
    env = {
        "IFLOW2API_CLIENT_KEY": canaries.secrets["client key of the configuration"],
        "IFLOW2API_PASSPHRASE": canaries.secrets["passphrase"],
        "IFLOW2API_AUTH_REQUIRED": "always",
        "IFLOW2API_LOGGING_LEVEL": "debug",
        "IFLOW2API_LOGGING_FILE": str(home / "gateway.log"),
        "IFLOW2API_RECORDER_CONTENTS": "true",
        "IFLOW2API_RESILIENCE_RETRY_BACKOFF_MS": "0",
        "PYTHONASYNCIODEBUG": "1",
    }
    password = canaries.secrets["password of a proxy"]
    async with (
        household(home, approves_by_itself=True) as house,
        RawUpstream([GOOD_ANSWER]) as desk,
        RawUpstream(*loud(canaries.secrets["key of a loud upstream"], password)) as noisy,
        HttpProxy(user=PROXY_USER, password=password) as proxy,
        aiohttp.ClientSession() as session,
    ):
        house.demo.app.oauth.rules.poll_interval_s = 1
        await house.iflow("ada")
        await house.qwen("bob")
        urls = desk.url, noisy.url, proxy.url_with(PROXY_USER, password)
        (home / "config.toml").write_text(config(house.toml("iflow", "qwen"), canaries, *urls))
        (home / "config.toml").chmod(0o600)
        sealed = await run(home, env, "config", "set", "security.encrypt", "passphrase")
        assert sealed.returncode == 0, sealed.stderr
        canaries.hear("config set", sealed.stdout + sealed.stderr)
        with serving(home=home, env=env) as running:
            stage = Scene(canaries, house, running, env, session)
            stage.note_accounts("at first")
            yield stage


async def test_no_secret_leaves(tmp_path: Path) -> None:
    async with scene(tmp_path) as stage:
        for deed in DEEDS:
            await deed(stage)
        stage.running.process.terminate()
        assert await asyncio.to_thread(stage.running.process.wait, 20) == 0
    stage.canaries.hear_folder(tmp_path, but=KEEPERS)

    assert set(stage.answers) >= {200, 400, 401, 404, 502}
    assert "\n".join(stage.canaries.found()) == ""


def test_a_secret_that_leaves_is_found() -> None:
    """The search itself, or this file would prove nothing."""
    canaries = secrets()
    secret = canaries.secrets["passphrase"]
    for where, text in {
        "whole": f"it is {secret}!", "start": secret[:15], "end": secret[-15:],
        "base64": b64encode(secret.encode()).decode(), "masked": f"…{secret[-4:]}",
    }.items():  # fmt: skip
        canaries.hear(where, text)

    assert {found.partition(":")[0] for found in canaries.found()} >= {"whole", "start", "end", "base64"}
    assert "masked: passphrase" not in canaries.found()
