from __future__ import annotations

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.profile import Profile


def test_what_nobody_found_out_is_not_written_and_reads_back() -> None:
    known = Profile(tools=True, json_schema=False, refused_schema_words=("format",))

    text = jsonx.encode(known)

    assert jsonx.decode(text) == {"tools": True, "json_schema": False, "refused_schema_words": ["format"]}
    assert jsonx.convert(jsonx.decode(text), Profile) == known
    assert jsonx.encode(Profile()) == b"{}"
