from pathlib import Path

import pytest

from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.config.origin import InvalidConfig


def test_a_session_loads_from_files_environment_and_flags(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[server]\nport = 1\nworkers = 2\n")
    (tmp_path / "overrides.toml").write_text("[server]\nworkers = 3\n")
    opened = Session({"IFLOW2API_HOME": str(tmp_path), "IFLOW2API_SERVER_DRAIN_S": "4"})

    settings, _ = opened.load({"server.port": 5, "server.host": None})

    assert (settings.server.port, settings.server.workers, settings.server.drain_s) == (5, 3, 4)
    assert opened.paths().config_file == tmp_path / "config.toml"


def test_a_file_named_by_hand_is_required(tmp_path: Path) -> None:
    opened = Session({"IFLOW2API_HOME": str(tmp_path)}, tmp_path / "none.toml")

    with pytest.raises(InvalidConfig):
        opened.load()
