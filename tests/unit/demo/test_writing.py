"""The demo writes a file with the tool that a client has for it."""

from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.demo.answers import answer
from iflow_cli_proxy.demo.question import Tool, read_question
from iflow_cli_proxy.demo.writing import write_call
from iflow_cli_proxy.routing.catalog import Model

ORDER = "iflow2api-demo: write /tmp/a.txt with It's done"
MODEL = Model(id="glm-4.6")


def tool(name: str, *properties: str, required: tuple[str, ...] = (), **kinds: str) -> Tool:
    texts = {each: {"type": kinds.get(each, "string")} for each in (*properties, *kinds)}
    return Tool(name=name, schema={"type": "object", "properties": texts, "required": list(required)})


WRITERS = [
    (tool("Write", "file_path", "content"), {"file_path": "/tmp/a.txt", "content": "It's done"}),
    (tool("write", "content", "filePath"), {"filePath": "/tmp/a.txt", "content": "It's done"}),
    (tool("write_file", "absolute_path", "content"), {"absolute_path": "/tmp/a.txt", "content": "It's done"}),
    (tool("exec_command", "cmd"), {"cmd": "printf %s 'It'\"'\"'s done' > /tmp/a.txt"}),
    (tool("shell", command="array"), {"command": ["bash", "-c", "printf %s 'It'\"'\"'s done' > /tmp/a.txt"]}),
]


@pytest.mark.parametrize(("offered", "arguments"), WRITERS, ids=lambda value: getattr(value, "name", ""))
def test_the_tool_of_each_agent_is_found_and_filled(offered: Tool, arguments: dict[str, Any]) -> None:
    others = [tool("read_file", "path"), tool("todo_write", "todos")]

    assert write_call(ORDER, [*others, offered]) == (offered, arguments)


def test_a_tool_for_files_goes_before_a_shell_and_gets_what_it_insists_on() -> None:
    writer = tool("write_file", "path", "content", "mode", required=("path", "mode"))
    found = write_call(ORDER, [tool("bash", "command"), writer])

    assert found is not None
    assert found[0] is writer
    assert set(found[1]) == {"path", "content", "mode"}


@pytest.mark.parametrize("prompt", ["write /tmp/a.txt with x", "iflow2api-demo: write /tmp/a.txt", "hello"])
def test_other_words_order_nothing(prompt: str) -> None:
    assert write_call(prompt, [WRITERS[0][0]]) is None


def test_without_a_tool_that_could_do_it_nothing_is_called() -> None:
    assert write_call(ORDER, [tool("search", "query"), tool("write", "todos")]) is None


def test_quotes_around_the_whole_prompt_are_not_part_of_the_text() -> None:
    found = write_call(f'"{ORDER}"', [WRITERS[0][0]])

    assert found is not None
    assert found[1]["content"] == "It's done"


def say(*more: dict[str, Any]) -> Any:
    offered = {"type": "function", "function": {"name": "Write", "parameters": WRITERS[0][0].schema}}
    messages = [{"role": "user", "content": ORDER}, *more]
    return answer(read_question({"messages": messages, "tools": [offered]}, MODEL))


def test_it_calls_once_and_answers_when_the_tool_has() -> None:
    result = {"role": "tool", "tool_call_id": "1", "content": "written"}
    reminder = {"role": "system", "content": "Be brief."}

    assert jsonx.decode(say().tool_calls[0].arguments)["file_path"] == "/tmp/a.txt"
    assert say(result).tool_calls == ()
    assert "written" in say(result, reminder).text, "a reminder behind the result hides it from nobody"
