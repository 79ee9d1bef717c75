import pytest

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import Sampling, Thinking, ToolSpec
from iflow_cli_proxy.protocols.ollama import settings


def test_options_come_back() -> None:
    options = {
        "num_predict": 10, "temperature": 0.5, "top_p": 0.9, "top_k": 40, "presence_penalty": 0.1,
        "frequency_penalty": 0.2, "seed": 7, "stop": ["x"],
    }  # fmt: skip

    assert settings.encode_options(settings.decode_sampling(options)) == options
    assert settings.decode_sampling({"stop": "x"}).stop == ("x",)


def test_whole_numbers_may_have_a_point() -> None:
    assert settings.decode_sampling({"num_predict": 128.0, "top_k": 40.0, "seed": 1.9}) == Sampling(
        max_tokens=128, top_k=40, seed=1
    )


@pytest.mark.parametrize("limit", [-1, -2, 0, None])
def test_no_limit_is_no_limit(limit: int | None) -> None:
    assert settings.decode_sampling({"num_predict": limit}) == Sampling()


@pytest.mark.parametrize(
    ("think", "thinking"),
    [
        (True, Thinking(is_on=True)),
        (False, Thinking(is_on=False)),
        ("low", Thinking(is_on=True, effort="low")),
        (None, Thinking()),
    ],
)
def test_thinking_comes_back(think: Json, thinking: Thinking) -> None:
    assert settings.decode_thinking(think) == thinking
    assert settings.encode_thinking(thinking) == think


@pytest.mark.parametrize(
    ("thinking", "think"),
    [
        (Thinking(effort="xhigh"), "high"),
        (Thinking(effort="none"), False),
        (Thinking(budget=500), True),
        (Thinking(is_on=True, effort="odd"), True),
    ],
)
def test_thinking_of_others_is_asked_for_in_ollamas_words(thinking: Thinking, think: Json) -> None:
    assert settings.encode_thinking(thinking) == think


@pytest.mark.parametrize("wanted", ["json", {"type": "object"}, None])
def test_structured_output_comes_back(wanted: Json) -> None:
    assert settings.encode_format(settings.decode_format(wanted)) == wanted


def test_a_format_that_is_empty_is_none() -> None:
    assert settings.decode_format("") is settings.decode_format({}) is None


def test_functions_come_back_and_other_tools_are_told() -> None:
    notes: list[Note] = []
    function = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}

    tools = settings.decode_tools([function, {"type": "web_search"}], notes)

    assert tools == (ToolSpec(name="f", description="d", parameters={"type": "object"}),)
    assert [note.path for note in notes] == ["tools[1]"]
    assert settings.encode_tools(tools) == [function]
    assert settings.encode_tools(()) is None
