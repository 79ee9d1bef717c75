"""A recorded side of a flight against a request of today."""

from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.cli.flights.aligning import Difference, differences, shape
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.telemetry.masking import shown_headers
from iflow_cli_proxy.transport.base import UpstreamRequest
from tests.support.flights import part

HEADERS = {
    "Content-Type": "application/json",
    "Authorization": "Bearer sk-0123456789abcdef",
    "user-agent": "iFlow-Cli",
    "session-id": "session-0b1c2d3e-0000-4000-8000-000000000001",
    "x-iflow-timestamp": "1763647000000",
    "x-iflow-signature": "ab" * 32,
}
BODY = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "extend_fields": {"sessionId": "session-12345678"},
}


def today(headers: dict[str, str] | None = None, body: Any = None) -> UpstreamRequest:
    fields = body or BODY
    return UpstreamRequest(
        url="http://up/v1", headers=headers or HEADERS, body=jsonx.encode(fields), fields=tuple(fields)
    )


def recorded(headers: dict[str, str] | None = None, body: Any = None, **fields: Any) -> dict[str, Any]:
    return part(
        method="POST",
        url="http://up/v1",
        headers=shown_headers(headers or HEADERS),
        body=jsonx.encode(body or BODY).decode(),
        fields=[*(body or BODY)],
        **fields,
    )


def told(found: list[Difference]) -> list[tuple[str, str, str]]:
    return [(one.place, one.name, one.kind) for one in found]


def test_what_is_made_anew_is_compared_by_its_shape() -> None:
    fresh = {
        **HEADERS,
        "Authorization": "Bearer sk-fedcba9876543210",
        "session-id": "session-ffffffff-1111-4111-8111-111111111111",
        "x-iflow-timestamp": "1763647999999",
        "x-iflow-signature": "cd" * 32,
    }
    later = {**BODY, "extend_fields": {"sessionId": "session-87654321"}}
    assert differences(recorded(), today(fresh, later)) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"Authorization": "sk-0123456789abcdef"}, ("header", "Authorization", "value")),
        ({"x-iflow-signature": "ab" * 20}, ("header", "x-iflow-signature", "value")),
        ({"session-id": "0b1c2d3e"}, ("header", "session-id", "value")),
        ({"user-agent": "curl"}, ("header", "user-agent", "value")),
        ({"x-team": "docs"}, ("header", "x-team", "added")),
    ],
)
def test_another_shape_or_value_is_a_difference(change: dict[str, str], expected: tuple[str, str, str]) -> None:
    assert told(differences(recorded(), today({**HEADERS, **change}))) == [expected]


def test_spelling_order_and_absence_are_differences() -> None:
    less = {name: value for name, value in HEADERS.items() if name != "user-agent"}
    assert told(differences(recorded(), today(less))) == [("header", "user-agent", "missing")]
    respelt = {name.lower(): value for name, value in HEADERS.items()}
    assert told(differences(recorded(), today(respelt))) == [
        ("header", "Content-Type", "spelling"),
        ("header", "Authorization", "spelling"),
    ]
    turned = dict(reversed(HEADERS.items()))
    (order,) = differences(recorded(), today(turned))
    assert (order.kind, order.recorded[0], order.today[0]) == ("order", "content-type", "x-iflow-signature")


def test_a_body_is_compared_field_by_field() -> None:
    now = {"model": "n", "messages": [{"role": "user", "content": "ho"}], "top_p": 1, "extend_fields": {"sessionId": 5}}
    assert told(differences(recorded(), today(body=now))) == [
        ("body", "model", "value"),
        ("body", "messages[0].content", "value"),
        ("body", "extend_fields.sessionId", "value"),
        ("body", "top_p", "added"),
    ]
    assert told(differences(recorded(), today(body=dict(reversed(BODY.items()))))) == [("body", "", "order")]


def test_where_no_body_was_kept_the_names_in_it_are_compared() -> None:
    before = {**recorded(), "body": None}
    assert told(differences(before, today(body={"model": "m", "top_p": 1}))) == [
        ("body", "messages", "missing"),
        ("body", "extend_fields", "missing"),
        ("body", "top_p", "added"),
    ]


def test_a_client_s_own_request_had_another_address_and_connection() -> None:
    client = recorded({**HEADERS, "Host": "localhost", "Content-Length": "5", "Connection": "close"})
    client["url"] = None
    assert differences(client, today(), is_clients=True) == []


def test_a_body_that_is_no_json_is_compared_as_it_is() -> None:
    before = {**recorded(), "body": "{"}
    assert told(differences(before, today())) == [("body", "", "value")]


@pytest.mark.parametrize(
    ("value", "same"),
    [("Bearer sk-…4f2a", "Bearer …9999"), ("0123456789abcdef", "fedcba9876543210"), ("1763647000000", "1763647000001")],
)
def test_shapes_of_masked_and_of_real_values_are_the_same(value: str, same: str) -> None:
    assert shape(value) == shape(same)
