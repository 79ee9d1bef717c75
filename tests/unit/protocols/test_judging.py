import pytest

from iflow_cli_proxy.core.errors import CutOff, EmptyAnswer, Failing, GatewayError, Malformed, RateLimited
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols.judging import judged, reported_failure


def knows_nothing(body: Json) -> GatewayError | None:
    return None


def slow_down(body: Json) -> GatewayError | None:
    return RateLimited("Slow down.")


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"", EmptyAnswer), (b" \n", EmptyAnswer), (b'{"id":', CutOff), (b"{nonsense}", Malformed), (b"{}", Malformed)],
)
def test_what_is_no_answer_has_a_class_of_its_own(body: bytes, kind: type[GatewayError]) -> None:
    assert type(judged(body, knows_nothing)) is kind


def test_the_judge_has_the_first_word_on_a_stop_word_that_is_a_failure() -> None:
    assert type(reported_failure("network_error", b"{}", slow_down)) is RateLimited
    assert type(reported_failure("network_error", b"{}", knows_nothing)) is Failing
    assert type(reported_failure("network_error", b"{", slow_down)) is Failing


def test_the_judge_is_asked_about_objects_only() -> None:
    def strict(body: Json) -> GatewayError | None:
        assert isinstance(body, dict)
        return RateLimited("Slow down.")

    assert type(judged(b"[]", strict)) is Malformed
    assert type(judged(b"null", strict)) is Malformed
    assert type(judged(b"{}", strict)) is RateLimited
