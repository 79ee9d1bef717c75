from __future__ import annotations

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.demo.mishaps import ALL, ANSWERS, BENDS, ENDPOINTS, REDIRECTS, FaultQueue, failure


def queue(*wishes: str) -> FaultQueue:
    made = FaultQueue()
    for wish in wishes:
        made.append(wish)
    return made


def taken(faults: FaultQueue, endpoint: str, times: int) -> list[str]:
    return [faults.take(endpoint) for _ in range(times)]


def test_every_failure_of_the_references_can_be_asked_for() -> None:
    token = ["overload", "http_503", "http_429", "html", "redirect", "http_404", "cut_before", "cut_after", "slow"]
    token += ["no_access_token", "no_expires_in", "expires_in_0", "expires_in_negative", "expires_in_word"]
    token += ["expires_in_huge", "no_refresh_token", "invalid_grant", "large", "token_type_mac"]
    device = ["authorization_pending", "slow_down", "slow_down_429", "expired_token", "access_denied", "http_500"]
    device += ["http_504", "interval_0", "interval_huge", "interval_word", "no_interval", "script_uri", "steering_code"]
    userinfo = ["http_401", "empty_api_key"]
    assert {*token, *device, *userinfo} <= set(ALL)
    assert len(ALL) == len(set(ALL))


def test_faults_come_in_order_and_once() -> None:
    assert taken(queue("overload", "html"), "refresh", 3) == ["overload", "html", ""]


def test_a_fault_may_come_several_times_or_for_ever() -> None:
    assert taken(queue("overload@2", "html"), "code", 4) == ["overload", "overload", "html", ""]

    always = queue("overload@0")
    assert taken(always, "poll", 5) == ["overload"] * 5
    assert len(always) == 1
    always.clear()
    assert always.take("poll") == ""


@pytest.mark.parametrize(
    ("wish", "endpoints"),
    [
        ("overload", {"code", "refresh", "poll"}),
        ("token:slow_down", {"code", "refresh", "poll"}),
        ("slow_down", {"poll"}),
        ("script_uri", {"device"}),
        ("empty_api_key", {"userinfo"}),
        ("refused", {"authorize"}),
        ("userinfo:http_401", {"userinfo"}),
        ("refresh:cut_after@3", {"refresh"}),
    ],
)
def test_a_fault_has_a_place_of_its_own_unless_the_wish_names_another(wish: str, endpoints: set[str]) -> None:
    assert {endpoint for endpoint in ENDPOINTS if queue(wish).take(endpoint)} == endpoints


def test_one_endpoint_does_not_take_what_is_meant_for_another() -> None:
    faults = queue("userinfo:http_401", "overload")
    assert faults.take("refresh") == "overload"
    assert list(faults) == ["userinfo:http_401@1"]


@pytest.mark.parametrize("wish", ["", "no_such_fault", "nowhere:overload", "overload@", "overload@x", "OVERLOAD"])
def test_a_wish_for_nothing_is_told_at_once(wish: str) -> None:
    with pytest.raises(ValueError, match="there is no fault"):
        queue(wish)


def test_the_vendors_overload_is_a_success_by_its_status_and_text_by_its_code() -> None:
    plain = ANSWERS["overload"]
    body = jsonx.decode(plain.body)
    assert plain.status == 200
    assert (body["success"], body["code"], body["data"]) == (False, "500", None)
    assert "太多" in body["message"]
    assert jsonx.decode(failure("401", "no").body)["message"] == "no"


@pytest.mark.parametrize("name", BENDS)
def test_every_bend_changes_a_good_answer_and_leaves_the_original(name: str) -> None:
    good = {
        "access_token": "a", "refresh_token": "r", "expires_in": 7, "token_type": "bearer", "resource_url": "h",
        "device_code": "d", "user_code": "u", "verification_uri": "v", "verification_uri_complete": "c", "interval": 5,
        "data": {"apiKey": "k", "email": "e", "phone": "p", "userName": "n"},
    }  # fmt: skip
    before = jsonx.encode(good)
    assert BENDS[name](good) != good
    assert jsonx.encode(good) == before


@pytest.mark.parametrize("name", REDIRECTS)
def test_every_redirect_differs_from_the_good_one(name: str) -> None:
    good = {"code": "c", "state": "s"}
    assert REDIRECTS[name](good) != good
