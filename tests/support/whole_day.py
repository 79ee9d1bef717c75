"""A gateway at debug level with every kind of secret there is, what is asked of it, and what it says.

The secrets are in its settings, its accounts (sealed by a passphrase), its clients' hands and its upstreams' mouths.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.state.accounts import AccountStore
from iflow_cli_proxy.state.paths import find_paths
from iflow_cli_proxy.state.vault import open_seal
from iflow_cli_proxy.telemetry.traces import NEEDED, is_installed
from tests.support.canaries import Canaries
from tests.support.front_door import GOOD_ANSWER
from tests.support.people import Household, household
from tests.support.proxies import HttpProxy
from tests.support.raw_upstream import LAST_CHUNK, RawUpstream, answer, event, reset, stream_head
from tests.support.serving import THIS_PYTHON, Running, serving, surroundings

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
    admin: dict[str, str] = field(default_factory=dict)
    """What a browser that has signed in sends with each call."""

    def secret(self, name: str) -> str:
        return self.canaries.secrets[name]

    async def call(
        self, method: str, path: str, *, key: str | None = None, is_heard: bool = True, **more: Any
    ) -> bytes:
        """One request of a client, by its key unless another is given; its answer is heard, head and all."""
        key = self.secret("client key of the configuration") if key is None else key
        headers = {**({"Authorization": f"Bearer {key}"} if key else {}), **more.pop("headers", {})}
        async with self.session.request(method, f"{self.running.url}{path}", headers=headers, **more) as reply:
            body = await reply.read()
        self.answers.append(reply.status)
        self.ids += [reply.headers["x-request-id"]] if method == "POST" else []
        if is_heard:
            self.canaries.hear(f"answer to {method} {path.partition('?')[0]}", repr(reply.headers) + body.decode())
        return body

    async def ask(self, model: str, **more: Any) -> bytes:
        return await self.call(
            "POST",
            "/v1/chat/completions",
            json={"model": model, "messages": [{"role": "user", "content": "hi"}], **more},
        )

    async def run(self, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A command beside the server; what it prints is not heard by itself, for some are there to print secrets."""
        return await run(self.house.home, self.env, *args, stdin=stdin)

    async def run_and_hear(self, *args: str, stdin: str = "") -> None:
        done = await self.run(*args, stdin=stdin)
        self.canaries.hear(f"iflow2api {' '.join(args)}", done.stdout + done.stderr)

    async def sign_in(self, password: str) -> None:
        """At the admin page; the session and its token are told to this browser alone."""
        origin = {"Origin": self.running.url, **JSON}
        body = jsonx.encode({"password": password})
        async with self.session.post(f"{self.running.url}/admin/login", data=body, headers=origin) as reply:
            assert reply.status == 200
            (cookie,) = reply.cookies.values()
            csrf = jsonx.decode(await reply.read())["csrf"]
        self.canaries.set_out("session of the admin page", cookie.value)
        self.admin = {"Cookie": f"{cookie.key}={cookie.value}", "x-csrf-token": csrf, **origin}

    async def look(self, path: str) -> bytes:
        return await self.call("GET", path, key="", headers=self.admin)

    async def order(self, path: str, body: object, *, method: str = "POST", is_heard: bool = True) -> Any:
        """A call of the admin page that changes something; its answer."""
        said = await self.call(
            method, path, key="", headers=self.admin, data=jsonx.encode(body), is_heard=is_heard
        )  # fmt: skip
        return jsonx.decode(said)

    async def watch_the_socket(self, frames: int) -> None:
        async with self.session.ws_connect(f"{self.running.url}/admin/ws", headers=self.admin) as socket:
            await socket.send_json({"subscribe": ["logs"]})
            for _ in range(frames):
                self.canaries.hear("the admin page's socket", await socket.receive_str(timeout=20))

    def accounts(self) -> tuple[SavedAccount, ...]:
        return store_of(self.house, self.env).load().accounts

    def note_accounts(self, when: str) -> None:
        """Every token and key that lies in the store now."""
        for account in self.accounts():
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
        "IFLOW2API_LOGGING_BODIES": str(home / "bodies"),
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
