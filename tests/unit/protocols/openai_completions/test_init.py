from iflow_cli_proxy.protocols.openai_completions import CODEC
from tests.support.goldens import inbound


def test_it_answers_with_and_without_the_version_in_the_path() -> None:
    assert [(route.method, route.path) for route in CODEC.routes] == [
        ("POST", "/v1/completions"),
        ("POST", "/completions"),
    ]


def test_a_prompt_has_no_images_and_nothing_to_repair() -> None:
    envelope = CODEC.read_envelope(inbound(CODEC, b'{"model":"m","prompt":"data:image/png;base64,AAAA"}'))

    assert CODEC.find_images(envelope) == ()
    assert CODEC.replace_images(envelope, {}) is envelope
    assert CODEC.repair(envelope) == (envelope, ())
    assert CODEC.voice(envelope) is CODEC
