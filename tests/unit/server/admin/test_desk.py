from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import InvalidRequest, Unauthenticated
from iflow_cli_proxy.server.admin import passwords
from iflow_cli_proxy.server.admin.desk import Desk
from iflow_cli_proxy.server.admin.passwords import hash_of, is_right
from iflow_cli_proxy.state.admin_file import AdminFile, PasswordHash
from tests.support.patience import PATIENCE_S, until
from tests.support.shell import shell_state
from tests.support.wiring import services


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = services("", tmp_path)
    desk = Desk(shell_state(), made)
    await desk.open()
    yield desk
    await made.aclose()


async def test_the_first_run_has_a_token_until_there_is_a_password(desk: Desk) -> None:
    token = desk.setup_token.reveal()
    assert len(token) >= 32

    with pytest.raises(InvalidRequest):
        await desk.set_first_password(token + "x", "correct horse battery", "a")
    await desk.set_first_password(token, "correct horse battery", "a")

    assert not desk.setup_token
    await desk.check_password("correct horse battery", "a")
    with pytest.raises(InvalidRequest) as raised:
        await desk.set_first_password("", "correct horse battery", "b")
    assert raised.value.code == "set_up_already"


async def test_a_new_process_has_another_token_and_none_with_a_password(desk: Desk) -> None:
    other = Desk(desk.state, desk.services)
    await other.open()
    assert other.setup_token != desk.setup_token

    AdminFile(desk.services.admin_file).save(hash_of("correct horse battery"))
    await other.open()
    assert not other.setup_token


async def test_before_the_first_run_no_password_is_right(desk: Desk) -> None:
    with pytest.raises(InvalidRequest) as raised:
        await desk.check_password("", "a")
    assert raised.value.code == "setup_needed"


async def test_who_signs_in_with_a_new_password_at_once_stays_signed_in(desk: Desk) -> None:
    AdminFile(desk.services.admin_file).save(hash_of("another good phrase"))
    await desk.check_password("another good phrase", "a")
    session = desk.sessions.begin()[1]
    await desk.look()

    assert not session.is_ended


async def test_what_the_terminal_does_ends_everything_and_what_we_do_is_no_news(desk: Desk) -> None:
    await desk.set_first_password(desk.setup_token.reveal(), "correct horse battery", "a")
    session = desk.sessions.begin()[1]
    await desk.look()
    assert not session.is_ended

    AdminFile(desk.services.admin_file).save(hash_of("another good phrase"))
    await desk.look()

    assert session.is_ended
    with pytest.raises(Unauthenticated):
        await desk.check_password("correct horse battery", "a")


async def test_a_password_that_changes_while_it_is_compared_opens_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.set_first_password(desk.setup_token.reveal(), "correct horse battery", "a")
    compares, is_changed = threading.Event(), threading.Event()

    def slowly(given: str, kept: PasswordHash | None) -> bool:
        compares.set()
        assert is_changed.wait(PATIENCE_S)
        return is_right(given, kept)

    monkeypatch.setattr(passwords, "is_right", slowly)
    asked = asyncio.ensure_future(desk.check_password("correct horse battery", "a"))
    await until(compares.is_set)
    await desk.set_password("another good phrase", instead_of=desk._file.stamp())
    is_changed.set()

    with pytest.raises(Unauthenticated):
        await asked


async def test_a_look_at_the_moment_of_a_change_of_ours_ends_nothing(desk: Desk) -> None:
    await desk.set_first_password(desk.setup_token.reveal(), "correct horse battery", "a")
    looks = [asyncio.ensure_future(desk.look()) for _ in range(3)]
    await desk.set_password("another good phrase", instead_of=desk._file.stamp())
    session = desk.sessions.begin()[1]
    await asyncio.gather(*looks, desk.look())

    assert not session.is_ended
