"""The rows of `models`, with a live upstream."""

from __future__ import annotations

from pathlib import Path

from iflow_cli_proxy.cli.listing import find_models
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.demo.run import start_demo


async def test_the_upstreams_own_list_is_merged_when_asked_for(tmp_path: Path) -> None:
    async with await start_demo(delay_s=0) as demo:
        table = f'[providers.desk]\nkind = "iflow"\nbase_url = "{demo.url}"\napi_key = "{demo.key}"\n'
        (tmp_path / "config.toml").write_text(table)
        session = Session({"IFLOW2API_HOME": str(tmp_path)})
        rows, problems = await find_models(session, "", "", asks_upstreams=True)
    assert problems == []
    assert {row.provider for row in rows} == {"desk"}
    assert "glm-5" in {row.id for row in rows}


async def test_an_upstream_given_by_url_is_listed_under_its_name(tmp_path: Path) -> None:
    async with await start_demo(delay_s=0) as demo:
        session = Session({"IFLOW2API_HOME": str(tmp_path), "IFLOW2API_UPSTREAM_API_KEY": demo.key})
        rows, problems = await find_models(session, "upstream", demo.url, asks_upstreams=True)
    assert problems == []
    assert {row.provider for row in rows} == {"upstream"}
    assert "qwen3-coder-plus" in {row.id for row in rows}
