from __future__ import annotations

import random
import tomllib
from contextlib import suppress
from math import inf

import pytest

from iflow_cli_proxy.pool.client_key import Budget, ClientKey, Retiring, digest_of
from iflow_cli_proxy.state.key_entries import (
    BadKeys,
    KeyText,
    check_globs,
    check_name,
    check_note,
    parse_keys,
    render_keys,
)

DIGEST = "sha256:" + "ab" * 32
FULL = ClientKey(
    name="team",
    digest=digest_of("new"),
    retiring=(Retiring(digest=digest_of("old"), until=1_800_000_100.0),),
    models=("glm-*", "qwen3-*"),
    accounts=("iflow/*",),
    pool="fast",
    rpm=60,
    tpm=100_000,
    concurrency=4,
    budget=Budget(amount=2.5, unit="usd", per="day"),
    created_at=1_800_000_000.0,
    expires_at=1_900_000_000.0,
    revoked_at=1_850_000_000.0,
    is_disabled=True,
    note='a "note" # with = signs',
)


def text(fields: str, *, name: str = "team", top: str = "version = 1") -> bytes:
    return f'{top}\n\n[keys.{name}]\ndigest = "{DIGEST}"\n{fields}\n'.encode()


def written(*keys: ClientKey) -> bytes:
    return render_keys(KeyText(tree={}), {key.name: key for key in keys})


@pytest.mark.parametrize("key", [FULL, ClientKey(name="0", digest=digest_of("x"), created_at=1.0)])
def test_what_is_written_is_read_again(key: ClientKey) -> None:
    assert parse_keys(written(key)).keys == (key,)


def test_limits_that_are_none_are_not_written_down() -> None:
    tree = tomllib.loads(written(ClientKey(name="plain", digest=digest_of("x"))).decode())

    assert set(tree["keys"]["plain"]) == {"digest", "created_at"}


def test_i40_no_note_can_add_settings_of_its_own() -> None:
    evil = "\"'''[admin]password=\"\"\\"
    again = parse_keys(written(ClientKey(name="a", digest=digest_of("x"), note=evil)))

    assert [key.note for key in again.keys] == [evil]
    assert set(again.tree) == {"version", "keys"}


def test_fields_that_are_not_known_are_kept_and_named() -> None:
    data = text("rmp = 5\n[keys.team.later]\nx = 1\n[else]\ny = 2", top="version = 1\ncolour = 3")
    read = parse_keys(data)

    assert read.unknown == ("colour", "else", "keys.team.rmp", "keys.team.later")
    tree = tomllib.loads(render_keys(read, {"team": FULL, "next": ClientKey(name="next", digest=b"n" * 32)}).decode())
    assert (tree["colour"], tree["else"]) == (3, {"y": 2})
    assert (tree["keys"]["team"]["rmp"], tree["keys"]["team"]["later"]) == (5, {"x": 1})
    assert tree["keys"]["team"]["rpm"] == 60
    assert list(tree["keys"]) == ["team", "next"]


def test_what_a_key_no_longer_has_is_taken_out_of_its_table() -> None:
    read = parse_keys(written(FULL))
    plain = ClientKey(name="team", digest=FULL.digest, created_at=FULL.created_at)

    assert parse_keys(render_keys(read, {"team": plain})).keys == (plain,)


