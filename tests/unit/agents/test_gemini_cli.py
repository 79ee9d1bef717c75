"""What Gemini CLI is told."""

from __future__ import annotations

from pathlib import Path

from iflow_cli_proxy.agents.editing import edited
from iflow_cli_proxy.agents.gemini_cli import AGENT
from iflow_cli_proxy.core import jsonx
from tests.support.agent_scene import URL, goal, scene

SETTINGS = Path("/home/me/.gemini/settings.json")
HOME = Path("/run/launch/gemini-home")


def test_one_run_has_a_home_where_only_the_settings_are_other_ones() -> None:
    own = '{"ui": {"theme": "x"}, "security": {"auth": {"selectedType": "oauth-personal"}}}'
    start = AGENT.launch(goal(key="sk-1"), scene({SETTINGS: own}))
    [(path, text)] = start.files.items()
    told = jsonx.decode(text)

    assert start.variables["GEMINI_CLI_HOME"] == str(HOME)
    assert start.variables["GEMINI_API_KEY"] == "sk-1"
    assert start.variables["GOOGLE_GEMINI_BASE_URL"] == URL
    assert start.mirrors == {HOME / ".gemini": SETTINGS.parent}
    assert path == HOME / ".gemini" / "settings.json"
    assert told["ui"] == {"theme": "x"}
    assert told["security"]["auth"]["selectedType"] == "gemini-api-key"


def test_models_that_it_names_by_itself_are_ours() -> None:
    [text] = AGENT.launch(goal(), scene()).files.values()
    stands_for = {
        one["match"]["model"]: one["modelConfig"]["model"]
        for one in jsonx.decode(text)["modelConfigs"]["customOverrides"]
    }

    assert stands_for["gemini-2.5-pro"] == "glm-5"
    assert stands_for["flash-lite"] == "glm-4.7"


def test_a_session_header_stands_beside_the_persons_own() -> None:
    headers = AGENT.launch(goal(), scene(GEMINI_CLI_CUSTOM_HEADERS="x-a: 1")).variables["GEMINI_CLI_CUSTOM_HEADERS"]

    assert headers == "x-a: 1, x-session-id: launch-1"


def test_settings_and_variables_are_two_files_and_the_key_is_in_one() -> None:
    settings, variables = AGENT.connect(goal(key="sk-1"), scene())

    assert settings.path == SETTINGS
    assert (settings.holds_key, variables.holds_key) == (False, True)
    assert "GEMINI_API_KEY=sk-1" in edited("A=1\n", variables)


def test_overrides_of_the_persons_own_stay_when_it_is_connected() -> None:
    settings, _ = AGENT.connect(goal(), scene())
    told = jsonx.decode(edited('{"modelConfigs": {"customOverrides": []}}', settings))

    assert told["modelConfigs"]["customOverrides"] == []
