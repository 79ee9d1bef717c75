"""JSON schemas of tools, without the keywords that an upstream refuses.

What a keyword said is lost then, so a short list of them is told in the description, where a model reads it too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from iflow_cli_proxy.core import jsonx

_OF_NAMES: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Under these stand names, not keywords."""
_AS_IT_IS: Final = frozenset({"enum", "const", "default", "examples", "example", "required"})
"""Under these stand values, not schemas."""
_WORTH_TELLING: Final = frozenset(
    {"format", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "default", "examples"}
)


def cleaned(schema: Mapping[str, Any], refused: Collection[str]) -> Mapping[str, Any]:
    """`schema` itself when nothing in it is refused."""
    found = _cleaned(schema, frozenset(refused))
    return schema if found == schema else found


def _cleaned(schema: Any, refused: frozenset[str]) -> Any:
    if isinstance(schema, Sequence) and not isinstance(schema, str | bytes):
        return [_cleaned(each, refused) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    out: dict[str, Any] = {}
    for name, value in schema.items():
        if name in refused:
            continue
        if name in _OF_NAMES and isinstance(value, Mapping):
            out[name] = {key: _cleaned(inner, refused) for key, inner in value.items()}
        else:
            out[name] = value if name in _AS_IT_IS else _cleaned(value, refused)
    told = [
        f"{name}: {jsonx.encode(schema[name]).decode()}"
        for name in schema
        if name in refused and name in _WORTH_TELLING
    ]
    if told:
        out["description"] = " ".join(filter(None, [str(out.get("description") or ""), f"({'; '.join(told)})"]))
    return out
