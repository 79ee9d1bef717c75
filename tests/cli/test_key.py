"""`key`: the group as a person and a script meet it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from iflow_cli_proxy.pool.client_key import ClientKey, digest_of
from iflow_cli_proxy.state.keys import KeyFile
from tests.support.cli import CliResult, run_cli
from tests.support.terminal import run_at_terminal

SECRET = re.compile(r"sk-i2a-[A-Za-z0-9_-]{43}")


class Ours:
    def __init__(self, folder: Path) -> None:
        self.env = {"IFLOW2API_HOME": str(folder)}
        self.folder = folder
        self.file = KeyFile(folder / "keys.toml")

    def run(self, *args: str) -> CliResult:
        return run_cli("key", *args, env=self.env)

    @property
    def kept(self) -> dict[str, ClientKey]:
        return {key.name: key for key in self.file.load().keys}


@pytest.fixture
def ours(tmp_path: Path) -> Ours:
    return Ours(tmp_path)


def test_a_new_key_is_alone_on_standard_output_and_only_its_hash_is_kept(ours: Ours) -> None:
    done = ours.run("create", "me")

    assert done.code == 0
    secret = done.out.rstrip("\n")
    assert SECRET.fullmatch(secret)
    assert ours.kept["me"].digest == digest_of(secret)
    assert secret not in ours.file.path.read_text()
    assert secret not in done.err


def test_every_limit_is_kept(ours: Ours) -> None:
    done = ours.run(
        "create", "team", "--models", "glm-*, qwen3-*", "--models", "x", "--accounts", "iflow/*", "--rpm", "60",
        "--tpm", "100000", "--concurrency", "4", "--budget", "1000000", "--per", "day", "--expires", "30d",
        "--note", "for CI", "--json",
    )  # fmt: skip

    assert done.code == 0, done.err
    shape = done.json
    assert SECRET.fullmatch(shape.pop("key"))
    created = shape.pop("created_at")
    assert shape.pop("expires_at") > created
    assert shape == {
        "name": "team",
        "origin": "keys.toml",
        "state": "ok",
        "models": ["glm-*", "qwen3-*", "x"],
        "accounts": ["iflow/*"],
        "pool": None,
        "rpm": 60,
        "tpm": 100000,
        "concurrency": 4,
        "budget": {"amount": 1000000.0, "unit": "tokens", "per": "day"},
        "revoked_at": None,
        "older_secrets_until": [],
        "note": "for CI",
    }
    assert ours.kept["team"].models == ("glm-*", "qwen3-*", "x")


def test_a_budget_in_money_says_what_counts_towards_it(ours: Ours) -> None:
    done = ours.run("create", "me", "--budget", "5usd")

    assert "Only models with a known price" in done.err
    assert str(ours.kept["me"].budget) == "5.00 usd a month"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["Team"], "no name of a key"),
        (["../x"], "no name of a key"),
        (["me", "--budget", "much"], "no budget"),
        (["me", "--per", "day"], "needs a budget"),
        (["me", "--expires", "soon"], "no moment"),
        (["me", "--pool", "gone"], "no pool called 'gone'"),
        (["me", "--note", "a\x07"], "control characters"),
        (["me", "--rpm", "-1"], ""),
        ([], ""),
    ],
)
def test_what_makes_no_sense_is_wrong_usage_and_makes_no_key(ours: Ours, args: list[str], words: str) -> None:
    done = ours.run("create", *args)

    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert not ours.file.path.exists()


def test_a_name_is_given_once(ours: Ours) -> None:
    ours.run("create", "me")
    before = ours.kept

    done = ours.run("create", "me")

    assert (done.code, done.out) == (2, "")
    assert "iflow2api key rotate me" in done.err
    assert ours.kept == before


def test_a_pool_of_the_configuration_is_taken(ours: Ours) -> None:
    (ours.folder / "config.toml").write_text('[pools.fast]\naccounts = ["iflow/*"]\n')

    assert ours.run("create", "me", "--pool", "fast").code == 0
    assert ours.kept["me"].pool == "fast"


def test_an_empty_list_says_what_to_do_next(ours: Ours) -> None:
    done = ours.run("list")

    assert (done.code, done.out) == (0, "")
    assert "iflow2api key create" in done.err
    assert ours.run("list", "--json").json == {"keys": []}


def test_the_list_shows_every_key_and_no_secret(ours: Ours) -> None:
    (ours.folder / "config.toml").write_text('[auth]\nclient_keys = ["sk-configured-0123"]\n')
    secret = ours.run("create", "me", "--rpm", "5").out.strip()

    done, shapes = ours.run("list"), ours.run("list", "--json").json["keys"]

    assert [line.split()[:4] for line in done.out.splitlines()][1:] == [
        ["me", "ok", "5", "rpm"],
        ["key", "1", "ok", "no"],
    ]
    assert [(shape["name"], shape["origin"]) for shape in shapes] == [
        ("me", "keys.toml"),
        ("key 1", "auth.client_keys"),
    ]
    assert shapes[0].keys() == shapes[1].keys()
    assert not any(word in done.out for word in (secret, "sk-configured-0123"))


def test_a_limit_misspelt_by_hand_is_told(ours: Ours) -> None:
    ours.run("create", "me")
    with ours.file.path.open("a") as out:
        out.write("rmp = 5\n")

    assert "keys.me.rmp" in ours.run("list").err


def test_one_key_is_shown_whole(ours: Ours) -> None:
    ours.run("create", "me", "--concurrency", "3", "--note", "laptop")

    done = ours.run("show", "me")

    assert re.search(r"requests at one time +3\n", done.out)
    assert "laptop" in done.out
    assert ours.run("show", "me", "--json").json["concurrency"] == 3


def test_a_name_that_is_none_is_answered_with_the_nearest(ours: Ours) -> None:
    ours.run("create", "laptop")

    for command in (["show"], ["rotate"], ["revoke", "--yes"]):
        done = ours.run(*command, "labtop")
        assert done.code == 2
        assert "did you mean laptop?" in done.err


def test_a_new_secret_ends_the_old_one_at_once_unless_it_is_given_time(ours: Ours) -> None:
    first = ours.run("create", "me").out.strip()
    second = ours.run("rotate", "me", "--grace", "1h").out.strip()
    third = ours.run("rotate", "me", "--json").json["key"]

    assert len({first, second, third}) == 3
    assert ours.kept["me"].digest == digest_of(third)
    assert ours.kept["me"].retiring == ()


def test_a_grace_is_said_and_kept(ours: Ours) -> None:
    first = ours.run("create", "me").out.strip()

    done = ours.run("rotate", "me", "--grace", "1h")

    assert "works for another 1 h" in done.err
    (old,) = ours.kept["me"].retiring
    assert old.digest == digest_of(first)
    assert len(ours.run("show", "me", "--json").json["older_secrets_until"]) == 1
    assert ours.run("rotate", "me", "--grace", "long").code == 2


def test_revoking_is_for_good(ours: Ours) -> None:
    for name in "abc":
        ours.run("create", name)

    done = ours.run("revoke", "a", "b", "--yes", "--json")

    assert done.json == {"revoked": ["a", "b"]}
    assert [shape["state"] for shape in ours.run("list", "--json").json["keys"]] == ["revoked", "revoked", "ok"]
    assert ours.run("rotate", "a").code == 2
    assert ours.run("create", "a").code == 0
    assert ours.kept["a"].revoked_at is None


def test_nobody_is_revoked_without_a_yes(ours: Ours) -> None:
    ours.run("create", "me")

    assert ours.run("revoke", "me").code == 2
    refused = run_at_terminal("key", "revoke", "me", typed="n\n", env=ours.env)
    assert (refused.code, "Nothing was revoked." in refused.err) == (1, True)
    assert ours.kept["me"].revoked_at is None
    assert run_at_terminal("key", "revoke", "me", typed="y\n", env=ours.env).code == 0
    assert ours.kept["me"].revoked_at is not None


def test_one_wrong_name_revokes_nobody(ours: Ours) -> None:
    ours.run("create", "me")

    assert ours.run("revoke", "me", "you", "--yes").code == 2
    assert ours.kept["me"].revoked_at is None


@pytest.mark.parametrize("args", [["list"], ["create", "x"], ["show", "x"], ["rotate", "x"], ["revoke", "x", "-y"]])
def test_f53_a_damaged_file_is_told_with_its_line_and_left_alone(ours: Ours, args: list[str]) -> None:
    ours.file.path.write_text("version = 1\n[keys")

    done = ours.run(*args)

    assert (done.code, done.out) == (1, "")
    assert "line 2" in done.err
    assert str(ours.file.path) in done.err
    assert ours.file.path.read_text() == "version = 1\n[keys"


def test_a_shell_offers_the_names_there_are(ours: Ours) -> None:
    ours.run("create", "laptop")
    ours.run("create", "ci")
    asked = {"COMP_WORDS": "iflow2api key rotate l", "COMP_CWORD": "3", "_IFLOW2API_COMPLETE": "complete_bash"}
    starter = "import sys; sys.argv[0] = 'iflow2api'; from iflow_cli_proxy.cli.app import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", starter],
        env={**os.environ, **ours.env, **asked},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert done.stdout.split() == ["laptop"]
