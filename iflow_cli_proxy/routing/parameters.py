"""What the operator does to the parameters of some models: defaults, overrides, removals.

The names of the limit on output are one parameter here. Refuses to touch what a request is about: which model, which
messages, streamed or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.jsonx import Raw

_OUTPUT_LIMITS: Final = frozenset({"max_tokens", "max_completion_tokens", "max_new_tokens"})
"""Spellings of one thing: a client writes the one it grew up with, an operator another."""
_NO_PARAMETERS: Final = ("model", "messages", "stream")


@dataclass(frozen=True, kw_only=True)
class ParameterRule:
    """For every model whose name matches `pattern` (a glob, any case).

    Raises:
        ConfigError: it names something that is no parameter.
    """

    pattern: str
    default: Mapping[str, Any] = field(default_factory=dict)
    override: Mapping[str, Any] = field(default_factory=dict)
    remove: Sequence[str] = ()

    def __post_init__(self) -> None:
        for action in ("default", "override", "remove"):
            for name in _NO_PARAMETERS:
                if name in getattr(self, action):
                    raise ConfigError(
                        f'models.parameters."{self.pattern}".{action}: `{name}` is no parameter.',
                        hint="take it out; for another model see [models.aliases]",
                        param=f'models.parameters."{self.pattern}".{action}',
                    )


def apply_rules(fields: Mapping[str, Any], model: str, rules: Sequence[ParameterRule]) -> Mapping[str, Any]:
    """Top-level body fields after every rule that names `model`, in order; the same object when none does."""
    for rule in rules:
        if fnmatchcase(model.lower(), rule.pattern.lower()):
            fields = _apply(fields, rule)
    return fields


def _apply(fields: Mapping[str, Any], rule: ParameterRule) -> dict[str, Any]:
    overridden = _all_spellings(rule.override)
    gone = overridden | _all_spellings(rule.remove)
    kept = {name: value for name, value in fields.items() if name not in gone}
    given = overridden | _all_spellings(name for name, value in kept.items() if not _is_null(value))
    defaults = {name: value for name, value in rule.default.items() if name not in given}
    return {**kept, **defaults, **rule.override}


def _all_spellings(names: Iterable[str]) -> frozenset[str]:
    """`names`, and every name of the limit on output if one of them is among these."""
    plain = frozenset(names)
    return plain | _OUTPUT_LIMITS if plain & _OUTPUT_LIMITS else plain


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, Raw) and bytes(value) == b"null")
