from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.providers.complaint import Complaint, find_complaint, names_an_error

SHAPES = [
    (
        {"error": {"message": "m", "code": "c", "type": "t", "param": "p"}},
        Complaint(message="m", code="c", type="t", param="p"),
    ),
    ({"error": "m"}, Complaint(message="m")),
    ({"error": {"message": "m"}, "status": 400}, Complaint(message="m", code="400")),
    ({"error": "Not Found", "message": "no such route"}, Complaint(message="Not Found")),
    ({"detail": "m"}, Complaint(message="m")),
    ({"detail": [{"msg": "m", "type": "missing", "loc": ["body"]}]}, Complaint(message="m", type="missing")),
    ({"object": "error", "message": "m", "type": "t", "code": 40001}, Complaint(message="m", code="40001", type="t")),
    ({"base_resp": {"status_code": 1004, "status_msg": "login fail"}}, Complaint(message="login fail", code="1004")),
    ([{"error": {"code": 429, "message": "m"}}], Complaint(message="m", code="429")),
    ({"status": "449", "msg": "m", "body": None}, Complaint(message="m", code="449")),
    ({"error_code": 8211, "msg": "m"}, Complaint(message="m", code="8211")),
    ({"errors": [{"message": "m"}]}, Complaint(message="m")),
    ({"error": None}, Complaint()),
    ({"error": {"error": {"error": {"error": {"error": {"message": "deep"}}}}}}, Complaint()),
    ({"error": {"message": 3, "code": True}}, Complaint()),
    (None, Complaint()),
    (3, Complaint()),
    ([], Complaint()),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), SHAPES)
def test_a_complaint_is_found_in_every_shape(body: Any, expected: Complaint) -> None:
    assert find_complaint(body) == expected


def test_a_code_is_a_number_only_when_it_is_one() -> None:
    assert Complaint(code="429").number == 429
    assert Complaint(code="rate_limit").number == 0
    assert Complaint(code="9" * 5000).number == 0
    assert Complaint(code="²").number == 0


@pytest.mark.parametrize(
    ("body", "is_error"),
    [
        ({"error": {"message": "m"}}, True),
        ({"error": None, "choices": []}, False),
        ({"type": "error"}, True),
        ({"success": False}, True),
        ({"base_resp": {"status_code": 0}, "choices": []}, False),
        ({"base_resp": {"status_code": 1002}}, True),
        ({"choices": [{}]}, False),
        ([{"error": "m"}], True),
        ([], False),
        (None, False),
    ],
)
def test_an_error_is_recognised_by_where_only_errors_stand(body: Any, is_error: bool) -> None:
    assert names_an_error(body) is is_error
