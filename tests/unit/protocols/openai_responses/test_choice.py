import pytest

from iflow_cli_proxy.core.request import ToolChoice, ToolSpec
from iflow_cli_proxy.protocols.openai_responses.choice import decode_choice, encode_choice
from iflow_cli_proxy.protocols.openai_responses.tools import ToolNames

TOOLS = [
    {"type": "function", "name": "f"},
    {"type": "custom", "name": "c"},
    {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "inner"}]},
]
NAMES = ToolNames({"tools": TOOLS})
SPECS = tuple(ToolSpec(name=name) for name in ("f", "c", "n__inner"))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        ("auto", ToolChoice(mode="auto")),
        ("none", ToolChoice(mode="none")),
        ("required", ToolChoice(mode="required")),
        ({"type": "function", "name": "f"}, ToolChoice(mode="function", name="f")),
        ({"type": "custom", "name": "c"}, ToolChoice(mode="function", name="c")),
        ({"type": "function", "name": "inner", "namespace": "n"}, ToolChoice(mode="function", name="n__inner")),
        ({"type": "function", "name": "inner"}, ToolChoice(mode="function", name="n__inner")),
    ],
)
def test_a_choice_among_tools_is_understood_in_every_form(choice: object, expected: ToolChoice | None) -> None:
    chosen = decode_choice(choice, SPECS, NAMES)

    assert (chosen.choice, chosen.note, chosen.tools) == (expected, "", SPECS)


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "web_search_preview"},
        {"type": "mcp", "server_label": "x"},
        {"type": "function", "name": "gone"},
        {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]},
        {"type": "allowed_tools", "mode": "auto", "tools": "all"},
        "sometimes",
    ],
)
def test_a_choice_of_what_is_not_offered_is_left_out_with_a_note(choice: object) -> None:
    chosen = decode_choice(choice, SPECS, NAMES)

    assert chosen.choice is None
    assert chosen.note
    assert chosen.tools == SPECS


@pytest.mark.parametrize(("mode", "expected"), [("auto", "auto"), ("required", "required")])
def test_allowed_tools_are_the_only_ones_that_are_offered(mode: str, expected: str) -> None:
    listed = [{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}, {"type": "web_search"}]
    chosen = decode_choice({"type": "allowed_tools", "mode": mode, "tools": listed}, SPECS, NAMES)

    assert [tool.name for tool in chosen.tools] == ["f", "c"]
    assert chosen.choice == ToolChoice(mode=expected)


def test_without_tools_there_is_nothing_to_choose() -> None:
    assert decode_choice("required", (), NAMES).choice is None


def test_a_choice_is_written_flat() -> None:
    assert encode_choice(None) is None
    assert encode_choice(ToolChoice(mode="required")) == "required"
    assert encode_choice(ToolChoice(mode="function", name="f")) == {"type": "function", "name": "f"}
