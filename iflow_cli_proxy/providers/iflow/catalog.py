"""iFlow's models and their limits: the data file of this folder."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from iflow_cli_proxy.providers.model_table import ModelTable
from iflow_cli_proxy.routing.catalog import Catalog

OWNER: Final = "iflow"


def load_catalog(own_text: str = "", own_name: str = "models/iflow.toml") -> Catalog:
    """The package's models, changed and extended by a person's file. Raises ConfigError for a mistake in that."""
    return _table().catalog(own_text, own_name)


def context_limit(model: str) -> int:
    """Tokens of the context window by the model's name alone."""
    return _table().context_limit(model)


def output_limit(model: str) -> int:
    """Tokens an answer may have by the model's name alone."""
    return _table().output_limit(model)


@cache
def _table() -> ModelTable:
    return ModelTable(files(__package__).joinpath("models.toml").read_text("utf-8"), OWNER)
