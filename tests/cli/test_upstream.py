"""`upstream`: providers by URL and key, as a person and a script meet them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import CliResult, run_cli
from tests.support.terminal import run_at_terminal

KEY = "sk-demo-00000000000000000000000000000000"
NOBODY = "http://127.0.0.1:1/v1"


class Ours:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {"IFLOW2API_HOME": str(folder), "HOME": str(folder), "IFLOW_HOME": str(folder / "none")}

    def run(self, *args: str, stdin: str = "", **environ: str) -> CliResult:
        return run_cli("upstream", *args, env={**self.env, **environ}, stdin=stdin)

    def add(self, name: str = "desk", url: str = NOBODY, *args: str, stdin: str = "", **environ: str) -> CliResult:
        return self.run("add", name, "--base-url", url, "--no-verify", *args, stdin=stdin, **environ)

    @property
    def rows(self) -> dict[str, Any]:
        return {row["name"]: row for row in self.run("list", "--json").json["upstreams"]}

    @property
    def overrides(self) -> str:
        path = self.folder / "overrides.toml"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def ours(tmp_path: Path) -> Ours:
    return Ours(tmp_path)


def test_an_upstream_is_a_table_and_its_key_an_account(ours: Ours) -> None:
    done = ours.add("desk", NOBODY, "--key", "--models", "m-1, m-2", "--json", stdin=f"{KEY}\n")

    assert done.code == 0, done.err
    assert done.json["name"] == "desk"
    assert KEY not in ours.overrides + done.out + done.err
    assert ours.rows["desk"] == {
        "name": "desk",
        "kind": "openai_compatible",
        "base_url": NOBODY,
        "origin": "overrides",
        "enabled": True,
        "accounts": 1,
        "probed_at": "",
        "probed_model": "",
        "profile": {},
    }
    models = run_cli("models", "--json", env=ours.env).json["models"]
    assert [row["id"] for row in models if row["provider"] == "desk"] == ["m-1", "m-2"]


def test_the_key_may_come_by_a_variable_or_not_at_all(ours: Ours) -> None:
    ours.add("one", IFLOW2API_UPSTREAM_API_KEY=KEY)
    ours.add("two")

    saved = [path.read_text() for path in (ours.folder / "accounts").glob("*.json")]
    assert len(saved) == 1
    assert KEY in saved[0]


def test_it_is_tried_once_and_a_failure_is_told_but_kept(ours: Ours) -> None:
    done = ours.run("add", "desk", "--base-url", NOBODY, "--json")

    assert done.code == 3
    assert done.json["verified"] is False
    assert set(done.json["error"]) == {"kind", "message", "hint"}
    assert "desk" in ours.rows


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("desk",), 2),
        (("desk", "--base-url", "127.0.0.1:1"), 2),
        (("a/b", "--base-url", NOBODY), 2),
        (("deepseek", "--base-url", NOBODY), 2),
        (("desk", "--base-url", NOBODY, "--kind", "opneai"), 1),
        (("desk", "--base-url", NOBODY, "--key"), 2),
    ],
    ids=["no url", "no scheme", "name", "preset", "kind", "empty key"],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(ours: Ours, args: tuple[str, ...], code: int) -> None:
    done = ours.run("add", *args, "--no-verify")

    assert done.code == code, done.err
    assert ours.overrides == ""
    assert not list(ours.folder.glob("accounts/*.json"))


def test_a_name_that_is_taken_is_not_taken_over(ours: Ours) -> None:
    (ours.folder / "config.toml").write_text('[providers.desk]\nbase_url = "http://127.0.0.1:2/v1"\n')

    done = ours.add("desk")

    assert done.code == 2
    assert "already" in done.err
    assert ours.rows["desk"]["origin"] == "config"


def test_removing_takes_the_table_the_accounts_and_the_profile(ours: Ours) -> None:
    ours.add("desk", NOBODY, "--key", stdin=f"{KEY}\n")
    ours.add("other")
    profile = ours.folder / "profiles" / "desk.json"
    profile.parent.mkdir()
    profile.write_text('{"version": 1, "profile": {}}')

    asked = ours.run("remove", "desk")
    done = ours.run("remove", "desk", "--yes", "--json")

    assert asked.code == 2, "nobody is there to say yes"
    assert done.code == 0
    assert len(done.json["accounts"]) == 1
    assert set(ours.rows) == {"other"}
    assert not list(ours.folder.glob("accounts/*.json"))
    assert not profile.exists()


@pytest.mark.skipif(os.name != "posix", reason="a terminal")
@pytest.mark.parametrize(("typed", "is_there"), [("n\n", True), ("y\n", False)])
def test_a_person_is_asked_before_anything_is_removed(ours: Ours, typed: str, is_there: bool) -> None:
    ours.add("desk")

    run_at_terminal("upstream", "remove", "desk", env=ours.env, typed=typed)

    assert ("desk" in ours.rows) is is_there


def test_what_the_person_wrote_is_not_ours_to_remove(ours: Ours) -> None:
    text = f'[providers.desk]\nbase_url = "{NOBODY}"\n'
    (ours.folder / "config.toml").write_text(text)

    done = ours.run("remove", "desk", "--yes")
    unknown = ours.run("remove", "nobody", "--yes")

    assert (done.code, unknown.code) == (1, 2)
    assert "enabled false" in done.err
    assert (ours.folder / "config.toml").read_text() == text


def test_an_empty_list_names_the_next_step(ours: Ours) -> None:
    done = ours.run("list")

    assert (done.code, done.out) == (0, "")
    assert "upstream add" in done.err


@pytest.mark.parametrize(("args", "code"), [(("nobody",), 2), (("desk",), 1), (("../x",), 1)])
def test_a_probe_that_cannot_begin_says_why(ours: Ours, args: tuple[str, ...], code: int) -> None:
    ours.add("desk", NOBODY, "--models", "m")

    done = ours.run("probe", *args)

    assert done.code == code, done.err
    assert "Hint" in done.err
    assert not (ours.folder / "profiles").exists()
