import pytest

from iflow_cli_proxy.protocols.openai_responses.sealing import decode_seals, encode_seals


@pytest.mark.parametrize(
    "seals",
    [
        {},
        {"encrypted": "gAAA:x"},
        {"signature": "EqQ:Cg=="},
        {"redacted": "iflow2api.seal.x"},
        {"signature": 's:"', "encrypted": "gAAA", "redacted": "ü"},
    ],
)
def test_a_seal_comes_back_as_what_it_was(seals: dict[str, str]) -> None:
    assert decode_seals(encode_seals(seals) or "") == seals


def test_what_an_upstream_sealed_is_untouched() -> None:
    assert encode_seals({"encrypted": "gAAA"}) == "gAAA"
    assert encode_seals({}) is None
    assert decode_seals("iflow2api.seal.") == {"encrypted": "iflow2api.seal."}


@pytest.mark.parametrize("text", ["{", "[]", '{"a":1}', ""])
def test_several_that_are_not_what_we_wrote_are_none(text: str) -> None:
    assert decode_seals(f"iflow2api.seal.all:{text}") == {}
