"""What a model is called in the pool, and who is turned away before an account is asked for."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import LoginRequired, NoAccountAvailable
from iflow_cli_proxy.gateway.attempt import Upstream
from iflow_cli_proxy.gateway.entry import known_as, refuse_without_sign_in
from iflow_cli_proxy.routing.catalog import Catalog, Model
from iflow_cli_proxy.routing.resolve import Route
from tests.support.exchanges import provider
from tests.support.fake_transport import FakeReply, FakeTransport

CATALOG = Catalog([Model(id="GLM-5", aliases=("glm",)), Model(id="odd(one)")])


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ("GLM-5", ("GLM-5", True)),
        ("glm-5", ("GLM-5", True)),
        ("glm-5(high)", ("GLM-5", True)),
        ("Glm(2000)", ("GLM-5", True)),
        ("odd(one)", ("odd(one)", True)),
        ("New-Model(low)", ("new-model", False)),
        ("(", ("(", False)),
        ("", ("", False)),
    ],
)
def test_one_model_has_one_name_however_it_is_spelt(asked: str, known: tuple[str, bool]) -> None:
    assert known_as(asked, CATALOG) == known


def test_who_needs_a_person_or_a_little_time_is_told_before_anybody_waits() -> None:
    route, upstream = (
        Route(provider="up", model="m"),
        Upstream(provider=provider(), transport=FakeTransport(FakeReply())),
    )
    refuse_without_sign_in(route, upstream, 5.0)
    with pytest.raises(LoginRequired):
        refuse_without_sign_in(
            route, Upstream(provider=provider(), transport=upstream.transport, needs_login=True), 5.0
        )
    resting = Upstream(provider=provider(), transport=upstream.transport, rests_until=9.0)
    with pytest.raises(NoAccountAvailable) as caught:
        refuse_without_sign_in(route, resting, 5.0)
    assert caught.value.retry_after_s == 4.0
    refuse_without_sign_in(route, resting, 9.0)
