"""A saved recording against the settings of today."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.cli.flights.baseline import aligned, show
from iflow_cli_proxy.cli.flights.golden import save_golden
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.state.flight_queries import Found
from tests.support.flights import flight, part
from tests.support.ledgers import row

ASKED = '{"model":"m","messages":[{"role":"user","content":"hi"}]}'
SENT = '{"model":"m","messages":[{"role":"user","content":"hi"}]}'
UP = '[providers.up]\nkind = "openai_compatible"\nbase_url = "http://up.test/v1"\napi_key = "sk-0123456789"\n'


@pytest.fixture
def here(tmp_path: Path) -> Session:
    (tmp_path / "config.toml").write_text(UP)
    return Session({"IFLOW2API_HOME": str(tmp_path)})


def golden(folder: Path, sent: dict[str, Any] | None = None, asked: dict[str, Any] | None = None) -> Path:
    usual = {
        "method": "POST",
        "url": "http://up.test/v1/chat/completions",
        "headers": {"Content-Type": "application/json", "Accept": "application/json"},
        "body": SENT,
        "fields": ["model", "messages"],
    }
    client = {"path": "/v1/chat/completions", "query": {}, "body": ASKED, "bytes": len(ASKED)}
    document = flight(
        client_request=part(**{**client, **(asked or {})}), upstream_request=[part(**{**usual, **(sent or {})})]
    )
    file = folder / "golden.json"
    facts = row(1, protocol="openai_chat", provider="up", model_served="m", model_asked="m")
    save_golden(Found(cursor=1, row=facts, flight=document), file)
    return file


def test_the_body_is_made_again_from_the_client_s_own_request(here: Session, tmp_path: Path) -> None:
    found = aligned(here, golden(tmp_path))
    assert found.has_body
    assert [one for one in found.differences if one.place == "body"] == []
    changed = aligned(here, golden(tmp_path, {"body": '{"model":"m","messages":[],"seed":1}'}))
    assert {one.name for one in changed.differences if one.place == "body"} == {"messages", "seed"}


def test_without_bodies_headers_are_compared_all_the_same(
    here: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = aligned(here, golden(tmp_path, {"body": None}, {"body": None}))
    assert not found.has_body
    assert {one.place for one in found.differences} == {"header"}
    show(found)
    assert "recorder.contents true" in capsys.readouterr().err


def test_what_a_client_sent_can_be_compared_too(here: Session, tmp_path: Path) -> None:
    file = golden(tmp_path, asked={"headers": {"user-agent": "vendor"}, "fields": ["model", "messages"]})
    found = aligned(here, file, is_clients=True)
    assert ("header", "user-agent", "value") in {(one.place, one.name, one.kind) for one in found.differences}


def test_json_lists_what_is_compared_by_its_shape(here: Session, tmp_path: Path) -> None:
    told = aligned(here, golden(tmp_path)).as_json()
    assert "x-iflow-signature" in told["dynamic"]["headers"]
    assert told["same"] is (not told["differences"])


def test_a_request_that_never_went_out_and_a_provider_that_is_gone_are_told(here: Session, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'nobody'"):
        aligned(here, golden(tmp_path), provider="nobody")
    file = tmp_path / "refused.json"
    refused = flight(client_request=part(path="/v1/x", query={}), upstream_request=[None])
    save_golden(Found(cursor=1, row=row(1), flight=refused), file)
    with pytest.raises(ConfigError, match="Nothing was sent"):
        aligned(here, file)
