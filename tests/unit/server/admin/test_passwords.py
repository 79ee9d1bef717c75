from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.server.admin.passwords import check_new, hash_of, is_right, made


def test_a_hash_is_salted_scrypt_of_rfc_7914_and_fits_its_password_only() -> None:
    kept = hash_of("correct horse battery")

    again = hashlib.scrypt(
        b"correct horse battery", salt=bytes.fromhex(kept.salt), n=2**15, r=8, p=1, maxmem=1 << 26, dklen=32
    )
    assert again.hex() == kept.hash
    assert is_right("correct horse battery", kept)
    assert not is_right("correct horse batterY", kept)
    assert kept.salt != hash_of("correct horse battery").salt


def test_without_a_password_nothing_is_right_and_the_work_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    costs: list[tuple[int, int, int]] = []
    scrypt = hashlib.scrypt

    def counted(*args: bytes, n: int, r: int, p: int, **more: object) -> bytes:
        costs.append((n, r, p))
        return scrypt(*args, n=n, r=r, p=p, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(hashlib, "scrypt", counted)
    kept = replace(hash_of("correct horse battery"), hash="00" * 32)

    assert not is_right("", None)
    assert not is_right("correct horse battery", kept)
    assert len(set(costs)) == 1


def test_what_is_typed_on_another_keyboard_is_the_same_password() -> None:
    assert is_right("Zu\u0308rich-l\u00e4ndlich", hash_of("Z\u00fcrich-la\u0308ndlich"))


@pytest.mark.parametrize(
    "weak", ["", "elevenchars", "x" * 40, "abababababab", "Password2026!", "iflow2api-admin", "1234567890123456"]
)
def test_what_is_guessed_first_is_refused(weak: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        check_new(weak)
    assert raised.value.param == "password"
    assert not weak or weak not in raised.value.message


@pytest.mark.parametrize(
    "good", ["correct horse battery", "twelve chars", "my admin password is a long sentence", made()]
)
def test_a_long_phrase_will_do(good: str) -> None:
    assert check_new(good) == good


def test_what_nobody_types_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        check_new("abcdefgh " * 200)


def test_made_ones_differ_and_are_long() -> None:
    assert len(made()) == 24
    assert made() != made()
