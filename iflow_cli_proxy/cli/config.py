"""`iflow2api config`: look at the settings, change one, find out where a value comes from."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from iflow_cli_proxy.cli.output import ExitCode, ask, print_json, print_table, print_text, report, say
from iflow_cli_proxy.cli.session import ConfigOption, JsonOption, Session, session

if TYPE_CHECKING:
    from iflow_cli_proxy.config.leaf import LeafSpec
    from iflow_cli_proxy.config.leaf import Path as Name
    from iflow_cli_proxy.config.origin import Origin, Problem
    from iflow_cli_proxy.core.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Look at the settings and change them.")


def _names_beginning(incomplete: str) -> list[str]:
    """What a shell offers for the name of a setting."""
    from iflow_cli_proxy.config.leaf import spec_of
    from iflow_cli_proxy.config.origin import dotted
    from iflow_cli_proxy.config.schema import Settings

    names = [dotted(name) for name, _ in spec_of(Settings).leaves()]
    return [name for name in names if name.startswith(incomplete)]


RevealOption: TypeAlias = Annotated[bool, typer.Option("--reveal", help="Show secrets in full.")]
NameArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="NAME", help="As in server.port.", autocompletion=_names_beginning)
]


@app.command()
def init(
    ctx: typer.Context,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    to_stdout: Annotated[bool, typer.Option("--print", help="Print the file instead of writing it.")] = False,
) -> None:
    """Write a config.toml in which every setting is explained and none is set."""
    from iflow_cli_proxy.config.template import template
    from iflow_cli_proxy.core.errors import ConfigError
    from iflow_cli_proxy.state.atomic import write_private

    if to_stdout:
        print_text(template().rstrip("\n"))
        return
    path = session(ctx, config).paths().config_file
    if path.exists() or path.is_symlink():
        raise ConfigError(
            "There is a config file already, and it stays as it is.",
            detail=str(path),
            hint="iflow2api config init --print",
        )
    write_private(path, template().encode())
    if as_json:
        print_json({"written": str(path)})
    else:
        print_text(str(path))
        say("Written. Open it in an editor; a running gateway takes up changes by itself.")


@app.command()
def path(
    ctx: typer.Context,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    show_all: Annotated[bool, typer.Option("--all", help="Show all files and folders.")] = False,
) -> None:
    """Print where config.toml is, as in `$EDITOR "$(iflow2api config path)"`."""
    import dataclasses

    paths = session(ctx, config).paths()
    named = {name: str(value) for name, value in dataclasses.asdict(paths).items()}
    if as_json:
        print_json(named)
    elif show_all:
        print_table(["what", "where"], named.items())
    else:
        print_text(named["config_file"])


@app.command()
def show(
    ctx: typer.Context,
    config: ConfigOption = None,
    show_origins: Annotated[bool, typer.Option("--origins", help="Say where each value comes from.")] = False,
    reveal: RevealOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show every setting with the value in force."""
    from iflow_cli_proxy.config.listing import entries, tree_of
    from iflow_cli_proxy.config.origin import dotted
    from iflow_cli_proxy.config.template import toml_value

    settings, origins = session(ctx, config).load()
    listed = list(entries(settings, reveal=reveal))
    if as_json:
        places = {dotted(entry.path): str(origins.of(entry.path)) for entry in listed}
        print_json({"settings": tree_of(settings, reveal=reveal), "origins": places})
        return
    rows = [[dotted(entry.path), toml_value(entry.value), str(origins.of(entry.path))] for entry in listed]
    width = 3 if show_origins else 2
    print_table(["setting", "value", "from"][:width], [row[:width] for row in rows], words=("from",))
    idle = dict.fromkeys(dotted(entry.path) for entry in listed if not entry.spec.note.is_in_effect)
    if idle:
        say(f"Not in effect yet: {', '.join(idle)}.", "dim")


@app.command()
def get(
    ctx: typer.Context,
    name: NameArgument,
    config: ConfigOption = None,
    reveal: RevealOption = False,
    as_json: JsonOption = False,
) -> None:
    """Print the value of one setting, or of a whole table."""
    from iflow_cli_proxy.config.listing import tree_of
    from iflow_cli_proxy.config.names import find_setting
    from iflow_cli_proxy.config.origin import dotted
    from iflow_cli_proxy.config.template import toml_value

    found, _ = find_setting(name)
    settings, origins = session(ctx, config).load()
    value = _value_at(tree_of(settings, reveal=reveal, is_complete=True), found)
    if as_json:
        print_json({"name": dotted(found), "value": value, "origins": [str(origin) for origin in origins.under(found)]})
    else:
        print_text(value if isinstance(value, str) else toml_value(value))


