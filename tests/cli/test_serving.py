"""What `serve` decides before it listens, and what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.cli.serving import ServePlan, run_plan
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core.errors import ConfigError


def plan(tmp_path: Path, *, is_demo: bool = True, **flags: object) -> ServePlan:
    return ServePlan(session=Session({"IFLOW2API_HOME": str(tmp_path)}), flags=flags, is_demo=is_demo)


@pytest.mark.parametrize(
    ("key", "param"),
    [("", "auth.client_keys"), ("short", "auth.client_keys")],
    ids=["no key at all", "a key that can be guessed"],
)
async def test_a_public_address_needs_a_long_client_key(tmp_path: Path, key: str, param: str) -> None:
    flags: dict[str, object] = {"server.host": "0.0.0.0", "server.port": 0}
    if key:
        flags["auth.client_keys"] = [key]
    with pytest.raises(ConfigError) as raised:
        await run_plan(plan(tmp_path, **flags))
    assert raised.value.param == param
    assert raised.value.hint
    assert "short" not in raised.value.message


async def test_several_workers_are_refused_before_anything_listens(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        await run_plan(plan(tmp_path, **{"server.workers": 3}))
    assert raised.value.param == "server.workers"


async def test_a_provider_that_cannot_be_built_ends_it_with_the_setting_at_fault(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[providers.desk]\nkind = "olama"\n')
    with pytest.raises(ConfigError) as raised:
        await run_plan(plan(tmp_path, is_demo=False))
    assert raised.value.param == "providers.desk.kind"
    assert "ollama" in raised.value.hint
