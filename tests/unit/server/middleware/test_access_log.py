from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from iflow_cli_proxy.config.schema import AuthSettings
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.gateway.record import CLIENT_GONE, Exchange
from iflow_cli_proxy.telemetry.formats import FIELDS
from tests.support.admin import admin_page
from tests.support.fake_transport import FakeReply
from tests.support.patience import until
from tests.support.shell import QUESTION, REPLY, ask, shell, shell_state

LOGGER = "iflow2api.access"


@pytest.fixture(autouse=True)
def _access_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOGGER)


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, Any]]]:
    found = [record for record in caplog.records if record.name == LOGGER]
    return [(record.getMessage(), getattr(record, FIELDS)) for record in found]


async def test_a_question_is_one_line_with_all_that_is_known_of_it(caplog: pytest.LogCaptureFixture) -> None:
    async with shell(shell_state(access_log=True)) as client:
        await ask(client)

    ((message, fields),) = lines(caplog)
    assert message == "POST /v1/chat/completions 200"
    assert fields["model"] == "m"
    assert fields["route"] == "up/m"
    assert fields["account"] == "label 0"
    assert fields["attempts"] == 1
    assert fields["stream"] is False
    assert not fields["error"]
    assert fields["ms"] >= fields["first_byte_ms"] >= 0


COUNTED = FakeReply(
    b'{"id":"1","choices":[{"index":0,"message":{"content":"hello"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":5}}'
)


@pytest.mark.parametrize(("reply", "prompt", "is_estimated"), [(COUNTED, 3, None), (REPLY, None, True)])
async def test_tokens_nobody_counted_are_marked_and_those_of_the_prompt_are_not_made_up(
    caplog: pytest.LogCaptureFixture, reply: FakeReply, prompt: int | None, is_estimated: bool | None
) -> None:
    async with shell(shell_state(reply, access_log=True)) as client:
        await ask(client)

    ((_, fields),) = lines(caplog)
    assert fields["prompt_tokens"] == prompt
    assert fields["completion_tokens"] > 0
    assert fields.get("tokens_estimated") is is_estimated


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
async def test_probes_that_go_well_are_small_talk(caplog: pytest.LogCaptureFixture, path: str) -> None:
    state = shell_state(access_log=True)
    async with shell(state) as client:
        assert (await client.get(path)).status == 200
        assert lines(caplog) == []
        assert (await client.post(path)).status == 405
        assert [message for message, _ in lines(caplog)] == [f"POST {path} 405"]


async def test_who_watches_does_not_bury_everything_else(caplog: pytest.LogCaptureFixture) -> None:
    async with shell(shell_state(access_log=True)) as client:
        assert (await client.get("/debug/live")).status == 200
        assert not lines(caplog)
        assert (await client.get("/debug/live", headers={"Origin": "https://evil.example"})).status == 403
        assert [message for message, _ in lines(caplog)] == ["GET /debug/live 403"]
        caplog.set_level(logging.DEBUG, LOGGER)
        await client.get("/debug/live")
    assert lines(caplog)[-1][0] == "GET /debug/live 200"


async def test_reading_the_admin_page_does_not_either(caplog: pytest.LogCaptureFixture) -> None:
    async with admin_page(is_signed_in=False) as browser:
        assert (await browser.get("/admin/session")).status == 200
        assert not lines(caplog)
        assert (await browser.get("/admin/accounts")).status == 401
        assert (await browser.post("/admin/login")).status >= 400
    assert [message[:-3] for message, _ in lines(caplog)] == ["GET /admin/accounts ", "POST /admin/login "]


async def test_everything_else_is_a_short_line(caplog: pytest.LogCaptureFixture) -> None:
    async with shell(shell_state(access_log=True)) as client:
        await client.get("/nothing/" + "x" * 500)

    ((message, fields),) = lines(caplog)
    assert message.startswith("GET /nothing/x")
    assert len(message) < 220
    assert fields.keys() == {"request_id", "ms", "error"}
    assert fields["error"] == "not_found"


async def test_it_can_be_turned_off(caplog: pytest.LogCaptureFixture) -> None:
    async with shell(shell_state(access_log=False)) as client:
        await ask(client)

    assert lines(caplog) == []


