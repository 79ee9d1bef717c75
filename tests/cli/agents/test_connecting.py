"""In which order settings are changed, so that nothing is lost on the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iflow_cli_proxy.cli.agents.connecting import ConnectPlan, connect_agent, disconnect_agent
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core.errors import ConfigError, StateError
from tests.support.small_gateway import small_gateway


@pytest.fixture
def opened(tmp_path: Path) -> Session:
    return Session({"IFLOW2API_HOME": str(tmp_path / "ours"), "CODEX_HOME": str(tmp_path), "HOME": str(tmp_path)})


async def connect(opened: Session) -> None:
    with small_gateway() as gateway:
        await connect_agent(ConnectPlan(session=opened, agent="codex", url=gateway.url, model="m"))


async def test_an_agent_that_was_never_connected_has_nothing_to_undo(opened: Session) -> None:
    with pytest.raises(ConfigError, match="nothing to undo"):
        disconnect_agent(opened, "codex", is_forced=True)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
async def test_a_folder_that_cannot_be_written_leaves_a_record_that_undoes_nothing(
    opened: Session, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text('model = "mine"\n')
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StateError):
            await connect(opened)
    finally:
        tmp_path.chmod(0o700)


async def test_a_crash_between_the_record_and_the_file_is_undone_to_what_is_there(
    opened: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('model = "mine"\n')

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("iflow_cli_proxy.cli.agents.connecting.write_private", crash)
        with pytest.raises(KeyboardInterrupt):
            await connect(opened)

    assert disconnect_agent(opened, "codex", is_forced=False) == [str(config)]
    assert config.read_text() == 'model = "mine"\n'


async def test_a_file_that_was_deleted_since_is_a_change(opened: Session, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('model = "mine"\n')
    await connect(opened)
    config.unlink()

    with pytest.raises(ConfigError, match="Changed since"):
        disconnect_agent(opened, "codex", is_forced=False)
    disconnect_agent(opened, "codex", is_forced=True)
    assert config.read_text() == 'model = "mine"\n'
