import time
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.protocols.base import Envelope
from iflow_cli_proxy.protocols.openai_responses import CODEC
from iflow_cli_proxy.protocols.openai_responses.history import (
    Stored,
    continued,
    deleted,
    input_items,
    previous_id,
    stored,
    unknown_previous,
    unknown_response,
)
from iflow_cli_proxy.protocols.openai_responses.wire import MOST_ITEMS
from tests.support.goldens import inbound

SAID = {"id": "msg_1_0", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hm."}]}
RESPONSE = {"id": "resp_1", "object": "response", "output": [SAID]}
HI = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}


def asking(**fields: Any) -> Envelope:
    return CODEC.read_envelope(inbound(CODEC, jsonx.encode({"model": "m", "input": "Hi"} | fields)))


def kept(envelope: Envelope) -> Stored:
    found = stored(envelope, RESPONSE)
    assert found is not None
    return found


def test_an_exchange_is_kept_with_an_id_for_every_item() -> None:
    given = [{"role": "user", "content": "Hi"}, SAID | {"id": "msg_0"}, {"role": "user", "content": "Go on"}]

    assert kept(asking()).input == (HI | {"id": "in_1_0"},)
    assert [item["id"] for item in kept(asking(input=given)).input] == ["in_1_0", "msg_0", "in_1_2"]
    assert kept(asking(input=given)).input[0]["type"] == "message"
    assert kept(asking(input=[{"type": None, "role": "user", "content": "Hi"}])).input[0]["type"] == "message"
    assert kept(asking()).id == "resp_1"


def test_who_does_not_want_it_is_not_kept() -> None:
    assert stored(asking(store=False), RESPONSE) is None
    assert stored(asking(store=None), RESPONSE) is not None


def test_the_turns_before_are_put_in_front() -> None:
    past = kept(asking(instructions="Be brief."))
    further = asking(input="And now?", previous_response_id="resp_1", store=True)

    found = continued(further, past)

    now = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And now?"}]}
    assert previous_id(further) == "resp_1"
    assert found.values["input"] == [*past.conversation, now]
    assert found.fields.keys() == {"input", "store"}
    assert found.values["previous_response_id"] == "resp_1"
    assert [part.role for part in CODEC.decode_request(found).messages] == ["user", "assistant", "user"]


def test_a_conversation_goes_on_from_its_last_exchange_alone() -> None:
    second = continued(asking(input="2", previous_response_id="resp_1"), kept(asking(input="1")))
    third = continued(asking(input="3", previous_response_id="resp_2"), kept(second))

    texts = [item["content"][0]["text"] for item in third.values["input"]]
    assert texts == ["1", "Hm.", "2", "Hm.", "3"]


def test_references_to_items_of_the_turns_before_go_and_others_are_refused() -> None:
    past = kept(asking())
    good = asking(input=[{"type": "item_reference", "id": "msg_1_0"}, HI], previous_response_id="resp_1")
    bad = asking(input=[HI, {"type": "item_reference", "id": "msg_9"}], previous_response_id="resp_1")

    assert continued(good, past).values["input"] == [*past.conversation, HI]
    with pytest.raises(InvalidRequest) as caught:
        continued(bad, past)
    assert caught.value.param == "input[1]"


def test_what_is_not_kept_is_told_as_openai_tells_it() -> None:
    assert unknown_previous("resp_9").code == "previous_response_not_found"
    assert unknown_previous("resp_9").param == "previous_response_id"
    assert CODEC.encode_error(unknown_response("resp_9"), "req_1").status == 404
    assert deleted("resp_9") == {"id": "resp_9", "object": "response.deleted", "deleted": True}


def test_the_items_of_the_input_are_listed_page_by_page() -> None:
    past = kept(asking(input=[HI | {"id": f"msg_{number}"} for number in range(5)]))
    page = input_items(past, limit="2", order="asc")

    assert [item["id"] for item in page["data"]] == ["msg_0", "msg_1"]
    assert (page["object"], page["first_id"], page["last_id"], page["has_more"]) == ("list", "msg_0", "msg_1", True)
    assert not input_items(past, limit="5", order="asc")["has_more"]
    last = input_items(past, limit="2", order="asc", after="msg_3")
    assert ([item["id"] for item in last["data"]], last["has_more"]) == (["msg_4"], False)
    assert [item["id"] for item in input_items(past)["data"]] == [f"msg_{number}" for number in (4, 3, 2, 1, 0)]
    assert input_items(past, after="msg_0")["data"] == []


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"order": "up"}, "order"),
        ({"after": "msg_9"}, "after"),
    ],
)
def test_a_page_that_cannot_be_is_refused(asked: dict[str, str], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        input_items(kept(asking()), **asked)

    assert caught.value.param == param


def test_what_a_client_sends_again_of_the_turns_before_is_not_doubled() -> None:
    past = kept(asking(input=[HI | {"id": "msg_0"}]))
    again = asking(input=[SAID | {"status": None}, HI], previous_response_id="resp_1")
    other = asking(input=[HI | {"id": "msg_0", "content": "Something else"}], previous_response_id="resp_1")

    assert continued(again, past).values["input"] == [*past.conversation, HI]
    assert len(continued(other, past).values["input"]) == 3


def test_a_conversation_by_id_has_no_more_items_than_one_that_is_sent_whole() -> None:
    past = Stored(input=tuple(HI for _ in range(MOST_ITEMS - 2)), response=RESPONSE)
    last = asking(previous_response_id="resp_1")

    assert len(continued(last, past).values["input"]) == MOST_ITEMS
    with pytest.raises(InvalidRequest) as caught:
        continued(asking(input=[HI, HI], previous_response_id="resp_1"), past)
    assert caught.value.param == "previous_response_id"


def test_l10_ten_thousand_references_are_looked_up_at_once() -> None:
    count = MOST_ITEMS // 2
    past = Stored(input=tuple(HI | {"id": f"in_{number}"} for number in range(count)), response=RESPONSE)
    references = [{"type": "item_reference", "id": f"in_{count - 1}"}] * (count - 2)
    asked = asking(input=[*references, HI], previous_response_id="resp_1")

    began_at = time.process_time()
    assert len(continued(asked, past).values["input"]) == count + 2
    assert time.process_time() - began_at < 0.5
