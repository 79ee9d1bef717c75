"""Qwen's models and their limits: the data file of this folder, and which names only a sign-in can use."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from iflow_cli_proxy.providers.model_table import ModelTable
from iflow_cli_proxy.routing.catalog import Catalog, Model

OWNER: Final = "qwen"

SIGN_IN_MODELS: Final = frozenset({"coder-model", "vision-model"})
"""Names of the portal, which stand for whatever the vendor puts behind them; API keys call models by their own."""


def load_catalog(own_text: str = "", own_name: str = "models/qwen.toml") -> Catalog:
    """The package's models, changed and extended by a person's file. Raises ConfigError for a mistake in that."""
    return _table().catalog(own_text, own_name)


def output_limit(model: str) -> int:
    """Tokens an answer may have by the model's name alone."""
    return _table().output_limit(model)


def wire_name(row: Model, *, is_oauth: bool) -> str:
    """What a model is called on the wire: `qwen3.5-plus` is `coder-model` to a sign-in, and itself to a key."""
    name = row.upstream_id or row.id
    return row.id if name in SIGN_IN_MODELS and not is_oauth else name


@cache
def _table() -> ModelTable:
    return ModelTable(files(__package__).joinpath("models.toml").read_text("utf-8"), OWNER)
