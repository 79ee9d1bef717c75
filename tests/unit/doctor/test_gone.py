"""The tables of reference/iflow.md 1.1 and reference/qwen.md 1.1."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import (
    ConnectionLost,
    ConnectTimedOut,
    Failing,
    GatewayError,
    LoginRequired,
    Malformed,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    Rejected,
    TimedOut,
    TlsFailed,
    Unreachable,
)
from iflow_cli_proxy.doctor.finding import Status
from iflow_cli_proxy.doctor.gone import (
    Sign,
    are_names_gone,
    judge_device_answers,
    judge_error,
    judge_look,
    judge_sign,
    needs_login,
    sign_of,
)
from iflow_cli_proxy.doctor.reach import Look, Target, Trouble
from iflow_cli_proxy.doctor.vendors import VENDORS
from iflow_cli_proxy.providers.signin import OAuthAnswer
from tests.support.machines import NOW

IFLOW, QWEN = VENDORS
URL = "https://apis.iflow.cn/v1/models"
PAGE = b"<!DOCTYPE html><html><body>Goodbye</body></html>"


def look(trouble: Trouble | None = None, detail: str = "detail", ends_at: float | None = None) -> Look:
    target = Target(host="apis.iflow.cn", port=443, is_tls=True)
    return Look(target=target, trouble=trouble, detail=detail, certificate_ends_at=ends_at)


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> OAuthAnswer:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return OAuthAnswer(status=status, headers={"content-type": "application/json", **given}, body=body)


# --- names, connections, certificates -------------------------------------------------------------------------------


def test_a_vendor_is_gone_when_none_of_its_names_resolves_and_others_do() -> None:
    nothing = [look(Trouble.NO_NAME)] * 3

    assert are_names_gone(nothing, others_resolve=True)
    assert not are_names_gone(nothing, others_resolve=False)
    assert not are_names_gone([*nothing, look()], others_resolve=True)
    assert not are_names_gone([*nothing, look(Trouble.TIMED_OUT)], others_resolve=True)
    assert not are_names_gone([], others_resolve=True)


@pytest.mark.parametrize(
    ("seen", "status", "words"),
    [
        (look(), Status.OK, "takes connections"),
        (look(ends_at=NOW + 30 * 86_400), Status.OK, "certificate is good"),
        (look(ends_at=NOW + 3 * 86_400 + 60), Status.NOTE, "ends in 3 d"),
        (look(Trouble.NO_NAME), Status.FAILURE, "does not resolve"),
        (look(Trouble.REFUSED), Status.FAILURE, "takes no connection"),
        (look(Trouble.TIMED_OUT), Status.WARNING, "may pass"),
        (look(Trouble.CERTIFICATE, "the certificate has expired"), Status.FAILURE, "somebody is in between"),
        (look(Trouble.TLS), Status.FAILURE, "TLS fails"),
    ],
)
def test_one_host_by_itself_is_never_proof_of_the_end(seen: Look, status: Status, words: str) -> None:
    judged = judge_look(seen, now=NOW)

    assert judged.status is status
    assert words in judged.text


# --- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "sign"),
    [
        (answer(200), Sign.ALIVE),
        (answer(401), Sign.ALIVE),
        (answer(404), Sign.ALIVE),
        (answer(200, PAGE), Sign.PAGE),
        (answer(200, b"hello", content_type="text/html; charset=utf-8"), Sign.PAGE),
        (answer(502, PAGE, content_type="text/html"), Sign.FAILING),
        (answer(503), Sign.FAILING),
        (answer(302, location="https://qoder.example/"), Sign.MOVED),
        (answer(301, location="https://platform.iflow.cn/login"), Sign.ALIVE),
        (answer(302, location="/login"), Sign.ALIVE),
        (answer(302), Sign.ALIVE),
    ],
)
def test_an_answer_to_nobody_says_who_is_there(seen: OAuthAnswer, sign: Sign) -> None:
    assert sign_of(seen, URL, vendor=IFLOW) is sign


@pytest.mark.parametrize("status", [404, 410])
def test_nothing_where_chats_went_is_a_sign_and_a_missing_list_of_models_is_none(status: int) -> None:
    assert sign_of(answer(status), URL, is_chat=True, vendor=IFLOW) is Sign.ABSENT
    assert sign_of(answer(status), URL, vendor=IFLOW) is Sign.ALIVE


def test_elsewhere_a_404_in_json_most_likely_means_the_model() -> None:
    assert sign_of(answer(404, b'{"error":"no such model"}'), "http://h/v1", is_chat=True) is Sign.ALIVE
    assert sign_of(answer(404, b"404 page not found"), "http://h/v1", is_chat=True) is Sign.ABSENT


@pytest.mark.parametrize(
    ("location", "sign"),
    [("https://www.api.example/x", Sign.ALIVE), ("https://parked.test/", Sign.MOVED), ("https://9.9.9.9/", Sign.MOVED)],
)
def test_without_a_vendor_another_site_is_another_domain(location: str, sign: Sign) -> None:
    assert sign_of(answer(302, location=location), "https://api.example/v1") is sign


@pytest.mark.parametrize("sign", [Sign.PAGE, Sign.MOVED, Sign.ABSENT])
def test_only_a_vendor_that_announced_its_end_is_taken_for_gone(sign: Sign) -> None:
    assert judge_sign(sign, IFLOW).status is Status.GONE
    assert "iFlow appears to be shut down" in judge_sign(sign, IFLOW).text
    assert judge_sign(sign, None).status is Status.FAILURE


def test_what_passes_is_a_warning_and_life_is_fine() -> None:
    assert judge_sign(Sign.FAILING, IFLOW).status is Status.WARNING
    assert judge_sign(Sign.ALIVE, IFLOW).status is Status.OK


# --- signing in -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "is_granted", "status"),
    [
        ([200], True, Status.OK),
        ([503, 200], True, Status.OK),
        ([200], False, Status.GONE),
        ([400], False, Status.GONE),
        ([404], False, Status.GONE),
        ([429], False, Status.WARNING),
        ([504], False, Status.WARNING),
        ([504, 504, 504], False, Status.GONE),
    ],
)
def test_a_sign_in_server_is_gone_when_it_refuses_or_keeps_failing(
    statuses: list[int], is_granted: bool, status: Status
) -> None:
    answers = [answer(one) for one in statuses]

    assert judge_device_answers(answers, is_granted, QWEN).status is status


def test_a_sign_in_server_of_somebody_else_is_only_failing() -> None:
    assert judge_device_answers([answer(404)], False, None).status is Status.FAILURE


# --- accounts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("slow"),
        QuotaExhausted("used up"),
        Overloaded("当前找我聊的人太多了"),
        Failing("500"),
        TimedOut("total", 10),
        ConnectTimedOut("slow"),
        ConnectionLost("lost"),
        TimeoutError(),
    ],
)
def test_what_passes_by_itself_is_a_warning(error: Exception) -> None:
    assert judge_error(error).status is Status.WARNING
    assert not needs_login(error)


@pytest.mark.parametrize("error", [Unreachable("no"), TlsFailed("no"), Malformed("no"), Rejected("no"), OSError("no")])
def test_what_does_not_pass_is_a_failure(error: Exception) -> None:
    assert judge_error(error).status is Status.FAILURE


def test_a_refused_key_needs_a_login() -> None:
    error: GatewayError = LoginRequired("The key is dead.")

    assert needs_login(error)
    assert (judge_error(error).status, judge_error(error).text) == (Status.FAILURE, "The key is dead")
