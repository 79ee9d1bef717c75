from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.pool.client_key import ClientKey, digest_of
from iflow_cli_proxy.routing.catalog import Model
from iflow_cli_proxy.server.state import ServerState
from tests.support.shell import Client, shell, shell_state

MODELS = (
    Model(id="GLM-5", context_tokens=200_000, output_tokens=8192, thinking="switchable", created=7, owned_by="z"),
    Model(id="seer", has_vision=True, thinking="always", context_tokens=9, aliases=("prophet",)),
    Model(id="hidden", is_hidden=True),
)


def state_with_models() -> ServerState:
    state = shell_state()
    table = state.gateway.current.table
    table.catalogs["up"].add(MODELS)
    object.__setattr__(table, "aliases", {"claude-*": "GLM-5", "fast": "Seer", "new": "up/unheard"})
    return state


async def ids(client: Client, path: str) -> list[str]:
    async with client.get(path) as answer:
        listing: Any = await answer.json()
    assert listing["object"] == "list"
    return [row["id"] for row in listing["data"]]


async def test_every_listed_model_stands_there_once_and_then_the_plain_aliases() -> None:
    async with shell(state_with_models()) as client:
        assert await ids(client, "/v1/models") == ["GLM-5", "seer", "fast", "new"]
        assert await ids(client, "/models") == ["GLM-5", "seer", "fast", "new"]
        assert await ids(client, "/v1/vision-models") == ["seer", "fast"]


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


@pytest.mark.parametrize(
    ("asked", "window"),
    [
        ("fast", 9),
        ("prophet", 9),
        ("up/seer", 9),
        ("UP/Seer", 9),
        ("seer(high)", 9),
        ("up/seer(high)", 9),
        ("claude-opus-4", 200_000),
        ("hidden", None),
        ("new", None),
    ],
)
async def test_every_name_that_is_served_has_the_facts_of_what_answers(asked: str, window: int | None) -> None:
    async with shell(state_with_models()) as client, client.get(f"/v1/models/{asked}") as answer:
        row: Any = await answer.json()

    assert answer.status == 200
    assert row["id"] == asked
    assert row["provider"] == "up"
    assert row["owned_by"] == ("z" if asked == "claude-opus-4" else "up")
    assert row.get("context_window") == window
    assert row["vision"] is (window == 9)


async def test_an_alias_with_the_name_of_a_model_shows_its_target() -> None:
    state = state_with_models()
    state.gateway.current.table.aliases["glm-5"] = "seer"  # type: ignore[index]
    async with shell(state) as client:
        assert await ids(client, "/v1/vision-models") == ["GLM-5", "seer", "fast"]


@pytest.mark.parametrize("asked", ["up/unheard", "unheard", "unheard(high)", "down/seer", "(high)", "*"])
async def test_a_name_that_would_only_be_passed_on_is_not_found(asked: str) -> None:
    async with shell(state_with_models()) as client, client.get(f"/v1/models/{asked}") as answer:
        assert answer.status == 404


async def test_an_alias_of_nothing_is_not_listed_where_unknown_models_are_refused() -> None:
    state = state_with_models()
    object.__setattr__(state.gateway.current.table, "passes_unknown", False)
    object.__setattr__(state.gateway.current.table, "aliases", {"new": "unheard"})
    async with shell(state) as client:
        assert "new" not in await ids(client, "/v1/models")


async def test_a_model_nobody_lists_is_not_found_and_not_repeated() -> None:
    async with shell(state_with_models()) as client, client.get("/v1/models/hidden-secret") as answer:
        assert answer.status == 404
        assert (await answer.json())["error"]["code"] == "model_not_found"
        assert "hidden-secret" not in await answer.text()


# --- client keys --------------------------------------------------------------------------------------------------


def only(state: ServerState, *models: str) -> dict[str, str]:
    """The header of a client key that is for these models."""
    key = ClientKey(name="team", digest=digest_of("sk-team"), models=models)
    state.keys.find = lambda digest: key if digest == key.digest else None  # type: ignore[method-assign]
    return {"Authorization": "Bearer sk-team"}


@pytest.mark.parametrize(
    ("globs", "seen"),
    [
        ((), ["GLM-5", "seer", "fast", "new"]),
        (("glm-*",), ["GLM-5"]),
        (("up/seer",), ["seer", "fast"]),
        (("fast",), ["fast"]),
        (("up/*",), ["GLM-5", "seer", "fast", "new"]),
        (("nothing",), []),
    ],
)
async def test_a_key_sees_the_models_that_it_may_use(globs: tuple[str, ...], seen: list[str]) -> None:
    state = state_with_models()
    headers = only(state, *globs)
    async with shell(state) as client:
        async with client.get("/v1/models", headers=headers) as answer:
            listing: Any = await answer.json()
        for name in ("GLM-5", "seer", "fast", "new"):
            async with client.get(f"/v1/models/{name}", headers=headers) as one:
                assert one.status == (200 if name in seen else 404)
    assert [row["id"] for row in listing["data"]] == seen


async def test_a_key_sees_no_more_models_with_eyes() -> None:
    state = state_with_models()
    headers = only(state, "glm-*")
    async with shell(state) as client, client.get("/v1/vision-models", headers=headers) as answer:
        assert (await answer.json())["data"] == []
