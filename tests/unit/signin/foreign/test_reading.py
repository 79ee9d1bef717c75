"""Entries are tried one by one: what fails is noted, the others go on."""

from __future__ import annotations

from iflow_cli_proxy.pool.saved import AuthType, SavedAccount
from iflow_cli_proxy.signin.foreign.reading import Collector, Skipped, Unusable

GOOD = SavedAccount(id="", provider="iflow", label="a", auth_type=AuthType.API_KEY)


def _bad() -> SavedAccount:
    raise Unusable("it holds no API key")


def test_an_entry_that_fails_is_skipped_with_its_reason_and_the_next_is_taken() -> None:
    found = Collector()
    found.take("b", _bad)
    found.take("a", lambda: GOOD)

    reading = found.reading()

    assert reading.accounts == (GOOD,)
    assert reading.skipped == (Skipped(name="b", reason="it holds no API key"),)


def test_a_note_is_kept_once() -> None:
    found = Collector()
    for text in ("one", "one", "", "two"):
        found.note(text)

    assert found.reading().notes == ("one", "two")
