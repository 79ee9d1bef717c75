from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.pool.client_key import ClientKey, digest_of
from tests.support.fake_transport import FakeReply
from tests.support.shell import ask, shell, shell_state

ANTHROPIC: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x" * 4_000}]}
GEMINI: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "x" * 4_000}]}]}
COUNTED = FakeReply(
    jsonx.encode(
        {
            "id": "1",
            "choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 4_040, "completion_tokens": 1},
        }
    )
)


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("/v1/messages/count_tokens", ANTHROPIC, "input_tokens"),
        ("/anthropic/v1/messages/count_tokens?beta=true", ANTHROPIC, "input_tokens"),
        ("/v1beta/models/m:countTokens", GEMINI, "totalTokens"),
        ("/v1beta/models/m:countTokens", {"generateContentRequest": {"model": "models/m", **GEMINI}}, "totalTokens"),
    ],
)
async def test_a_prompt_is_counted_without_anybody_upstream(path: str, body: Any, name: str) -> None:
    state = shell_state()
    seen: list[object] = []
    state.observers.append(seen.append)
    async with shell(state) as client, client.post(path, json=body) as answer:
        counted = await answer.json()

    assert answer.status == 200
    assert 1_000 <= counted[name] <= 1_050
    assert seen == [], "nothing was served that would have to be recorded"


async def test_the_upstream_s_own_counts_are_learned() -> None:
    async with shell(shell_state(COUNTED)) as client:
        await ask(client, messages=[{"role": "user", "content": "x" * 4_000}])
        async with client.post("/v1/messages/count_tokens", json=ANTHROPIC) as answer:
            counted = await answer.json()

    assert counted["input_tokens"] == pytest.approx(4_040, rel=0.02)


async def test_a_picture_counts_as_a_picture_and_not_by_its_bytes() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "A" * 40_000}
    body = {"model": "m", "messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]}
    async with shell(shell_state()) as client, client.post("/v1/messages/count_tokens", json=body) as answer:
        counted = await answer.json()

    assert 1_100 <= counted["input_tokens"] <= 1_200


async def test_i6_a_key_counts_for_its_own_models_only() -> None:
    state = shell_state()
    digest = digest_of("k" * 20)
    state.keys._by_digest[digest] = (ClientKey(name="a", digest=digest, models=("other",)), float("inf"))
    async with shell(state) as client:
        headers = {"x-api-key": "k" * 20}
        async with client.post("/v1/messages/count_tokens", json=ANTHROPIC, headers=headers) as answer:
            refused = await answer.json()

    assert answer.status == 403
    assert refused["error"]["type"] == "permission_error"


async def test_what_cannot_be_counted_is_told_in_the_protocol_s_own_words() -> None:
    async with shell(shell_state()) as client:
        async with client.post("/v1/messages/count_tokens", json={"model": "m", "messages": "x"}) as anthropic:
            assert (await anthropic.json())["error"]["type"] == "invalid_request_error"
        async with client.post("/v1beta/models/m:countTokens", json={"contents": 1}) as gemini:
            assert (await gemini.json())["error"]["status"] == "INVALID_ARGUMENT"
