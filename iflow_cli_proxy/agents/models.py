"""Which of the gateway's models stand for an agent's own: the one that works and the one for its chores.

Refuses to guess which model is small: another than the one that works is taken only when a person names it.
"""

from __future__ import annotations

from collections.abc import Sequence

from iflow_cli_proxy.agents.base import GatewayModel, Target
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.jsonx import Json


def read_models(body: Json) -> tuple[GatewayModel, ...]:
    """The models in a gateway's `GET /v1/models`; rows without a usable id are left out."""
    rows = body.get("data") if isinstance(body, dict) else None
    found = (row for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()
    return tuple(_model(row) for row in found if isinstance(row.get("id"), str) and row["id"])


def target(url: str, key: str, listed: Sequence[GatewayModel], *, model: str = "", small_model: str = "") -> Target:
    """The gateway with a model for everything: those that are named, else the first one listed.

    Raises:
        ConfigError: no model is named and none is listed.
    """
    if not model and not listed:
        raise ConfigError("The gateway lists no models.", param="--model", hint="name one with --model")
    big = _named(model, listed) if model else listed[0]
    small = _named(small_model, listed) if small_model else big
    others = [each for each in listed if each.id not in (big.id, small.id)]
    chosen = (big,) if small == big else (big, small)
    return Target(url=url, key=key, big=big, small=small, models=(*chosen, *others))


def _named(name: str, listed: Sequence[GatewayModel]) -> GatewayModel:
    """What is listed under a name; `provider/model` has the facts of its model, any other name none."""
    for wanted in (name, name.partition("/")[2]):
        for each in listed:
            if wanted and each.id.lower() == wanted.lower():
                return each if wanted == name else GatewayModel(**{**vars(each), "id": name})
    return GatewayModel(id=name)


def _model(row: dict[str, Json]) -> GatewayModel:
    return GatewayModel(
        id=row["id"],
        context_tokens=_count(row.get("context_window")),
        output_tokens=_count(row.get("max_output_tokens")),
        has_vision=row.get("vision") is True,
        thinks=row.get("thinking") in ("switchable", "always"),
    )


def _count(value: Json) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
