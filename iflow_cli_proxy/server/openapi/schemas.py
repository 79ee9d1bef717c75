"""JSON schemas by name: of requests as the wire types state them, of answers as the data files do.

What a request is checked against is a type already, so it is described by that type and cannot tell anything else. A
schema of the same name in a data file is laid over it: words for people, and what a type cannot say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols import openai_embeddings
from iflow_cli_proxy.protocols.anthropic import wire as anthropic
from iflow_cli_proxy.protocols.gemini import wire as gemini
from iflow_cli_proxy.protocols.ollama import wire as ollama
from iflow_cli_proxy.protocols.openai_chat import wire as chat
from iflow_cli_proxy.protocols.openai_completions import wire as completions
from iflow_cli_proxy.protocols.openai_responses import wire as responses

REFERENCE: Final = "#/components/schemas/"
_OURS: Final = "Wire"


@dataclass(frozen=True)
class Family:
    """Wire types under a prefix. `unions` have members that `type` tells apart, under names of their own."""

    prefix: str
    roots: tuple[type, ...]
    unions: Mapping[str, Mapping[str, type]] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    may_lack_type: str = ""
    """The one member that may come without its `type`."""


FAMILIES: Final = (
    Family("OpenAIChat", (chat.WireRequest,)),
    Family("OpenAIText", (completions.WireRequest,)),
    Family("OpenAIEmbedding", (openai_embeddings.WireRequest,)),
    Family(
        "OpenAIResponses",
        (responses.WireRequest,),
        {"InputItem": responses.ITEMS, "Tool": responses.TOOLS},
        may_lack_type="message",
    ),
    Family("Anthropic", (anthropic.WireRequest,), {"Block": anthropic.BLOCKS}, {"WireMessage": "Turn"}),
    Family("Gemini", (gemini.WireRequest,)),
    Family("Ollama", (ollama.WireChat, ollama.WireGenerate)),
)

_ECMA: Final = {
    r"^(?!.*\.\.)[^\W_][\w .:/@+,()\[\]-]*\Z": (
        r"^(?!.*\.\.)[A-Za-z0-9\u0080-\uFFFF][A-Za-z0-9_\u0080-\uFFFF .:/@+,()\[\]-]*$"
    ),
    r"^(?i:https?://|data:)": "^([Hh][Tt][Tt][Pp][Ss]?://|[Dd][Aa][Tt][Aa]:)",
    r"^(?i:https?://)": "^[Hh][Tt][Tt][Pp][Ss]?://",
    r"^(?i:https?://|gs://|data:)": "^([Hh][Tt][Tt][Pp][Ss]?://|[Gg][Ss]://|[Dd][Aa][Tt][Aa]:)",
    r"^(user|model|function|system|tool)?\Z": "^(user|model|function|system|tool)?$",
}
"""Our patterns in the dialect of JSON Schema, which has neither `\\Z` nor `(?i:`."""


def all_schemas(written: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """The types' schemas with `written` (those of each data file) laid over them. References are spelled out."""
    found: dict[str, Json] = {}
    for family in FAMILIES:
        found |= _of_family(family)
    for schemas in written:
        for name, schema in schemas.items():
            found[name] = laid_over(found.get(name, {}), schema)
    return {name: spelled_out(found[name]) for name in sorted(found)}


def spelled_out(schema: Json) -> Json:
    """The same with whole references: data files name schemas alone."""
    match schema:
        case {"$ref": str(name), **others} if not name.startswith("#"):
            return {"$ref": REFERENCE + name, **{key: spelled_out(value) for key, value in others.items()}}
        case dict():
            return {key: spelled_out(value) for key, value in schema.items()}
        case list():
            return [spelled_out(value) for value in schema]
        case _:
            return schema


def laid_over(below: Json, above: Json) -> Json:
    """Objects are joined; of anything else the one above counts. An `anyOf` replaces a type that is said below."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    if "anyOf" in above:
        below = {name: value for name, value in below.items() if name in ("description", "default", "title")}
    return {**below, **{name: laid_over(below.get(name), value) for name, value in above.items()}}


def _of_family(family: Family) -> dict[str, Json]:
    members = [shape for union in family.unions.values() for shape in union.values()]
    raw = jsonx.schemas([*family.roots, *members], REFERENCE)
    names = {name: family.prefix + family.renamed.get(name, name.removeprefix(_OURS)) for name in raw}
    found = {names[name]: _told(schema, names) for name, schema in raw.items()}
    for word, union in family.unions.items():
        named = {kind: names[shape.__name__] for kind, shape in union.items()}
        found[family.prefix + word] = _union(named, family.may_lack_type)
    return found


def _told(schema: Json, names: Mapping[str, str]) -> Json:
    """One schema in the document's names and dialect, without what says nothing."""
    match schema:
        case dict():
            out: dict[str, Json] = {}
            for key, value in schema.items():
                if key == "title" or (key == "default" and value is None):
                    continue
                out[key] = _ECMA[value] if key == "pattern" and isinstance(value, str) else _told(value, names)
            return out
        case list():
            return [_told(value, names) for value in schema]
        case str() if schema.startswith(REFERENCE):
            return REFERENCE + names[schema.removeprefix(REFERENCE)]
        case _:
            return schema


def _union(named: Mapping[str, str], may_lack_type: str) -> dict[str, Any]:
    """Members by their `type`; of other types nothing is checked."""
    members: list[Json] = []
    for kind, name in named.items():
        member: dict[str, Json] = {"title": kind, "allOf": [{"$ref": REFERENCE + name}]}
        if kind == may_lack_type:
            members.append({**member, "properties": {"type": {"enum": [kind, None]}}})
        else:
            members.append({**member, "properties": {"type": {"const": kind}}, "required": ["type"]})
    other = {"type": {"type": "string", "minLength": 1, "not": {"enum": list(named)}}}
    members.append({"title": "any other type", "type": "object", "required": ["type"], "properties": other})
    return {"description": "What it is, `type` says. Of other types nothing is checked.", "anyOf": members}
