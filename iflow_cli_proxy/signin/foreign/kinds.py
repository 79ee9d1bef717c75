"""The programs whose files are understood, and how a file is told to be theirs by what it holds.

Adding a program is one module beside this one and one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.signin.foreign import account_file, cliproxyapi, iflow_cli, iflow_go, older_iflow2api, qwen_code
from iflow_cli_proxy.signin.foreign.reading import Reader

Recognizer: TypeAlias = Callable[[Mapping[str, Json]], bool]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One program's files."""

    name: str
    """For `--from`."""
    program: str
    """As people call it."""
    is_one: Recognizer
    read: Reader
    is_group: bool = False
    """The files of a folder are one sign-in."""


IFLOW_CLI: Final = Kind(
    name="iflow-cli",
    program="iFlow CLI",
    is_one=lambda tree: iflow_cli.is_accounts(tree) or iflow_cli.is_oauth(tree) or iflow_cli.is_settings(tree),
    read=iflow_cli.read,
    is_group=True,
)
QWEN_CODE: Final = Kind(name="qwen-code", program="Qwen Code", is_one=qwen_code.is_one, read=qwen_code.read)
POOL: Final = Kind(
    name="iflow2api-keys",
    program="iflow2api (keys.json)",
    is_one=older_iflow2api.is_pool,
    read=older_iflow2api.read_pool,
)
CONFIG: Final = Kind(
    name="iflow2api",
    program="iflow2api (config.json)",
    is_one=older_iflow2api.is_config,
    read=older_iflow2api.read_config,
)
IFLOW_GO: Final = Kind(name="iflow-go", program="iflow-go", is_one=iflow_go.is_one, read=iflow_go.read)
CLIPROXYAPI: Final = Kind(name="cliproxyapi", program="CLIProxyAPI", is_one=cliproxyapi.is_one, read=cliproxyapi.read)

OURS: Final = Kind(
    name="account-file", program="iflow2api (account file)", is_one=account_file.is_one, read=account_file.read
)

KINDS: Final = (OURS, POOL, CLIPROXYAPI, IFLOW_GO, QWEN_CODE, IFLOW_CLI, CONFIG)
"""In the order they are tried: the one with the plainest marks first."""


def kind_of(tree: Mapping[str, Json], path: Path) -> Kind | None:
    """Whose file this is; None when it is nobody's here, or could be anybody's.

    A bare pair of tokens is written by iFlow's client and by Qwen's alike: then only the folder tells.
    """
    kind = next((kind for kind in KINDS if kind.is_one(tree)), None)
    if kind is IFLOW_CLI and iflow_cli.is_oauth(tree) and not iflow_cli.is_marked(tree):
        return {".qwen": QWEN_CODE, ".iflow": IFLOW_CLI}.get(path.absolute().parent.name)
    return kind


def kind_named(name: str) -> Kind | None:
    """The kind of `--from`."""
    return next((kind for kind in KINDS if kind.name == name), None)
