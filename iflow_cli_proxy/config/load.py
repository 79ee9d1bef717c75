"""Defaults, config.toml, overrides.toml, environment and flags become one `Settings`, with the origin of every leaf.

Pure on what it is given: texts, an environment mapping, flags. `read_text` is the one function that touches the disk.
A mistake never stops at itself: everything wrong in every source is reported together.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Final

from iflow_cli_proxy.config import checks
from iflow_cli_proxy.config.leaf import Path
from iflow_cli_proxy.config.lines import line_numbers
from iflow_cli_proxy.config.merge import Merge
from iflow_cli_proxy.config.origin import InvalidConfig, Layer, Origin, Origins, Problem
from iflow_cli_proxy.config.schema import ProviderSettings, Settings, upstream_leaves
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.secret import Secret

UPSTREAM_NAME: Final = "upstream"

_POSITION: Final = re.compile(r" \(at line (\d+), column (\d+)\)$")
_LARGEST_FILE_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class ConfigText:
    """A configuration file that has been read: what to call it, and what it says."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the settings of one process come from."""

    config_file: FilePath
    overrides_file: FilePath
    environ: Mapping[str, str]
    flags: Mapping[str, object] = field(default_factory=dict)
    """By dotted names; None for one that was not given."""
    is_config_required: bool = False
    """A person has named the config file, so it must be there."""

    def load(self) -> tuple[Settings, Origins]:
        """Raises InvalidConfig with every mistake."""
        return self.load_with(read_text(self.overrides_file))

    def load_with(self, overrides: ConfigText | None) -> tuple[Settings, Origins]:
        """The same as if overrides.toml said this."""
        return load(
            config=read_text(self.config_file, is_required=self.is_config_required),
            overrides=overrides,
            environ=self.environ,
            flags=self.flags,
        )


def load(
    *,
    config: ConfigText | None = None,
    overrides: ConfigText | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> tuple[Settings, Origins]:
    """Merge all sources, later ones winning leaf by leaf; tables of free names merge entry by entry.

    `flags` maps dotted names to values or texts; None means that the flag was not given.

    Raises:
        InvalidConfig: with every mistake of every source.
    """
    merge = Merge()
    for layer, file in ((Layer.CONFIG, config), (Layer.OVERRIDES, overrides)):
        if file is not None:
            _lay(merge, layer, file)
    merge.environment(environ or {})
    merge.flags(flags or {})
    return merge.result()


def load_files(
    config: FilePath,
    overrides: FilePath,
    *,
    environ: Mapping[str, str],
    flags: Mapping[str, object] | None = None,
    is_config_required: bool = False,
) -> tuple[Settings, Origins]:
    """`load` on two files, either of which may be absent unless the person named it.

    Raises:
        InvalidConfig: a file cannot be read, or with every mistake of every source.
    """
    return Sources(
        config_file=config,
        overrides_file=overrides,
        environ=environ,
        flags=flags or {},
        is_config_required=is_config_required,
    ).load()


def read_text(path: FilePath, *, is_required: bool = False) -> ConfigText | None:
    """The file as text, or None when there is none and none is required. A UTF-8 byte order mark is dropped.

    Raises:
        InvalidConfig: missing though required, a folder, unreadable, too large or not UTF-8.
    """
    name = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE_BYTES + 1)
    except FileNotFoundError:
        if not is_required:
            return None
        raise _unreadable(name, "there is no such file", "`iflow2api config init` writes one") from None
    except IsADirectoryError:
        raise _unreadable(name, "this is a folder, not a file") from None
    except OSError as error:
        raise _unreadable(name, f"cannot be read: {error.strerror or type(error).__name__}") from error
    if len(data) > _LARGEST_FILE_BYTES:
        raise _unreadable(name, "larger than 1 MiB, which is no configuration")
    return ConfigText(name, _decoded(name, data))


def with_upstream(settings: Settings, url: str, key: str = "") -> Settings:
    """The settings of `serve --upstream URL`: a provider of that name, answering for every model nobody lists.

    Raises:
        ConfigError: the URL is not one, or carries a password.
    """
    if not checks.is_http_url(url):
        raise ConfigError(
            "--upstream takes a URL that begins with http:// or https://.",
            hint="iflow2api serve --upstream http://127.0.0.1:9801/v1",
            param="--upstream",
        )
    if checks.has_userinfo(url):
        raise ConfigError(
            "--upstream takes a URL without user and password.",
            hint="take them out and give the key with --ask-key or in IFLOW2API_UPSTREAM_API_KEY",
            param="--upstream",
        )
    known = settings.providers.get(UPSTREAM_NAME) or ProviderSettings(**upstream_leaves(settings.upstream))
    provider = replace(
        known,
        kind=known.kind or "openai_compatible",
        enabled=True,
        base_url=url,
        api_key=Secret(key) if key else known.api_key,
    )
    return replace(
        settings,
        routing=replace(settings.routing, default_provider=UPSTREAM_NAME),
        providers={**settings.providers, UPSTREAM_NAME: provider},
    )


def read_toml(path: FilePath) -> str:
    """The text of a file beside the configuration, which must be there and be TOML.

    Raises:
        InvalidConfig: it cannot be read, or is not TOML.
    """
    file = read_text(path, is_required=True)
    text = file.text if file else ""
    try:
        tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidConfig([_not_toml(str(path), error)], hint="correct it, or move it away") from error
    return text


def _lay(merge: Merge, layer: Layer, file: ConfigText) -> None:
    try:
        tree = tomllib.loads(file.text)
    except (ValueError, RecursionError) as error:
        merge.problem(_not_toml(file.name, error))
        return
    lines = line_numbers(file.text)

    def origin_of(path: Path) -> Origin:
        line = lines.get(path) or lines.get(path[:-1])
        return Origin(layer, f"{file.name}:{line}" if line else file.name)

    merge.tree(tree, origin_of)


def _not_toml(name: str, error: Exception) -> Problem:
    """Say where the text stops being TOML, in the words of the parser but for its way of giving positions."""
    if not isinstance(error, tomllib.TOMLDecodeError):
        return Problem(name="", place=name, message="a number too long or brackets too deep to read")
    text = str(error)
    position = _POSITION.search(text)
    place = f"{name}:{position[1]}:{position[2]}" if position else name
    return Problem(
        name="", place=place, message=f"this is not TOML: {_POSITION.sub('', text)}", hint=_likely_cause(text)
    )


def _likely_cause(text: str) -> str:
    return 'put text in quotes, as in host = "127.0.0.1"' if "Invalid value" in text else ""


def _decoded(name: str, data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _unreadable(name, "this is UTF-16", "save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise _unreadable(f"{name}:{line}:{column}", "this is not UTF-8", "save it as UTF-8") from None


def _unreadable(place: str, message: str, hint: str = "") -> InvalidConfig:
    return InvalidConfig([Problem(name="", place=place, message=message, hint=hint)])
