"""What the demo model says: a text that depends on the question, calls of the offered tools, JSON on request.

Deterministic: the same question and seed give the same answer. Refuses to know the wire.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.demo.question import Question, Tool, count_tokens
from iflow_cli_proxy.demo.schema import example
from iflow_cli_proxy.demo.writing import write_call

StopWord: TypeAlias = Literal["stop", "length", "tool_calls"]

_CHARS_PER_TOKEN: Final = 4
_MANY: Final = re.compile(r"\b(parallel|both|each|all|two|twice)\b|并行|同时|分别", re.IGNORECASE)
_ASKS_FOR_TOOL: Final = re.compile(
    r"\b(use|call|run|invoke)\b.{0,40}\b(tools?|functions?)\b|\btools?\b.{0,20}\bplease\b|调用|使用.{0,6}工具",
    re.IGNORECASE | re.DOTALL,
)
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
_QUOTED_CHARS: Final = 160

_OPENINGS: Final = ("Hello from the demo upstream!", "Hi there!", "Good to hear from you!", "Welcome!")
_OPENINGS_ZH: Final = ("你好,这里是演示上游!", "你好!", "很高兴见到你!", "欢迎!")
_BODY: Final = (
    'You said: "{said}". I am {model}, simulated on this machine, so my words are made up. Everything between us is '
    "real: your client, the gateway, its account, the signature on the request, and the socket these words travel "
    "over, one small piece at a time. Add an account or another upstream and the same command answers for real."
)
_BODY_ZH: Final = (
    "你刚才说:“{said}”。我是在本机上模拟的 {model},内容是编造的;但你我之间的一切都是真实的:"
    "你的客户端、网关、账号、请求签名,以及逐字传来的这条连接。添加账号或其他上游后,同一条命令就会得到真实的回答。"
)


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    id: str
    name: str
    arguments: str
    """JSON text."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    reasoning: str = ""
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    stop_word: StopWord = "stop"

    @property
    def tokens(self) -> int:
        calls = "".join(call.name + call.arguments for call in self.tool_calls)
        return count_tokens(self.reasoning) + count_tokens(self.text) + count_tokens(calls)


def answer(question: Question, *, seed: int = 0, index: int = 0) -> Answer:
    """The answer to `question`; `index` is its place among `n` choices."""
    digest = hashlib.sha256(f"{seed}\n{index}\n{question.model}\n{question.prompt}".encode(errors="replace")).digest()
    reasoning = _reasoning(question) if question.thinks else ""
    calls = _tool_calls(question, digest)
    if calls:
        return Answer(reasoning=reasoning, tool_calls=calls, stop_word="tool_calls")
    return _cut(question, reasoning, _text(question, digest[0]))


def _text(question: Question, draw: int) -> str:
    if question.schema is not None:
        return _json(question)
    is_chinese = bool(_CHINESE.search(question.prompt))
    if question.tool_results:
        told = " ".join(result.strip() for result in question.tool_results)[:_QUOTED_CHARS]
        return f"工具的结果是:{told}" if is_chinese else f"The tools answered: {told}"
    openings, body = (_OPENINGS_ZH, _BODY_ZH) if is_chinese else (_OPENINGS, _BODY)
    said = " ".join(question.prompt.split())[:_QUOTED_CHARS] or "…"
    text = f"{openings[draw % len(openings)]} {body.format(said=said, model=question.model)}"
    return f"{text} (I also see your image.)" if question.has_image else text


def _json(question: Question) -> str:
    if question.schema is True:
        value = {"answer": question.prompt[:_QUOTED_CHARS], "model": question.model}
    else:
        value = example(question.schema, words=question.prompt)
    return jsonx.encode(value).decode()


def _reasoning(question: Question) -> str:
    said = " ".join(question.prompt.split())[:60]
    return f'The user says "{said}". Nothing here needs a real model, so a friendly demo answer will do.'


def _tool_calls(question: Question, digest: bytes) -> tuple[ToolCall, ...]:
    is_free = not question.tool_results and question.tool_choice != "none"
    if is_free and (ordered := write_call(question.prompt, question.tools)):
        tool, order = ordered
        return (_call(tool, order, digest, 0),)
    wanted = _wanted_tools(question)
    if len(wanted) == 1 and question.is_parallel and _MANY.search(question.prompt):
        wanted = wanted * 2
    seen: dict[str, int] = {}
    calls = []
    for place, tool in enumerate(wanted):
        nth = seen[tool.name] = seen.get(tool.name, -1) + 1
        arguments = example(tool.schema, words=question.prompt, nth=nth)
        calls.append(_call(tool, arguments if isinstance(arguments, dict) else {}, digest, place))
    return tuple(calls)


def _call(tool: Tool, arguments: Json, digest: bytes, place: int) -> ToolCall:
    text = jsonx.encode(arguments).decode()
    return ToolCall(id=f"call_{digest[:8].hex()}{place}", name=tool.name, arguments=text)


def _wanted_tools(question: Question) -> list[Tool]:
    """The tools the prompt asks for, one unless it asks for several."""
    if not question.tools or question.tool_choice == "none":
        return []
    named = [tool for tool in question.tools if tool.name == question.tool_choice]
    if named:
        return named
    if question.tool_results:
        return []
    fitting = [tool for tool in question.tools if _is_about(tool, question.prompt)]
    if not fitting and (question.tool_choice == "required" or _ASKS_FOR_TOOL.search(question.prompt)):
        fitting = list(question.tools)
    return fitting if question.is_parallel and _MANY.search(question.prompt) else fitting[:1]


def _is_about(tool: Tool, prompt: str) -> bool:
    """Whether a telling word of the tool's name occurs: `get_weather` and "What is the weather?"."""
    words = re.findall(r"[a-z]{4,}", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", tool.name).lower())
    return any(re.search(rf"\b{word}", prompt, re.IGNORECASE) for word in words)


def _cut(question: Question, reasoning: str, text: str) -> Answer:
    """The answer as far as stop sequences and the output limit allow it."""
    ends = [place for word in question.stop if (place := text.find(word)) >= 0]
    if ends:
        text = text[: min(ends)]
    if not question.max_tokens or count_tokens(reasoning) + count_tokens(text) <= question.max_tokens:
        return Answer(reasoning=reasoning, text=text)
    kept_reasoning = reasoning[: question.max_tokens * _CHARS_PER_TOKEN]
    left = question.max_tokens - count_tokens(kept_reasoning)
    return Answer(reasoning=kept_reasoning, text=text[: left * _CHARS_PER_TOKEN], stop_word="length")
