"""What an Ollama server says of itself and of its models: `/api/tags`, `/api/show`, `/api/ps` and `/api/version`.

Sizes and weights are not ours to know. Clients look for context length and abilities (`/api/show`) and for names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final

from iflow_cli_proxy.core.instants import rfc3339
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols.listing import ModelRow

SPOKEN_VERSION: Final = "0.12.6"
"""The release of Ollama whose API this is; some clients refuse older ones."""
_ARCHITECTURE: Final = "gateway"
_NEVER: Final = 253_402_300_799
"""Epoch seconds at the end of the year 9999."""


def tags_body(rows: Iterable[ModelRow]) -> dict[str, Json]:
    return {"models": [{**_identity(row), "modified_at": rfc3339(row.created)} for row in rows]}


def model_page(rows: Sequence[ModelRow], query: Mapping[str, str]) -> dict[str, Json]:
    """All of them: the list has no pages."""
    return tags_body(rows)


def model_object(row: ModelRow) -> dict[str, Json]:
    return show_body(row)


def running_body(rows: Iterable[ModelRow]) -> dict[str, Json]:
    """Every model is as good as loaded, and stays so."""
    return {
        "models": [
            {**_identity(row), "expires_at": rfc3339(_NEVER), "size_vram": 0, "context_length": row.input_tokens}
            for row in rows
        ]
    }


def show_body(row: ModelRow) -> dict[str, Json]:
    family = _family(row)
    info: dict[str, Json] = {"general.architecture": family, "general.basename": row.name or row.id}
    if row.input_tokens:
        info[f"{family}.context_length"] = row.input_tokens
    abilities = {"completion": True, "tools": True, "vision": row.has_vision, "thinking": row.can_think}
    return {
        "modelfile": f"FROM {row.id}\n",
        "parameters": "",
        "template": "",
        "details": _details(row),
        "model_info": info,
        "capabilities": [name for name, has in abilities.items() if has],
        "modified_at": rfc3339(row.created),
    }


def version_body() -> dict[str, Json]:
    return {"version": SPOKEN_VERSION}


def _identity(row: ModelRow) -> dict[str, Json]:
    digest = sha256(row.id.encode()).hexdigest()
    return {"name": row.id, "model": row.id, "size": 0, "digest": digest, "details": _details(row)}


def _details(row: ModelRow) -> dict[str, Json]:
    family = _family(row)
    return {
        "parent_model": "",
        "format": "",
        "family": family,
        "families": [family],
        "parameter_size": "",
        "quantization_level": "",
    }


def _family(row: ModelRow) -> str:
    return row.owned_by or _ARCHITECTURE
