from collections.abc import Iterable

from iflow_cli_proxy.core.stage import Chain, run


class Pairs:
    """Joins two items; at the end hands out the one that is left."""

    def __init__(self) -> None:
        self._held: list[str] = []

    def feed(self, item: str, /) -> Iterable[str]:
        self._held.append(item)
        if len(self._held) == 2:
            yield "".join(self._held)
            self._held = []

    def close(self) -> Iterable[str]:
        yield from self._held
        yield "end"


def test_run_is_a_whole_conversation() -> None:
    assert run(Pairs(), "abc") == ["ab", "c", "end"]
    assert run(Pairs(), "") == ["end"]


def test_a_chain_feeds_what_a_stage_answers_to_the_next_also_when_it_closes() -> None:
    assert run(Chain(Pairs(), Pairs()), "abcdefg") == ["abcd", "efg", "end", "end"]


def test_an_empty_chain_passes_everything_on() -> None:
    assert run(Chain(), [1, 2]) == [1, 2]


def test_a_chain_is_a_stage_itself() -> None:
    assert run(Chain(Chain(Pairs()), Pairs()), "abcd") == run(Chain(Pairs(), Pairs()), "abcd")
