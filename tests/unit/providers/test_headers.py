from __future__ import annotations

from iflow_cli_proxy.providers.headers import overlaid


def test_an_extra_header_replaces_its_namesake_in_any_case() -> None:
    own = {"Content-Type": "application/json", "user-agent": "ours"}
    assert list(overlaid(own, {"User-Agent": "mine", "x-new": "1"}).items()) == [
        ("Content-Type", "application/json"),
        ("User-Agent", "mine"),
        ("x-new", "1"),
    ]


def test_without_extras_the_order_stays_and_the_original_is_not_shared() -> None:
    own = {"b": "1", "a": "2"}
    made = overlaid(own, {})
    assert list(made) == ["b", "a"]
    assert made is not own
