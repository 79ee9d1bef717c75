"""A probe of the demo, which supports everything, and what is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.cli.upstreams.adding import AddPlan, add
from iflow_cli_proxy.cli.upstreams.probing import ProbePlan, probe_upstream
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError, CredentialError
from iflow_cli_proxy.demo.run import KEY, DemoUpstream, start_demo
from iflow_cli_proxy.state.profiles import load_profiles
from tests.support.cli import run_cli


@pytest.fixture
async def demo() -> AsyncIterator[DemoUpstream]:
    async with await start_demo(delay_s=0) as running:
        yield running


async def opened_with(home: Path, demo: DemoUpstream, key: str = KEY) -> Session:
    opened = Session({"IFLOW2API_HOME": str(home), "HOME": str(home)})
    await add(AddPlan(session=opened, name="demo", base_url=demo.url, key=key, kind="iflow", verifies=False))
    return opened


async def test_what_is_found_is_told_kept_and_shown_by_models(
    tmp_path: Path, demo: DemoUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = await opened_with(tmp_path, demo)

    await probe_upstream(ProbePlan(session=opened, name="Demo", model="glm-4.7", as_json=True))

    told = jsonx.decode(capsys.readouterr().out)
    profile = load_profiles(opened.paths().profiles_dir)["demo"]
    assert set(told) == {"provider", "model", "calls", "kept", "profile", "trials"}
    assert (told["provider"], told["model"], told["kept"]) == ("demo", "glm-4.7", True)
    assert jsonx.to_builtins(profile) == told["profile"]
    assert (profile.tools, profile.parallel_tools, profile.stream_usage, profile.json_schema) == (True,) * 4
    assert profile.reasoning_field == "reasoning_content"
    assert told["calls"] == sum(seen.body is not None for seen in demo.app.seen) <= 20
    shown = await asyncio.to_thread(run_cli, "models", "--provider", "demo", "--json", env=opened.environ)
    lines = await asyncio.to_thread(run_cli, "models", "--provider", "demo", env=opened.environ)
    assert shown.json["profiles"]["demo"]["tools"] is True
    assert "has tools" in lines.err


async def test_a_dry_run_keeps_nothing_and_takes_the_first_model(
    tmp_path: Path, demo: DemoUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = await opened_with(tmp_path, demo)

    await probe_upstream(ProbePlan(session=opened, name="demo", only_shows=True))

    table = capsys.readouterr()
    assert "several calls at once" in table.out
    assert "glm-5" in table.err
    assert load_profiles(opened.paths().profiles_dir) == {}


async def test_a_key_that_is_refused_ends_it_with_the_first_call(tmp_path: Path, demo: DemoUpstream) -> None:
    opened = await opened_with(tmp_path, demo, key="sk-wrong-0123456789")

    with pytest.raises(CredentialError) as caught:
        await probe_upstream(ProbePlan(session=opened, name="demo"))

    assert caught.value.hint
    assert len(demo.app.seen) == 1


async def test_an_unknown_name_is_told_with_the_known_ones(tmp_path: Path, demo: DemoUpstream) -> None:
    opened = await opened_with(tmp_path, demo)

    with pytest.raises(ConfigError) as caught:
        await probe_upstream(ProbePlan(session=opened, name="dmeo"))

    assert "demo" in caught.value.hint
