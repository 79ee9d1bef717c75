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


async def test_every_protocol_has_its_own_shape_of_the_list() -> None:
    async with shell(state_with_models()) as client:
        for path, headers in (("/anthropic/v1/models", {}), ("/v1/models", {"anthropic-version": "2023-06-01"})):
            async with client.get(f"{path}?limit=2", headers=headers) as answer:
                page = await answer.json()
                assert ([row["id"] for row in page["data"]], page["has_more"]) == (["GLM-5", "seer"], True)
        async with client.get("/v1beta/models?pageSize=3") as answer:
            page = await answer.json()
            assert [row["name"] for row in page["models"]] == ["models/GLM-5", "models/seer", "models/fast"]
        async with client.get("/api/tags") as answer:
            assert [row["name"] for row in (await answer.json())["models"]] == ["GLM-5", "seer", "fast", "new"]
        async with client.get("/api/ps") as answer:
            assert len((await answer.json())["models"]) == 4
        async with client.get("/api/version") as answer:
            assert "version" in await answer.json()


async def test_what_ollama_calls_the_latest_is_the_model_itself() -> None:
    async with shell(state_with_models()) as client:
        for name in ("glm-5:latest", "fast:latest"):
            async with client.post("/api/show", json={"model": name}) as answer:
                assert answer.status == 200
                assert (await answer.json())["model_info"]["general.architecture"]
        assert (await client.post("/api/show", json={"model": "nobody:latest"})).status == 404


@pytest.mark.parametrize("path", ["/v1beta/models/seer:embedContent", "/v1/models/seer:batchEmbedContents"])
async def test_what_google_s_models_can_and_ours_cannot_is_not_found_in_google_s_words(path: str) -> None:
    async with shell(state_with_models()) as client, client.post(path, json={}) as answer:
        body: Any = await answer.json()

    assert (answer.status, body["error"]["status"]) == (404, "NOT_FOUND")
    assert path.rpartition(":")[2] in body["error"]["message"]


async def test_one_model_in_every_shape() -> None:
    async with shell(state_with_models()) as client:
        async with client.get("/anthropic/v1/models/seer") as answer:
            assert (await answer.json())["type"] == "model"
        async with client.get("/v1beta/models/seer") as answer:
            assert (await answer.json())["name"] == "models/seer"
        async with client.post("/api/show", json={"model": "seer"}) as answer:
            assert "vision" in (await answer.json())["capabilities"]
        async with client.post("/api/show", json={"name": "GLM-5"}) as answer:
            assert (await answer.json())["model_info"]["z.context_length"] == 200_000


@pytest.mark.parametrize(("body", "status"), [({}, 400), ({"model": 1}, 400), ({"model": "unheard"}, 404), ([], 400)])
async def test_what_ollama_s_clients_ask_wrongly_is_told_in_its_words(body: Any, status: int) -> None:
    state = state_with_models()
    object.__setattr__(state.gateway.current.table, "unknown_models", "reject")
    async with shell(state) as client, client.post("/api/show", json=body) as answer:
        assert answer.status == status
        assert isinstance((await answer.json())["error"], str)
