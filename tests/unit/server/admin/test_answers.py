from __future__ import annotations

import pytest
from multidict import CIMultiDict

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import (
    ConfigError,
    GatewayError,
    InvalidRequest,
    LoginRequired,
    Overloaded,
    RateLimited,
    StateError,
    Unauthenticated,
    every_error,
)
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.server.admin.answers import error_answer, seal, spoken, status_of


@pytest.mark.parametrize(
    ("error", "status", "kind", "param"),
    [
        (Unauthenticated("No.", code="wrong_password"), 401, "wrong_password", None),
        (InvalidRequest("No.", status=421, code="misdirected", param="Host"), 421, "misdirected", "Host"),
        (InvalidRequest("No.", param="password"), 400, "invalid_request", "password"),
        (ConfigError("No.", param="--rpm"), 400, "config", "rpm"),
        (LoginRequired("No.", status=401), 502, "upstream_auth", None),
        (Overloaded("No.", status=599), 503, "upstream_overloaded", None),
        (StateError("No.", detail="/home/somebody"), 500, "state", None),
    ],
)
def test_an_error_has_one_shape(error: GatewayError, status: int, kind: str, param: str | None) -> None:
    answer = error_answer(error)
    assert isinstance(answer.body, bytes)

    assert answer.status == status
    assert jsonx.decode(answer.body) == {"error": {"kind": kind, "message": "No.", "hint": "", "param": param}}


def test_who_has_to_wait_is_told_how_long() -> None:
    assert error_answer(RateLimited("No.", retry_after_s=2.1)).headers["Retry-After"] == "3"


def test_every_error_there_is_has_a_status() -> None:
    for kind in every_error():
        error = kind.__new__(kind)
        GatewayError.__init__(error, "No.")
        assert 400 <= status_of(error) <= 599


def test_a_page_with_a_policy_of_its_own_keeps_it() -> None:
    headers = CIMultiDict({"content-security-policy": "default-src 'none'"})
    seal(headers)

    assert headers["Content-Security-Policy"] == "default-src 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_sentences_in_an_answer_are_in_the_language_of_the_reader_and_names_are_not() -> None:
    answer: Json = {
        "tables": [{"name": "text", "help": "Port to listen on; 0 takes a free one."}],
        "rests": ({"next_step": "try again", "reason": "text"},),
        "help": None,
        "port": 28000,
    }

    assert spoken(answer, "en") is answer
    assert spoken(answer, "zh") == {
        "tables": [{"name": "text", "help": "监听端口\uff1b0 表示任选一个空闲端口\u3002"}],
        "rests": [{"next_step": "请重试", "reason": "text"}],
        "help": None,
        "port": 28000,
    }
