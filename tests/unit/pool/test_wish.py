"""What an attempt wants, when it says only the least."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.pool.wish import Wish


def test_a_wish_needs_no_more_than_a_provider() -> None:
    wish = Wish(provider="p")
    assert (wish.model, wish.session, wish.allowed, wish.tokens) == ("", "", None, 0)


def test_a_wish_never_changes() -> None:
    with pytest.raises(AttributeError):
        Wish(provider="p").model = "glm-5"  # type: ignore[misc]
