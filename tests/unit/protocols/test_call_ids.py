import time

import pytest

from iflow_cli_proxy.protocols.call_ids import CallIds, is_made_up


def test_ids_that_were_given_are_kept() -> None:
    ids = CallIds()

    assert ids.call("a", "f") == "a"
    assert ids.result("a", "f") == "a"
    assert ids.name_of("a") == "f"
    assert not is_made_up("a")


def test_calls_without_ids_get_one_each_the_same_every_time() -> None:
    first, again = CallIds(), CallIds()
    made = [first.call("", "f"), first.call("", "g")]

    assert made == [again.call("", "f"), again.call("", "g")]
    assert len(set(made)) == 2
    assert all(is_made_up(one) for one in made)


def test_results_without_ids_answer_calls_of_their_function_in_order() -> None:
    ids = CallIds()
    calls = [ids.call("", "f"), ids.call("", "g"), ids.call("c", "f")]

    assert [ids.result("", "g"), ids.result("", "f"), ids.result("", "f")] == [calls[1], calls[0], "c"]


def test_a_result_that_says_nothing_answers_the_oldest_call() -> None:
    ids = CallIds()
    calls = [ids.call("", "f"), ids.call("", "g")]

    assert [ids.result("", ""), ids.result("", "")] == calls


def test_a_result_with_an_id_answers_a_call_that_came_without() -> None:
    ids = CallIds()
    call = ids.call("", "f")

    assert ids.result("f_123", "f") == call


def test_an_id_is_not_given_to_a_call_that_has_another() -> None:
    ids = CallIds()
    ids.call("a", "f")

    assert ids.result("b", "f") == "b"


def test_a_lone_result_gets_an_id_of_its_own() -> None:
    ids = CallIds()

    assert is_made_up(ids.result("", "f"))
    assert ids.result("x", "f") == "x"
    assert ids.name_of("x") == ""


def test_a_call_that_was_answered_is_not_answered_again() -> None:
    ids = CallIds()
    calls = [ids.call("", "f"), ids.call("", "f"), ids.call("a", "g")]

    assert ids.result("f_1", "f") == calls[0]
    assert ids.result("", "") == calls[1]
    assert ids.result("", "") == "a"
    assert ids.result("a", "g") == "a", "known by its id, whether or not it waits"
    assert ids.result("f_2", "f") == "f_2"


@pytest.mark.parametrize("has_ids", [True, False], ids=["with ids", "without"])
@pytest.mark.parametrize("order", [1, -1], ids=["in order", "backwards"])
def test_it_takes_as_long_as_the_conversation_and_not_its_square(has_ids: bool, order: int) -> None:
    """The event loop waits for it (RELIABILITY L10): 40,000 steps through a list of 20,000 took a minute."""
    ids, names = CallIds(), [f"f{number}" for number in range(20_000)]
    began_at = time.perf_counter()
    calls = [ids.call(f"a{name}" if has_ids else "", name) for name in names]
    answered = [
        ids.result(call if has_ids else "", name) for call, name in list(zip(calls, names, strict=True))[::order]
    ]
    took_s = time.perf_counter() - began_at

    assert answered == calls[::order]
    assert took_s < 1.0
