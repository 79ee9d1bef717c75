import pytest

from iflow_cli_proxy.protocols.anthropic.identity import call_id, message_id


@pytest.mark.parametrize(
    ("given", "standin", "found"),
    [
        ("msg_01Xyz", "chatcmpl-9", "msg_01Xyz"),
        ("chatcmpl-7f3a", "chatcmpl-9", "msg_chatcmpl7f3a"),
        ("", "chatcmpl-9", "msg_chatcmpl9"),
        ("{}", "msg_5", "msg_5"),
        ("", "", "msg_0"),
    ],
)
def test_a_message_id_has_its_form_and_is_made_of_what_there_is(given: str, standin: str, found: str) -> None:
    assert message_id(given, standin) == found
    assert message_id(found, standin) == found


def test_calls_of_two_answers_never_share_an_id() -> None:
    ids = {call_id(answer, number) for answer in ("msg_a", "msg_b") for number in (0, 1)}

    assert len(ids) == 4
    assert call_id("msg_a", 0) == "toolu_a_0"
