from __future__ import annotations

import pytest

from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.telemetry.request import REQUEST_ID
from tests.support.shell import QUESTION, Client, ask, shell, shell_state


async def answered(client: Client, path: str = "/health", **headers: str) -> dict[str, str]:
    async with client.get(path, headers=headers) as answer:
        return {name.lower(): text for name, text in answer.headers.items()}


async def test_every_request_has_a_name_of_its_own_making_or_ours() -> None:
    async with shell(shell_state()) as client:
        assert (await answered(client, **{"x-request-id": "trace-1.a_B"}))["x-request-id"] == "trace-1.a_B"
        assert (await answered(client))["x-request-id"].startswith("req_")
        assert (await answered(client, "/nothing"))["x-request-id"].startswith("req_")


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<b>", "a/b", "ü", "sk-0123456789abcdef"])
async def test_a_name_that_could_do_harm_is_not_taken(given: str) -> None:
    async with shell(shell_state()) as client:
        assert (await answered(client, **{"x-request-id": given}))["x-request-id"] != given


async def test_every_head_is_signed() -> None:
    state = shell_state()
    async with shell(state) as client:
        headers = await answered(client)
        assert headers["server"] == "iflow2api"
        assert headers["cache-control"] == "no-store"
        assert "connection" not in headers

        state.is_draining = True
        assert (await answered(client))["connection"] == "close"


async def test_what_was_held_for_a_request_is_given_back_at_its_end() -> None:
    state = shell_state()
    given: list[int] = []

    def hold(exchange: Exchange) -> None:
        exchange.at_end.append(lambda: given.append(1))

    state.observers.append(hold)
    async with shell(state) as client:
        await ask(client)

    assert given == [1]


async def test_what_is_logged_meanwhile_knows_whose_it_is() -> None:
    state, names = shell_state(), list[str]()
    state.observers.append(lambda _: names.append(REQUEST_ID.get()))
    async with shell(state) as client:
        for name in ("one", "two"):
            async with client.post("/v1/chat/completions", json=QUESTION, headers={"x-request-id": name}):
                pass

    assert names == ["one", "two"]
    assert not REQUEST_ID.get()
