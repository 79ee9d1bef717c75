from __future__ import annotations

import re
import time

import pytest

from iflow_cli_proxy.core.events import Delta, PartKind, PartStarted
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.core.tool_names import NamesRestored, new_id, new_names

GOOD = re.compile(r"[A-Za-z0-9_-]{1,64}")
LONG = "mcp__a_server_with_a_long_name__" + "look_for_everything_there_is_" * 3


def test_names_that_can_stay_stay() -> None:
    assert new_names(["read_file", "a-b", "x" * 64], 64) == {}


@pytest.mark.parametrize("name", [LONG, "files.read", "读文件", "a b", "", "x" * 65, "\ud800"])
def test_every_other_name_becomes_a_good_one_and_always_the_same(name: str) -> None:
    (new,) = new_names([name], 64).values()

    assert GOOD.fullmatch(new)
    assert new_names(["other", name, name], 64) == {name: new}


def test_names_that_begin_alike_are_told_apart() -> None:
    changed = new_names([LONG + "a", LONG + "b", "files.read", "files_read", "files read"], 64)

    assert len(set(changed.values()) | {"files_read"}) == 5
    assert all(len(new) <= 64 for new in changed.values())


def test_answers_bear_the_names_that_the_client_knows() -> None:
    changed = new_names([LONG], 64)
    called = PartStarted(part=0, kind=PartKind.TOOL_CALL, id="1", name=changed[LONG])
    other = PartStarted(part=1, kind=PartKind.TOOL_CALL, id="2", name="other")

    first, *rest = run(NamesRestored(changed), [called, Delta(part=0, text="{}"), other])

    assert isinstance(first, PartStarted)
    assert first.name == LONG
    assert rest == [Delta(part=0, text="{}"), other]


@pytest.mark.parametrize("call_id", ["call_1", "toolu_01ABC", "read_file_1730_1", ""])
def test_good_ids_stay(call_id: str) -> None:
    assert new_id(call_id) == call_id


@pytest.mark.parametrize("call_id", ["a:b", "functions.read:0", "x" * 65, "日本"])
def test_odd_ids_become_good_ones_that_differ(call_id: str) -> None:
    assert GOOD.fullmatch(new_id(call_id))
    assert new_id(call_id) == new_id(call_id) != new_id(call_id + "1")


def test_l10_twenty_thousand_odd_names_are_no_work_to_speak_of() -> None:
    began_at = time.process_time()
    changed = new_names([f"a.b{number}" for number in range(20_000)], 64)

    assert len(set(changed.values())) == 20_000
    assert time.process_time() - began_at < 1.0
