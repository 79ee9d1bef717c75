"""What is in the ledger of a real server when it has ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.config.load import with_upstream
from iflow_cli_proxy.config.schema import ConveniencesSettings, ServerSettings, Settings
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.server.run import Server
from iflow_cli_proxy.state.ledger_file import open_reader
from iflow_cli_proxy.state.ledger_queries import recent
from iflow_cli_proxy.state.ledger_row import Row
from iflow_cli_proxy.state.paths import find_paths
from iflow_cli_proxy.wiring.services import Services
from tests.support.raw_client import RawAnswer, ask
from tests.support.raw_upstream import RawUpstream, Script, answer

PNG: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
MODELS: Final = answer(
    jsonx.encode(
        {
            "data": [
                {"id": "blind", "architecture": {"input_modalities": ["text"]}},
                {"id": "seer", "architecture": {"input_modalities": ["text", "image"]}},
            ]
        }
    )
)


def said(text: str, prompt: int, completion: int, reason: str = "stop") -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return answer(jsonx.encode({"id": "1", "created": 1, "model": "m", "choices": [choice], "usage": usage}))


class Recorded:
    """A server that keeps a ledger, and its upstream."""

    def __init__(self, home: Path, server: Server, upstream: RawUpstream, port: int) -> None:
        self.server = server
        self.upstream = upstream
        self._home = home
        self._port = port

    async def post(self, path: str, body: Any, kind: str = "application/json") -> RawAnswer:
        data = body if isinstance(body, bytes) else jsonx.encode(body)
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n"
        return await ask(self._port, head.encode() + data)

    async def rows(self) -> list[Row]:
        """The oldest first. Ends the server."""
        await self.server.aclose()
        connection = open_reader(self._home / "usage.sqlite3")
        assert connection is not None
        with closing(connection):
            return recent(connection, 100)[::-1]


@asynccontextmanager
async def recorded(home: Path, *scripts: Script, **conveniences: Any) -> AsyncIterator[Recorded]:
    async with RawUpstream(*scripts) as upstream:
        settings = with_upstream(
            Settings(server=ServerSettings(port=0, drain_s=0.0, access_log=False)), f"{upstream.url}/v1", "key"
        )
        settings = replace(settings, conveniences=ConveniencesSettings(**conveniences))
        services = Services(Live(settings), find_paths({"IFLOW2API_HOME": str(home)}), {})
        server = Server(services)
        try:
            listener = await server.start()
            if conveniences.get("vision_model"):
                await services.list_upstream_models()
            yield Recorded(home, server, upstream, listener.port)
        finally:
            await server.aclose()


async def test_what_the_vision_model_was_asked_is_recorded_as_what_it_is(tmp_path: Path) -> None:
    scripts = [MODELS], [said("a red dot", 5000, 300)], [said("Red.", 11, 7)]
    async with recorded(tmp_path, *scripts, vision_model="seer") as it:
        question = {"role": "user", "content": "what?", "images": [PNG]}
        got = await it.post("/api/chat", {"model": "blind", "stream": False, "messages": [question]})
        rows = await it.rows()

    assert got.json["message"]["content"] == "Red."
    assert [(row.model_asked, row.prompt, row.completion, row.status) for row in rows] == [
        ("seer", 5000, 300, 200),
        ("blind", 11, 7, 200),
    ]
    assert len({row.request_id for row in rows}) == 2


async def test_refused_questions_are_recorded_and_other_requests_are_not(tmp_path: Path) -> None:
    async with recorded(tmp_path, [said("hi", 1, 1)]) as it:
        await it.post("/v1/messages", b"{")
        await it.post("/v1/responses", {}, "text/plain")
        await it.post("/v1beta/models/m:countTokens", {"contents": "hi"})
        await it.post(
            "/api/generate", {"model": "m", "prompt": "hi", "stream": False}, "application/x-www-form-urlencoded"
        )
        rows = await it.rows()

    assert [(row.protocol, row.status, row.error_kind) for row in rows] == [
        ("anthropic", 400, "invalid_request"),
        ("openai_responses", 415, "unsupported_media"),
        ("ollama", 200, ""),
    ]


async def test_a_bare_generation_that_was_cut_is_asked_on_with_what_was_said(tmp_path: Path) -> None:
    scripts = [said("Hello wo", 1, 2, "length")], [said("rld", 1, 1)]
    async with recorded(tmp_path, *scripts, auto_continue=True) as it:
        got = await it.post("/api/generate", {"model": "m", "system": "be kind", "prompt": "hi", "stream": False})
        first, second = (jsonx.decode(one.body)["messages"] for one in it.upstream.requests)

    assert got.json["response"] == "Hello world"
    assert second[: len(first)] == first
    assert [one["role"] for one in second] == ["system", "user", "assistant", "user"]
    assert second[2]["content"] == "Hello wo"
