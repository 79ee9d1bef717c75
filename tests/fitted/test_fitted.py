"""What an upstream of Chat Completions is sent for a request in another protocol: alike for all that mean the same.

`pytest tests/fitted --regold` rewrites the `upstream.json` files.
"""

from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.protocols.base import Codec
from tests.support.fitted import FITTINGS, UPSTREAM, Fitting
from tests.support.goldens import inbound

PAIRS = [
    pytest.param(fitting, codec, id=f"{fitting.name}-{codec.name}") for fitting in FITTINGS for codec in fitting.clients
]


@pytest.fixture(autouse=True, scope="module")
def _regold(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--regold"):
        for fitting in FITTINGS:
            fitting.regold()


@pytest.mark.parametrize(("fitting", "codec"), PAIRS)
def test_the_upstream_is_sent_what_the_file_says(fitting: Fitting, codec: Codec) -> None:
    expected: Any = jsonx.decode(fitting.expected_path(codec).read_bytes())

    assert jsonx.decode(jsonx.encode(fitting.sent(codec))) == expected


@pytest.mark.parametrize(("fitting", "codec"), PAIRS)
def test_what_is_sent_is_a_request_we_would_take_and_leave_alone(fitting: Fitting, codec: Codec) -> None:
    body = jsonx.encode({"model": "glm-5", **fitting.sent(codec)})

    envelope = UPSTREAM.read_envelope(inbound(UPSTREAM, body))

    assert UPSTREAM.repair(envelope) == (envelope, ())


@pytest.mark.parametrize("fitting", FITTINGS, ids=lambda fitting: fitting.name)
def test_every_scenario_is_asked_for_in_several_protocols_or_says_why_not(fitting: Fitting) -> None:
    about = (fitting.folder / "ABOUT.md").read_text("utf-8")
    own = [codec.name for codec in fitting.clients if fitting.expected_path(codec).name != "upstream.json"]

    assert len(fitting.clients) > 1 or "Only" in about
    assert not [name for name in own if f"upstream.{name}.json" not in about]
