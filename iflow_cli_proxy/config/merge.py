"""Sources laid over each other, leaf by leaf, while every mistake is written down.

Knows precedence (later sources win; tables of free names merge entry by entry) and what a provider inherits. Refuses
to know where the sources are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, cast

from iflow_cli_proxy.config import checks, values, variables
from iflow_cli_proxy.config.leaf import LeafSpec, NamedSpec, Path, Spec, TableSpec, spec_of
from iflow_cli_proxy.config.names import nearest_setting
from iflow_cli_proxy.config.origin import InvalidConfig, Layer, Origin, Origins, Problem, dotted
from iflow_cli_proxy.config.schema import Settings, upstream_leaves

OriginOf: TypeAlias = Callable[[Path], Origin]


_FLAGS: Final[Mapping[Path, str]] = {("logging", "level"): "--log-level"}
"""Flags that are not called like the last piece of their setting's name."""

_NAMED_IN_VARIABLES: Final[Mapping[Path, str]] = {("providers",): "a provider", ("pools",): "a pool"}
"""What people name and reach by a variable too, so the name must be one that fits into it."""


def flag_of(path: Path) -> str:
    """The flag of a setting that has one: --port for server.port."""
    return _FLAGS.get(path) or f"--{path[-1].replace('_', '-')}"


