from __future__ import annotations

import pytest

from iflow_cli_proxy.protocols.openai_answer import count_choices, decode_head
from iflow_cli_proxy.protocols.openai_chat.wire import WireAnswer


@pytest.mark.parametrize(("body", "count"), [(b'{"n":3}', 3), (b"{}", 1), (b'{"n":null}', 1)])
def test_as_many_answers_as_we_asked_for(body: bytes, count: int) -> None:
    assert count_choices(body) == count


def test_a_head_is_read_with_care() -> None:
    assert decode_head(WireAnswer(id=7, model=None, created="now")) == {"id": "7", "model": "", "created": 0}
    assert decode_head(WireAnswer(id="a", model="m", created=5.0)) == {"id": "a", "model": "m", "created": 5}
