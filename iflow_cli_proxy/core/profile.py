"""What one upstream really supports, as far as anybody has found out: translators and body rules read it.

A value. Refuses to know how it is found out (`upstream probe`) and where it is kept (`state/profiles.py`).
"""

from __future__ import annotations

import msgspec


class Profile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The defaults are what every OpenAI-compatible server is expected to take. None: nobody knows."""

    tools: bool | None = None
    parallel_tools: bool | None = None
    """Answers with several calls at once."""
    tool_choice: bool | None = None
    """Obeys `tool_choice: required` and a named function."""
    tool_name_length: int = 64
    """The longest name of a function."""
    refused_schema_words: tuple[str, ...] = ()
    """JSON schema keywords in a tool's parameters that are refused."""
    tool_result_images: bool = False
    """Takes images in the results of tools, not only from users."""
    late_system: bool | None = None
    """Takes a system message that is not the first; None is taken for yes."""
    images: bool | None = None
    json_schema: bool | None = None
    json_object: bool | None = None
    stream_usage: bool | None = None
    """Understands `stream_options.include_usage`."""
    reasoning_field: str = ""
    """Where its thinking stands: `reasoning_content`, `reasoning`, `reasoning_details`, `<think>`; empty: none seen."""
    wants_reasoning_back: bool | None = None
    """True: refuses a tool turn without the thinking that led to it; False: refuses thinking that is given back."""
    effort: bool | None = None
    """Takes `reasoning_effort`."""
    effort_none: bool = False
    """Takes `reasoning_effort: none`, which switches thinking off."""
    openai_words: bool = False
    """Takes what only OpenAI documents (`prompt_cache_key`, `verbosity` ...); a fact of the service, not probed."""
    max_tokens_field: str = "max_tokens"
    """`max_tokens` or `max_completion_tokens`."""
    many_choices: bool | None = None
    """Takes `n` above 1."""
    stop_sequences: bool | None = None
