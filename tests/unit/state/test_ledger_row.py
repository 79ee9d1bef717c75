from __future__ import annotations

from iflow_cli_proxy.state.ledger_row import COLUMNS, Attempt, Row, as_json, row_from, values


def test_a_row_comes_back_as_it_was() -> None:
    one = Row(
        request_id="req_1",
        at=1.5,
        client="alice",
        account="work",
        provider="zai",
        model_asked="claude-x",
        model_served="glm-5",
        protocol="anthropic",
        is_stream=True,
        status=502,
        error_kind="upstream_failing",
        attempts=(Attempt(account="work", route="zai/glm-5", error_kind="busy", duration_s=1.25),),
        prompt=10,
        cached=4,
        completion=3,
        reasoning=1,
        is_estimated=True,
        bytes_in=100,
        bytes_out=200,
        first_byte_s=0.5,
        duration_s=2.0,
        overhead_s=0.01,
        cost=0.25,
        currency="USD",
    )
    assert row_from(values(one)) == one
    assert len(values(one)) == len(COLUMNS)


def test_what_strangers_wrote_is_cut_and_cleaned() -> None:
    bound = values(Row(request_id="a", at=0, model_asked="\ud800" + "x" * 1000, prompt=2**70, bytes_in=-1))
    fields = dict(zip(COLUMNS, bound, strict=True))
    assert fields["model_asked"] == "?" + "x" * 199
    assert fields["prompt"] == 2**63 - 1
    assert fields["bytes_in"] == 0


def test_many_attempts_are_counted_and_the_first_of_them_told() -> None:
    one = Row(request_id="a", at=0, attempts=tuple(Attempt(account="a", route=f"p/{n}") for n in range(80)))
    assert dict(zip(COLUMNS, values(one), strict=True))["attempts"] == 80
    assert len(row_from(values(one)).attempts) == 50


def test_other_programs_read_names_of_their_own() -> None:
    told = as_json(Row(request_id="a", at=1.5, client="alice", attempts=(Attempt(account="a", route="p/m"),)))
    assert (told["id"], told["at"], told["key"], told["attempts"]) == ("a", "1970-01-01T00:00:01.500000Z", "alice", 1)