class Merge:
    """The merge under way: what has been set so far, by whom, and what was wrong."""

    def __init__(self) -> None:
        self._root = spec_of(Settings)
        self._values: dict[Path, Any] = {}
        self._origins: dict[Path, Origin] = {}
        self._names: dict[Path, dict[str, None]] = {}
        self._problems: list[Problem] = []

    def problem(self, problem: Problem) -> None:
        """Note a mistake found by whoever reads the source."""
        self._problems.append(problem)

    def tree(self, tree: Mapping[str, object], origin_of: OriginOf) -> None:
        """Lay a parsed file over what is there."""
        self._table(self._root, (), tree, origin_of)

    def environment(self, environ: Mapping[str, str]) -> None:
        """Lay the `IFLOW2API_*` variables over it; an empty variable is as good as none."""
        existing = {at[0]: tuple(names) for at, names in self._names.items() if len(at) == 1}
        for variable in sorted(name for name, text in environ.items() if text and name not in variables.SPECIAL):
            if not variable.startswith(variables.PREFIX):
                continue
            found = variables.setting_of(variable, self._root, existing)
            if found is not None:
                self._single(*found, environ[variable], Origin(Layer.ENVIRONMENT, variable))
            elif variables.is_misspelt(variable, self._root):
                self._unknown_variable(variable)
        if keys := environ.get(variables.CLIENT_KEY_VARIABLE):
            self._more_client_keys(keys)

    def flags(self, flags: Mapping[str, object]) -> None:
        """Lay flags over it: dotted names to values or texts; None means that the flag was not given."""
        for name, raw in flags.items():
            if raw is None:
                continue
            path = tuple(name.split("."))
            self._single(path, self._root.at(path), raw, Origin(Layer.FLAG, flag_of(path)))

    def result(self) -> tuple[Settings, Origins]:
        """The tree that came out.

        Raises:
            InvalidConfig: with every mistake noted on the way.
        """
        if self._problems:
            raise InvalidConfig(self._problems)
        return cast("Settings", self._build(self._root, (), {})), Origins(self._origins)

    # --- reading ---------------------------------------------------------------------------------------------------

    def _any(self, spec: Spec, path: Path, raw: object, origin_of: OriginOf) -> None:
        match spec:
            case LeafSpec():
                self._leaf(spec, path, raw, origin_of)
            case TableSpec() if isinstance(raw, Mapping):
                self._table(spec, path, raw, origin_of)
            case NamedSpec() if isinstance(raw, Mapping):
                self._named(spec, path, raw, origin_of)
            case _:
                self._wrong(path, origin_of(path), f"{dotted(path)} takes a table")

    def _table(self, spec: TableSpec, at: Path, tree: Mapping[str, object], origin_of: OriginOf) -> None:
        for key, raw in tree.items():
            path = (*at, key)
            member = spec.members.get(key)
            if member is None:
                meant = nearest_setting(path, spec)
                hint = f"did you mean {dotted(meant)}?" if meant else "see `iflow2api config show`"
                self._wrong(path, origin_of(path), f"{dotted(path)} is not a setting", hint)
            else:
                self._any(member, path, raw, origin_of)

    def _named(self, spec: NamedSpec, at: Path, tree: Mapping[str, object], origin_of: OriginOf) -> None:
        for name, raw in tree.items():
            path = (*at, name)
            named = _NAMED_IN_VARIABLES.get(at)
            if named and not checks.NAME.fullmatch(name):
                self._wrong(path, origin_of(path), f"{dotted(path)} is no name for {named}", "use a-z, 0-9, - and _")
                continue
            self._names.setdefault(at, {})[name] = None
            self._any(spec.item, path, raw, origin_of)

    def _leaf(self, spec: LeafSpec, path: Path, raw: object, origin_of: OriginOf) -> None:
        try:
            value = values.typed(spec, raw)
        except values.Mismatch as error:
            self._wrong(path, origin_of(path), f"{dotted(path)} takes {error}")
            return
        if isinstance(value, Mapping):
            before = self._values.get(path, {})
            self._values[path] = {**(before if isinstance(before, Mapping) else {}), **value}
            self._origins.update({(*path, key): origin_of((*path, key)) for key in value})
        else:
            self._values[path] = value
            self._origins[path] = origin_of(path)

    def _single(self, path: Path, spec: Spec, raw: object, origin: Origin) -> None:
        if isinstance(raw, str):
            raw = values.from_text(spec.type, raw) if isinstance(spec, LeafSpec) else values.table_from_text(raw)
        for key in reversed(path):
            raw = {key: raw}
        self.tree(cast("dict[str, object]", raw), lambda _: origin)

    def _more_client_keys(self, text: str) -> None:
        path: Path = ("auth", "client_keys")
        before = self._values.get(path, ())
        self._single(path, self._root.at(path), text, Origin(Layer.ENVIRONMENT, variables.CLIENT_KEY_VARIABLE))
        self._values[path] = (*before, *self._values.get(path, ()))

    # --- complaining -----------------------------------------------------------------------------------------------

    def _unknown_variable(self, variable: str) -> None:
        guess = variables.meant_by(variable, self._root)
        self._problems.append(
            Problem(
                name=variable,
                place="environment",
                message=f"{variable} stands for no setting",
                hint=f"did you mean {guess}?" if guess else "see `iflow2api config show`",
            )
        )

    def _wrong(self, path: Path, origin: Origin, message: str, hint: str = "") -> None:
        if origin.layer is Layer.FLAG:
            # A person who typed a flag knows it by that name, and its value stands in no file.
            message = message.replace(dotted(path), origin.place, 1)
            self._problems.append(Problem(name=origin.place, place="", message=message, hint=hint))
            return
        self._problems.append(Problem(name=dotted(path), place=origin.place, message=message, hint=hint))

    # --- building --------------------------------------------------------------------------------------------------

    def _build(self, spec: TableSpec, at: Path, inherited: Mapping[str, Any]) -> Any:
        made: dict[str, Any] = {}
        for name, member in spec.members.items():
            path = (*at, name)
            match member:
                case LeafSpec() if path in self._values:
                    made[name] = self._values[path]
                case LeafSpec() if name in inherited:
                    made[name] = inherited[name]
                    if ("upstream", name) in self._origins:
                        self._origins[path] = self._origins["upstream", name]
                case LeafSpec():
                    pass
                case TableSpec():
                    made[name] = self._build(member, path, {})
                case NamedSpec():
                    given = upstream_leaves(made["upstream"]) if name == "providers" else {}
                    names = self._names.get(path, ())
                    made[name] = {key: self._build(member.item, (*path, key), given) for key in names}
        return spec.cls(**made)
