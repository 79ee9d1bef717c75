from base64 import b64decode, b64encode

import pytest

from iflow_cli_proxy.protocols.gemini.seals import decode_seals, encode_seals


@pytest.mark.parametrize(
    "seals",
    [
        {"signature": "AAAA"},
        {"signature": "EqQBCg/+8=="},
        {"signature": "not base64 ü"},
        {"encrypted": "AAAA"},
        {"signature": "AAAA", "redacted": "x"},
        {"signature": b64encode(b"sealed:{}").decode()},
    ],
)
def test_every_seal_survives_and_is_base64_on_the_way(seals: dict[str, str]) -> None:
    signature = encode_seals(seals)

    b64decode(signature, validate=True)
    assert decode_seals(signature) == seals


def test_googles_own_signature_goes_as_it_is() -> None:
    assert encode_seals({"signature": "CiQBjz1rX5b/+A=="}) == "CiQBjz1rX5b/+A=="


def test_nothing_is_nothing() -> None:
    assert encode_seals({}) == ""
    assert decode_seals("") == {}


@pytest.mark.parametrize("packed", [b"sealed:", b"sealed:{", b'sealed:{"a":1}', b"sealed:[]"])
def test_bytes_that_only_begin_like_ours_are_a_signature(packed: bytes) -> None:
    signature = b64encode(packed).decode()

    assert decode_seals(signature) == {"signature": signature}
