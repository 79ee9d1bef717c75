"""What OpenCode is told."""

from __future__ import annotations

from pathlib import Path

from iflow_cli_proxy.agents.base import KEY_VARIABLE
from iflow_cli_proxy.agents.editing import edited
from iflow_cli_proxy.agents.opencode import AGENT
from iflow_cli_proxy.core import jsonx
from tests.support.agent_scene import URL, goal, scene

FOLDER = Path("/home/me/.config/opencode")


def test_one_run_is_told_by_a_variable_that_names_the_keys() -> None:
    start = AGENT.launch(goal(key="sk-secret"), scene())
    told = jsonx.decode(start.variables["OPENCODE_CONFIG_CONTENT"])

    assert told["model"] == "iflow2api/glm-5"
    assert told["small_model"] == "iflow2api/glm-4.7"
    assert told["provider"]["iflow2api"]["options"] == {
        "baseURL": f"{URL}/v1",
        "apiKey": f"{{env:{KEY_VARIABLE}}}",
    }
    assert start.variables[KEY_VARIABLE] == "sk-secret"


def test_limits_and_pictures_are_told_where_they_are_known() -> None:
    told = jsonx.decode(AGENT.launch(goal(), scene()).variables["OPENCODE_CONFIG_CONTENT"])
    models = told["provider"]["iflow2api"]["models"]

    assert models["glm-5"]["limit"] == {"context": 170_000, "output": 8_000}
    assert models["glm-5"]["attachment"] is True
    assert "limit" not in models["glm-4.7"]


def test_the_settings_that_are_there_are_the_ones_to_change() -> None:
    commented = FOLDER / "opencode.jsonc"

    assert AGENT.connect(goal(), scene())[0].path == FOLDER / "opencode.json"
    assert AGENT.connect(goal(), scene({commented: "{}"}))[0].path == commented
    assert AGENT.connect(goal(), scene(XDG_CONFIG_HOME="/x"))[0].path == Path("/x/opencode/opencode.json")


def test_a_schema_of_the_persons_own_stays() -> None:
    [edit] = AGENT.connect(goal(), scene())

    assert jsonx.decode(edited('{"$schema": "mine"}', edit))["$schema"] == "mine"
