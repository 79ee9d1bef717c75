"""Headers of the config laid over a provider's own; names are compared without regard to case."""

from __future__ import annotations

from collections.abc import Mapping


def overlaid(own: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """`own` in its order, less what `extra` replaces, then `extra`."""
    if not extra:
        return dict(own)
    replaced = {name.lower() for name in extra}
    return {**{name: value for name, value in own.items() if name.lower() not in replaced}, **extra}
