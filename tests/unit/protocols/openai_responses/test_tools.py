import pytest

from iflow_cli_proxy.protocols.openai_responses.tools import Tool, ToolNames, decode_tools, unwrapped, wrapped

F = {"type": "function", "name": "f", "description": "Does f.", "parameters": {"type": "object"}, "strict": True}
SPAWN = {"type": "function", "name": "spawn_agent", "parameters": None}
AGENTS = {"type": "namespace", "name": "multi_agent_v1", "description": "Other agents.", "tools": [SPAWN]}
PATCH = {"type": "custom", "name": "apply_patch", "description": "Edits."}


def names(*tools: object) -> ToolNames:
    return ToolNames({"tools": list(tools)})


def test_a_function_keeps_its_name_and_all_that_is_said_of_it() -> None:
    (spec,), notes = decode_tools({"tools": [F]}, names(F))

    assert (spec.name, spec.description, spec.parameters, spec.is_strict) == ("f", "Does f.", {"type": "object"}, True)
    assert notes == ()


def test_a_custom_tool_is_a_function_with_one_text_and_its_grammar_is_told() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: /x+/"}
    (plain,), _ = decode_tools({"tools": [PATCH]}, names(PATCH))
    (ruled,), _ = decode_tools({"tools": [PATCH | {"format": grammar}]}, names(PATCH))

    assert plain.parameters is not None
    assert plain.parameters["required"] == ["input"]
    assert plain.description == "Edits."
    assert ruled.description.startswith("Edits.\n\n")
    assert "lark" in ruled.description
    assert ruled.description.endswith("start: /x+/")


def test_the_tools_of_a_namespace_are_functions_named_after_both() -> None:
    (spec,), _ = decode_tools({"tools": [AGENTS]}, names(AGENTS))

    assert spec.name == "multi_agent_v1__spawn_agent"
    assert spec.description == "Other agents."
    assert names(AGENTS).find(spec.name) == Tool("spawn_agent", "multi_agent_v1")
    assert names(AGENTS).flat("spawn_agent", "multi_agent_v1") == spec.name


def test_a_model_may_leave_the_namespace_out_where_nothing_else_can_be_meant() -> None:
    other = AGENTS | {"name": "other"}
    plain = {"type": "function", "name": "spawn_agent"}

    assert names(AGENTS).find("spawn_agent") == Tool("spawn_agent", "multi_agent_v1")
    assert names(AGENTS, other).find("spawn_agent") == Tool("spawn_agent")
    assert names(AGENTS, plain).find("spawn_agent") == Tool("spawn_agent")


def test_names_fit_into_64_characters_and_stay_apart() -> None:
    tools = [{"type": "function", "name": "t" * 70 + letter} for letter in "ab"]
    space = {"type": "namespace", "name": "n" * 40, "tools": tools}
    specs, _ = decode_tools({"tools": [space]}, names(space))

    assert len({spec.name for spec in specs}) == 2
    assert all(len(spec.name) == 64 for spec in specs)
    assert [names(space).find(spec.name).name for spec in specs] == [tool["name"] for tool in tools]


def test_a_function_that_has_the_joined_name_already_keeps_it() -> None:
    taken = {"type": "function", "name": "multi_agent_v1__spawn_agent"}
    both = names(AGENTS, taken)
    flat = both.flat("spawn_agent", "multi_agent_v1")

    assert flat != taken["name"]
    assert both.find(taken["name"]) == Tool(taken["name"])
    assert both.find(flat) == Tool("spawn_agent", "multi_agent_v1")


def test_letters_that_functions_may_not_have_are_replaced_in_joined_names() -> None:
    space = {"type": "namespace", "name": "mcp.files/", "tools": [SPAWN]}

    assert names(space).flat("spawn_agent", "mcp.files/") == "mcp_files___spawn_agent"


@pytest.mark.parametrize("kind", ["web_search", "file_search", "code_interpreter", "mcp", "image_generation", "shell"])
def test_hosted_tools_are_left_out_with_a_note(kind: str) -> None:
    specs, (note,) = decode_tools({"tools": [F, {"type": kind}]}, names(F))

    assert [spec.name for spec in specs] == ["f"]
    assert note.path == "tools[1]"
    assert note.what == f"the hosted tool {kind} is not offered by this upstream, so it was left out"


def test_tools_that_come_with_the_input_count_as_well() -> None:
    values = {"input": [{"type": "additional_tools", "role": "developer", "tools": [F]}]}
    (spec,), _ = decode_tools(values, ToolNames(values))

    assert spec.name == "f"


def test_free_text_is_wrapped_and_unwrapped() -> None:
    text = '*** Begin Patch\n+"x" \\ ü'

    assert unwrapped(wrapped(text)) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"input":"a"}', "a"),
        ('{"patch":"a"}', "a"),
        ('"a"', "a"),
        ("*** Begin Patch", "*** Begin Patch"),
        ('{"a":"x","b":"y"}', '{"a":"x","b":"y"}'),
        ("5", "5"),
        ("", ""),
    ],
)
def test_a_model_that_took_no_notice_of_the_schema_means_what_it_wrote(arguments: str, text: str) -> None:
    assert unwrapped(arguments) == text
