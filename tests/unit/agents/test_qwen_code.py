"""What Qwen Code is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.agents.base import GatewayModel
from iflow_cli_proxy.agents.editing import edited
from iflow_cli_proxy.agents.qwen_code import AGENT
from iflow_cli_proxy.core import jsonx
from tests.support.agent_scene import URL, goal, scene

SYSTEM = Path("/etc/qwen-code/settings.json")


@pytest.mark.parametrize(
    ("path", "environ"), [(SYSTEM, {}), (Path("/m.json"), {"QWEN_CODE_SYSTEM_SETTINGS_PATH": "/m.json"})]
)
def test_one_run_has_the_machines_settings_with_ours_in_them(path: Path, environ: dict[str, str]) -> None:
    start = AGENT.launch(goal(key="sk-1"), scene({path: '{"tools": {"x": 1}}'}, **environ))
    [(overlay, text)] = start.files.items()
    told = jsonx.decode(text)

    assert start.variables["OPENAI_BASE_URL"] == f"{URL}/v1"
    assert start.variables["OPENAI_API_KEY"] == "sk-1"
    assert start.variables["QWEN_CODE_SYSTEM_SETTINGS_PATH"] == str(overlay)
    assert told["tools"] == {"x": 1}
    assert told["security"]["auth"]["selectedType"] == "openai"
    assert told["model"]["generationConfig"] == {
        "contextWindowSize": 170_000,
        "modalities": {"image": True},
        "customHeaders": {"x-session-id": "launch-1"},
    }


def test_what_nobody_knows_of_a_model_is_not_told() -> None:
    [edit] = AGENT.connect(goal(big=GatewayModel(id="m")), scene())

    assert jsonx.decode(edited(None, edit))["model"] == {"name": "m"}


def test_its_settings_hold_address_and_key() -> None:
    [edit] = AGENT.connect(goal(key="sk-1"), scene(QWEN_HOME="/else"))
    auth = jsonx.decode(edited(None, edit))["security"]["auth"]

    assert edit.path == Path("/else/settings.json")
    assert edit.holds_key
    assert auth == {"selectedType": "openai", "baseUrl": f"{URL}/v1", "apiKey": "sk-1"}
