from __future__ import annotations

from iflow_cli_proxy.core.fitting.parts import each_part, text_of
from iflow_cli_proxy.core.request import Image, Message, Part, Role, Text


def test_a_message_in_which_nothing_changes_is_the_same() -> None:
    messages = (Message(role=Role.USER, parts=(Text(text="a"),)), Message(role=Role.USER, parts=(Text(text="b"),)))

    def louder(part: Part) -> Part:
        return Text(text="B") if part == Text(text="b") else part

    first, second = each_part(messages, louder)
    assert first is messages[0]
    assert second.parts == (Text(text="B"),)


def test_the_text_of_a_message_is_its_texts() -> None:
    assert text_of([Text(text="a"), Image(url="u"), Text(text="b")]) == "a\n\nb"
