from __future__ import annotations

from pathlib import Path

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.doctor.wording import mode_text, name_of, reason_of, shown
from tests.support.saved_accounts import saved_account


def test_the_home_folder_is_a_tilde_and_other_places_are_whole() -> None:
    home = Path("/home/me")

    assert shown(home / "a" / "b", home) == "~/a/b"
    assert shown(home, home) == "/home/me"
    assert shown("/etc/x", home) == "/etc/x"


def test_modes_have_four_digits() -> None:
    assert mode_text(0o100644) == "0644"


def test_an_account_is_named_with_its_provider() -> None:
    assert name_of(saved_account("ada")) == "iflow/ada@example.com"


def test_reasons_are_in_words_that_may_be_shown() -> None:
    assert reason_of(StateError("It is odd.", detail="/secret/place")) == "It is odd."
    assert reason_of(PermissionError(13, "Permission denied", "/x")) == "Permission denied"
    assert reason_of(TimeoutError()) == "it took too long"
    assert reason_of(ValueError("sk-secret")) == "ValueError"