@app.command("set")
def set_value(
    ctx: typer.Context,
    name: NameArgument,
    value: Annotated[
        str | None, typer.Argument(metavar="VALUE", help="Left out: asked for, or read from a pipe.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change one setting in overrides.toml, after checking what would come of it."""
    from iflow_cli_proxy.config import values
    from iflow_cli_proxy.config.names import find_leaf, type_of_entry
    from iflow_cli_proxy.config.origin import dotted
    from iflow_cli_proxy.core.errors import ConfigError
    from iflow_cli_proxy.wiring.saving import save_settings, was_wrong_before

    opened = session(ctx, config)
    paths = opened.paths()
    found, spec = find_leaf(name)
    text = _text_for(found, spec, value)
    raw = values.from_text(type_of_entry(found, spec), text)

    try:
        _refuse_mismatch(found, spec, raw)
        save_settings(opened.sources(), opened.paths(), [(found, raw)], before=lambda: _make_true(found, raw, opened))
    except ConfigError as error:
        if was_wrong_before(error):
            raise
        report(error)
        raise typer.Exit(ExitCode.USAGE) from None
    origins = opened.load()[1].under(found)
    if as_json:
        print_json(
            {"name": dotted(found), "written": str(paths.overrides_file), "origins": [str(each) for each in origins]}
        )
    else:
        _say_what_follows(found, origins)


@app.command()
def validate(ctx: typer.Context, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check the files and the environment, and report every mistake at once."""
    import dataclasses

    from iflow_cli_proxy.core.errors import ConfigError
    from iflow_cli_proxy.wiring.checking import checked

    opened = session(ctx, config)
    try:
        settings, _ = opened.load()
        checked(settings, opened.paths(), opened.environ)
    except ConfigError as error:
        if as_json:
            print_json({"valid": False, "problems": [dataclasses.asdict(problem) for problem in _problems(error)]})
            raise typer.Exit(ExitCode.FAILED) from None
        raise
    if as_json:
        print_json({"valid": True, "problems": []})
    else:
        say(f"{opened.paths().config_file} and all other sources are fine.")


def _problems(error: ConfigError) -> Sequence[Problem]:
    """Each mistake; what only shows when everything is put together is one, and stands in no single place."""
    from iflow_cli_proxy.config.origin import InvalidConfig, Problem

    if isinstance(error, InvalidConfig):
        return error.problems
    return [Problem(name=error.param or "", place="", message=error.message, hint=error.hint)]


def _value_at(tree: Any, name: Name) -> Any:
    from iflow_cli_proxy.config.origin import dotted
    from iflow_cli_proxy.core.errors import ConfigError

    for key in name:
        if not isinstance(tree, dict) or key not in tree:
            raise ConfigError(
                f"{dotted(name)} is not set.", hint="iflow2api config show lists what is", param=dotted(name)
            )
        tree = tree[key]
    return tree


def _text_for(name: Name, spec: LeafSpec, given: str | None) -> str:
    """The text of the new value; a secret is never taken from the command line, where `ps` shows it."""
    from iflow_cli_proxy.config.origin import dotted
    from iflow_cli_proxy.config.values import is_secret
    from iflow_cli_proxy.core.errors import ConfigError

    if given is not None and is_secret(spec):
        raise ConfigError(
            "A secret on the command line could be read by others in the list of processes; nothing was changed.",
            hint=f"iflow2api config set {dotted(name)}, which asks for it or reads it from a pipe",
            param="--value",
        )
    if given is not None:
        return given
    if sys.stdin.isatty():
        return ask(dotted(name), is_secret=is_secret(spec))
    return sys.stdin.readline().rstrip("\r\n")


def _refuse_mismatch(name: Name, spec: LeafSpec, raw: object) -> None:
    from iflow_cli_proxy.config import values
    from iflow_cli_proxy.config.origin import dotted
    from iflow_cli_proxy.core.errors import ConfigError

    if name[-1] != spec.name:
        return  # one entry of a table: the check of the whole file judges it
    try:
        values.typed(spec, raw)
    except values.Mismatch as error:
        raise ConfigError(
            f"{dotted(name)} takes {error}; nothing was changed.",
            hint=f"iflow2api config get {dotted(name)} shows the value in force",
            param=dotted(name),
        ) from None


def _make_true(name: Name, value: object, opened: Session) -> None:
    """What must have happened before a setting that is fine may be saved."""
    if name != ("security", "encrypt"):
        return
    from iflow_cli_proxy.cli.encrypting import move_accounts

    settings, _ = opened.load()
    count = move_accounts(settings.security.encrypt, str(value), opened.paths().accounts_dir, opened.environ)
    say(f"{count} account files were rewritten." if count else "No account file had to change.")


def _say_what_follows(name: Name, origins: list[Origin]) -> None:
    from iflow_cli_proxy.config.listing import needs_restart
    from iflow_cli_proxy.config.origin import Layer, dotted

    say(f"Saved {dotted(name)}.")
    for origin in origins:
        if origin.layer is Layer.ENVIRONMENT:
            say(f"{origin} in the environment still wins here.", "yellow")
    if needs_restart(name):
        say("A running gateway takes this up at its next start.", "yellow")
