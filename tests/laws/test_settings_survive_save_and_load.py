"""Settings written as TOML, or leaf by leaf as environment variables, load as the same settings."""

import random
import string
from typing import Any, Literal, get_args, get_origin

import pytest
import tomli_w

from iflow_cli_proxy.config import values
from iflow_cli_proxy.config.leaf import LeafSpec, NamedSpec, TableSpec, spec_of
from iflow_cli_proxy.config.listing import differences, tree_of
from iflow_cli_proxy.config.load import ConfigText, load
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.config.template import toml_value
from iflow_cli_proxy.config.variables import variable_of

SEEDS = range(150)
ALPHABET = string.ascii_letters + string.digits + " .-_*/:@\"'\\#=[]{}…你\U0001f600"
URLS = ("http://h/v1", "https://me:w%40rd@host:8443", "http://[::1]:9801/v1")
NAMES = ("desk", "iflow", "llama-cpp", "a_b", "x0")


def text(rng: random.Random) -> str:
    return "".join(rng.choices(ALPHABET, k=rng.randint(1, 12)))


def any_value(rng: random.Random, depth: int = 0) -> Any:
    choices: list[Any] = [rng.random(), rng.randint(-(2**40), 2**40), text(rng), rng.random() < 0.5]
    if depth < 2:
        choices += [[any_value(rng, 2)], {text(rng): any_value(rng, depth + 1)}]
    return rng.choice(choices)


def raw_for(rng: random.Random, spec: LeafSpec, hint: Any) -> Any:
    kind = get_origin(hint) or hint
    if kind is Literal:
        return rng.choice(get_args(hint))
    if hint is bool:
        return rng.random() < 0.5
    if hint is int or hint is float:
        low, high = int(spec.note.low or 0), int(spec.note.high or 2**40)
        return rng.randint(low + 1, high) if hint is int else rng.uniform(low, high)
    if hint is object:
        return any_value(rng)
    if kind is tuple:
        return [raw_for(rng, spec, get_args(hint)[0]) for _ in range(rng.randint(0, 3))]
    if values.is_table(hint):
        return {text(rng): raw_for(rng, spec, get_args(hint)[1]) for _ in range(rng.randint(0, 3))}
    if len(get_args(hint)) > 1:
        return raw_for(rng, spec, rng.choice(get_args(hint)))
    return rng.choice(URLS) if spec.note.is_url else text(rng)


def fitting(rng: random.Random, spec: LeafSpec) -> Any:
    """A random value that the setting accepts, or its default when luck is out."""
    for _ in range(20):
        raw = raw_for(rng, spec, spec.type)
        try:
            values.typed(spec, raw)
        except values.Mismatch:
            continue
        return raw
    return values.plain(spec.default, reveal=True)


def random_tree(rng: random.Random, table: TableSpec, share: float) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, member in table.members.items():
        match member:
            case LeafSpec() if rng.random() < share:
                made[name] = fitting(rng, member)
            case TableSpec():
                made[name] = random_tree(rng, member, share)
            case NamedSpec():
                made[name] = {key: random_tree(rng, member.item, share) for key in rng.sample(NAMES, rng.randint(0, 3))}
            case _:
                pass
    return made


def same(one: Settings, other: Settings) -> bool:
    return one == other and not differences(one, other)


@pytest.mark.parametrize("seed", SEEDS)
def test_settings_survive_save_and_load(seed: int) -> None:
    rng = random.Random(seed)
    tree = random_tree(rng, spec_of(Settings), rng.choice((0.2, 0.6, 1.0)))
    settings, _ = load(config=ConfigText(f"seed {seed}", tomli_w.dumps(tree)))

    saved = tomli_w.dumps(tree_of(settings, reveal=True))
    again, _ = load(config=ConfigText(f"seed {seed}", saved))

    assert same(again, settings), f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_variable_says_the_same_as_the_file(seed: int) -> None:
    rng = random.Random(seed)
    path, spec = rng.choice(list(spec_of(Settings).leaves()))
    raw = fitting(rng, spec)
    tree: Any = raw
    for key in reversed(path):
        tree = {key: tree}
    written = raw if isinstance(raw, str) else toml_value(raw)

    by_file, _ = load(config=ConfigText(f"seed {seed}", tomli_w.dumps(tree)))
    by_variable, _ = load(environ={variable_of(path): written})

    assert same(by_file, by_variable), f"seed {seed}: {variable_of(path)}={written}"


def test_the_random_trees_reach_every_setting() -> None:
    seen: set[tuple[str, ...]] = set()
    for seed in SEEDS:
        rng = random.Random(seed)
        tree = random_tree(rng, spec_of(Settings), rng.choice((0.2, 0.6, 1.0)))
        settings, _ = load(config=ConfigText(f"seed {seed}", tomli_w.dumps(tree)))
        seen |= set(differences(Settings(), settings))

    missing = [path for path, _ in spec_of(Settings).leaves() if not any(each[: len(path)] == path for each in seen)]
    assert missing == []
