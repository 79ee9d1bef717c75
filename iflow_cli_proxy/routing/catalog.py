"""What models there are: one row for each, and how rows from several sources become one list.

Knows names and facts about models. Refuses to know providers' behaviour, files and the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model as its provider serves it. Token counts are 0 where nobody knows."""

    id: str
    name: str = ""
    """For people; the id when empty."""
    context_tokens: int = 0
    output_tokens: int = 0
    has_vision: bool | None = None
    """None where nobody says."""
    thinking: str = "no"
    """`no`, `switchable` or `always`."""
    created: int = 0
    owned_by: str = ""
    upstream_id: str = ""
    """The name on the wire when it differs from `id`."""
    aliases: tuple[str, ...] = ()
    """Other names people know it by."""
    is_hidden: bool = False
    """Can be asked for but is not listed."""


class Catalog:
    """The models of one provider, found by id or alias whatever its case. Rows added later win."""

    def __init__(self, models: Iterable[Model] = ()) -> None:
        self._rows: dict[str, Model] = {}
        self._aliases: dict[str, str] = {}
        self.add(models)

    def add(self, models: Iterable[Model]) -> None:
        for model in models:
            self._rows[model.id.lower()] = model
            self._aliases.update((alias.lower(), model.id.lower()) for alias in model.aliases)

    def merge_remote(self, models: Iterable[Model]) -> None:
        """What the upstream itself lists: new ids are added, known rows keep their richer facts."""
        for model in models:
            self._rows.setdefault(model.id.lower(), model)

    def find(self, name: str) -> Model | None:
        """An id goes before an alias of the same name."""
        name = name.lower()
        return self._rows.get(name) or self._rows.get(self._aliases.get(name, ""))

    def split(self, name: str) -> tuple[Model | None, str]:
        """`name(high)` is the model `name` with a wish, unless the whole is a model's name: the model and `(high)`."""
        if (model := self.find(name)) is not None:
            return model, ""
        bare, mark, wish = name.partition("(")
        return self.find(bare), mark + wish

    def listed(self) -> tuple[Model, ...]:
        return tuple(model for model in self._rows.values() if not model.is_hidden)

    def __iter__(self) -> Iterator[Model]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)
