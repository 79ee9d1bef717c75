"""The trials of a probe, in their order, each judged by what was heard.

A word in a profile is True or False only where an answer said so; everything else stays unknown, and unknown means what
every OpenAI-compatible server is expected to do. Refuses to know who asks for the probe and where its outcome is kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.gateway.trials import bodies
from iflow_cli_proxy.gateway.trials.bodies import FEW, MANY, SOME, assistant, system, tool, user
from iflow_cli_proxy.gateway.trials.calls import Caller, Heard

_THINKING_FIELDS: Final = ("reasoning_content", "reasoning", "reasoning_details")
_THINK_TAG: Final = "<think>"
_FIRST_LIMIT: Final = "max_tokens"
_OTHER_LIMIT: Final = "max_completion_tokens"


@dataclass(frozen=True, kw_only=True)
class Line:
    """What one trial found out, for a table."""

    trial: str
    answer: str
    """yes, no, unknown, or a word of the profile."""
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class Probed:
    profile: Profile
    lines: tuple[Line, ...]
    calls: int


Tell = Callable[[str, int, int], None]
"""Called before each trial with its name, its number and how many there are."""


async def probe_features(caller: Caller, tell: Tell) -> Probed:
    """Everything that can be found out.

    Raises:
        GatewayError: the first call failed, or a later one in a way that leaves nothing to ask.
    """
    trials = _Trials(caller)
    steps = trials.in_order()
    for number, (name, step) in enumerate(steps, 1):
        tell(name, number, len(steps))
        await step()
    profile = msgspec.structs.replace(caller.upstream.provider.profile, **trials.found)
    return Probed(profile=profile, lines=tuple(trials.lines), calls=caller.calls_made)


@dataclass
class _Trials:
    caller: Caller
    found: dict[str, Any] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    def in_order(self) -> Sequence[tuple[str, Callable[[], Awaitable[None]]]]:
        return (
            ("a first answer", self.hello),
            ("usage in streams", self.stream_usage),
            ("tools", self.tools),
            ("several calls at once", self.parallel_tools),
            ("long tool names", self.tool_names),
            ("words in tool schemas", self.schema_words),
            ("results of tools", self.tool_results),
            ("images", self.images),
            ("images from tools", self.tool_result_images),
            ("JSON by schema", self.json_schema),
            ("JSON objects", self.json_object),
            ("reasoning effort", self.effort),
            ("several answers", self.many_choices),
            ("stop sequences", self.stop_sequences),
            ("late system messages", self.late_system),
        )

    async def hello(self) -> None:
        question = [user("Say hello.")]
        heard = await self._ask(messages=question, limit=SOME)
        if heard.error is not None and heard.is_refused:
            self.found["max_tokens_field"] = _OTHER_LIMIT
            other = await self._ask(messages=question, limit=SOME)
            if other.error is not None:
                raise heard.error
            heard = other
        elif heard.error is not None:
            raise heard.error
        self._note_thinking(heard.message)
        self._line("limit of an answer", self.found.get("max_tokens_field", _FIRST_LIMIT))

    async def stream_usage(self) -> None:
        heard = await self._stream(messages=[user("Say hello.")], limit=SOME)
        reported = any(isinstance(event, dict) and event.get("usage") for event in heard.events)
        self._judge("stream_usage", "usage in streams", heard, reported)
        for event in heard.events:
            for choice in event.get("choices") or () if isinstance(event, dict) else ():
                delta = choice.get("delta") if isinstance(choice, dict) else None
                self._note_thinking(delta if isinstance(delta, dict) else {})
        self._line("thinking", self.found.get("reasoning_field") or "none seen")

    async def tools(self) -> None:
        named = {"type": "function", "function": {"name": "get_weather"}}
        question = [user("What is the weather in Oslo?")]
        heard = await self._ask(messages=question, tools=[tool()], tool_choice=named, limit=MANY)
        if "get_weather" in heard.calls:
            self.found |= {"tools": True, "tool_choice": True}
        elif heard.is_refused or (heard.error is None and not heard.is_cut):
            free = await self._ask(messages=question, tools=[tool()], limit=MANY)
            self.found["tool_choice"] = False
            if free.is_refused or free.calls:
                self.found["tools"] = bool(free.calls)
            heard = free
        self._line("tools", self.found.get("tools"), _remark(heard))
        self._line("tool_choice", self.found.get("tool_choice"))

    async def parallel_tools(self) -> None:
        if not self._has_tools("several calls at once"):
            return
        question = [user("What is the weather in Oslo and in Paris? Call the tool for both cities at once.")]
        heard = await self._ask(messages=question, tools=[tool()], parallel_tool_calls=True, limit=MANY)
        if heard.is_refused or heard.calls:
            self.found["parallel_tools"] = len(heard.calls) > 1
        self._line("several calls at once", self.found.get("parallel_tools"), _remark(heard))

    async def tool_names(self) -> None:
        if not self._has_tools("longest tool name"):
            return
        heard = await self._ask(messages=[user("Say hello.")], tools=[tool(bodies.LONG_NAME)], limit=FEW)
        if heard.is_accepted:
            self.found["tool_name_length"] = len(bodies.LONG_NAME)
        length = self.found.get("tool_name_length", Profile().tool_name_length)
        self._line("longest tool name", str(length), _remark(heard) or "" if heard.error else "at least")

    async def schema_words(self) -> None:
        if not self._has_tools("words in tool schemas"):
            return
        refused = await self._refused_of(list(bodies.SCHEMA_WORDS))
        if refused:
            self.found["refused_schema_words"] = tuple(refused)
        self._line("words refused in tool schemas", ", ".join(refused) or "none")

    async def tool_results(self) -> None:
        """A turn with a tool in it, without the thinking that led to the call, and with it."""
        if not self._has_tools("thinking given back"):
            return
        bare = await self._ask(messages=bodies.tool_turn("Rain."), tools=[tool()], limit=FEW)
        word = self.found.get("reasoning_field", "")
        if word not in ("reasoning_content", "reasoning") and not bare.is_refused:
            return
        thinking = {word if word == "reasoning" else "reasoning_content": "I look it up."}
        told = await self._ask(messages=bodies.tool_turn("Rain.", thinking=thinking), tools=[tool()], limit=FEW)
        match bare.is_accepted, told.is_accepted:
            case False, True:
                self.found["wants_reasoning_back"] = True
            case True, False:
                self.found["wants_reasoning_back"] = False
            case _:
                pass  # both taken, both refused, or nobody can tell
        says = {True: "wanted", False: "refused", None: "not needed"}
        self._line("thinking given back", says[self.found.get("wants_reasoning_back")], _remark(bare))

    async def images(self) -> None:
        heard = await self._ask(messages=[user(bodies.picture("Which colour?"))], limit=FEW)
        self._judge("images", "images", heard)

    async def tool_result_images(self) -> None:
        if not self.found.get("images") or not self._has_tools("images from tools"):
            return
        turn = bodies.tool_turn(bodies.picture("The radar."))
        heard = await self._ask(messages=turn, tools=[tool()], limit=FEW)
        if heard.is_accepted is not None:
            self.found["tool_result_images"] = heard.is_accepted
        self._line("images from tools", heard.is_accepted, _remark(heard))

    async def json_schema(self) -> None:
        wanted = {"name": "answer", "strict": True, "schema": bodies.ANSWER_SCHEMA}
        await self._json("json_schema", "JSON by schema", {"type": "json_schema", "json_schema": wanted})

    async def json_object(self) -> None:
        await self._json("json_object", "JSON objects", {"type": "json_object"})

    async def effort(self) -> None:
        heard = await self._ask(messages=[user("Say hello.")], reasoning_effort="low", limit=FEW)
        self._judge("effort", "reasoning effort", heard)
        if self.found.get("effort"):
            off = await self._ask(messages=[user("Say hello.")], reasoning_effort="none", limit=FEW)
            is_off = off.is_accepted is True and not _thinking_in(off.message)
            self.found["effort_none"] = is_off
            self._line("effort none", is_off, _remark(off))

    async def many_choices(self) -> None:
        heard = await self._ask(messages=[user("Say hello.")], n=2, limit=FEW)
        self._judge("many_choices", "several answers", heard, len(heard.choices) > 1)

    async def stop_sequences(self) -> None:
        question = [user("Count from 1 to 9, separated by blanks, and say nothing else.")]
        heard = await self._ask(messages=question, stop=["5"], limit=SOME)
        self._judge("stop_sequences", "stop sequences", heard, "5" not in heard.text)

    async def late_system(self) -> None:
        talk = [user("Say hello."), assistant("Hello."), system("Answer in one word."), user("And now?")]
        heard = await self._ask(messages=talk, limit=FEW)
        self._judge("late_system", "late system messages", heard)

    # --- asking and noting ----------------------------------------------------------------------------------------

    async def _ask(self, *, limit: int, **fields: Any) -> Heard:
        return await self.caller.ask(**fields, **{self.found.get("max_tokens_field", _FIRST_LIMIT): limit})

    async def _stream(self, *, limit: int, **fields: Any) -> Heard:
        return await self.caller.stream(**fields, **{self.found.get("max_tokens_field", _FIRST_LIMIT): limit})

    async def _json(self, name: str, title: str, wanted: Json) -> None:
        question = [user('Answer in JSON: what is the capital of France? Use the key "capital".')]
        heard = await self._ask(messages=question, response_format=wanted, limit=MANY)
        is_json = _is_object(heard.text, "capital" if name == "json_schema" else "")
        if heard.error is None and heard.is_cut and not is_json:
            self._line(title, None, "cut off")
            return
        self._judge(name, title, heard, is_json)

    async def _refused_of(self, words: list[str]) -> list[str]:
        """Those that are refused: all together first, then by halves, so that one bad word costs few calls."""
        heard = await self._ask(messages=[user("Say hello.")], tools=[bodies.tool_with(words)], limit=FEW)
        if not heard.is_refused:
            return []
        if len(words) == 1:
            return words
        first, second = bodies.halves(words)
        return [*await self._refused_of(first), *await self._refused_of(second)]

    def _has_tools(self, title: str) -> bool:
        if self.found.get("tools") is False:
            self._line(title, None, "no tools")
            return False
        return True

    def _judge(self, name: str, title: str, heard: Heard, is_done: bool = True) -> None:
        """Yes if it was accepted and done; nothing is noted when nobody can tell."""
        verdict = None if heard.is_accepted is None else heard.is_accepted and is_done
        if verdict is not None:
            self.found[name] = verdict
        ignored = "accepted and not obeyed" if heard.is_accepted and not is_done else ""
        self._line(title, verdict, _remark(heard) or ignored)

    def _note_thinking(self, message: dict[str, Json]) -> None:
        if not self.found.get("reasoning_field") and (word := _thinking_in(message)):
            self.found["reasoning_field"] = word

    def _line(self, trial: str, answer: str | bool | None, remark: str = "") -> None:
        word = answer if isinstance(answer, str) else {True: "yes", False: "no", None: "unknown"}[answer]
        self.lines.append(Line(trial=trial, answer=word, remark=remark))


def _thinking_in(message: dict[str, Json]) -> str:
    """Where thinking stands in a message or a delta; "" when there is none."""
    for name in _THINKING_FIELDS:
        if message.get(name):
            return name
    content = message.get("content")
    return _THINK_TAG if isinstance(content, str) and _THINK_TAG in content else ""


def _is_object(text: str, key: str) -> bool:
    """Whether it is a JSON object, with this key if one is named."""
    try:
        value = jsonx.decode(text)
    except JsonError:
        return False
    return isinstance(value, dict) and (not key or key in value)


def _remark(heard: Heard) -> str:
    return heard.error.message if heard.error is not None else ""
