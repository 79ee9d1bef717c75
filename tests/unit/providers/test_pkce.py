from __future__ import annotations

import os
import re

import pytest

from iflow_cli_proxy.providers import pkce

VECTORS = [
    ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
    ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "6oZqdX5MOLq_qBJ8vppAnT4fk6AP8UiP9zX8-Rev_9A"),
    ("_" * 42 + "8", "Il9-dTKd1FqjVJddc5hzGTCTk686TGczvBNgGk8bh5Y"),
]
"""RFC 7636, appendix B, and two whose bytes are known."""


@pytest.mark.parametrize(("verifier", "expected"), VECTORS)
def test_a_challenge_is_the_one_every_server_computes(verifier: str, expected: str) -> None:
    assert pkce.challenge(verifier) == expected


def test_a_verifier_is_its_32_bytes() -> None:
    assert pkce.new_verifier(lambda size: bytes(range(size))) == VECTORS[1][0]
    assert pkce.new_verifier(lambda size: b"\xff" * size) == VECTORS[2][0]


def test_a_verifier_has_only_the_characters_of_the_rfc_and_never_comes_twice() -> None:
    made = {pkce.new_verifier(os.urandom) for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", verifier) for verifier in made)
