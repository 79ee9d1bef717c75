from __future__ import annotations

import uuid

from iflow_cli_proxy.providers.qwen.sessions import Sessions
from tests.support.entropy import counting_entropy


def test_an_account_keeps_its_session_and_shares_it_with_nobody() -> None:
    sessions = Sessions(counting_entropy())
    mine = sessions.session_id("a", "")
    assert sessions.session_id("a", "") == mine
    assert sessions.session_id("b", "") != mine
    assert uuid.UUID(mine).version == 4


def test_a_conversation_is_a_session_of_its_own_in_every_process() -> None:
    one, two = Sessions(counting_entropy()), Sessions(counting_entropy())
    two.session_id("other", "")
    thread = one.session_id("a", "thread-7")
    assert thread == two.session_id("a", "thread-7")
    assert thread not in (one.session_id("a", ""), one.session_id("a", "thread-8"), one.session_id("b", "thread-7"))
    assert uuid.UUID(one.session_id("a", "\ud800")).version == 4
