"""A provider's models and their limits, from a data file of the package and the person's own.

Knows how rows and families become a catalogue, and how a person's file changes them. Refuses to know whose models they
are, where the person's file lies, and how a model is talked to.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.providers.own_tables import check_keys, own_rows
from iflow_cli_proxy.routing.catalog import Catalog, Model

_THINKING: Final = ("no", "switchable", "always")
_ROW_KEYS: Final = tuple(name for name in Model.__struct_fields__)


class Family(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of all models whose lower-cased id contains one of `match`."""

    match: tuple[str, ...]
    context_tokens: int
    output_tokens: int
    context_parts: tuple[tuple[str, int], ...] = ()
    output_parts: tuple[tuple[str, int], ...] = ()

    def fits(self, name: str) -> bool:
        return any(part in name for part in self.match)


class ModelTable:
    """The data file of one provider: `[[models]]`, and `[[families]]` of which the last fits every name."""

    def __init__(self, text: str, owner: str) -> None:
        tree = tomllib.loads(text)
        self._owner = owner
        self._rows: list[dict[str, Any]] = tree["models"]
        self._families = msgspec.convert(tree["families"], tuple[Family, ...])

    def catalog(self, own_text: str, own_name: str) -> Catalog:
        """These models, changed and extended by a person's file; `own_name` is what errors call that file.

        Raises:
            ConfigError: the person's file is not TOML, or has a key, an id or a value that cannot be used.
        """
        rows = {str(row["id"]).lower(): {"has_vision": False, **row} for row in self._rows}
        for number, row in enumerate(own_rows(own_text, own_name, "models")):
            where = f"{own_name}: models[{number}]"
            _check_keys(row, where)
            key = row["id"].lower()
            rows[key] = {**rows.get(key, {}), **row, "id": rows[key]["id"] if key in rows else row["id"]}
            _check_value(rows[key], where)
        return Catalog(self._model(row) for row in rows.values())

    def context_limit(self, model: str) -> int:
        """Tokens of the context window by the model's name alone."""
        name = model.lower()
        family = self._family(name)
        return next((tokens for part, tokens in family.context_parts if part in name), family.context_tokens)

    def output_limit(self, model: str) -> int:
        """Tokens an answer may have by the model's name alone."""
        name = model.lower()
        family = self._family(name)
        return next((tokens for part, tokens in family.output_parts if part in name), family.output_tokens)

    def _model(self, row: Mapping[str, Any]) -> Model:
        limits = {"context_tokens": self.context_limit(row["id"]), "output_tokens": self.output_limit(row["id"])}
        return msgspec.convert({"owned_by": self._owner, **limits, **row}, Model)

    def _family(self, name: str) -> Family:
        return next(family for family in self._families if family.fits(name))


def _check_keys(row: Mapping[str, Any], where: str) -> None:
    check_keys(row, _ROW_KEYS, where)
    if not isinstance(row.get("id"), str) or not row["id"].strip():
        raise ConfigError(f"{where}: every model needs an id.", param=f"{where}.id", hint='write id = "its-name"')


def _check_value(row: Mapping[str, Any], where: str) -> None:
    try:
        jsonx.convert(dict(row), Model)
    except jsonx.JsonError as error:
        raise ConfigError(f"{where}.{error.path}: {error.what}.", param=f"{where}.{error.path}") from error
    if row.get("thinking", "no") not in _THINKING:
        raise ConfigError(
            f"{where}.thinking is {row['thinking']!r}.", param=f"{where}.thinking", hint=f"use {', '.join(_THINKING)}"
        )
    for key in ("context_tokens", "output_tokens", "created"):
        if row.get(key, 0) < 0:
            raise ConfigError(f"{where}.{key} is negative.", param=f"{where}.{key}")
