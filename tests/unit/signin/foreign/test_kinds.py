"""Whose file it is, told by what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.signin.foreign.kinds import KINDS, kind_named, kind_of

BARE = {"access_token": "at", "refresh_token": "rt", "token_type": "Bearer", "expiry_date": 1}


@pytest.mark.parametrize(
    ("tree", "path", "name"),
    [
        ({"selectedAuthType": "iflow", "apiKey": "sk"}, "x.json", "iflow-cli"),
        ({"active": None, "old": [], "iflowApiKey": "sk"}, "x.json", "iflow-cli"),
        ({**BARE, "apiKey": "sk", "userId": "1"}, "x.json", "iflow-cli"),
        ({**BARE, "resource_url": "portal.qwen.ai"}, "x.json", "qwen-code"),
        (BARE, "/home/me/.qwen/oauth_creds_work.json", "qwen-code"),
        (BARE, "/home/me/.iflow/oauth_creds.json", "iflow-cli"),
        ({"accounts": {"a": {}}}, "x.json", "iflow2api-keys"),
        ({"keys": {}, "default": {}}, "x.json", "iflow2api-keys"),
        ({"host": "0.0.0.0", "api_key": "sk"}, "x.json", "iflow2api"),
        ({"uuid": "u", "api_key": "sk"}, "x.json", "iflow-go"),
        ({"version": 1, "id": "u", "provider": "iflow", "auth_type": "oauth", "api_key": ""}, "x.json", "account-file"),
        ({"type": "iflow", "access_token": "at"}, "x.json", "cliproxyapi"),
        ({"type": "qwen", **BARE, "resource_url": "x"}, "x.json", "cliproxyapi"),
    ],
)
def test_a_file_is_known_by_its_content(tree: dict[str, Any], path: str, name: str) -> None:
    kind = kind_of(tree, Path(path))

    assert kind is not None
    assert kind.name == name


@pytest.mark.parametrize("tree", [BARE, {}, {"name": "package", "version": "1"}, {"keys": {}}])
def test_what_could_be_anybodys_is_nobodys(tree: dict[str, Any]) -> None:
    assert kind_of(tree, Path("/tmp/oauth_creds.json")) is None


def test_every_kind_is_found_by_its_own_name() -> None:
    assert [kind_named(kind.name) for kind in KINDS] == list(KINDS)
    assert kind_named("elsewhere") is None
