from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.config.origin import InvalidConfig
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.wiring.saving import save_settings, was_wrong_before

PORT = ("server", "port")


@pytest.fixture
def opened(tmp_path: Path) -> Session:
    return Session({"IFLOW2API_HOME": str(tmp_path), "HOME": str(tmp_path)})


def text_of(opened: Session) -> str:
    path = opened.paths().overrides_file
    return path.read_text() if path.exists() else ""


def test_settings_are_saved_together(opened: Session) -> None:
    save_settings(opened.sources(), opened.paths(), [(PORT, 1234), (("resilience", "retry_attempts"), 0)])

    settings, _ = opened.load()
    assert (settings.server.port, settings.resilience.retry_attempts) == (1234, 0)


def test_one_bad_setting_keeps_the_others_out(opened: Session) -> None:
    with pytest.raises(InvalidConfig) as caught:
        save_settings(opened.sources(), opened.paths(), [(PORT, 1234), (("resilience", "retry_attempts"), -1)])

    assert text_of(opened) == ""
    assert not was_wrong_before(caught.value)


def test_what_serve_would_refuse_is_not_saved_and_nothing_is_done_before(opened: Session) -> None:
    done: list[str] = []

    with pytest.raises(ConfigError, match="would not start with this"):
        save_settings(
            opened.sources(), opened.paths(), [(("server", "host"), "0.0.0.0")], before=lambda: done.append("moved")
        )

    assert (text_of(opened), done) == ("", [])


def test_what_must_happen_first_happens_once_and_may_refuse(opened: Session) -> None:
    def refuse() -> None:
        raise ConfigError("no keyring")

    with pytest.raises(ConfigError, match="no keyring"):
        save_settings(opened.sources(), opened.paths(), [(PORT, 1234)], before=refuse)

    assert text_of(opened) == ""


def test_a_mistake_that_was_there_before_is_told_apart(opened: Session) -> None:
    opened.paths().config_file.write_text("[server]\nport = -1\n")

    with pytest.raises(InvalidConfig) as caught:
        save_settings(opened.sources(), opened.paths(), [(("resilience", "retry_attempts"), 0)])

    assert was_wrong_before(caught.value)
