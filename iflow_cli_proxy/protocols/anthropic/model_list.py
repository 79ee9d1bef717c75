"""The list of models in Anthropic's shape, by pages, and one model of it. Source: Anthropic API reference, "Models"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols.listing import ModelRow

_PAGE: Final = 20
_LARGEST_PAGE: Final = 1000


def model_object(row: ModelRow) -> Json:
    instant = datetime.fromtimestamp(row.created, UTC)
    return {
        "type": "model",
        "id": row.id,
        "display_name": row.name or row.id,
        "created_at": instant.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
        "max_input_tokens": row.input_tokens or None,
        "max_tokens": row.output_tokens or None,
    }


def model_page(rows: Sequence[ModelRow], query: Mapping[str, str]) -> Json:
    """The page that `limit` and one of `after_id` and `before_id` ask for. Raises InvalidRequest naming the parameter.

    `has_more` looks in the direction of reading: before the page when `before_id` was given, else behind it.
    """
    limit = _limit(query.get("limit"))
    after, before = query.get("after_id"), query.get("before_id")
    if after and before:
        raise InvalidRequest("`after_id` and `before_id` cannot be given together.", param="before_id")
    if before:
        stop = _place(rows, before, "before_id")
        start = max(0, stop - limit)
        has_more = start > 0
    else:
        start = _place(rows, after, "after_id") + 1 if after else 0
        stop = min(len(rows), start + limit)
        has_more = stop < len(rows)
    page = rows[start:stop]
    return {
        "data": [model_object(row) for row in page],
        "has_more": has_more,
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
    }


def _limit(given: str | None) -> int:
    if not given:
        return _PAGE
    if not (given.isascii() and given.isdigit() and len(given) < 5 and 1 <= int(given) <= _LARGEST_PAGE):
        raise InvalidRequest(f"`limit` must be a number from 1 to {_LARGEST_PAGE}.", param="limit")
    return int(given)


def _place(rows: Sequence[ModelRow], model_id: str, param: str) -> int:
    for place, row in enumerate(rows):
        if row.id == model_id:
            return place
    raise InvalidRequest(f"`{param}` names no model of this list.", param=param)
