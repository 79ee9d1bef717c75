"""What upstreams say which models they have. With a refused bearer: `test_services.py`."""

from __future__ import annotations

from pathlib import Path

from iflow_cli_proxy.demo.run import start_demo
from iflow_cli_proxy.wiring.upstream_lists import UpstreamLists
from tests.support.gateway import upstream_table
from tests.support.wiring import services


async def test_each_is_asked_and_one_that_is_dead_harms_nobody(tmp_path: Path) -> None:
    async with await start_demo(delay_s=0) as demo:
        alive = f'[providers.desk]\nkind = "iflow"\nbase_url = "{demo.url}"\napi_key = "{demo.key}"\n'
        running = services(alive + upstream_table("http://127.0.0.1:1/v1"), tmp_path)
        lists = UpstreamLists(running.pool, running.renewal)

        outcome = await lists.ask(running.wired.gateway.upstreams)
        await running.aclose()

    assert outcome["desk"] is None
    assert outcome["up"] is not None
    assert outcome["up"].kind == "upstream_unreachable"
    assert "glm-4.6" in [model.id for model in lists.of("desk")]
    assert list(lists.of("up")) == []


async def test_nobody_is_asked_without_an_account(tmp_path: Path) -> None:
    running = services("", tmp_path)

    assert await UpstreamLists(running.pool, running.renewal).ask(running.wired.gateway.upstreams) == {}
    await running.aclose()