async def test_a_client_that_left_has_a_status_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Exchange] = []
    state = shell_state(FakeReply(asyncio.Event()), access_log=True)
    state.observers.append(seen.append)
    async with shell(state) as client:
        asking = asyncio.ensure_future(ask(client))
        await until(lambda: bool(state.in_flight))
        asking.cancel()
        await until(lambda: bool(seen))

    assert (seen[0].status, seen[0].error_kind) == (CLIENT_GONE, "client_gone")
    assert lines(caplog)[0][0].endswith(" 499")


async def test_observers_are_told_of_questions_only_and_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Exchange] = []

    def fail(exchange: Exchange) -> None:
        raise RuntimeError("observer")

    state = shell_state()
    state.observers += [fail, seen.append]
    async with shell(state) as client:
        assert (await client.get("/health")).status == 200
        assert (await ask(client))[0] == 200

    assert [exchange.asked for exchange in seen] == ["m"]
    assert "an observer of exchanges failed" in caplog.text


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "protocol"),
    [
        ("/v1/chat/completions", b"{", {}, 400, "openai_chat"),
        ("/v1/responses", b"{}", {"Content-Type": "text/plain"}, 415, "openai_responses"),
        ("/v1/messages", b"x" * 600, {}, 413, "anthropic"),
        ("/v1beta/models/m:generateContent", b"{}", {"Host": "evil.example"}, 403, "gemini"),
        ("/api/chat", b"[]", {}, 400, "ollama"),
    ],
)
async def test_a_question_that_was_refused_is_a_question(
    path: str, body: bytes, headers: dict[str, str], status: int, protocol: str
) -> None:
    seen: list[Exchange] = []
    state = shell_state(max_body_bytes=500)
    state.observers.append(seen.append)
    async with shell(state) as client:
        sent = {"Content-Type": "application/json", **headers}
        assert (await client.post(path, data=body, headers=sent)).status == status

    assert [(one.protocol, one.status, bool(one.error_kind)) for one in seen] == [(protocol, status, True)]


async def test_a_gateway_that_takes_no_more_keeps_a_record_of_whom_it_sent_away() -> None:
    seen: list[Exchange] = []
    state = shell_state()
    state.is_draining = True
    state.observers.append(seen.append)
    async with shell(state) as client:
        assert (await ask(client))[0] == 503

    assert [one.error_kind for one in seen] == ["draining"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models"),
        ("GET", "/v1/chat/completions"),
        ("POST", "/v1/messages/count_tokens"),
        ("POST", "/v1beta/models/m:countTokens"),
        ("POST", "/api/show"),
        ("POST", "/nothing"),
    ],
)
async def test_what_asks_no_model_is_no_question(method: str, path: str) -> None:
    seen: list[Exchange] = []
    state = shell_state()
    state.observers.append(seen.append)
    async with shell(state) as client:
        await client.request(method, path, json=QUESTION)

    assert not seen


@pytest.mark.parametrize(("key", "is_told"), [("sk-wrong", False), ("sk-right-0123456789", True)])
async def test_strangers_leave_no_record_where_a_key_is_needed(key: str, is_told: bool) -> None:
    seen: list[Exchange] = []
    state = shell_state(auth=AuthSettings(required="always", client_keys=(Secret("sk-right-0123456789"),)))
    state.observers.append(seen.append)
    async with shell(state) as client:
        headers = {"Authorization": f"Bearer {key}"}
        await client.post("/v1/chat/completions", data=b"{", headers=headers)

    assert [one.client for one in seen] == (["key 1"] if is_told else [])


ID = "0b9f3c1e-8f2d-4b7a-9c3d-1e2f3a4b5c6d"


@pytest.mark.parametrize(("accepts", "shown"), [(True, "{id}"), (False, ID)])
async def test_ids_that_are_keys_are_not_in_the_log(
    caplog: pytest.LogCaptureFixture, accepts: bool, shown: str
) -> None:
    state = shell_state(access_log=True, auth=AuthSettings(accept_account_ids=accepts))
    async with shell(state) as client, client.post(f"/debug/accounts/{ID}/reset") as response:
        await response.read()

    ((message, _),) = lines(caplog)
    assert message == f"POST /debug/accounts/{shown}/reset 404"
