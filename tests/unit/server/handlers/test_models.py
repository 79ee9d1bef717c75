from __future__ import annotations

from typing import Any

from iflow_cli_proxy.routing.catalog import Model
from iflow_cli_proxy.server.state import ServerState
from tests.support.shell import Client, shell, shell_state

MODELS = (
    Model(id="GLM-5", context_tokens=200_000, output_tokens=8192, thinking="switchable", created=7, owned_by="z"),
    Model(id="seer", has_vision=True),
    Model(id="hidden", is_hidden=True),
)


def state_with_models() -> ServerState:
    state = shell_state()
    table = state.gateway.current.table
    table.catalogs["up"].add(MODELS)
    object.__setattr__(table, "aliases", {"claude-*": "GLM-5", "fast": "seer", "glm-5": "seer"})
    return state


async def ids(client: Client, path: str) -> list[str]:
    async with client.get(path) as answer:
        listing: Any = await answer.json()
    assert listing["object"] == "list"
    return [row["id"] for row in listing["data"]]


async def test_every_listed_model_stands_there_once_and_then_the_plain_aliases() -> None:
    async with shell(state_with_models()) as client:
        assert await ids(client, "/v1/models") == ["GLM-5", "seer", "fast"]
        assert await ids(client, "/models") == ["GLM-5", "seer", "fast"]
        assert await ids(client, "/v1/vision-models") == ["seer"]


async def test_one_model_is_found_whatever_its_case_with_what_is_known_of_it() -> None:
    async with shell(state_with_models()) as client, client.get("/v1/models/glm-5") as answer:
        assert await answer.json() == {
            "id": "GLM-5",
            "object": "model",
            "created": 7,
            "owned_by": "z",
            "provider": "up",
            "vision": False,
            "thinking": "switchable",
            "context_window": 200_000,
            "max_output_tokens": 8192,
        }


async def test_a_model_nobody_lists_is_not_found_and_not_repeated() -> None:
    async with shell(state_with_models()) as client, client.get("/v1/models/hidden-secret") as answer:
        assert answer.status == 404
        assert (await answer.json())["error"]["code"] == "model_not_found"
        assert "hidden-secret" not in await answer.text()
