"""Who may read `/metrics`, and that it tells what happened. What is counted how is `unit/telemetry/test_metrics.py`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from iflow_cli_proxy.config.schema import MetricsSettings
from iflow_cli_proxy.pool.client_key import ClientKey, digest_of
from iflow_cli_proxy.state.keys import KeyFile
from tests.support.front_door import GOOD_ANSWER
from tests.support.gateway import RunningGateway, chat_body, post_chat, running_gateway, upstream_table
from tests.support.raw_upstream import RawUpstream, answer

KEYS = '[auth]\nrequired = "always"\nclient_keys = ["sk-0123456789abcdef"]\n'


async def get(gateway: RunningGateway, **headers: str) -> tuple[int, dict[str, str], str]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.ClientSession() as session, session.get(f"{gateway.url}/metrics", headers=sent) as answer:
        return answer.status, {name.lower(): text for name, text in answer.headers.items()}, await answer.text()


async def test_where_no_key_is_needed_they_are_there() -> None:
    async with running_gateway("") as gateway:
        status, headers, text = await get(gateway)

    assert status == 200
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert headers["cache-control"] == "no-store"
    assert "iflow2api_build_info{" in text
    assert "iflow2api_client_connections 1.0" in text


async def test_where_keys_are_needed_strangers_learn_nothing() -> None:
    """I46."""
    async with running_gateway(KEYS) as gateway:
        refused, granted = await get(gateway), await get(gateway, Authorization="Bearer sk-0123456789abcdef")

    assert refused[0] == 401
    assert "iflow2api_" not in refused[2]
    assert granted[0] == 200


@pytest.mark.parametrize("limit", [{"models": ("m",)}, {"accounts": ("up/*",)}, {"pool": "mine"}])
async def test_a_key_for_some_accounts_or_models_is_not_told_of_all(tmp_path: Any, limit: dict[str, Any]) -> None:
    async with running_gateway('[auth]\nrequired = "always"\n', home=tmp_path) as gateway:
        secret = "sk-fedcba9876543210"
        KeyFile(gateway.services.keys_file).add(ClientKey(name="team", digest=digest_of(secret), **limit))
        gateway.server.state.keys.open()

        assert (await get(gateway, Authorization=f"Bearer {secret}"))[0] == 403


async def test_the_settings_may_open_them_and_take_them_away() -> None:
    async with running_gateway(KEYS + "[metrics]\nopen = true\n") as gateway:
        assert (await get(gateway))[0] == 200
    async with running_gateway("[metrics]\nenabled = false\n") as gateway:
        status, _, text = await get(gateway)
        assert status == 404
        assert "metrics.enabled" in text


async def test_a_web_page_of_another_origin_may_not_read_them() -> None:
    async with running_gateway("") as gateway:
        assert (await get(gateway, Origin="http://evil.test"))[0] == 403
        assert (await get(gateway, Host="evil.test"))[0] == 403


async def test_what_was_asked_answered_and_refused_is_counted() -> None:
    """The model is one that the upstream lists; another that it answers for all the same is `other`."""
    async with RawUpstream([GOOD_ANSWER], [GOOD_ANSWER], [answer(b"{}", 400)]) as upstream:
        table = upstream_table(f"{upstream.url}/v1", more='models = ["m"]')
        async with running_gateway(KEYS + table) as gateway:
            key = {"Authorization": "Bearer sk-0123456789abcdef"}
            for model in ("m", "made-up", "m"):
                await post_chat(gateway, chat_body(model=model), headers=key)
            await post_chat(gateway)
            _, _, text = await get(gateway, **key)

    for line in (
        'iflow2api_requests_total{model="m",protocol="openai_chat",provider="up",status="200"} 1.0',
        'iflow2api_requests_total{model="other",protocol="openai_chat",provider="up",status="200"} 1.0',
        'iflow2api_requests_total{model="m",protocol="openai_chat",provider="up",status="400"} 1.0',
        'iflow2api_errors_total{kind="upstream_rejected",provider="up"} 1.0',
        'iflow2api_unauthenticated_total{protocol="openai_chat"} 1.0',
        'iflow2api_tokens_total{model="m",provider="up",type="prompt"} 1.0',
        'iflow2api_breakers{host="up",state="closed"} 1.0',
        "iflow2api_in_flight 0.0",
        'iflow2api_first_byte_seconds_count{protocol="openai_chat",provider="up"} 2.0',
    ):
        assert line in text.splitlines(), line
    assert "made-up" not in text


async def test_the_settings_may_stop_the_counting_while_it_runs() -> None:
    async with RawUpstream([GOOD_ANSWER]) as upstream, running_gateway(upstream_table(upstream.url)) as gateway:
        live = gateway.server.state.settings
        live.replace(replace(live.current, metrics=MetricsSettings(enabled=False)))
        await post_chat(gateway)
        live.replace(replace(live.current, metrics=MetricsSettings()))

        assert "iflow2api_requests_total{" not in (await get(gateway))[2]
