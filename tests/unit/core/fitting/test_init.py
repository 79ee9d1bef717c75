from __future__ import annotations

import pytest

from iflow_cli_proxy.core.fitting import fitted, refuses
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.core.request import (
    Role,
    ToolSpec,
)
from tests.support.conversation import USER, call, request, result, said, text


def test_what_every_upstream_takes_is_left_alone() -> None:
    asked = request(said(Role.SYSTEM, text("s")), USER, call(), result(text("r")), tools=(ToolSpec(name="look"),))

    fit = fitted(asked, Profile())

    assert fit.request == asked
    assert (fit.names, fit.notes) == ({}, ())


@pytest.mark.parametrize(
    "profile",
    [Profile(late_system=False), Profile(refused_schema_words=("format",)), Profile(wants_reasoning_back=True)],
)
def test_an_upstream_that_refuses_something_is_known(profile: Profile) -> None:
    assert refuses(profile)
    assert not refuses(Profile(tools=True, json_schema=True))
