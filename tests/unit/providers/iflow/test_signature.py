# ruff: noqa: E501 -- vectors
from __future__ import annotations

import pytest

from iflow_cli_proxy.providers.iflow.signature import sign

AGENT, SESSION, KEY = "iFlow-Cli", "session-3f1b5c1e-8c6e-4a9b-9d1f-0a2b3c4d5e6f", "sk-0123456789abcdef0123456789abcdef"

VECTORS = [
    (AGENT, "session-123", 1700000000000, "sk-test-key", "58c53cca7a2e841bed7cd0e9d89d519b04ac2b16414480e86430ceddde6d4547"),
    ("", "session-123", 1700000000000, "sk-test-key", "447cc85c4958d3d088ca905b2fd5cc0e883c6e22d61c308bf838b46048451353"),
    (AGENT, SESSION, 1760000000123, KEY, "3147ddea688209da564555f5292070bb53021f08d857febdd499d90124490094"),
    (AGENT, "", 1760000000123, KEY, "360cb5c7d72aaf6f13fdb47cc49e7a5fbbe3d5c05b3f656d53b1228167d92222"),
    (AGENT, "3f1b5c1e8c6e4a9b9d1f0a2b3c4d5e6f", 1760000000123, KEY, "dc323c3a750579d1849d20ee03949a7f8a926223ae82c1e6b7ee9dc9308b9150"),
    (AGENT, SESSION, 1760000000123, "sk-" + "k" * 80, "a5643b076f850bc7f27b68276ff6d696ed2e235a074921def15384bdde22a6bc"),
    (AGENT, "session-123", 1700000000000, "sk-密钥-✓", "1e23e2419fbb4e63939d45fcd65bedd68d3bc8ab23c4ed002bd8d95fd4fded34"),
    # Mistakes whose result is known, so that each can be recognised.
    (AGENT, SESSION, 1760000000, KEY, "f9c3085a1b4c5a3cfd57c68b884ea8db869a31d1d6cd33dc5343a525bf786fbc"),
    ("iflow-cli", "session-123", 1700000000000, "sk-test-key", "50aa6fd839a23a5edd018c16a634e2d4a3379f7d493986ff7c6f6adc307b6f00"),
]  # fmt: skip


@pytest.mark.parametrize(("agent", "session", "timestamp", "key", "signature"), VECTORS)
def test_the_vectors_of_the_reference_come_out(
    agent: str, session: str, timestamp: int, key: str, signature: str
) -> None:
    assert sign(key, agent, session, timestamp) == signature
    assert sign(key, agent, session, str(timestamp)) == signature


def test_a_stray_space_around_the_key_does_not_change_the_signature() -> None:
    with_space = sign("sk-test-key ", AGENT, "session-123", 1700000000000)
    untrimmed = "865d358255456533ea8be5c6210ef4f4b427f3bd258a245bfd6d6bcd70327cd9"
    assert with_space == VECTORS[0][4]
    assert with_space != untrimmed
    assert sign("\tsk-test-key\r\n", AGENT, "session-123", 1700000000000) == VECTORS[0][4]
