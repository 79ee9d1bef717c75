"""The accounts of a person: which there are, which are the same, and what requests get of them."""

from __future__ import annotations

import os
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError, CredentialError, StateError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, AuthType, SavedAccount
from iflow_cli_proxy.wiring.accounts import Accounts
from iflow_cli_proxy.wiring.known import KnownAccount
from tests.support.fake_clock import FakeClock
from tests.support.fake_transport import FakeReply, FakeTransport
from tests.support.gateway import settings_from
from tests.support.wiring import (
    LATER,
    accounts,
    around,
    iflow_files,
    keep,
    new_tokens,
    on_disk,
    qwen_account,
    qwen_file,
    store,
)

KEY = "sk-0123456789abcdef"


def api_key(id: str, provider: str, key: str = KEY, **changes: object) -> SavedAccount:
    given = {"id": id, "provider": provider, "label": id, "auth_type": AuthType.API_KEY, "api_key": Secret(key)}
    return SavedAccount(**(given | changes))  # type: ignore[arg-type]


def ids(known: tuple[KnownAccount, ...]) -> list[str]:
    return [one.saved.id for one in known]


# --- which there are ----------------------------------------------------------------------------------------------


def test_ours_come_first_then_other_programs_sign_ins_then_keys(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    qwen_file(tmp_path)
    known = accounts("", tmp_path, {"IFLOW_API_KEY": KEY}).known()
    assert ids(known) == ["ada", "iflow-cli", "qwen-cli"]
    ours, key, live = known
    assert (ours.is_ours, ours.place is not None, ours.origin) == (True, True, "")
    assert (live.is_ours, live.place is not None, live.origin.endswith("oauth_creds.json")) == (False, True, True)
    assert (key.is_ours, key.place, key.origin) == (False, None, "IFLOW_API_KEY")


@pytest.mark.parametrize(
    "copy",
    [
        qwen_account(tokens=replace(qwen_account().tokens, access_token=Secret("at-of-default-0123456789"))),  # type: ignore[type-var]
        qwen_account(tokens=replace(qwen_account().tokens, refresh_token=Secret("rt-of-default-0123456789"))),  # type: ignore[type-var]
    ],
    ids=["the same bearer", "the same refresh token"],
)
def test_a_sign_in_that_is_ours_too_is_one_account(tmp_path: Path, copy: SavedAccount) -> None:
    qwen_file(tmp_path)
    keep(tmp_path, copy)
    assert ids(accounts("", tmp_path).known()) == ["ada"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["ada"]),
        ({"state": AccountState.DISABLED}, ["ada"]),
        ({"state": AccountState.NEEDS_LOGIN}, ["ada", "qwen-cli"]),
        ({"is_refused": True}, ["ada", "qwen-cli"]),
    ],
)
def test_an_imported_copy_stands_for_its_file_unless_it_is_dead(
    tmp_path: Path, changes: dict[str, object], expected: list[str]
) -> None:
    file = qwen_file(tmp_path)
    keep(tmp_path, qwen_account(imported_from=str(file), **changes))
    assert ids(accounts("", tmp_path).known()) == expected


def test_the_same_key_in_configuration_and_store_is_one_account(tmp_path: Path) -> None:
    keep(tmp_path, api_key("mine", "openrouter"))
    assert ids(accounts(f'[providers.openrouter]\napi_key = "{KEY}"\n', tmp_path).known()) == ["mine"]
    other = accounts('[providers.openrouter]\napi_key = "sk-another-0123456789"\n', tmp_path).known()
    assert ids(other) == ["mine", "openrouter"]


def test_a_local_server_is_called_without_a_key_only_while_it_has_no_account(tmp_path: Path) -> None:
    toml = "[providers.ollama]\nenabled = true\n"
    assert ids(accounts(toml, tmp_path).known()) == ["ollama"]
    keep(tmp_path, api_key("mine", "ollama"))
    assert ids(accounts(toml, tmp_path).known()) == ["mine"]


