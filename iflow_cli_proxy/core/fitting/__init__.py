"""A request in canonical words, made so that one upstream takes it and nothing of it is lost.

What a profile says an upstream refuses is said in another way: pictures of tool results by the user, a late system
message as a reminder, a schema that cannot be enforced as a wish. Pure; used for translated requests, and between
equals only where a probe has found that the client's own words are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from iflow_cli_proxy.core.fitting.form import (
    fitted_fields,
    with_format,
    with_known_words,
    with_possible_sampling,
    with_short_user,
)
from iflow_cli_proxy.core.fitting.thinking import with_thinking
from iflow_cli_proxy.core.fitting.tools import (
    renamed,
    tool_names,
    with_clean_schemas,
    with_possible_tools,
    with_results_alone,
)
from iflow_cli_proxy.core.fitting.turns import plainer, with_early_system
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import ChatRequest
from iflow_cli_proxy.core.tool_names import new_names

__all__ = ["Fitted", "fitted", "fitted_fields", "refuses"]


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    request: ChatRequest
    names: Mapping[str, str] = {}
    """The client's names of tools to the upstream's, where they differ."""
    notes: tuple[Note, ...] = ()


_STEPS: Final = (
    with_possible_tools,
    with_possible_sampling,
    with_clean_schemas,
    with_results_alone,
    with_early_system,
    with_thinking,
    with_format,
    with_short_user,
    with_known_words,
    plainer,
)


def fitted(request: ChatRequest, profile: Profile) -> Fitted:
    """Raises InvalidRequest for what cannot be said to this upstream in any way."""
    notes: list[Note] = []
    names = new_names(tool_names(request), profile.tool_name_length)
    notes += [Note("tools", f"{old} is called {new} upstream") for old, new in names.items()]
    if names:
        request = renamed(request, names)
    for step in _STEPS:
        request = step(request, profile, notes)
    return Fitted(request=request, names=names, notes=tuple(notes))


def refuses(profile: Profile) -> bool:
    """Whether an upstream that was probed takes less than its clients may ask for, so that even a request in its own
    protocol has to be fitted."""
    answers = (
        profile.tools, profile.tool_choice, profile.late_system, profile.json_schema, profile.many_choices,
        profile.stop_sequences, profile.effort, profile.wants_reasoning_back,
    )  # fmt: skip
    return False in answers or bool(profile.refused_schema_words) or profile.wants_reasoning_back is True
