from __future__ import annotations

from iflow_cli_proxy.cli.accounting.shapes import as_csv
from iflow_cli_proxy.state.ledger_queries import Group, Sums
from iflow_cli_proxy.state.ledger_question import Question

QUESTION = Question(by=("key", "model"), since=1_795_003_200.0)
GROUPS: list[Group] = [
    (
        ("alice", "glm-5"),
        Sums(requests=4, errors=1, prompt=100, cached=40, completion=10, reasoning=3, estimated=1,
             cost={"USD": 0.5, "CNY": 2.0}, first_byte_s=1.0, first_bytes=2, duration_s=8.0),
    ),
    (("", "=cmd()"), Sums(requests=1, prompt=1, unpriced=1)),
]  # fmt: skip


def test_the_csv_has_a_column_for_each_currency_and_no_formulas() -> None:
    head, first, second = as_csv(QUESTION, GROUPS).splitlines()
    assert head == (
        "key,model,requests,errors,error_share,prompt_tokens,cached_tokens,completion_tokens,reasoning_tokens,"
        "total_tokens,estimated_requests,unpriced_requests,first_byte_ms,duration_ms,cost_cny,cost_usd"
    )
    assert first == "alice,glm-5,4,1,0.25,100,40,10,3,110,1,0,500.0,2000.0,2.0,0.5"
    assert second.startswith(",'=cmd(),1,0,")
    assert as_csv(QUESTION, []).splitlines()[0].endswith(",cost_usd")