def test_a_sign_in_that_waits_for_its_first_refresh_is_known_beside_another(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    qwen_file(tmp_path, access_token="")
    known = accounts("", tmp_path).known()
    assert ids(known) == ["ada", "qwen-cli"]
    assert not known[1].is_usable(0)


def test_one_sign_in_serves_one_provider_and_the_other_hears_why_not(tmp_path: Path) -> None:
    iflow_files(tmp_path)
    it = accounts(
        '[providers.iflow]\n[providers.relay]\nkind = "iflow"\nbase_url = "https://relay.example"\n', tmp_path
    )
    (known,) = it.known()
    assert known.saved.provider == "iflow"
    assert any("relay" in finding.hint for finding in it.findings)


def test_a_damaged_file_is_found_and_the_others_are_known(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    folder = around(tmp_path)[0].accounts_dir
    (folder / "cut.json").write_text('{"id": "cut"')
    (folder / "cut.json").chmod(0o600)
    it = accounts("", tmp_path)
    assert ids(it.known()) == ["ada"]
    assert [(Path(finding.where).name, bool(finding.hint)) for finding in it.findings] == [("cut.json", True)]


def test_an_account_is_found_by_reading_again_and_not_by_looking_at_the_last_reading(tmp_path: Path) -> None:
    it = accounts("", tmp_path)
    it.known()
    keep(tmp_path, qwen_account())
    assert it.last("ada") is None
    assert it.find("ada") is not None
    assert it.last("ada") is not None
    assert it.find("nobody") is None


# --- sealed -------------------------------------------------------------------------------------------------------


def sealing(home: Path, **options: object) -> Accounts:
    paths, environ = around(home, {"IFLOW2API_PASSPHRASE": "correct horse"})
    settings = settings_from('[security]\nencrypt = "passphrase"\n')
    return Accounts(settings, paths, environ, home=home, clock=FakeClock(), **options)  # type: ignore[arg-type]


def test_sealed_accounts_open_with_the_key_and_are_known_without_it_where_nobody_saves(tmp_path: Path) -> None:
    sealing(tmp_path).store.create(qwen_account())
    (opened,) = sealing(tmp_path).known()
    assert opened.saved.bearer == qwen_account().bearer

    closed = sealing(tmp_path, opens_secrets=False)
    (known,) = closed.known()
    assert (known.saved.id, known.saved.label, known.is_ours, known.place) == ("ada", "ada", True, None)
    assert not known.saved.bearer
    assert closed.findings == ()


def test_without_the_key_of_its_settings_nothing_is_opened_at_all(tmp_path: Path) -> None:
    sealing(tmp_path).store.create(qwen_account())
    paths, environ = around(tmp_path)
    with pytest.raises(StateError) as raised:
        Accounts(settings_from('[security]\nencrypt = "passphrase"\n'), paths, environ, home=tmp_path)
    assert raised.value.hint


# --- newer credentials --------------------------------------------------------------------------------------------


def fill_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until `monkeypatch.undo()`."""

    def refuse(*_: object, **__: object) -> None:
        raise StateError("No space is left on the disk.")

    for module in ("accounts", "foreign_file"):
        monkeypatch.setattr(f"iflow_cli_proxy.state.{module}.write_private", refuse)


async def test_f51_a_credential_that_another_programs_file_does_not_take_stays_the_known_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    qwen_file(tmp_path)
    it = accounts("", tmp_path, transport=FakeTransport(new_tokens()))
    (old,) = it.known()
    fill_disk(monkeypatch)
    newer = await it.refresher.refresh("qwen-cli", seen=old.saved.bearer)
    assert newer.bearer != old.saved.bearer
    assert [one.saved.bearer for one in it.known()] == [newer.bearer]
    monkeypatch.undo()
    await it.aclose()


async def test_f51_a_credential_the_disk_does_not_take_stays_the_known_one_however_often_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, clock = keep(tmp_path, qwen_account()), FakeClock()
    it = accounts("", tmp_path, clock=clock, transport=FakeTransport(new_tokens()))
    it.known()
    fill_disk(monkeypatch)
    newer = await it.refresher.refresh("ada", seen=old.bearer)

    assert newer.bearer != old.bearer
    assert [*it.refresher.unsaved] == ["ada"]
    assert [one.saved.bearer for one in it.known()] == [newer.bearer]
    assert on_disk(tmp_path, "ada").bearer == old.bearer

    monkeypatch.undo()
    clock.advance(301)
    await it.refresher.save_unsaved()
    assert dict(it.refresher.unsaved) == {}
    assert on_disk(tmp_path, "ada").bearer == newer.bearer
    await it.aclose()


async def test_a_refresh_during_a_reading_is_not_lost_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = keep(tmp_path, qwen_account())
    it = accounts("", tmp_path)
    it.known()
    newer = replace(old, label="newer")
    reads = 0
    read = it.known

    def slow() -> tuple[KnownAccount, ...]:
        nonlocal reads
        reads += 1
        found = read()
        if reads == 1:
            store(tmp_path).change("ada", lambda _: newer)
            it.note(newer)
        return found

    monkeypatch.setattr(it, "known", slow)
    assert [one.saved.label for one in await it.read_again()] == ["newer"]
    assert reads == 2


async def test_settings_that_change_during_a_reading_are_obeyed_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = accounts("", tmp_path, {"IFLOW_API_KEY": KEY})
    read, off = it.known, settings_from("[providers.iflow]\nenabled = false\n")

    def slow() -> tuple[KnownAccount, ...]:
        found = read()
        if "iflow" in it.tables():
            it.take_up(off)
        return found

    monkeypatch.setattr(it, "known", slow)
    assert await it.read_again() == ()


async def test_listeners_hear_of_a_refresh_and_find_it_known(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    it = accounts("", tmp_path, transport=FakeTransport(new_tokens()))
    it.known()
    heard: list[bool] = []
    it.listeners.append(lambda saved: heard.append(it.last("ada").saved.bearer == saved.bearer))  # type: ignore[union-attr]
    await it.refresher.refresh("ada", seen=qwen_account().bearer)
    assert heard == [True]


# --- who is kept fresh --------------------------------------------------------------------------------------------


def test_a_keeper_looks_after_what_is_in_force_and_may_be_touched(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    keep(tmp_path, qwen_account("left", provider="our-relay"))
    iflow_files(tmp_path)  # only when its key is refused
    qwen_file(tmp_path)
    it = accounts("", tmp_path, {"OPENROUTER_API_KEY": KEY})
    it.known()
    assert [saved.id for saved, _ in it.kept_fresh()] == ["ada", "qwen-cli"]


# --- providers ----------------------------------------------------------------------------------------------------


def test_a_misspelt_provider_is_told_the_nearest_name(tmp_path: Path) -> None:
    it = accounts("", tmp_path)
    with pytest.raises(ConfigError) as raised:
        it.table("qwne")
    assert "qwen" in raised.value.hint
    assert it.sign_in("QWEN").provider == "qwen"


def test_what_a_table_that_was_taken_away_left_behind_has_a_policy_and_no_transport(tmp_path: Path) -> None:
    it = accounts("", tmp_path)
    assert it.policy("our-relay").hard_ahead_s >= 0
    with pytest.raises(ConfigError):
        it.transport("our-relay")


async def test_settings_that_cannot_be_taken_up_leave_the_old_ones(tmp_path: Path) -> None:
    it = accounts("[providers.qwen]\nenabled = false\n", tmp_path)
    models = around(tmp_path)[0].models_dir
    models.mkdir(parents=True)
    (models / "qwen.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError):
        it.take_up(settings_from(""))
    assert "qwen" not in it.tables()


# --- as requests use them -----------------------------------------------------------------------------------------


def as_account(it: Accounts, saved: SavedAccount) -> float:
    return it.as_account(KnownAccount(saved=saved)).fresh_until


def test_f57_a_clock_that_jumps_makes_nobody_wait_for_a_refresh(tmp_path: Path) -> None:
    clock = FakeClock()
    it = accounts("", tmp_path, clock=clock)
    fresh_until = as_account(it, qwen_account())
    hard_ahead_s = it.policy("qwen").hard_ahead_s
    assert fresh_until == pytest.approx(LATER - clock.now() - hard_ahead_s)
    for jump in (3600, -3600, 86_400, -86_400):
        clock.jump(jump)
        assert clock.monotonic() < fresh_until
    clock.advance(fresh_until)
    assert clock.monotonic() >= fresh_until


def test_a_bearer_that_nobody_can_renew_is_waited_for_by_nobody(tmp_path: Path) -> None:
    it = accounts("", tmp_path)
    tokens = qwen_account().tokens
    assert tokens is not None
    assert as_account(it, qwen_account(state=AccountState.NEEDS_LOGIN)) == inf
    assert as_account(it, qwen_account(tokens=replace(tokens, refresh_token=Secret()))) == inf
    assert as_account(it, qwen_account(tokens=replace(tokens, expires_at=None))) == inf
    assert as_account(it, api_key("mine", "qwen")) == inf


def test_a_short_lived_bearer_is_used_for_half_of_its_life(tmp_path: Path) -> None:
    clock = FakeClock()
    it = accounts("", tmp_path, clock=clock)
    tokens = qwen_account().tokens
    assert tokens is not None
    assert as_account(it, qwen_account(tokens=replace(tokens, expires_at=clock.now() + 10))) == 5
    assert as_account(it, qwen_account(tokens=replace(tokens, expires_at=clock.now() - 10))) == -10


def test_a_table_a_place_and_a_provider_say_how_many_at_a_time_in_this_order(tmp_path: Path) -> None:
    known = KnownAccount(saved=qwen_account(), concurrency=3)
    it = accounts("[providers.qwen]\nconcurrency = 2\n", tmp_path)
    assert it.as_account(known, default_concurrency=4).concurrency == 2
    it = accounts("", tmp_path)
    assert it.as_account(known, default_concurrency=4).concurrency == 3
    assert it.as_account(replace(known, concurrency=0), default_concurrency=4).concurrency == 4


# --- does it work -------------------------------------------------------------------------------------------------


async def test_an_account_is_verified_by_one_cheap_call(tmp_path: Path) -> None:
    listed = FakeReply(jsonx.encode({"object": "list", "data": [{"id": "m"}, {"id": "n"}]}))
    transport = FakeTransport(listed)
    it = accounts('[providers.up]\nbase_url = "http://127.0.0.1:1/v1"\n', tmp_path, transport=transport)
    verdict = await it.verify(api_key("mine", "up", base_url="http://127.0.0.1:2/v1"))
    assert (verdict.error, verdict.models) == (None, 2)
    assert [request.url for request in transport.requests] == ["http://127.0.0.1:2/v1/models"]


async def test_an_account_that_does_not_work_is_told_and_not_raised(tmp_path: Path) -> None:
    refused = FakeTransport(FakeReply(b'{"error":{"message":"no"}}', status=401))
    it = accounts('[providers.up]\nbase_url = "http://127.0.0.1:1/v1"\n', tmp_path, transport=refused)
    assert isinstance((await it.verify(api_key("mine", "up"))).error, CredentialError)
    assert isinstance((await it.verify(api_key("mine", "nobody-knows"))).error, ConfigError)


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_building_it_makes_no_file(tmp_path: Path) -> None:
    accounts("", tmp_path).known()
    assert [*tmp_path.iterdir()] == []
