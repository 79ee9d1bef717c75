"""`/debug/live`: whoever may see every account may see this, and nobody else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.client_key import ClientKey, digest_of
from iflow_cli_proxy.pool.saved import AuthType
from iflow_cli_proxy.state.keys import KeyFile
from iflow_cli_proxy.state.paths import find_paths
from tests.support.gateway import RunningGateway, post_chat, running_gateway, upstream_table
from tests.support.raw_upstream import RawUpstream, answer
from tests.support.wiring import keep, qwen_account

SECRET = "sk-0123456789abcdef4f2a"
CLIENT_KEY = "sk-team-0123456789"


async def look(gateway: RunningGateway, key: str = "", **headers: str) -> tuple[int, dict[str, str], Any]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if key:
        sent["Authorization"] = f"Bearer {key}"
    async with aiohttp.ClientSession() as session, session.get(f"{gateway.url}/debug/live", headers=sent) as got:
        return got.status, {name.lower(): text for name, text in got.headers.items()}, jsonx.decode(await got.read())


async def test_it_tells_what_was_served_and_how_the_accounts_fare() -> None:
    broken = answer(b'{"error":{"message":"broken"}}', 500)
    async with (
        RawUpstream([broken]) as upstream,
        running_gateway(upstream_table(upstream.url, more='api_key = "sk-upstream-0123456789"')) as gateway,
    ):
        assert (await post_chat(gateway))[0] == 502
        status, headers, told = await look(gateway)

    assert (status, headers["cache-control"]) == (200, "no-store")
    assert told["totals"]["requests"] == told["minute"]["errors"] == 1
    assert list(told["minute"]["errors_by_kind"]) == [gateway.exchanges[0].error_kind]
    assert [one["provider"] for one in told["accounts"]] == ["up"]
    assert told["in_flight"] == [], "who looks is no prompt"
    assert "sk-upstream" not in str(told)


async def test_no_secret_is_in_it(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account("a1", auth_type=AuthType.API_KEY, api_key=Secret(SECRET), tokens=None))
    async with running_gateway("", home=tmp_path) as gateway:
        _, _, told = await look(gateway)
    assert told["accounts"][0]["credential"] == "sk-…4f2a"
    assert SECRET not in str(told)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}])
async def test_i27_a_page_of_another_origin_sees_nothing(headers: dict[str, str]) -> None:
    async with running_gateway("") as gateway:
        assert (await look(gateway, **headers))[0] == 403


@pytest.mark.parametrize(("limits", "status"), [({}, 200), ({"models": ("*",)}, 403), ({"pool": "small"}, 403)])
async def test_only_a_key_for_everything_sees_it(tmp_path: Path, limits: dict[str, Any], status: int) -> None:
    key = replace(ClientKey(name="team", digest=digest_of(CLIENT_KEY)), **limits)
    KeyFile(find_paths({"IFLOW2API_HOME": str(tmp_path)}).keys_file).add(key)
    async with running_gateway('[auth]\nrequired = "always"\n', home=tmp_path) as gateway:
        assert (await look(gateway))[0] == 401
        assert (await look(gateway, key=CLIENT_KEY))[0] == status
