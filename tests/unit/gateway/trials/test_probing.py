"""What a probe concludes, from upstreams made up for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import CredentialError, GatewayError
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.gateway.attempt import Upstream
from iflow_cli_proxy.gateway.trials import calls
from iflow_cli_proxy.gateway.trials.calls import Caller
from iflow_cli_proxy.gateway.trials.probing import Probed, probe_features
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.transport.base import UpstreamRequest
from tests.support.exchanges import provider
from tests.support.fake_clock import FakeClock
from tests.support.fake_transport import FakeReply

Body = Mapping[str, Any]


def message(content: str = "hello", **more: Any) -> dict[str, Any]:
    return {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content, **more}, "finish_reason": "stop"}]
    }


def calls_of(count: int) -> dict[str, Any]:
    function = {"name": "get_weather", "arguments": "{}"}
    return message("", tool_calls=[{"id": str(at), "type": "function", "function": function} for at in range(count)])


def able(body: Body) -> Any:
    """Does everything, and thinks aloud."""
    if body.get("stream"):
        return [{"choices": [{"delta": {"reasoning_content": "hm"}}]}, {"choices": [], "usage": {"total_tokens": 1}}]
    if isinstance(body.get("tool_choice"), dict):
        return calls_of(1)
    if body.get("parallel_tool_calls"):
        return calls_of(2)
    if "response_format" in body:
        return message('{"capital":"Paris"}')
    if body.get("n") == 2:
        return {"choices": message()["choices"] * 2}
    return message("1 2 3 4 " if body.get("stop") else "hello")


class MadeUp:
    """A transport whose answers are made from the questions; None is a refusal."""

    def __init__(self, answer: Callable[[Body], Any]) -> None:
        self.bodies: list[Body] = []
        self._answer = answer

    async def send(self, request: UpstreamRequest) -> FakeReply:
        body = jsonx.decode(request.body)
        self.bodies.append(body)
        answer = self._answer(body)
        if answer is None:
            return FakeReply(b'{"error":{"message":"not here","type":"invalid_request_error"}}', status=400)
        if isinstance(answer, int):
            return FakeReply(b"{}", status=answer)
        if isinstance(answer, list):
            text = b"".join(b"data: " + jsonx.encode(event) + b"\n\n" for event in answer)
            return FakeReply(text, headers={"content-type": "text/event-stream"})
        return FakeReply(jsonx.encode(answer))

    async def aclose(self) -> None: ...


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_PAUSE_S", 0.0)


async def probed(answer: Callable[[Body], Any]) -> tuple[Probed, MadeUp]:
    transport = MadeUp(answer)
    now = FakeClock().monotonic
    upstream = Upstream(provider=provider(), transport=transport)
    caller = Caller(upstream, Account(id="a", provider="up", label="l"), "m", now=now, ends_at=now() + 100, call_s=10)
    return await probe_features(caller, lambda *_: None), transport


def refusing(*fields: str) -> Callable[[Body], Any]:
    """Able, but for requests that have one of these words anywhere."""
    return lambda body: None if any(f'"{word}"' in jsonx.encode(body).decode() for word in fields) else able(body)


async def test_an_upstream_that_can_do_everything_is_known_for_it_after_few_calls() -> None:
    found, transport = await probed(able)

    assert found.profile == Profile(
        tools=True,
        parallel_tools=True,
        tool_choice=True,
        tool_name_length=128,
        tool_result_images=True,
        late_system=True,
        images=True,
        json_schema=True,
        json_object=True,
        stream_usage=True,
        reasoning_field="reasoning_content",
        effort=True,
        effort_none=True,
        many_choices=True,
        stop_sequences=True,
    )
    assert found.calls == len(transport.bodies) <= 20
    assert all(body["max_tokens"] <= 512 for body in transport.bodies)


@pytest.mark.parametrize(
    ("word", "name", "value"),
    [
        ("stream_options", "stream_usage", False),
        ("tool_choice", "tool_choice", False),
        ("image_url", "images", False),
        ("json_schema", "json_schema", False),
        ("json_object", "json_object", False),
        ("reasoning_effort", "effort", False),
        ("n", "many_choices", False),
        ("stop", "stop_sequences", False),
        ("Answer in one word.", "late_system", False),
        ("max_tokens", "max_tokens_field", "max_completion_tokens"),
        ("uniqueItems", "refused_schema_words", ("uniqueItems",)),
        ("get_weather_" + "x" * 116, "tool_name_length", 64),
        ("reasoning_content", "wants_reasoning_back", False),
    ],
)
async def test_what_is_refused_is_noted_and_nothing_else(word: str, name: str, value: object) -> None:
    everything, _ = await probed(able)
    found, _ = await probed(refusing(word))

    assert getattr(found.profile, name) == value
    differ = {
        each for each in Profile.__struct_fields__ if getattr(found.profile, each) != getattr(everything.profile, each)
    }
    assert name in differ
    assert differ - {name} <= {"tool_result_images", "effort_none", "tools", "parallel_tools", "reasoning_field"}


async def test_two_words_that_are_refused_are_both_found_by_halves() -> None:
    found, _ = await probed(refusing("pattern", "oneOf"))

    assert found.profile.refused_schema_words == ("oneOf", "pattern")
    assert found.calls < 40


async def test_an_upstream_without_tools_is_asked_nothing_more_about_them() -> None:
    found, transport = await probed(refusing("tools"))

    assert (found.profile.tools, found.profile.tool_choice, found.profile.parallel_tools) == (False, False, None)
    assert sum("tools" in body for body in transport.bodies) == 2


async def test_thinking_that_is_wanted_back_is_noticed() -> None:
    def answer(body: Body) -> Any:
        turn = [one for one in body["messages"] if one.get("tool_calls")]
        return None if turn and "reasoning_content" not in turn[0] else able(body)

    found, _ = await probed(answer)

    assert found.profile.wants_reasoning_back is True


async def test_what_is_taken_and_not_obeyed_is_not_there() -> None:
    found, _ = await probed(lambda body: [{"choices": []}] if body.get("stream") else message("12345"))

    profile = found.profile
    assert (profile.stream_usage, profile.tool_choice, profile.json_object, profile.many_choices) == (False,) * 4
    assert profile.stop_sequences is False
    assert profile.tools is None, "it took the tools and called none: nobody can tell"


@pytest.mark.parametrize(("answer", "word"), [({"reasoning": "x"}, "reasoning"), ({"content": "<think>x"}, "<think>")])
async def test_thinking_is_found_where_it_stands(answer: dict[str, Any], word: str) -> None:
    found, _ = await probed(lambda body: None if body.get("stream") else message(**{"content": "x", **answer}))

    assert found.profile.reasoning_field == word


async def test_an_answer_cut_off_by_its_limit_says_nothing_about_json() -> None:
    def answer(body: Body) -> Any:
        if "response_format" not in body:
            return able(body)
        return {"choices": [{**message("{")["choices"][0], "finish_reason": "length"}]}

    found, _ = await probed(answer)

    assert (found.profile.json_schema, found.profile.json_object) == (None, None)


@pytest.mark.parametrize(("status", "kind"), [(401, CredentialError), (500, GatewayError)])
async def test_a_first_call_that_fails_is_the_end(status: int, kind: type[GatewayError]) -> None:
    transport = MadeUp(lambda _: status)
    now = FakeClock().monotonic
    upstream = Upstream(provider=provider(), transport=transport)
    caller = Caller(upstream, Account(id="a", provider="up", label="l"), "m", now=now, ends_at=now() + 9, call_s=9)

    with pytest.raises(kind):
        await probe_features(caller, lambda *_: None)
    assert len(transport.bodies) <= 4
