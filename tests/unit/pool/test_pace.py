"""How fast one account may be asked: set, stated, or found out the hard way."""

from __future__ import annotations

from iflow_cli_proxy.pool.pace import Pace


def used(pace: Pace, count: int, *, at: float = 0.0, tokens: int = 0) -> Pace:
    for _ in range(count):
        pace.use(at, tokens)
    return pace


def test_a_pace_without_limits_is_always_open() -> None:
    pace = used(Pace(), 1000)
    assert (pace.is_limited, pace.opens_at(0.0, 10**9)) == (False, 0.0)


def test_the_next_request_fits_when_the_oldest_of_the_minute_is_forgotten() -> None:
    pace = used(Pace(rpm=3), 2, at=10.0)
    assert pace.opens_at(10.5, 0) == 10.5
    used(pace, 1, at=20.0)
    assert pace.opens_at(21.0, 0) == 70.0


def test_tokens_are_paced_beside_requests() -> None:
    pace = used(Pace(rpm=100, tpm=1000), 2, at=0.0, tokens=400)
    assert pace.opens_at(1.0, 200) == 1.0
    assert pace.opens_at(1.0, 201) == 60.0


def test_a_request_larger_than_the_whole_minute_goes_when_nothing_else_was_used() -> None:
    pace = Pace(tpm=1000)
    assert pace.opens_at(5.0, 50_000) == 5.0
    used(pace, 1, at=5.0, tokens=1)
    assert pace.opens_at(6.0, 50_000) == 65.0


def test_what_was_used_in_the_end_replaces_the_estimate() -> None:
    pace = used(Pace(tpm=1000), 1, at=0.0, tokens=900)
    pace.correct(0.0, 0, -800)
    assert pace.opens_at(1.0, 900) == 1.0


def test_what_never_went_out_frees_its_place() -> None:
    pace = used(Pace(rpm=1), 1, at=0.0)
    pace.correct(0.0, -1, 0)
    assert pace.opens_at(0.1, 0) == 0.1


def test_limits_are_learned_from_headers_and_their_latest_word_holds() -> None:
    pace = used(Pace(), 5, at=0.0)
    pace.learn({"x-ratelimit-limit-requests": "5"}, 1.0)
    assert (pace.is_limited, pace.opens_at(1.0, 0)) == (True, 60.0)
    pace.learn({"x-ratelimit-limit-requests": "6"}, 1.0)
    assert pace.opens_at(1.0, 0) == 1.0


def test_only_units_that_nobody_set_are_learned() -> None:
    pace = used(Pace(rpm=100), 5, at=0.0)
    pace.learn({"x-ratelimit-limit-requests": "5", "x-ratelimit-limit-tokens": "10"}, 1.0, ["tokens"])
    assert pace.opens_at(1.0, 0) == 1.0
    used(pace, 1, at=1.0, tokens=10)
    assert pace.opens_at(1.0, 1) == 61.0


def test_nothing_left_closes_until_the_upstream_has_more() -> None:
    pace = Pace()
    pace.learn({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "8"}, 100.0)
    assert pace.opens_at(101.0, 0) == 108.0
    assert pace.opens_at(108.0, 0) == 108.0


def test_a_refusal_without_a_time_teaches_a_little_less_than_what_went_out() -> None:
    pace = used(Pace(), 20, at=0.0)
    pace.was_refused(1.0)
    assert pace.opens_at(60.0, 0) == 60.0
    used(pace, 17, at=61.0)
    assert pace.opens_at(61.0, 0) == 61.0
    used(pace, 2, at=61.0)
    assert pace.opens_at(61.0, 0) == 121.0


def test_what_a_refusal_taught_grows_by_the_minute_and_is_forgotten_after_ten() -> None:
    pace = used(Pace(), 20, at=0.0)
    pace.was_refused(0.0)
    used(pace, 22, at=300.0)
    assert pace.opens_at(300.0, 0) == 300.0, "18 have grown to 27"
    used(pace, 10, at=300.0)
    assert pace.opens_at(300.0, 0) == 360.0
    used(pace, 500, at=599.0)
    assert pace.opens_at(600.0, 0) == 600.0


def test_a_refusal_after_few_requests_teaches_nothing() -> None:
    pace = used(Pace(), 3, at=0.0)
    pace.was_refused(0.0)
    assert not pace.is_limited


def test_other_limits_keep_what_was_used() -> None:
    pace = used(Pace(rpm=10), 5, at=0.0)
    pace.set(5, 0)
    assert pace.opens_at(1.0, 0) == 60.0


def test_the_limits_that_are_known_can_be_told() -> None:
    assert Pace().limits(0.0) == (0, 0)
    assert Pace(rpm=3, tpm=1000).limits(0.0) == (3, 1000)
    guessed = used(Pace(), 20)
    guessed.was_refused(1.0)
    assert guessed.limits(1.0) == (18, 0)
    assert guessed.limits(10_000.0) == (0, 0), "a guess is forgotten"