def test_an_empty_budget_of_tokens_and_one_in_whole_dollars_are_understood() -> None:
    assert parse_keys(text('budget = { tokens = 5, per = "day" }')).keys[0].budget == Budget(amount=5, per="day")
    assert parse_keys(text('budget = { usd = 5, per = "month" }')).keys[0].budget == Budget(amount=5, unit="usd")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ("rpm = 0", "keys.team.rpm has to be a whole number above 0"),
        ("rpm = -1", "keys.team.rpm"),
        ("tpm = 1.5", "keys.team.tpm"),
        ("concurrency = true", "keys.team.concurrency"),
        ('concurrency = "4"', "keys.team.concurrency"),
        ("models = []", "keys.team.models is empty"),
        ('models = "glm-*"', "keys.team.models has to be a list"),
        ('accounts = [" x"]', "keys.team.accounts"),
        ("accounts = [1]", "keys.team.accounts"),
        ('pool = ""', "keys.team.pool"),
        ("budget = 5", "keys.team.budget"),
        ("budget = { tokens = 5 }", "keys.team.budget"),
        ('budget = { tokens = 5, per = "week" }', "keys.team.budget"),
        ('budget = { tokens = 5, usd = 1.0, per = "day" }', "keys.team.budget"),
        ('budget = { tokens = true, per = "day" }', "keys.team.budget"),
        ('budget = { usd = nan, per = "day" }', "keys.team.budget"),
        ('budget = { usd = inf, per = "day" }', "keys.team.budget"),
        ('budget = { tokens = -5, per = "day" }', "keys.team.budget"),
        ('expires_at = "2027-01-01"', "keys.team.expires_at has to be a moment"),
        ("expires_at = 2027-01-01", "keys.team.expires_at"),
        ("revoked_at = false", "keys.team.revoked_at"),
        ("disabled = 1", "keys.team.disabled"),
        ('note = "a\\u0007b"', "keys.team.note may hold no control characters"),
        ("note = 5", "keys.team.note"),
        ("retiring = 5", "keys.team.retiring"),
    ],
)
def test_a_limit_that_is_not_understood_is_never_taken_for_none(fields: str, words: str) -> None:
    with pytest.raises(BadKeys) as raised:
        parse_keys(text(fields))

    assert words in str(raised.value)
    assert str(raised.value).endswith("(line 5)")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it does not begin with version = 1"),
        (b"version = true", "version"),
        (b"version = 1\nkeys = 5", "keys is no table (line 2)"),
        (b"version = 1\n[[keys]]", "keys is no table"),
        (b"version = 1\n\n[keys]\nteam = 5", "keys.team is no table (line 4)"),
        (b"version = 1\n[keys.team]\n", "keys.team.digest has to be sha256: and 64 hex digits (line 2)"),
        (b'version = 1\n[keys.team]\ndigest = "sha256:AB"', "(line 3)"),
        (b"version = 2", "it was written by a newer iflow2api"),
        (b"version = 1\n[keys", "it is not TOML (line 2)"),
        (b"version = 1\nx = \xff", "it is not UTF-8 (line 2)"),
        (b"version = 1\nx = " + b"[" * 100_000, "it"),
        (text("", name='"../x"'), "keys.(?) is no name of a key"),
        (text("", name="Team"), "keys.Team is no name of a key"),
        (text(f'[keys.two]\ndigest = "{DIGEST}"'), "keys.two.digest is that of team too (line 6)"),
    ],
)  # fmt: skip
def test_f53_a_damaged_text_is_told_with_its_line(data: bytes, words: str) -> None:
    with pytest.raises(BadKeys) as raised:
        parse_keys(data)

    assert words in str(raised.value)


def test_nothing_of_a_damaged_text_shows_in_what_is_said_of_it() -> None:
    for data in (
        b'version = 1\nsecret = "sk-i2a-oops',
        text('note = "sk-i2a-oops\\u0000"'),
        text('pool = ["sk-i2a-oops"]'),
    ):
        with pytest.raises(BadKeys) as raised:
            parse_keys(data)
        assert "oops" not in str(raised.value)


def test_a_moment_without_a_zone_is_of_utc() -> None:
    assert parse_keys(text("expires_at = 1970-01-02T00:00:00")).keys[0].expires_at == 86_400.0
    assert parse_keys(text("")).keys[0].expires_at == inf


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "a\\b", ".", "", "x" * 300, "a\0", "-a", "gl\u0131m", "%2e%2e", "a b", "Team", "a\n"]
)
def test_i39_a_name_that_could_mean_something_else_is_no_name(name: str) -> None:
    assert check_name(name)
    assert not check_name("team-1_b")


@pytest.mark.parametrize("note", ["a\nb", "\x1b[31m", "\x85", "a\u2028b", "\u202eabc", "\x7f", "x" * 501])
def test_i40_a_note_with_control_characters_is_refused(note: str) -> None:
    assert check_note(note)
    assert not check_note("Grüße, 团队 'x' \"y\"")


@pytest.mark.parametrize("globs", [("",), (" a",), ("a\n",), ("x" * 501,), ("a",) * 201])
def test_a_list_that_could_fit_nothing_is_refused(globs: tuple[str, ...]) -> None:
    assert check_globs(globs)
    assert not check_globs(("glm-*", "a/[b]"))


def test_no_secret_stands_in_the_text() -> None:
    assert not any(secret in written(FULL) for secret in (b"new", b"old"))


def test_a_text_with_any_byte_changed_is_read_or_refused() -> None:
    chance, whole = random.Random(4), written(FULL)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with suppress(BadKeys):
            assert len(parse_keys(bytes(data)).keys) <= 1


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
def test_a_moment_beyond_the_calendar_is_told_and_not_met_later(moment: str) -> None:
    with pytest.raises(BadKeys, match="no moment that can be reckoned with"):
        parse_keys(text(f"expires_at = {moment}"))
