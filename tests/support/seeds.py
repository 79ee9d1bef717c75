"""Randomness that can be repeated: laws run over numbered seeds, and a failing one says its number.

`LAW_SEED=17 pytest tests/laws` runs seed 17 alone; `LAW_SEEDS=20000` runs that many of each law.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable


def for_each_seed(count: int, law: Callable[[random.Random], None]) -> None:
    """Try `law` with `count` sources of randomness; whatever it raises gets the number of its seed as a note."""
    only = os.environ.get("LAW_SEED")
    numbers: Iterable[int] = [int(only)] if only else range(int(os.environ.get("LAW_SEEDS", count)))
    for number in numbers:
        try:
            law(random.Random(number))
        except BaseException as error:
            error.add_note(f"reproduce with LAW_SEED={number}")
            raise
