"""What the operator does to the parameters of some models: defaults, overrides, removals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ParameterRule:
    """For every model whose name matches `pattern` (a glob, any case)."""

    pattern: str
    default: Mapping[str, Any] = field(default_factory=dict)
    override: Mapping[str, Any] = field(default_factory=dict)
    remove: Sequence[str] = ()


def apply_rules(fields: Mapping[str, Any], model: str, rules: Sequence[ParameterRule]) -> Mapping[str, Any]:
    """Top-level body fields after every rule that names `model`, in order; the same object when none does."""
    for rule in rules:
        if fnmatchcase(model.lower(), rule.pattern.lower()):
            kept = {name: value for name, value in fields.items() if name not in rule.remove}
            fields = {**rule.default, **kept, **rule.override}
    return fields
