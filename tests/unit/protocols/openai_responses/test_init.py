from iflow_cli_proxy.protocols.openai_responses import CODEC
from tests.support.goldens import inbound


def test_it_answers_with_and_without_the_version_in_the_path() -> None:
    assert [(route.method, route.path) for route in CODEC.routes] == [
        ("POST", "/v1/responses"),
        ("POST", "/responses"),
    ]


def test_every_exchange_has_a_voice_of_its_own() -> None:
    envelope = CODEC.read_envelope(inbound(CODEC, b'{"model":"m","input":"Hi"}'))

    assert CODEC.voice(envelope) is not CODEC.voice(envelope)


def test_there_is_one_answer_to_a_request() -> None:
    assert CODEC.count_choices(b'{"n":3}') == 1


def test_its_requests_are_repaired_once_they_are_translated() -> None:
    envelope = CODEC.read_envelope(inbound(CODEC, b'{"model":"m","input":"Hi"}'))

    assert CODEC.repair(envelope) == (envelope, ())
