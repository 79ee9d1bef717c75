import pytest

from iflow_cli_proxy.core.errors import (
    Blame,
    ClientError,
    CredentialError,
    EmptyAnswer,
    GatewayError,
    InvalidRequest,
    Overloaded,
    RateLimited,
    Rejected,
    Retry,
    TimedOut,
    UpstreamError,
    every_error,
    of_kind,
)

EVERY = sorted(every_error(), key=lambda cls: cls.__name__)


def test_every_error_walks_the_whole_tree_and_names_each_class_once() -> None:
    assert len(EVERY) == len(set(EVERY))
    assert {GatewayError, InvalidRequest, EmptyAnswer, TimedOut} <= set(EVERY)


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
def test_every_class_states_its_facts(cls: type[GatewayError]) -> None:
    assert cls.kind
    assert isinstance(cls.blame, Blame)
    assert isinstance(cls.retry, Retry)


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
def test_a_kind_belongs_to_one_branch_of_the_tree(cls: type[GatewayError]) -> None:
    """Two classes may share a kind only when one of them is the more general form of the other, or both of a third."""
    same = [other for other in EVERY if other.kind == cls.kind]

    assert any(all(issubclass(other, root) for other in same) for root in same)


@pytest.mark.parametrize("cls", [cls for cls in EVERY if issubclass(cls, ClientError)], ids=lambda cls: cls.__name__)
def test_what_the_client_has_to_change_is_never_tried_again_on_the_same_route(cls: type[GatewayError]) -> None:
    assert cls.blame is Blame.CLIENT
    assert cls.retry in (Retry.NEVER, Retry.OTHER_ROUTE)


def test_only_failures_without_any_answer_are_ambiguous() -> None:
    """R1, class C: what came back from the upstream as a refusal did no work."""
    ambiguous = {cls.__name__ for cls in EVERY if cls.is_ambiguous and cls.__module__ == GatewayError.__module__}

    assert ambiguous == {"ConnectionLost", "Failing", "EmptyAnswer", "WebPage"}
    assert not Overloaded.is_ambiguous


def test_an_error_keeps_what_it_is_given_and_prints_only_its_message() -> None:
    error = Rejected("No.", detail="log", hint="try", param="a.b", code="c", retry_after_s=2.5, status=422)

    assert str(error) == error.message == "No."
    assert (error.detail, error.hint, error.param, error.code) == ("log", "try", "a.b", "c")
    assert (error.retry_after_s, error.status) == (2.5, 422)


def test_a_timeout_names_the_limit_and_the_setting_that_moves_it() -> None:
    error = TimedOut("first_byte", 1.5)

    assert error.limit == "first_byte"
    assert "first byte limit of 1.5 s" in error.message
    assert "upstream.first_byte_timeout_s" in error.hint


@pytest.mark.parametrize("kind", sorted({cls.kind for cls in EVERY}))
def test_of_kind_gives_back_the_kind_and_everything_said_with_it(kind: str) -> None:
    error = of_kind(kind, "m", param="p", code="c")

    assert error.kind == kind
    assert (error.message, error.param, error.code, error.retry_after_s) == ("m", "p", "c", None)


def test_of_kind_takes_the_most_general_class_and_an_unknown_kind_is_an_upstream_error() -> None:
    assert type(of_kind("upstream_auth", "m")) is CredentialError
    assert type(of_kind("no such kind", "m")) is UpstreamError
    assert of_kind("upstream_timeout", "m").message == "m"


@pytest.mark.parametrize(("seconds", "whole"), [(None, None), (0.0, 1), (1.2, 2), (30.0, 30), (float("inf"), 86_400)])
def test_a_wait_is_told_in_whole_seconds_from_one_to_a_day(seconds: float | None, whole: int | None) -> None:
    assert RateLimited("Slow down.", retry_after_s=seconds).wait_s == whole
