from __future__ import annotations

from pathlib import Path

from iflow_cli_proxy.cli.accounts.harvest import FAILED, SKIPPED, Entry, Harvest, gather, plan_all_callers
from iflow_cli_proxy.cli.output import ExitCode
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount
from iflow_cli_proxy.signin.foreign.reading import Callers, Reading, Skipped
from iflow_cli_proxy.signin.foreign.search import Found, Unreadable

BAD = Unreadable(where="x.json", problem="is cut")


def saved(label: str) -> SavedAccount:
    return SavedAccount(
        id="", provider="iflow", label=label, auth_type=AuthType.API_KEY, api_key=Secret(f"sk-0123456789-{label}")
    )


def found(*labels: str, where: str = "keys.json", callers: Callers | None = None) -> Found:
    reading = Reading(
        accounts=tuple(saved(label) for label in labels),
        skipped=(Skipped(name="odd", reason="it is not an object"),),
        callers=callers,
    )
    return Found(where=where, program="iflow2api (keys.json)", reading=reading)


def of(*results: str) -> Harvest:
    return Harvest(entries=[Entry(where="w", program="p", name="n", result=result) for result in results])


def test_accounts_come_first_and_what_was_skipped_after_them() -> None:
    harvest = gather([found("a", "b"), BAD], (), now=1.0)

    assert [(one.name, one.result) for one in harvest.entries] == [
        ("a", "imported"),
        ("b", "imported"),
        ("odd", SKIPPED),
    ]
    assert harvest.problems == [BAD]
    assert harvest.news == ["2 accounts"]


def test_who_may_use_a_pool_is_planned_with_the_names_its_accounts_get_here(tmp_path: Path) -> None:
    tree = {"keys": {"sk-of-somebody": {"accounts": ["one", "two"]}}}
    callers = Callers(tree=tree, accounts={"one": 0, "two": 1})
    results = [found("a", where="first.json"), BAD, found("a b", "gone", callers=callers)]
    harvest = gather(results, (), now=1.0)
    harvest.entries[2].result = FAILED

    plan_all_callers(harvest, results, Session({"IFLOW2API_HOME": str(tmp_path)}), now=1.0)
    plan_all_callers(harvest, results, Session({"IFLOW2API_HOME": str(tmp_path)}), now=1.0)

    (plan,) = harvest.plans
    assert [one.key.accounts for one in plan.entries] == [("iflow/a-b",)]
    assert harvest.news == ["3 accounts", "1 client key"]
    assert len(set(harvest.notes)) == len(harvest.notes)


def test_the_exit_code_tells_whether_something_named_by_hand_was_left() -> None:
    assert of("imported").exit_code(is_search=False) is ExitCode.OK
    assert of("imported", SKIPPED).exit_code(is_search=True) is ExitCode.OK
    assert of("imported", SKIPPED).exit_code(is_search=False) is ExitCode.PARTLY_FAILED
    assert of("imported", FAILED).exit_code(is_search=True) is ExitCode.PARTLY_FAILED
    assert of(SKIPPED).exit_code(is_search=False) is ExitCode.FAILED
    assert Harvest(problems=[BAD]).exit_code(is_search=True) is ExitCode.FAILED
