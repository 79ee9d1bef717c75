from __future__ import annotations

import time
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.gateway.counting import IMAGE_TOKENS, PromptSize, TokenScale, size_of


def test_four_bytes_are_a_token_until_something_is_known() -> None:
    scale = TokenScale()

    assert scale.tokens("m", 4_001) == 1_001
    assert scale.tokens("m", 0, images=2) == 2 * IMAGE_TOKENS


def test_a_model_is_counted_as_its_upstream_counts_it() -> None:
    scale = TokenScale()
    scale.learn("glm-5", 10_000, 3_300)

    assert scale.tokens("glm-5", 1_000) == 330
    assert scale.tokens("other", 1_000) == 250


def test_the_present_counts_as_much_as_the_last_twenty() -> None:
    scale = TokenScale()
    for _ in range(100):
        scale.learn("m", 10_000, 2_000)
    for _ in range(60):
        scale.learn("m", 10_000, 4_000)

    assert 380 <= scale.tokens("m", 1_000) <= 400


@pytest.mark.parametrize(("size", "tokens"), [(100, 50), (10_000, 0), (10_000, -5), (10_000, 1), (1_000, 1_000_000)])
def test_what_no_tokenizer_counted_teaches_nothing(size: int, tokens: int) -> None:
    scale = TokenScale()
    scale.learn("m", size, tokens)

    assert scale.tokens("m", 1_000) == 250


def test_the_oldest_of_many_models_is_forgotten() -> None:
    scale = TokenScale()
    for number in range(300):
        scale.learn(f"m{number}", 10_000, 5_000)

    assert scale.tokens("m0", 1_000) == 250
    assert scale.tokens("m299", 1_000) == 500


BASE64 = (b"base64",)
DATA = "iVBORw0KGgo/+" * 200


@pytest.mark.parametrize(
    ("part", "mark"),
    [
        ({"image_url": {"url": f"data:image/png;base64,{DATA}=="}}, b"base64"),
        ({"source": {"type": "base64", "media_type": "application/pdf", "data": DATA}}, b"base64"),
        ({"inlineData": {"mimeType": "image/png", "data": DATA}}, b"inlineData"),
        ({"inline_data": {"mime_type": "image/png", "data": DATA.replace("+", "-").replace("/", "_")}}, b"inline_data"),
        ({"images": [DATA]}, b"images"),
        ({"input_audio": {"format": "wav", "data": DATA}}, b"input_audio"),
    ],
)
def test_pictures_and_documents_are_no_text_wherever_they_stand(part: dict[str, Any], mark: bytes) -> None:
    body = jsonx.encode({"content": [{"text": "word " * 1_000}, {"nested": [part, part]}]})

    for written in (body, body.replace(b"/", b"\\/")):
        size = size_of(written, (b"no such mark", mark))
        assert size.pictures == 2
        assert 5_000 < size.text_bytes < 5_300


def test_text_is_text_even_if_it_speaks_of_base64() -> None:
    body = jsonx.encode({"content": "base64 " + "a long text, " * 1_000, "data": "QUJD"})

    assert size_of(body, BASE64) == PromptSize(len(body))
    assert size_of(b'"%b"' % (b"x" * 5_000), BASE64) == PromptSize(5_002)  # nothing in it says that there may be any


@pytest.mark.parametrize("odd", [b'"', b'"' + b"a" * 1_023, b'"data:' + b"a" * 199, b'"data:a,' + b"a" * 2_000])
def test_l10_no_body_is_slow_to_measure(odd: bytes) -> None:
    body = b"base64" + odd * (4_000_000 // len(odd))

    began_at = time.process_time()
    size_of(body, BASE64)
    assert time.process_time() - began_at < 0.5
