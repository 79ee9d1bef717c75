"""Talking to a running gateway the way any client would. Imported only by `chat`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import typer
from rich.text import Text

from iflow_cli_proxy.cli.addressing import client_key, gateway_url
from iflow_cli_proxy.cli.output import console, print_text, printable, say
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.config.variables import CLIENT_KEY_VARIABLE
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import (
    ConfigError,
    ConnectionLost,
    CutOff,
    GatewayError,
    Malformed,
    Unauthenticated,
    Unreachable,
)
from iflow_cli_proxy.core.events import Delta, Event, Failed, PartKind, PartStarted, UsageReported
from iflow_cli_proxy.core.sse import Framer
from iflow_cli_proxy.core.stage import Chain
from iflow_cli_proxy.protocols import CODECS

_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=5)
_NO_CONNECTION: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


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
        self._last = ""
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
        if text == "\n\n" and not self._last:
            return
        text = printable(text.replace("\r", ""))
        self._last = text or self._last
        if kind is PartKind.REASONING:
            self._console.print(Text(text, "dim italic"), end="", soft_wrap=True)
        else:
            typer.echo(text, nl=False)  # rich would replace tabs

    def end_line(self) -> None:
        """What is said next begins at the left edge."""
        if self._last and not self._last.endswith("\n"):
            print_text("")


async def ask_gateway(session: Session, url: str, question: Question, *, is_quiet: bool) -> dict[str, Any]:
    """The whole answer, printed as it comes unless `is_quiet`.

    Raises:
        GatewayError: nobody serves there, the gateway refused, or the answer broke off.
    """
    settings, _ = session.load()
    base = gateway_url(settings, url)
    key = client_key(settings, session.environ) or session.environ.get("OPENAI_API_KEY", "any")
    headers = {"authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as http:
        try:
            model = question.model or await _first_model(http, base)
            return await _ask(http, base, model, question, is_quiet=is_quiet)
        except _NO_CONNECTION as error:
            raise Unreachable(
                f"No gateway answers at {base}.", hint="start one with `iflow2api serve`, or name it with --url"
            ) from error
        except aiohttp.ClientConnectionError as error:
            raise ConnectionLost(
                f"The connection to {base} ended before there was an answer.", hint="see the gateway's log"
            ) from error
        except aiohttp.ClientError as error:
            raise Malformed(
                f"What listens at {base} did not answer as a gateway does.", hint="name the gateway with --url"
            ) from error


async def _first_model(http: aiohttp.ClientSession, base: str) -> str:
    async with http.get(f"{base}/v1/models") as response:
        text = await response.read()
    if response.status != 200:
        raise _refused(response.status, text)
    try:
        body = jsonx.decode(text)
    except jsonx.JsonError as error:
        raise Malformed(
            f"What listens at {base} is no gateway: its list of models is not JSON.", hint="name the gateway with --url"
        ) from error
    rows = body.get("data") if isinstance(body, dict) else None
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and isinstance(row.get("id"), str):
            return str(row["id"])
    raise ConfigError("The gateway lists no models.", hint="name one with -m", param="--model")


async def _ask(
    http: aiohttp.ClientSession, base: str, model: str, question: Question, *, is_quiet: bool
) -> dict[str, Any]:
    messages = [{"role": "system", "content": question.system}] if question.system else []
    messages.append({"role": "user", "content": question.prompt})
    body = {"model": model, "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
    printer = _Printer(shows_thinking=question.shows_thinking, is_quiet=is_quiet)
    async with http.post(f"{base}/v1/chat/completions", json=body) as response:
        if response.status != 200:
            raise _refused(response.status, await response.read())
        try:
            await _read(response, printer)
        finally:
            printer.end_line()
    if printer.usage and not is_quiet:
        say(f"{model}: {printer.usage['prompt_tokens']} + {printer.usage['completion_tokens']} tokens", "dim")
    answer = {kind.value: "".join(texts) for kind, texts in printer.texts.items() if texts}
    return {"model": model, **answer, "usage": printer.usage}


async def _read(response: aiohttp.ClientResponse, printer: _Printer) -> None:
    codec = CODECS["openai_chat"]
    stage = Chain(Framer(), codec.stream_decoder(lambda found: codec.decode_error(found), frozenset()))
    try:
        async for chunk in response.content.iter_any():
            for event in stage.feed(chunk):
                printer.show(event)
    except aiohttp.ClientError as error:
        raise CutOff(
            "The answer broke off: the connection to the gateway ended.", hint="see the gateway's log, then ask again"
        ) from error
    for event in stage.close():
        printer.show(event)


def _refused(status: int, body: bytes) -> GatewayError:
    """The gateway's own words, if it has any."""
    try:
        error = CODECS["openai_chat"].decode_error(jsonx.decode(body))
    except jsonx.JsonError:
        error = None
    error = error or GatewayError(f"The gateway answered with status {status}.")
    if isinstance(error, Unauthenticated):
        error.hint = f"put a client key of this gateway into {CLIENT_KEY_VARIABLE}"
    return error
