from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core.errors import Malformed
from iflow_cli_proxy.providers.model_list import MOST, parse_models
from iflow_cli_proxy.routing.catalog import Model

SHAPES = {
    "openai": (
        {"object": "list", "data": [{"id": "m", "object": "model", "created": 5, "owned_by": "o"}]},
        Model(id="m", created=5, owned_by="o"),
    ),
    "openrouter": (
        {
            "data": [
                {
                    "id": "a/m",
                    "name": "M",
                    "created": 5,
                    "context_length": 1000,
                    "architecture": {"input_modalities": ["text", "image"], "modality": "text+image->text"},
                    "top_provider": {"context_length": 900, "max_completion_tokens": 100},
                    "supported_parameters": ["tools", "reasoning"],
                }
            ]
        },
        Model(
            id="a/m",
            name="M",
            created=5,
            context_tokens=1000,
            output_tokens=100,
            has_vision=True,
            thinking="switchable",
        ),
    ),
    "vllm": ({"data": [{"id": "m", "max_model_len": 4096, "root": "/x"}]}, Model(id="m", context_tokens=4096)),
    "llama.cpp": (
        {
            "models": [{"name": "m", "model": "m", "capabilities": ["completion"]}],
            "data": [{"id": "m", "meta": {"n_ctx_train": 8192, "n_params": 1}}],
        },
        Model(id="m", context_tokens=8192),
    ),
    "ollama tags": (
        {"models": [{"name": "llama3:8b", "model": "llama3:8b", "size": 3, "details": {"family": "llama"}}]},
        Model(id="llama3:8b", name="llama3:8b"),
    ),
    "lm studio": (
        {"data": [{"id": "m", "type": "vlm", "max_context_length": 32768, "loaded_context_length": 4096}]},
        Model(id="m", has_vision=True, context_tokens=4096),
    ),
    "groq": (
        {"data": [{"id": "m", "context_window": 131072, "max_completion_tokens": 8192}]},
        Model(id="m", context_tokens=131072, output_tokens=8192),
    ),
    "moonshot": (
        {"data": [{"id": "m", "context_length": 262144, "supports_image_in": True, "supports_reasoning": True}]},
        Model(id="m", context_tokens=262144, has_vision=True, thinking="switchable"),
    ),
    "embedding model": ({"data": [{"id": "m", "type": "embeddings"}]}, Model(id="m", is_hidden=True)),
    "plain list of names": (["m"], Model(id="m")),
    "plain list of rows": ([{"id": "m"}], Model(id="m")),
    "names in data": ({"data": ["m"]}, Model(id="m")),
    "object by id": ({"models": {"m": {"context_length": "2048"}}}, Model(id="m", context_tokens=2048)),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_the_list_of_every_server_is_understood(name: str) -> None:
    body, expected = SHAPES[name]
    assert parse_models(body) == [expected]


@pytest.mark.parametrize("body", [None, 3, "text", {}, {"data": None}, {"error": {"message": "no"}}])
def test_what_is_no_list_is_malformed(body: Any) -> None:
    with pytest.raises(Malformed):
        parse_models(body)


def test_bad_rows_are_left_out_and_doubles_count_once() -> None:
    rows = [None, 3, {}, {"id": 3}, {"id": ""}, {"id": "a\nb"}, {"id": "x" * 201}, "", {"id": "m"}, {"id": "m"}]
    assert [model.id for model in parse_models({"data": rows})] == ["m"]


@pytest.mark.parametrize("value", [-1, 0, True, "many", 1.5, None, [], 10**12, "9" * 5000])
def test_a_senseless_window_is_unknown(value: Any) -> None:
    assert parse_models([{"id": "m", "context_length": value}])[0].context_tokens == 0


def test_an_endless_list_is_cut() -> None:
    assert len(parse_models([f"m{number}" for number in range(MOST + 10)])) == MOST


@pytest.mark.parametrize(
    ("row", "sees"),
    [
        ({"id": "Qwen/Qwen2.5-VL-72B-Instruct", "object": "model", "max_model_len": 32768}, None),
        ({"id": "m", "capabilities": ["completion", "tools"]}, None),
        ({"id": "m", "vision": False}, False),
        ({"id": "m", "supports_image_in": False}, False),
        ({"id": "m", "capabilities": {"vision": False, "completion_chat": True}}, False),
        ({"id": "m", "capabilities": {"vision": True}}, True),
        ({"id": "m", "architecture": {"modality": "text->text"}}, False),
        ({"id": "m", "architecture": {"input_modalities": ["text"]}}, False),
        ({"id": "m", "input_modalities": []}, None),
    ],
)
def test_a_model_is_blind_only_where_its_list_says_so(row: dict[str, Any], sees: bool | None) -> None:
    [model] = parse_models([row])
    assert model.has_vision is sees
