import sys

import pytest

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.state.sealing import COST, Cost, KeySeal, WrongKey, decrypt, encrypt, stretch

KEY, OTHER = bytes(32), bytes(31) + b"\1"
CHEAP = Cost(n=2, p=1)


def test_what_is_sealed_opens_with_the_same_key_and_context() -> None:
    seal = KeySeal("keyring", KEY)

    assert seal.open(seal.seal(b"secret", context=b"a"), context=b"a") == b"secret"


def test_two_seals_of_one_text_differ() -> None:
    assert encrypt(KEY, b"secret", context=b"") != encrypt(KEY, b"secret", context=b"")


def test_another_key_another_context_and_every_altered_byte_are_refused() -> None:
    sealed = encrypt(KEY, b"secret", context=b"a")

    for key, context in ((OTHER, b"a"), (KEY, b"b")):
        with pytest.raises(WrongKey):
            decrypt(key, sealed, context=context)
    for at in range(len(sealed)):
        with pytest.raises(WrongKey):
            decrypt(KEY, sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], context=b"a")
        with pytest.raises(WrongKey):
            decrypt(KEY, sealed[:at], context=b"a")


@pytest.mark.parametrize("text", ["", "!", "ä", "AAAA"])
def test_sealed_nonsense_is_refused(text: str) -> None:
    with pytest.raises(WrongKey):
        KeySeal("keyring", KEY).open(text, context=b"")


def test_a_seal_does_not_show_its_key() -> None:
    assert repr(KEY) not in repr(KeySeal("keyring", KEY))


def test_a_passphrase_stretches_to_the_same_key_however_its_accents_are_typed() -> None:
    keys = {stretch("caf\u00e9", b"salt", CHEAP), stretch("cafe\u0301", b"salt", CHEAP)}

    assert len(keys) == 1
    assert len(keys.pop()) == 32
    assert stretch("x", b"salt", CHEAP) != stretch("x", b"tlas", CHEAP)
    assert stretch("not \udcff UTF-8", b"salt", CHEAP)


def test_scrypt_gives_what_rfc_7914_says() -> None:
    assert stretch("pleaseletmein", b"SodiumChloride", Cost(n=16384, r=8, p=1)).hex() == (
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
    )


@pytest.mark.parametrize(
    ("cost", "is_sane"),
    [
        (COST, True),
        (Cost(n=1 << 18), True),
        (Cost(n=1 << 19), False),
        (Cost(n=1 << 62), False),
        (Cost(n=1000), False),
        (Cost(n=0), False),
        (Cost(n=-2), False),
        (Cost(r=0), False),
        (Cost(r=1 << 20), False),
        (Cost(p=0), False),
        (Cost(p=17), False),
    ],
)
def test_a_file_cannot_make_us_use_all_memory(cost: Cost, is_sane: bool) -> None:
    assert cost.is_sane is is_sane


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)

    for use in (lambda: encrypt(KEY, b"", context=b""), lambda: stretch("x", b"salt", CHEAP)):
        with pytest.raises(StateError, match="package cryptography") as caught:
            use()
        assert caught.value.hint == "pip install 'iflow2api[secure]'"
