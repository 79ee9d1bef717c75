from dataclasses import dataclass, field
from typing import Literal

import pytest

from iflow_cli_proxy.config.leaf import LeafSpec, NamedSpec, TableSpec, leaf, spec_of
from iflow_cli_proxy.config.schema import Settings


@dataclass(frozen=True, kw_only=True)
class Inner:
    """The inner table.

    More words that no template needs.
    """

    size: int = leaf(3, "How big.", low=1)
    names: dict[str, str] = leaf({}, "Who.")  # noqa: RUF009


@dataclass(frozen=True, kw_only=True)
class Outer:
    """The outer table."""

    mood: Literal["calm", "wild"] = leaf("calm", "How it feels.")
    inner: Inner = field(default_factory=Inner)
    many: dict[str, Inner] = field(default_factory=dict)


def test_a_spec_holds_type_default_and_note_of_every_leaf() -> None:
    spec = spec_of(Inner)

    size = spec.members["size"]
    assert isinstance(size, LeafSpec)
    assert (size.type, size.default, size.note.help, size.note.low) == (int, 3, "How big.", 1)
    assert spec.help == "The inner table."


def test_tables_under_free_names_are_told_from_tables_and_leaves() -> None:
    members = spec_of(Outer).members

    assert isinstance(members["inner"], TableSpec)
    assert isinstance(members["many"], NamedSpec)
    assert isinstance(spec_of(Inner).members["names"], LeafSpec)


def test_a_default_that_is_a_table_is_not_shared() -> None:
    assert Inner().names is not Inner().names


def test_leaves_are_listed_with_full_names_in_order() -> None:
    assert [path for path, _ in spec_of(Outer).leaves()] == [("mood",), ("inner", "size"), ("inner", "names")]


def test_at_descends_through_free_names_and_knows_what_is_missing() -> None:
    assert spec_of(Outer).at(("many", "anything", "size")) is spec_of(Inner).members["size"]
    with pytest.raises(KeyError):
        spec_of(Outer).at(("mood", "deeper"))
    with pytest.raises(KeyError):
        spec_of(Outer).at(("nothing",))


def test_every_setting_has_one_line_of_help_that_ends_in_a_full_stop() -> None:
    for path, spec in spec_of(Settings).leaves():
        assert spec.note.help.endswith("."), path
        assert "\n" not in spec.note.help, path


def test_a_setting_that_changes_nothing_yet_says_so_in_its_help() -> None:
    @dataclass(frozen=True)
    class Table:
        later: int = leaf(1, "How many.", is_in_effect=False)

    spec = spec_of(Table).members["later"]

    assert isinstance(spec, LeafSpec)
    assert spec.note.help == "How many; not in effect yet."
