"""What agents' settings were before they were changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.state.connections import Connections, KeptFile, digest

FILES = (
    KeptFile(path="/a", before='{"ü": 1}\r\n', mode=0o644, after=digest("x")),
    KeptFile(path="/b", before=None, mode=0o600, after=digest("y"), is_mixed=True),
)


def test_a_record_comes_back_as_it_was_and_belongs_to_its_owner(tmp_path: Path) -> None:
    connections = Connections(tmp_path / "agents")
    connections.keep("codex", FILES)

    assert connections.read("codex") == FILES
    assert connections.place("codex").stat().st_mode & 0o777 == 0o600


def test_an_agent_that_is_not_connected_has_no_files(tmp_path: Path) -> None:
    connections = Connections(tmp_path)
    connections.keep("codex", FILES)
    connections.forget("codex")

    assert connections.read("codex") == ()
    connections.forget("codex")


@pytest.mark.parametrize("text", ["{", '{"version": 1}', '{"version": 2, "files": []}', "[]"])
def test_a_damaged_record_is_said_and_not_taken_for_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "codex.json").write_text(text)

    with pytest.raises(StateError, match="damaged"):
        Connections(tmp_path).read("codex")
