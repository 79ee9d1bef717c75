"""The rows of `models`, with a live upstream."""

from __future__ import annotations

from pathlib import Path

from iflow_cli_proxy.cli.listing import find_models
from iflow_cli_proxy.cli.output import ExitCode
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.demo.run import start_demo


async def test_the_upstreams_own_list_is_merged_when_asked_for(tmp_path: Path) -> None:
    async with await start_demo(delay_s=0) as demo:
        table = f'[providers.desk]\nkind = "iflow"\nbase_url = "{demo.url}"\napi_key = "{demo.key}"\n'
        (tmp_path / "config.toml").write_text(table)
        session = Session({"IFLOW2API_HOME": str(tmp_path)})
        found = await find_models(session, "", "", asks_upstreams=True)
    assert found.problems == []
    assert found.exit_code is ExitCode.OK
    assert {row.provider for row in found.rows} == {"desk"}
    assert "glm-5" in {row.id for row in found.rows}


async def test_an_upstream_given_by_url_is_listed_under_its_name(tmp_path: Path) -> None:
    async with await start_demo(delay_s=0) as demo:
        session = Session({"IFLOW2API_HOME": str(tmp_path), "IFLOW2API_UPSTREAM_API_KEY": demo.key})
        found = await find_models(session, "upstream", demo.url, asks_upstreams=True)
    assert found.problems == []
    assert found.exit_code is ExitCode.OK
    assert {row.provider for row in found.rows} == {"upstream"}
    assert "qwen3-coder-plus" in {row.id for row in found.rows}


async def test_one_failure_among_several_is_a_part_and_only_counts_when_asked_for(tmp_path: Path) -> None:
    async with await start_demo(delay_s=0) as demo:
        good = f'[providers.desk]\nkind = "iflow"\nbase_url = "{demo.url}"\napi_key = "{demo.key}"\n'
        (tmp_path / "config.toml").write_text(good + '[providers.gone]\nbase_url = "http://127.0.0.1:1/v1"\n')
        session = Session({"IFLOW2API_HOME": str(tmp_path)})
        everyone = await find_models(session, "", "", asks_upstreams=True)
        desk = await find_models(session, "desk", "", asks_upstreams=True)
        gone = await find_models(session, "gone", "", asks_upstreams=True)
    assert [problem.provider for problem in everyone.problems] == ["gone"]
    codes = [everyone.exit_code, desk.exit_code, gone.exit_code]
    assert codes == [ExitCode.PARTLY_FAILED, ExitCode.OK, ExitCode.FAILED]
