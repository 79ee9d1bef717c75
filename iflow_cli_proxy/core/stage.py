"""The one building block: a stage is fed, it answers, it is closed.

Pushing, not pulling, lets the same object run inside an `async for`, in a test and at a prompt.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

A = TypeVar("A")
B = TypeVar("B")
In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)


class Stage(Protocol[In, Out]):
    def feed(self, item: In, /) -> Iterable[Out]:
        """What this item makes known."""
        ...

    def close(self) -> Iterable[Out]:
        """End of input: flush, or say what is missing."""
        ...


class Chain:
    """Several stages as one; what the first answers is fed to the second, and so on."""

    def __init__(self, *stages: Stage[Any, Any]) -> None:
        self._stages = stages

    def feed(self, item: Any, /) -> list[Any]:
        return self._through(self._stages, [item])

    def close(self) -> list[Any]:
        out: list[Any] = []
        for index, stage in enumerate(self._stages):
            out += self._through(self._stages[index + 1 :], list(stage.close()))
        return out

    @staticmethod
    def _through(stages: tuple[Stage[Any, Any], ...], items: list[Any]) -> list[Any]:
        for stage in stages:
            items = [out for item in items for out in stage.feed(item)]
        return items


def run(stage: Stage[A, B], items: Iterable[A]) -> list[B]:
    """A whole conversation in one line."""
    out: list[B] = []
    for item in items:
        out += stage.feed(item)
    out += stage.close()
    return out
