"""Which gateway an agent works with."""

from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.agents.base import ANY_KEY, GatewayModel
from iflow_cli_proxy.cli.agents.reaching import gateway, running
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core.errors import ConfigError, GatewayError, Malformed, Unauthenticated, Unreachable
from tests.support.small_gateway import SmallGateway, small_gateway

NOBODY = "http://127.0.0.1:1"


def session(home: Path, **environ: str) -> Session:
    return Session({"IFLOW2API_HOME": str(home), "HOME": str(home), **environ})


def test_a_gateway_that_runs_is_found_with_its_models(tmp_path: Path) -> None:
    with small_gateway() as told:
        found = running(session(tmp_path), f"{told.url}/v1")

    assert found is not None
    assert (found.url, found.key, found.is_own) == (told.url, ANY_KEY, False)
    assert found.models[1] == GatewayModel(id="tiny")


def test_the_gateway_of_the_settings_is_used_without_being_named(tmp_path: Path) -> None:
    with small_gateway() as told:
        here = session(tmp_path, IFLOW2API_SERVER_PORT=told.url.rpartition(":")[2])
        with gateway(here, "", tmp_path) as found:
            assert (found.url, found.is_own) == (told.url, False)


def test_nobody_at_the_usual_place_is_no_error_and_at_a_named_one_it_is(tmp_path: Path) -> None:
    assert running(session(tmp_path, IFLOW2API_SERVER_PORT="1"), "") is None
    with pytest.raises(Unreachable):
        running(session(tmp_path), NOBODY)
    with pytest.raises(Unreachable), gateway(session(tmp_path), NOBODY, tmp_path):
        pass


@pytest.mark.parametrize("health", [b"<html>", b'{"status":"ok"}', b'{"status":"up","version":"1"}', b"[]"])
def test_another_program_is_not_taken_for_a_gateway_nor_shown_a_key(tmp_path: Path, health: bytes) -> None:
    with small_gateway(SmallGateway(health=health)) as told, pytest.raises(Unreachable):
        running(session(tmp_path, IFLOW2API_CLIENT_KEY="sk-mine"), told.url)

    assert told.keys == []


def test_a_refused_key_is_told_with_how_to_make_one(tmp_path: Path) -> None:
    with small_gateway(SmallGateway(wanted_key="sk-right")) as told:
        with pytest.raises(Unauthenticated) as caught:
            running(session(tmp_path, IFLOW2API_CLIENT_KEY="sk-wrong"), told.url)
        assert running(session(tmp_path, IFLOW2API_CLIENT_KEY="sk-right"), told.url) is not None

    assert "iflow2api key create" in caught.value.hint


def test_a_list_that_is_none_is_said(tmp_path: Path) -> None:
    with small_gateway(SmallGateway(models=b"<html>")) as told, pytest.raises(Malformed):
        running(session(tmp_path), told.url)


def test_a_proxy_of_the_environment_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", NOBODY)
    with small_gateway() as told:
        assert running(session(tmp_path), told.url) is not None


def test_one_that_cannot_be_started_shows_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[server]\nprot = 1\n")
    here = session(tmp_path)
    with pytest.raises(GatewayError), gateway(here, "", tmp_path):
        pass

    (tmp_path / "config.toml").write_text('[server]\nport = 1\n[routing]\ndefault_provider = "nobody"\n')
    with pytest.raises(ConfigError) as caught, gateway(here, "", tmp_path):
        pass
    assert "nobody" in caught.value.detail
