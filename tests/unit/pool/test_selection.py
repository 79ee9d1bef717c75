"""The strategies: which of several free accounts is taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.breaker import Breaker
from iflow_cli_proxy.pool.rest import RestReason, begin_rest
from iflow_cli_proxy.pool.rules import Choosing, PoolRules, Strategy
from iflow_cli_proxy.pool.selection import Selector
from iflow_cli_proxy.pool.standing import Standing
from iflow_cli_proxy.pool.wish import Wish


def standings(count: int = 3, *, concurrency: int = 0, preferred: str = "") -> list[Standing]:
    rules = PoolRules()
    return [
        Standing(
            Account(id=name, provider="p", label=name, concurrency=concurrency, is_preferred=name == preferred),
            Breaker(rules.breaker),
        )
        for name in (f"a{number}" for number in range(count))
    ]


def put_to_rest(one: Standing) -> None:
    one.way("").rest = begin_rest(RestReason.QUOTA, 0.0, PoolRules())
    one.note_state()


class Chooser:
    """A selector with the pool's part of the work: turns are counted."""

    def __init__(self, strategy: Strategy, everyone: Sequence[Standing], **weights: float) -> None:
        self.rules = PoolRules(choosing=Choosing(strategy=strategy, weights=weights), sticky_ttl_s=100.0)
        self.selector = Selector()
        self.everyone = everyone
        self._turns = 0

    def __call__(
        self, free: Sequence[Standing] | None = None, *, session: str = "", now: float = 0.0, pool: str = ""
    ) -> str:
        wish = Wish(provider="p", session=session, pool=pool)
        chosen = self.selector.choose(free or self.everyone, self.everyone, wish, now, self.rules)
        self._turns += 1
        chosen.turn = self._turns
        return chosen.id


def test_least_busy_takes_the_one_with_the_fewest_requests_and_then_the_longest_unused() -> None:
    everyone = standings()
    everyone[0].in_flight = 1
    choose = Chooser(Strategy.LEAST_BUSY, everyone)
    assert [choose() for _ in range(4)] == ["a1", "a2", "a1", "a2"]


def test_a_new_account_gets_its_turn_and_not_all_that_others_had_before() -> None:
    everyone = standings(2)
    everyone[0].requests = everyone[0].turn = 5000
    choose = Chooser(Strategy.LEAST_BUSY, everyone)
    choose._turns = 5000
    assert [choose() for _ in range(4)] == ["a1", "a0", "a1", "a0"]


def test_the_first_choice_comes_first_while_nobody_has_been_used() -> None:
    choose = Chooser(Strategy.LEAST_BUSY, standings(preferred="a2"))
    assert [choose() for _ in range(4)] == ["a2", "a0", "a1", "a2"]


def test_round_robin_goes_round_however_busy() -> None:
    everyone = standings()
    everyone[1].in_flight = 9
    choose = Chooser(Strategy.ROUND_ROBIN, everyone)
    assert [choose() for _ in range(6)] == ["a0", "a1", "a2"] * 2


def test_fill_first_keeps_to_the_first_that_is_free() -> None:
    everyone = standings()
    choose = Chooser(Strategy.FILL_FIRST, everyone)
    assert [choose(), choose(), choose(everyone[1:])] == ["a0", "a0", "a1"]


def test_weighted_shares_smoothly() -> None:
    choose = Chooser(Strategy.WEIGHTED, standings(), a0=5.0, a1=1.0, a2=1.0)
    assert [choose() for _ in range(7)] == ["a0", "a0", "a1", "a0", "a2", "a0", "a0"]


def test_weighted_gives_nothing_to_a_weight_of_nothing_unless_it_is_alone() -> None:
    everyone = standings(2)
    choose = Chooser(Strategy.WEIGHTED, everyone, a0=0.0)
    assert {choose() for _ in range(5)} == {"a1"}
    assert choose(everyone[:1]) == "a0"


def test_weighted_shares_out_the_turns_of_an_account_that_is_away() -> None:
    everyone = standings()
    choose = Chooser(Strategy.WEIGHTED, everyone, a0=2.0, a1=1.0, a2=1.0)
    counts = Counter(choose(everyone[1:]) for _ in range(100))
    assert counts == {"a1": 50, "a2": 50}
    counts = Counter(choose() for _ in range(100))
    assert counts["a0"] in range(48, 53), "no arrears to make up for"


def test_a_pool_has_its_own_strategy() -> None:
    choose = Chooser(Strategy.ROUND_ROBIN, standings())
    choose.rules = PoolRules(
        choosing=choose.rules.choosing, pools={"night": Choosing(strategy=Strategy.FILL_FIRST)}
    )  # fmt: skip
    assert [choose(pool="night") for _ in range(3)] == ["a0"] * 3
    assert [choose(pool="unknown") for _ in range(3)] == ["a1", "a2", "a0"]


def test_a_sticky_conversation_stays_with_its_account() -> None:
    choose = Chooser(Strategy.STICKY, standings(10))
    first = {f"s{number}": choose(session=f"s{number}") for number in range(50)}
    assert len(set(first.values())) > 5
    assert all(choose(session=session, now=99.0) == id for session, id in first.items())


def test_a_lost_account_moves_only_its_own_conversations() -> None:
    everyone = standings(10)
    sessions = [f"s{number}" for number in range(500)]
    before = {session: Chooser(Strategy.STICKY, everyone)(session=session) for session in sessions}
    without = [one for one in everyone if one.id != "a3"]
    after = {session: Chooser(Strategy.STICKY, without)(session=session) for session in sessions}
    assert {before[session] for session in sessions if before[session] != after[session]} == {"a3"}


def test_a_conversation_without_a_name_is_like_least_busy() -> None:
    choose = Chooser(Strategy.STICKY, standings())
    assert [choose() for _ in range(3)] == ["a0", "a1", "a2"]


def test_while_its_account_is_only_full_another_helps_out() -> None:
    everyone = standings(3, concurrency=1)
    choose = Chooser(Strategy.STICKY, everyone)
    home = choose(session="s")
    bound = next(one for one in everyone if one.id == home)
    bound.in_flight = 1
    assert choose([one for one in everyone if one is not bound], session="s") != home
    bound.in_flight = 0
    assert choose(session="s") == home


def test_when_its_account_rests_the_conversation_moves_for_good() -> None:
    everyone = standings()
    choose = Chooser(Strategy.STICKY, everyone)
    home = choose(session="s")
    put_to_rest(next(one for one in everyone if one.id == home))
    other = choose([one for one in everyone if one.id != home], session="s")
    assert choose(session="s") == other != home


def test_while_its_account_waits_for_a_newer_bearer_another_helps_out() -> None:
    everyone = standings(3)
    choose = Chooser(Strategy.STICKY, everyone)
    home = choose(session="s")
    assert choose([one for one in everyone if one.id != home], session="s") != home
    assert choose(session="s") == home


def test_after_its_time_a_conversation_is_placed_anew() -> None:
    everyone = standings()
    choose = Chooser(Strategy.STICKY, everyone)
    home = choose(session="s")
    put_to_rest(next(one for one in everyone if one.id == home))
    other = choose([one for one in everyone if one.id != home], session="s")
    assert choose(session="s", now=100.0) == home != other


def test_what_strategies_remember_is_bounded_and_forgets_accounts_that_are_gone() -> None:
    everyone = standings()
    choose = Chooser(Strategy.STICKY, everyone)
    for number in range(10_050):
        choose(everyone[:1], session=f"s{number}")
    assert len(choose.selector._sessions) == 10_000
    choose.selector.keep_only({"a1", "a2"})
    assert not choose.selector._sessions
