"""The services that are only data: what `presets.toml` says about each of them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import msgspec


class Preset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One service; the defaults are those of a URL nobody knows anything about."""

    title: str = ""
    base_url: str = ""
    key_variables: tuple[str, ...] = ()
    is_local: bool = False
    max_tokens_field: str = ""
    openai_words: bool = False
    """It takes fields that only OpenAI documents."""
    headers: Mapping[str, str] = {}


@cache
def presets() -> Mapping[str, Preset]:
    """Every preset by its name, which is the kind of its provider."""
    text = files(__package__).joinpath("presets.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, Preset])
