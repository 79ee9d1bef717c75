from __future__ import annotations

from iflow_cli_proxy.providers.iflow.headers import ALIGNED, CLIENT_VERSION, MINIMAL, HeaderValues, fill, table

VALUES = HeaderValues(key="sk-x", session="session-1", conversation="", timestamp="1760000000123", signature="ab")


def test_the_aligned_set_is_the_clients_own_in_order_and_spelling() -> None:
    assert list(fill(table("aligned"), VALUES).items()) == [
        ("Content-Type", "application/json"),
        ("Authorization", "Bearer sk-x"),
        ("user-agent", "iFlow-Cli"),
        ("session-id", "session-1"),
        ("conversation-id", ""),
        ("x-iflow-timestamp", "1760000000123"),
        ("x-iflow-signature", "ab"),
        ("accept", "*/*"),
        ("accept-language", "*"),
        ("sec-fetch-mode", "cors"),
        ("accept-encoding", "gzip, deflate"),
    ]


def test_the_minimal_set_has_what_the_service_checks_and_no_more() -> None:
    assert list(fill(table("minimal"), VALUES)) == [
        "Content-Type",
        "Authorization",
        "user-agent",
        "session-id",
        "x-iflow-timestamp",
        "x-iflow-signature",
    ]
    assert table("minimal") is MINIMAL
    assert CLIENT_VERSION in ALIGNED


def test_without_a_key_nothing_is_signed() -> None:
    values = HeaderValues(key=None, session="s", conversation="c", timestamp=None, signature=None)
    for name in ("aligned", "minimal"):
        filled = fill(table(name), values)
        assert not {"Authorization", "x-iflow-timestamp", "x-iflow-signature"} & set(filled)
        assert filled["session-id"] == "s"
