"""An upstream's own list of models, in any of the shapes that servers answer with.

Knows OpenAI's list and what OpenRouter, Groq, vLLM, llama.cpp, LM Studio, Ollama and Moonshot add to it or do instead.
Takes what it understands and leaves out what it does not; a list is never a reason to fail a request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeGuard

from iflow_cli_proxy.core.errors import Malformed
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.routing.catalog import Model

MOST: Final = 5_000
"""Models taken from one list; more is not a list anybody reads."""
_LONGEST_ID: Final = 200
_MOST_TOKENS: Final = 1_000_000_000

_LIST_KEYS: Final = ("data", "models", "result", "items")
_ID_KEYS: Final = ("id", "model", "name", "key", "slug")
_CONTEXT: Final = (
    "loaded_context_length", "context_length", "max_model_len", "context_window", "max_context_length",
    "context_size", "max_context_tokens", "n_ctx", "top_provider.context_length", "meta.n_ctx", "meta.n_ctx_train",
    "details.context_length", "inputTokenLimit", "max_input_tokens",
)  # fmt: skip
_OUTPUT: Final = (
    "top_provider.max_completion_tokens", "max_completion_tokens", "max_output_tokens", "max_output_length",
    "outputTokenLimit",
)  # fmt: skip
_CAPABILITY_KEYS: Final = (
    "capabilities", "features", "input_modalities", "modality", "type", "supported_parameters",
    "architecture.input_modalities", "architecture.modality",
)  # fmt: skip
_VISION_KEYS: Final = ("supports_image_in", "vision", "capabilities.vision")
_INPUT_KEYS: Final = ("input_modalities", "modality", "architecture.input_modalities", "architecture.modality")
"""Where a row that names what a model takes names images too."""
_VISION_WORDS: Final = frozenset({"vision", "image", "images", "vlm", "image-text-to-text", "multimodal"})
_THINKING_WORDS: Final = frozenset({"thinking", "reasoning", "reasoning_effort", "include_reasoning"})
_NOT_CHAT: Final = frozenset({"embedding", "embeddings", "rerank", "reranker"})


def parse_models(body: Json) -> list[Model]:
    """The models of a decoded answer, in its order.

    Raises:
        Malformed: the answer is not a list of models in any known shape.
    """
    rows = _rows(body)
    if rows is None:
        raise Malformed("The upstream's list of models is not a list.")
    found: dict[str, Model] = {}
    for row in rows[:MOST]:
        model = _model(row)
        if model is not None:
            found.setdefault(model.id, model)
    return list(found.values())


def _rows(body: Json) -> list[Json] | None:
    if isinstance(body, list):
        return body
    if not isinstance(body, dict):
        return None
    for key in _LIST_KEYS:
        value = body.get(key)
        if isinstance(value, list):
            return value
        if isinstance(value, dict) and all(isinstance(inner, dict) for inner in value.values()):
            return [{"id": name, **inner} for name, inner in value.items()]
    return None


def _model(row: Json) -> Model | None:
    if isinstance(row, str):
        return Model(id=row.strip()) if _is_id(row) else None
    if not isinstance(row, dict):
        return None
    names = [value for key in _ID_KEYS if _is_id(value := row.get(key))]
    if not names:
        return None
    words = set(_capabilities(row))
    title = row.get("display_name") or row.get("name")
    return Model(
        id=names[0].strip(),
        name=title.strip() if _is_id(title) else "",
        context_tokens=_first_count(row, _CONTEXT),
        output_tokens=_first_count(row, _OUTPUT),
        has_vision=_sees(row, words),
        thinking="switchable" if words & _THINKING_WORDS or row.get("supports_reasoning") is True else "no",
        created=_count(row.get("created"), most=1 << 40),
        owned_by=owner if _is_id(owner := row.get("owned_by")) else "",
        is_hidden=bool(words & _NOT_CHAT),
    )


def _sees(row: Mapping[str, Any], words: set[str]) -> bool | None:
    """Whether it takes images; None where the row says nothing of what it takes. Most lists do not, and a model that
    sees may stand in one as nothing but a name and a window."""
    said = [value for key in _VISION_KEYS if isinstance(value := _at(row, key), bool)]
    if words & _VISION_WORDS or any(said):
        return True
    inputs = [_at(row, path) for path in _INPUT_KEYS]
    return False if said or any(value and isinstance(value, str | list) for value in inputs) else None


def _is_id(value: Json) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= _LONGEST_ID and value.isprintable()


def _first_count(row: Mapping[str, Any], paths: tuple[str, ...]) -> int:
    return next((count for path in paths if (count := _count(_at(row, path)))), 0)


def _count(value: Json, *, most: int = _MOST_TOKENS) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most
    return value if is_count else 0


def _at(row: Mapping[str, Any], path: str) -> Json:
    value: Json = row
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _capabilities(row: Mapping[str, Any]) -> Iterator[str]:
    """Every word that tells what a model can do: lists, `text+image->text`, or an object of yes and no."""
    for path in _CAPABILITY_KEYS:
        value = _at(row, path)
        if isinstance(value, str):
            yield from value.lower().partition("->")[0].split("+")
        elif isinstance(value, list):
            yield from (item.lower() for item in value if isinstance(item, str))
        elif isinstance(value, dict):
            yield from (key.lower() for key, is_able in value.items() if is_able is True)
