"""What a setting carries besides its type: one line of help, its range, and how it may be shown.

Knows how a tree of dataclasses becomes a description that loader, template and listings share. Refuses to know
any particular setting: those are in `schema.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")

Path: TypeAlias = tuple[str, ...]
"""The dotted name of a setting, in pieces."""

Check: TypeAlias = Callable[[Any], str]
"""Looks at a value of the right type and says what was expected instead, or nothing."""

_KEY: Final = "leaf"


@dataclass(frozen=True, kw_only=True)
class Note:
    """The facts about a setting that its type does not tell."""

    help: str
    low: float | None = None
    high: float | None = None
    check: Check | None = None
    needs_restart: bool = False
    is_in_effect: bool = True
    """False for a setting that is read and checked but changes nothing yet; its help says so."""
    is_url: bool = False
    hides_values: bool = False
    """The values of the table may be secrets."""
    example: str = ""
    """TOML shown in the template where the default would say nothing (an empty list or table)."""


def leaf(
    default: T,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    check: Check | None = None,
    needs_restart: bool = False,
    is_in_effect: bool = True,
    is_url: bool = False,
    hides_values: bool = False,
    example: str = "",
) -> T:
    """Declare one setting: `port: int = leaf(28000, "Port to listen on.", low=0, high=65535)`."""
    note = Note(
        help=help if is_in_effect else f"{help.removesuffix('.')}; not in effect yet.",
        low=low,
        high=high,
        check=check,
        needs_restart=needs_restart,
        is_in_effect=is_in_effect,
        is_url=is_url,
        hides_values=hides_values,
        example=example,
    )
    shown = not (is_url or hides_values)
    if isinstance(default, dict):
        made: Any = dataclasses.field(default_factory=lambda: dict(default), metadata={_KEY: note}, repr=shown)
    else:
        made = dataclasses.field(default=default, metadata={_KEY: note}, repr=shown)
    return made  # type: ignore[no-any-return]  # a dataclass field stands in for its value, as `field()` itself does


@dataclass(frozen=True)
class LeafSpec:
    """One setting as loader and listings see it."""

    name: str
    type: Any
    default: Any
    note: Note


@dataclass(frozen=True, eq=False)
class TableSpec:
    """A table of the file: its class, its one line of help, its members in order."""

    cls: type[Any]
    help: str
    members: Mapping[str, Spec]

    def at(self, path: Path) -> Spec:
        """The member of that full name.

        Raises:
            KeyError: there is none.
        """
        spec: Spec = self
        for key in path:
            match spec:
                case TableSpec():
                    spec = spec.members[key]
                case NamedSpec():
                    spec = spec.item
                case LeafSpec():
                    raise KeyError(key)
        return spec

    def leaves(self, at: Path = ()) -> Iterator[tuple[Path, LeafSpec]]:
        """Every setting below with its full name; tables that people name themselves have none until they exist."""
        for name, member in self.members.items():
            match member:
                case LeafSpec():
                    yield (*at, name), member
                case TableSpec():
                    yield from member.leaves((*at, name))
                case NamedSpec():
                    pass


@dataclass(frozen=True)
class NamedSpec:
    """Tables under names that people choose, such as `[providers.desk]`."""

    item: TableSpec


Spec: TypeAlias = LeafSpec | TableSpec | NamedSpec


@cache
def spec_of(cls: type[Any]) -> TableSpec:
    """The description of a settings dataclass."""
    hints = get_type_hints(cls)
    members = {field.name: _member(field, hints[field.name]) for field in dataclasses.fields(cls)}
    return TableSpec(cls, (cls.__doc__ or "").partition("\n")[0], members)


def _member(field: dataclasses.Field[Any], hint: Any) -> Spec:
    if dataclasses.is_dataclass(hint):
        return spec_of(hint)  # type: ignore[arg-type]  # a type hint that is a dataclass is its class
    if get_origin(hint) is not None and issubclass(_origin_class(hint), Mapping):
        item = get_args(hint)[1]
        if dataclasses.is_dataclass(item):
            return NamedSpec(spec_of(item))  # type: ignore[arg-type]
    made_by = field.default_factory
    default = field.default if made_by is dataclasses.MISSING else made_by()
    return LeafSpec(field.name, hint, default, field.metadata[_KEY])


def _origin_class(hint: Any) -> type[Any]:
    origin = get_origin(hint)
    return origin if isinstance(origin, type) else object
