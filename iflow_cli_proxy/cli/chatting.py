"""Talking to a running gateway the way any client would. Imported only by `chat`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from iflow_cli_proxy.cli.output import console, print_text, say
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError, GatewayError, Unreachable
from iflow_cli_proxy.core.events import Delta, Event, Failed, PartKind, PartStarted, UsageReported
from iflow_cli_proxy.core.sse import Framer
from iflow_cli_proxy.core.stage import Chain
from iflow_cli_proxy.protocols import CODECS

_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=5)


@dataclass(frozen=True, kw_only=True)
class Question:
    prompt: str
    model: str = ""
    system: str = ""
    shows_thinking: bool = True


class _Printer:
    """Prints an answer as it comes and keeps it."""

    def __init__(self, *, shows_thinking: bool, is_quiet: bool) -> None:
        self.texts: dict[PartKind, list[str]] = {kind: [] for kind in PartKind}
        self.usage: dict[str, int] = {}
        self._kinds: dict[int, PartKind] = {}
        self._shows_thinking = shows_thinking
        self._has_printed = False
        self._is_quiet = is_quiet
        self._console = console()

    def show(self, event: Event) -> None:
        match event:
            case PartStarted():
                if self._kinds:
                    self._print(event.kind, "\n\n")  # thinking and answer are two paragraphs
                self._kinds[event.part] = event.kind
            case Delta():
                kind = self._kinds[event.part]
                self.texts[kind].append(event.text)
                self._print(kind, event.text)
            case UsageReported():
                self.usage = {"prompt_tokens": event.usage.prompt, "completion_tokens": event.usage.completion}
            case Failed():
                raise GatewayError(event.message)
            case _:
                pass

    def _print(self, kind: PartKind, text: str) -> None:
        if self._is_quiet or (kind is PartKind.REASONING and not self._shows_thinking):
            return
        if text == "\n\n" and not self._has_printed:
            return
        self._has_printed = True
        style = "dim italic" if kind is PartKind.REASONING else None
        self._console.print(text, style=style, end="", markup=False, highlight=False, soft_wrap=True)
        sys.stdout.flush()


async def ask_gateway(session: Session, url: str, question: Question, *, is_quiet: bool) -> dict[str, Any]:
    """The whole answer, printed as it comes unless `is_quiet`.

    Raises:
        GatewayError: nobody serves there, the gateway refused, or the answer broke off.
    """
    settings, _ = session.load()
    base = (url or f"http://{settings.server.host}:{settings.server.port}").rstrip("/").removesuffix("/v1")
    headers = _headers(settings, session)
    async with aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as http:
        try:
            model = question.model or await _first_model(http, base)
            return await _ask(http, base, model, question, is_quiet=is_quiet)
        except aiohttp.ClientError as error:
            raise Unreachable(
                f"No gateway answers at {base}.", hint="start one with `iflow2api serve`, or name it with --url"
            ) from error


def _headers(settings: Settings, session: Session) -> dict[str, str]:
    keys = settings.auth.client_keys
    key = keys[0].reveal() if keys else session.environ.get("OPENAI_API_KEY", "any")
    return {"authorization": f"Bearer {key}"}


async def _first_model(http: aiohttp.ClientSession, base: str) -> str:
    async with http.get(f"{base}/v1/models") as response:
        body = jsonx.decode(await response.read())
    rows = body.get("data") if isinstance(body, dict) else None
    if not rows:
        raise ConfigError("The gateway lists no models.", hint="name one with -m", param="--model")
    return str(rows[0]["id"])


async def _ask(
    http: aiohttp.ClientSession, base: str, model: str, question: Question, *, is_quiet: bool
) -> dict[str, Any]:
    codec = CODECS["openai_chat"]
    messages = [{"role": "system", "content": question.system}] if question.system else []
    messages.append({"role": "user", "content": question.prompt})
    body = {"model": model, "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
    printer = _Printer(shows_thinking=question.shows_thinking, is_quiet=is_quiet)
    async with http.post(f"{base}/v1/chat/completions", json=body) as response:
        if response.status != 200:
            raise _refused(response.status, await response.read())
        stage = Chain(Framer(), codec.stream_decoder(lambda found: codec.decode_error(found), frozenset()))
        async for chunk in response.content.iter_any():
            for event in stage.feed(chunk):
                printer.show(event)
        for event in stage.close():
            printer.show(event)
    if not is_quiet:
        print_text("")
        if printer.usage:
            say(f"{model}: {printer.usage['prompt_tokens']} + {printer.usage['completion_tokens']} tokens", "dim")
    answer = {kind.value: "".join(texts) for kind, texts in printer.texts.items() if texts}
    return {"model": model, **answer, "usage": printer.usage}


def _refused(status: int, body: bytes) -> GatewayError:
    try:
        error = CODECS["openai_chat"].decode_error(jsonx.decode(body))
    except jsonx.JsonError:
        error = None
    return error or GatewayError(f"The gateway answered with status {status}.")
