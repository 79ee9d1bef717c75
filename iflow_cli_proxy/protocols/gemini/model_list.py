"""The list of models in Google's shape, by pages, and one model of it. Source: Gemini API reference, "Models"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols.listing import ModelRow

_PAGE: Final = 50
_LARGEST_PAGE: Final = 1000
_METHODS: Final = ("generateContent", "streamGenerateContent", "countTokens")


def model_object(row: ModelRow) -> dict[str, Json]:
    """Limits that nobody knows are left out."""
    limits = {"inputTokenLimit": row.input_tokens, "outputTokenLimit": row.output_tokens}
    return {
        "name": f"models/{row.id}",
        "baseModelId": row.id,
        "version": "001",
        "displayName": row.name or row.id,
        **{name: limit for name, limit in limits.items() if limit},
        "supportedGenerationMethods": list(_METHODS),
        "thinking": row.can_think,
    }


def model_page(rows: Sequence[ModelRow], query: Mapping[str, str]) -> dict[str, Json]:
    """The page that `pageSize` and `pageToken` ask for. Raises InvalidRequest naming the parameter.

    The token of a page is the id of its first model, so that a list that changes meanwhile shifts no page.
    """
    size, token = _size(query.get("pageSize")), query.get("pageToken")
    start = _place(rows, token) if token else 0
    page, rest = rows[start : start + size], rows[start + size :]
    body: dict[str, Json] = {"models": [model_object(row) for row in page]}
    return {**body, "nextPageToken": rest[0].id} if rest else body


def _size(given: str | None) -> int:
    """Google takes more than it gives for as many as it gives, and 0 for its own choice."""
    if not given:
        return _PAGE
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        raise InvalidRequest("`pageSize` must be a number that is not negative.", param="pageSize")
    return min(int(given), _LARGEST_PAGE) or _PAGE


def _place(rows: Sequence[ModelRow], token: str) -> int:
    for place, row in enumerate(rows):
        if row.id == token:
            return place
    raise InvalidRequest("`pageToken` is not of this list.", param="pageToken")
