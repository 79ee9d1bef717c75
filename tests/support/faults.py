"""A real gateway before an upstream that misbehaves, and what must be true of every answer it gives all the same."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

import iflow_cli_proxy
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.sse import Framer
from iflow_cli_proxy.core.stage import run
from tests.support.gateway import RunningGateway, chat_body, running_gateway, upstream_table
from tests.support.raw_upstream import LAST_CHUNK, RawUpstream, Script, answer, event, stream_head

CANARY: Final = "canary-4f2a9c7b61d8e3f0"
"""The account's key: it must never come back to a client."""
_JSON: Final = "application/json"
TEXT: Final = "héllo wörld 😀"


def whole(text: str = TEXT) -> bytes:
    """A good JSON answer."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    body = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": usage}
    return jsonx.encode(body)


def piece(text: str, finish: str | None = None) -> str:
    """The data of one good stream event."""
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return jsonx.encode(head | {"choices": [choice]}).decode()


ROLE: Final = piece("").replace('"delta":{}', '"delta":{"role":"assistant","content":""}')
STOP: Final = piece("", "stop")
GOOD: Final = answer(whole())
GOOD_EVENTS: Final = (ROLE, piece("héllo "), piece("wörld 😀"), STOP, "[DONE]")
GOOD_STREAM: Final = stream_head() + b"".join(map(event, GOOD_EVENTS)) + LAST_CHUNK


@dataclass(frozen=True)
class Heard:
    """One whole answer as the client got it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took_s: float

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = jsonx.decode(self.body)["error"]
        return found

    @property
    def events(self) -> list[bytes]:
        return [frame.data for frame in run(Framer(), [self.body])]

    @property
    def text(self) -> str:
        """The words of the answer, whole or streamed."""
        if not self.headers["content-type"].startswith("text/event-stream"):
            content: str = jsonx.decode(self.body)["choices"][0]["message"]["content"]
            return content
        chunks = [jsonx.decode(data) for data in self.events if data != b"[DONE]" and not data.startswith(b'{"error"')]
        return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])

    @property
    def is_finished(self) -> bool:
        """Whether a client would take this stream for a whole answer."""
        return b"[DONE]" in self.body or b'"finish_reason":"' in self.body.replace(b": ", b":")


@dataclass
class Facing:
    gateway: RunningGateway
    upstream: RawUpstream

    @property
    def hits(self) -> int:
        """Requests the upstream saw in full."""
        return len(self.upstream.requests)

    async def ask(self, *, headers: Mapping[str, str] | None = None, **fields: Any) -> Heard:
        """One call from a client of its own; its body must be framed properly to the end."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        url = f"{self.gateway.url}/v1/chat/completions"
        body = jsonx.encode(chat_body(**fields))
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=io.BytesIO(body), headers={"Content-Type": _JSON, **(headers or {})}) as response,
        ):
            named = {name.lower(): value for name, value in response.headers.items()}
            heard = Heard(response.status, named, await response.read(), loop.time() - began)
        self._check_for_leaks(heard)
        assert await self.gateway.is_idle_within(1), "a slot is not free again"
        return heard

    async def expect_refused(
        self, status: int, code: str | None, *, attempts: int | None = None, **options: Any
    ) -> Heard:
        """The same, and the answer must be this error in OpenAI's shape."""
        heard = await self.ask(**options)
        assert heard.status == status, (heard.status, heard.body[:300])
        assert heard.headers["content-type"].startswith("application/json")
        self._check_error(heard.error, code)
        self._check_attempts(attempts)
        return heard

    async def expect_broken(self, code: str, *, text: str = "", attempts: int | None = None, **options: Any) -> Heard:
        """A stream that began and must end in this error event, never looking finished."""
        heard = await self.ask(stream=True, **options)
        assert heard.status == 200, heard.body[:300]
        assert heard.headers["content-type"].startswith("text/event-stream")
        self._check_error(jsonx.decode(heard.events[-1])["error"], code)
        assert sum(data.startswith(b'{"error"') for data in heard.events) == 1
        assert not heard.is_finished
        assert heard.text == text
        self._check_attempts(attempts)
        return heard

    async def expect_answered(self, *, text: str = TEXT, attempts: int | None = None, **options: Any) -> Heard:
        """An answer that must be whole."""
        heard = await self.ask(**options)
        assert heard.status == 200, heard.body[:300]
        assert heard.text == text
        if options.get("stream"):
            assert heard.body.endswith(b"data: [DONE]\n\n")
            assert heard.body.count(b"[DONE]") == 1
        self._check_attempts(attempts)
        return heard

    async def has_hung_up(self, limit_s: float = 1.0) -> bool:
        """Whether every connection to the upstream that it did not end itself was closed by us in time."""
        try:
            async with asyncio.timeout(limit_s):
                for connection in self.upstream.connections:
                    await connection.gone.wait()
        except TimeoutError:
            return False
        return True

    def _check_attempts(self, attempts: int | None) -> None:
        if attempts is not None:
            assert len(self.gateway.exchanges[-1].attempts) == attempts

    @staticmethod
    def _check_error(error: dict[str, Any], code: str | None) -> None:
        assert set(error) == {"message", "type", "param", "code"}
        assert error["code"] == code, error
        assert error["message"]
        assert error["type"]

    def _check_for_leaks(self, heard: Heard) -> None:
        assert heard.headers["x-request-id"].startswith("req_")
        said = heard.body.decode("utf-8") + repr(sorted(heard.headers.items()))
        house = str(Path(iflow_cli_proxy.__file__).parent)
        for secret in (CANARY, f":{self.upstream.port}", "127.0.0.1", house):
            assert secret not in said, f"{secret} was told to the client"
        for trace in ("Traceback", ".py", "aiohttp", "curl"):
            assert trace not in said, f"{trace} was told to the client"


@asynccontextmanager
async def facing(
    kind: str,
    *scripts: Script,
    on_connect: Script = (),
    more: str = "",
    server: str = "",
    resilience: str = "",
    reasoning: str = "",
    url: Callable[[RawUpstream], str] = lambda upstream: f"{upstream.url}/v1",
) -> AsyncIterator[Facing]:
    """`kind` is the transport. `more` are leaves of the provider; the other texts are those of their tables."""
    async with RawUpstream(*scripts, on_connect=on_connect) as upstream:
        limits = "first_byte_timeout_s = 2\nidle_timeout_s = 2\ncontent_timeout_s = 4\nconnect_timeout_s = 1"
        given = {line.partition("=")[0].strip() for line in more.splitlines()}
        kept = "\n".join(line for line in limits.splitlines() if line.partition("=")[0].strip() not in given)
        table = upstream_table(url(upstream), transport=kind, more=f'api_key = "{CANARY}"\n{kept}\n{more}')
        quick = f"[resilience]\nretry_backoff_ms = 1\n{resilience}\n"
        async with running_gateway(f"[server]\n{server}\n[reasoning]\n{reasoning}\n{quick}{table}") as gateway:
            yield Facing(gateway, upstream)
