"""The demo upstream over a real socket, called the way the gateway calls it: through the iflow provider."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from iflow_cli_proxy.core import errors, jsonx
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.demo.auth import Keys
from iflow_cli_proxy.demo.faults import ANSWERS
from iflow_cli_proxy.demo.run import DemoUpstream, start_demo
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.providers.base import Call
from iflow_cli_proxy.providers.iflow.catalog import load_catalog
from iflow_cli_proxy.providers.iflow.provider import IflowProvider
from iflow_cli_proxy.providers.model_list import parse_models
from tests.support.demo_signin import Answer
from tests.support.demo_signin import Caller as SignedIn
from tests.support.entropy import counting_entropy
from tests.support.fake_clock import FakeClock


class Caller:
    """What the gateway does, without the gateway."""

    def __init__(self, demo: DemoUpstream, session: aiohttp.ClientSession) -> None:
        self.demo = demo
        self.session = session
        self.provider = IflowProvider(
            "iflow", load_catalog(), clock=FakeClock(), entropy=counting_entropy(), base_url=demo.url
        )

    def account(self, key: str) -> Account:
        return Account(id="a", provider="iflow", label="a", api_key=Secret(key))

    def ask(self, model: str = "glm-4.6", *, key: str = "", is_stream: bool = False, **fields: Any) -> Any:
        given = {"messages": [{"role": "user", "content": "hi"}], **fields}
        call = Call(account=self.account(key or self.demo.key), model=model, fields=given, is_stream=is_stream)
        request = self.provider.prepare(call)
        return self.session.post(request.url, data=request.body, headers=request.headers, allow_redirects=False)

    async def error(self, model: str = "glm-4.6", **more: Any) -> errors.GatewayError | None:
        async with self.ask(model, **more) as reply:
            try:
                body = jsonx.decode(await reply.read())
            except jsonx.JsonError:
                body = None
            headers = {name.lower(): value for name, value in reply.headers.items()}
            return self.provider.find_error(reply.status, headers, body)


async def until(has_happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not has_happened():  # noqa: ASYNC110 -- it happens on the other side of a socket
            await asyncio.sleep(0.005)


@pytest.fixture
async def demo() -> AsyncIterator[DemoUpstream]:
    keys = Keys(good={"sk-good"}, expired={"sk-old"}, blocked={"sk-bad"})
    async with await start_demo(keys=keys, delay_s=0) as running:
        yield running


@pytest.fixture
async def caller(demo: DemoUpstream) -> AsyncIterator[Caller]:
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
        yield Caller(demo, session)


async def test_a_whole_answer(caller: Caller) -> None:
    async with caller.ask() as reply:
        body = jsonx.decode(await reply.read())
        assert (reply.status, reply.headers["eagleeye-traceid"]) == (200, "0000000000000000demo")
    assert body["model"] == "glm-4.6-exp"
    assert "hi" in body["choices"][0]["message"]["content"]
    assert body["usage"]["total_tokens"] > 0


async def test_a_stream_looks_like_the_vendors(caller: Caller) -> None:
    async with caller.ask("glm-5", is_stream=True) as reply:
        assert reply.headers["content-type"] == "text/event-stream;charset=UTF-8"
        body = await reply.read()
    assert body.startswith(b'data:{"id"')
    assert b'"reasoning_content"' in body
    assert b'"usage"' in body
    assert body.endswith(b"data:[DONE]\n\n")


@pytest.mark.parametrize(
    ("key", "kind"),
    [("sk-old", errors.Expired), ("sk-bad", errors.Blocked), ("sk-unknown", errors.Expired), (" ", errors.Expired)],
)
async def test_a_bad_key_is_refused_in_a_way_the_provider_understands(
    caller: Caller, key: str, kind: type[errors.GatewayError]
) -> None:
    assert type(await caller.error(key=key)) is kind


async def test_an_unsigned_request_is_not_acceptable(caller: Caller) -> None:
    body = {"model": "glm-5", "messages": [{"role": "user", "content": "hi"}]}
    headers = {"Authorization": "Bearer sk-good", "user-agent": "iFlow-Cli"}
    async with caller.session.post(f"{caller.demo.url}/chat/completions", json=body, headers=headers) as reply:
        assert reply.status == 406


async def test_an_unknown_model_is_refused(caller: Caller) -> None:
    assert isinstance(await caller.error("gpt-99"), errors.UnknownModel)


@pytest.mark.parametrize("name", ANSWERS)
async def test_every_failure_is_recognised_by_the_provider(caller: Caller, name: str) -> None:
    found = await caller.error(f"glm-5+{name}")
    assert found is not None
    for canary in ("sk-demo", "srv", "10.1.2.3", "Traceback"):
        assert canary not in found.message + found.detail


async def test_a_rate_limit_says_when_to_come_back(caller: Caller) -> None:
    found = await caller.error("glm-5+http_429:9")
    assert found is not None
    assert found.retry_after_s == 9


async def test_a_fault_may_end_after_some_requests(caller: Caller) -> None:
    found = [await caller.error("glm-4.6+http_500@2") for _ in range(3)]
    assert [type(one) for one in found] == [errors.Failing, errors.Failing, type(None)]


@pytest.mark.parametrize("name", ["cut", "reset", "reset_midway"])
@pytest.mark.parametrize("is_stream", [True, False])
async def test_a_broken_connection_is_one(caller: Caller, name: str, is_stream: bool) -> None:
    with pytest.raises(aiohttp.ClientError):
        async with caller.ask(f"glm-5+{name}", is_stream=is_stream) as reply:
            await reply.read()


async def test_a_stalled_stream_sends_nothing_more_and_notices_when_the_client_leaves(caller: Caller) -> None:
    async with caller.ask("glm-5+stall", is_stream=True) as reply:
        assert await reply.content.readany()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reply.read(), 0.05)
    await until(lambda: caller.demo.app.left_early == 1)


async def test_json_may_come_although_a_stream_was_asked(caller: Caller) -> None:
    async with caller.ask("glm-5+json_for_stream", is_stream=True) as reply:
        assert reply.headers["content-type"] == "application/json"
        assert jsonx.decode(await reply.read())["object"] == "chat.completion"


async def test_gzip_may_come_without_saying_so(caller: Caller) -> None:
    async with caller.ask("glm-5+gzip_unlabelled", is_stream=True) as reply:
        assert "content-encoding" not in reply.headers
        assert (await reply.read()).startswith(b"\x1f\x8b")


async def test_one_request_at_a_time_is_enforced_when_asked_for() -> None:
    async with await start_demo(delay_s=0, one_at_a_time=True) as demo, aiohttp.ClientSession() as session:
        caller = Caller(demo, session)
        async with caller.ask("glm-5+stall", is_stream=True) as reply:
            await reply.content.readany()
            assert isinstance(await caller.error(), errors.RateLimited)


async def test_the_list_of_models_is_the_catalogue(caller: Caller) -> None:
    request = caller.provider.models_request(caller.account("sk-good"))
    async with caller.session.get(request.url, headers=request.headers) as reply:
        ids = [model.id for model in parse_models(jsonx.decode(await reply.read()))]
    assert ids == [model.id for model in load_catalog().listed()]


async def test_requests_are_remembered(caller: Caller) -> None:
    async with caller.ask("glm-5"):
        pass
    [seen] = caller.demo.app.seen
    assert seen.path == "/v1/chat/completions"
    assert seen.headers["session-id"].startswith("session-")
    assert seen.body["model"] == "glm-5"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model":3}', b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_request_is_refused(caller: Caller, body: bytes) -> None:
    async with caller.session.post(f"{caller.demo.url}/chat/completions", data=body) as reply:
        assert reply.status == 400


async def test_an_empty_conversation_is_refused(caller: Caller) -> None:
    assert isinstance(await caller.error(messages=[]), errors.Rejected)


# --- Qwen's face ---

AGENT = "QwenCode/0.14.3 (linux; x64)"
QWEN_BODY = {
    "model": "coder-model",
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "", "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "content": "hi"},
    ],
}


async def ask_portal(person: SignedIn, token: str, **changes: Any) -> Answer:
    headers = {
        "Authorization": f"Bearer {token}",
        "User-Agent": AGENT,
        "X-DashScope-UserAgent": AGENT,
        "X-DashScope-CacheControl": "enable",
        "X-DashScope-AuthType": "qwen-oauth",
    }
    return await person.send("POST", "/qwen/v1/chat/completions", json={**QWEN_BODY, **changes}, headers=headers)


async def test_the_portal_answers_whoever_signed_in(person: SignedIn, signing: DemoUpstream) -> None:
    token = (await person.qwen_sign_in())["access_token"]
    body = (await ask_portal(person, token)).json
    assert body["model"] == "coder-model"
    assert body["choices"][0]["message"]["content"]
    stream = await ask_portal(person, token, stream=True, stream_options={"include_usage": True})
    assert stream.body.endswith(b"data:[DONE]\n\n")
    assert [seen.path for seen in signing.app.seen] == ["/qwen/v1/chat/completions"] * 2


async def test_f37_the_portal_refuses_a_bearer_whose_time_has_come(person: SignedIn, clock: FakeClock) -> None:
    told = await person.qwen_sign_in()
    clock.advance(told["expires_in"])
    answer = await ask_portal(person, told["access_token"])
    assert (answer.status, answer.json["error"]["code"]) == (401, "invalid_api_key")

    told = (await person.qwen_refresh(told["refresh_token"])).json
    assert (await ask_portal(person, told["access_token"])).status == 200


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("quota_429", 429, "insufficient_quota"),
        ("quota_403", 403, "insufficient_quota"),
        ("throttled", 429, "limit_requests"),
        ("token_expired", 401, "invalid_api_key"),
        ("tool_order", 400, "InternalError.Algo.InvalidParameter"),
    ],
)
async def test_the_portal_fails_in_its_own_words(person: SignedIn, fault: str, status: int, code: str) -> None:
    token = (await person.qwen_sign_in())["access_token"]
    answer = await ask_portal(person, token, model=f"coder-model+{fault}@1")
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert ("retry-after" in answer.headers) is (fault == "throttled")
    assert (await ask_portal(person, token, model=f"coder-model+{fault}@1")).status == 200


async def test_the_portal_is_strict_about_messages_models_and_bodies(person: SignedIn) -> None:
    token = (await person.qwen_sign_in())["access_token"]
    plain = [{"role": "system", "content": "You are kind."}, {"role": "user", "content": "hi"}]
    assert (await ask_portal(person, token, messages=plain)).status == 400
    unknown = await ask_portal(person, token, model="qwen3.5-plus")
    assert unknown.json["error"]["code"] == "model_not_supported"
    assert (await ask_portal(person, token, model=7)).status == 400
    bare = await person.send("POST", "/qwen/v1/chat/completions", json=QWEN_BODY, headers={"Authorization": token})
    assert bare.status == 401


def test_the_providers_do_not_load_the_demo() -> None:
    code = (
        "import sys, iflow_cli_proxy.providers\n"
        "sys.exit(any(name in sys.modules for name in ('iflow_cli_proxy.demo', 'aiohttp', 'curl_cffi')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
