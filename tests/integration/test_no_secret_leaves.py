"""A whole day of a gateway at debug level with every kind of secret there is, and none in anything it said (I45).

To have another output searched, write a deed: an async function that takes the `Scene`, does something and lets the
canaries hear what came of it; `DEEDS` lists them in order. Another kind of secret is one more `set_out`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pytest

from iflow_cli_proxy.config.load import ConfigText, load
from iflow_cli_proxy.core import jsonx
from tests.support.cli import run_cli
from tests.support.serving import surroundings
from tests.support.whole_day import JSON, Scene, scene, secrets

pytest.importorskip("cryptography")

KEEPERS: Final = ("accounts/", "config.toml", "keys.toml", "overrides.toml", "admin.json")
"""Files that are there to hold secrets, hashes of them or sealed ones."""
QUESTION: Final = {"messages": [{"role": "user", "content": "hi"}]}
ADMIN_PAGES: Final = (
    "/admin", "/admin/live", "/admin/providers", "/admin/accounts", "/admin/keys", "/admin/models", "/admin/settings",
    "/admin/usage?by=day,model", "/admin/requests?limit=50", "/admin/logs?level=debug&limit=2000",
    "/admin/lang/zh.json",
)  # fmt: skip


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
    await scene.run_and_hear("align", "golden.json")
    await scene.run_and_hear("replay", scene.ids[0], "--url", scene.running.url)


async def sign_in_at_the_admin_page(scene: Scene) -> None:
    """Whoever signs in is told the session and its token; from then on nobody is."""
    password = scene.canaries.set_out("password of the admin page", f"correct {os.urandom(12).hex()}")
    await scene.run_and_hear("admin", "password", stdin=f"{password}\n")
    await scene.sign_in(password)
    await scene.order("/admin/password", {"current": password + "x", "new": password})


async def steer_from_the_admin_page(scene: Scene) -> None:
    """Accounts by key, by a pasted address and by a device code; a client key; a secret in the settings."""
    key = scene.canaries.set_out("key typed into the admin page", f"{os.urandom(12).hex()}.typed.{os.urandom(8).hex()}")
    await scene.order("/admin/accounts", {"provider": "desk", "label": "typed", "api_key": key})
    begun = await scene.order("/admin/oauth/url", {"provider": "iflow", "label": "pasted"})
    address = await approve(scene, begun["url"])
    code = scene.canaries.set_out("code of a sign-in", parse_qs(urlsplit(address).query)["code"][0])
    await scene.order("/admin/oauth/paste", {"flow": begun["flow"], "text": address})
    await scene.look(f"/admin/oauth/callback?code={code}&state=made-up")
    await scene.order("/admin/oauth/device", {"provider": "qwen", "label": "phone"})
    scene.note_accounts("after the admin page")
    for account in scene.accounts():
        for step in ("disable", "enable", "reset", "refresh"):
            await scene.order(f"/admin/accounts/{account.id}/{step}", {})
    await scene.order("/admin/playground", {"model": "glm-5", **QUESTION})
    scene.note_accounts("after they were refreshed")


async def approve(scene: Scene, url: str) -> str:
    """Press the button of iFlow's page; the address that the browser is sent to."""
    path, _, query = url.partition("?")
    form = {"content-type": "application/x-www-form-urlencoded"}
    data = f"{query}&decision=approve&account=ada"
    async with scene.session.post(path, data=data, headers=form, allow_redirects=False) as reply:
        return reply.headers["location"]


async def change_keys_and_settings_at_the_admin_page(scene: Scene) -> None:
    """A new key is told once, to whoever made it; a password in a setting is told to nobody."""
    for path, body in (("/admin/keys", {"name": "made-there"}), ("/admin/keys/made-there/rotate", {})):
        made = await scene.order(path, body, is_heard=False)
        scene.canaries.set_out(f"key of {path}", made["secret"])
    changes = {"upstream.proxy": f"http://me:{scene.secret('password of a proxy')}@127.0.0.1:9"}
    await scene.order("/admin/settings", {"changes": changes}, method="PATCH")
    await scene.look("/admin/settings")
    await scene.order("/admin/settings", {"changes": {"upstream.proxy": None}}, method="PATCH")


async def watch_the_admin_page(scene: Scene) -> None:
    for path in (*ADMIN_PAGES, *(f"/admin/requests/{name}" for name in scene.ids)):
        await scene.look(path)
    await scene.watch_the_socket(frames=4)


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
    sign_in_at_the_admin_page,
    steer_from_the_admin_page,
    change_keys_and_settings_at_the_admin_page,
    watch_the_admin_page,
    print_the_settings,
)


async def test_no_secret_leaves(tmp_path: Path) -> None:
    async with scene(tmp_path) as stage:
        for deed in DEEDS:
            await deed(stage)
        stage.running.process.terminate()
        assert await asyncio.to_thread(stage.running.process.wait, 20) == 0
    assert len([*(tmp_path / "bodies").iterdir()]) > 10
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
