from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from iflow_cli_proxy.config.schema import AuthSettings
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.server.middleware.access_log import CLIENT_GONE
from iflow_cli_proxy.telemetry.formats import FIELDS
from tests.support.fake_transport import FakeReply
from tests.support.patience import until
from tests.support.shell import REPLY, ask, shell, shell_state

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

    assert seen[0].status == CLIENT_GONE
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


ID = "0b9f3c1e-8f2d-4b7a-9c3d-1e2f3a4b5c6d"


@pytest.mark.parametrize(("accepts", "shown"), [(True, "{id}"), (False, ID)])
async def test_ids_that_are_keys_are_not_in_the_log(
    caplog: pytest.LogCaptureFixture, accepts: bool, shown: str
) -> None:
    state = shell_state(access_log=True, auth=AuthSettings(accept_account_ids=accepts))
    async with shell(state) as client, client.post(f"/admin/accounts/{ID}/reset") as response:
        await response.read()

    ((message, _),) = lines(caplog)
    assert message == f"POST /admin/accounts/{shown}/reset 404"
