import pytest

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import ChatRequest, Sampling, Thinking, ToolChoice, ToolSpec
from iflow_cli_proxy.protocols.gemini import settings


def encoded(**given: object) -> dict[str, Json]:
    return settings.encode_config(ChatRequest(model="m", messages=(), **given))  # type: ignore[arg-type]


def test_sampling_has_googles_names_and_comes_back() -> None:
    config = {
        "temperature": 0.5, "topP": 0.9, "topK": 40, "maxOutputTokens": 10, "stopSequences": ["x"], "candidateCount": 2,
        "seed": 7, "presencePenalty": 0.1, "frequencyPenalty": 0.2,
    }  # fmt: skip

    assert settings.decode_sampling(config) == Sampling(
        temperature=0.5, top_p=0.9, top_k=40, max_tokens=10, stop=("x",), n=2, seed=7, presence_penalty=0.1,
        frequency_penalty=0.2,
    )  # fmt: skip
    assert encoded(sampling=settings.decode_sampling(config)) == config
    assert settings.decode_sampling({"topK": 64.0}).top_k == 64


@pytest.mark.parametrize(
    ("wire", "thinking"),
    [
        ({"thinkingBudget": 0}, Thinking(is_on=False)),
        ({"thinkingBudget": -1}, Thinking(is_on=True)),
        ({"thinkingBudget": 512}, Thinking(is_on=True, budget=512)),
        ({"thinkingLevel": "HIGH"}, Thinking(is_on=True, effort="high")),
        ({"includeThoughts": True}, Thinking()),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, Thinking()),
        ({}, Thinking()),
    ],
)
def test_thinking_is_understood(wire: Json, thinking: Thinking) -> None:
    assert settings.decode_thinking({"thinkingConfig": wire}) == thinking


@pytest.mark.parametrize(
    ("thinking", "wire"),
    [
        (Thinking(is_on=False), {"thinkingBudget": 0}),
        (Thinking(effort="none"), {"thinkingBudget": 0}),
        (Thinking(effort="xhigh"), {"includeThoughts": True, "thinkingLevel": "high"}),
        (Thinking(budget=9), {"includeThoughts": True, "thinkingBudget": 9}),
        (Thinking(is_on=True), {"includeThoughts": True, "thinkingBudget": -1}),
    ],
)
def test_thinking_is_asked_for(thinking: Thinking, wire: Json) -> None:
    assert encoded(thinking=thinking) == {"thinkingConfig": wire}
    assert encoded() == {}


def test_thoughts_are_shown_to_those_who_asked_and_where_nobody_knows() -> None:
    assert settings.shows_thoughts({})
    assert settings.shows_thoughts({"generationConfig": {"thinkingConfig": {"includeThoughts": True}}})
    assert not settings.shows_thoughts({"contents": [], "generationConfig": None})


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"responseMimeType": "application/json"}, {"type": "json_object"}),
        (
            {"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}},
            {"type": "json_schema", "json_schema": {"name": "response", "schema": {"type": "object"}}},
        ),
        (
            {"responseMimeType": "application/json", "responseSchema": {"type": "OBJECT"}},
            {"type": "json_schema", "json_schema": {"name": "response", "schema": {"type": "object"}}},
        ),
        ({"responseMimeType": "text/plain"}, None),
        ({}, None),
    ],
)
def test_structured_output_is_understood(config: Json, wanted: Json) -> None:
    assert settings.decode_response_format(config) == wanted


def test_structured_output_is_asked_for() -> None:
    assert encoded(response_format={"type": "json_object"}) == {"responseMimeType": "application/json"}
    schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    assert encoded(response_format=schema) == {
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
    }


def test_functions_have_their_parameters_in_either_form() -> None:
    """Gemini CLI sends `parametersJsonSchema`; a gateway that reads only `parameters` offers tools without any."""
    declarations = [
        {"name": "f", "description": "d", "parametersJsonSchema": {"type": "object"}},
        {"name": "g", "parameters": {"type": "OBJECT"}},
        {"name": "h"},
    ]

    tools = settings.decode_tools({"tools": [{"functionDeclarations": declarations}]}, [])

    assert tools == (
        ToolSpec(name="f", description="d", parameters={"type": "object"}),
        ToolSpec(name="g", parameters={"type": "object"}),
        ToolSpec(name="h"),
    )
    assert settings.encode_tools(tools[:1]) == [{"functionDeclarations": declarations[:1]}]
    assert settings.encode_tools(()) is None


def test_tools_of_google_are_left_out_and_told() -> None:
    notes: list[Note] = []

    assert (
        settings.decode_tools({"tools": [{"googleSearch": {}}, {"urlContext": {}, "codeExecution": None}]}, notes) == ()
    )
    assert [note.path for note in notes] == ["tools[0].googleSearch", "tools[1].urlContext"]


@pytest.mark.parametrize(
    ("calling", "names", "choice"),
    [
        ({"mode": "AUTO"}, ["f", "g"], ToolChoice(mode="auto")),
        ({"mode": "VALIDATED"}, ["f", "g"], ToolChoice(mode="auto")),
        ({"mode": "NONE"}, ["f", "g"], ToolChoice(mode="none")),
        ({"mode": "ANY"}, ["f", "g"], ToolChoice(mode="required")),
        ({"mode": "any", "allowedFunctionNames": ["g"]}, ["g"], ToolChoice(mode="function", name="g")),
        ({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}, ["f", "g"], ToolChoice(mode="required")),
        ({"mode": "MODE_UNSPECIFIED"}, ["f", "g"], None),
        ({}, ["f", "g"], None),
    ],
)
def test_what_may_be_called_is_understood(calling: Json, names: list[str], choice: ToolChoice | None) -> None:
    values = {
        "tools": [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}],
        "toolConfig": {"functionCallingConfig": calling},
    }
    tools = settings.decode_tools(values, [])

    assert [tool.name for tool in tools] == names
    assert settings.decode_tool_choice(values, tools) == choice


def test_nothing_can_be_chosen_where_no_tool_is_left() -> None:
    values = {"tools": [{"googleSearch": {}}], "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}

    assert settings.decode_tool_choice(values, ()) is None


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        (ToolChoice(mode="auto"), {"mode": "AUTO"}),
        (ToolChoice(mode="none"), {"mode": "NONE"}),
        (ToolChoice(mode="required"), {"mode": "ANY"}),
        (ToolChoice(mode="function", name="f"), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)
def test_a_choice_is_written(choice: ToolChoice, calling: Json) -> None:
    assert settings.encode_tool_choice(choice) == {"functionCallingConfig": calling}
    assert settings.encode_tool_choice(None) is None
