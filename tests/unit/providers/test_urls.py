from __future__ import annotations

import pytest

from iflow_cli_proxy.providers import urls


@pytest.mark.parametrize(
    ("base_url", "joined"),
    [
        ("http://desk:1/v1", "http://desk:1/v1/chat/completions"),
        ("http://desk:1/v1/", "http://desk:1/v1/chat/completions"),
        ("http://desk:1/v1//", "http://desk:1/v1/chat/completions"),
        ("http://desk:1", "http://desk:1/chat/completions"),
        (" http://desk:1/v1 ", "http://desk:1/v1/chat/completions"),
        ("http://desk:1/v1/chat/completions", "http://desk:1/v1/chat/completions"),
        ("http://desk:1/v1/chat/completions/", "http://desk:1/v1/chat/completions"),
        ("http://desk:1/o/d?api-version=2", "http://desk:1/o/d/chat/completions?api-version=2"),
    ],
)
def test_a_base_url_is_trimmed_and_nothing_else(base_url: str, joined: str) -> None:
    assert urls.join(base_url, urls.CHAT) == joined
