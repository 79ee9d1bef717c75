"""The list of models in OpenAI's shape, and one model of it, with what our catalogue knows besides.

Source: OpenAI API reference, "Models". Clients read `context_window` where they find it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols.listing import ModelRow


def model_object(row: ModelRow) -> dict[str, Json]:
    """Limits that nobody knows are left out."""
    limits = {"context_window": row.input_tokens, "max_output_tokens": row.output_tokens}
    return {
        "id": row.id,
        "object": "model",
        "created": row.created,
        "owned_by": row.owned_by or row.provider,
        "provider": row.provider,
        "vision": row.has_vision,
        "thinking": row.thinking,
        **{name: limit for name, limit in limits.items() if limit},
    }


def model_page(rows: Sequence[ModelRow], query: Mapping[str, str]) -> dict[str, Json]:
    """All of them: OpenAI's list has no pages."""
    return {"object": "list", "data": [model_object(row) for row in rows]}
