from __future__ import annotations

from typing import Any

import pytest
from multidict import CIMultiDict

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.demo.faults import Plain
from iflow_cli_proxy.demo.portal import MODELS, refuse_body, refuse_caller, unknown_model

CODER = MODELS.find("coder-model")
AGENT = "QwenCode/0.14.3 (linux; x64)"
MARK = {"cache_control": {"type": "ephemeral"}}
SYSTEM = {"role": "system", "content": [{"type": "text", "text": "", **MARK}]}
USER = {"role": "user", "content": "hi"}


def call(id: str, arguments: str = "{}") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": "look", "arguments": arguments}}


def calls(*given: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": "", "tool_calls": list(given)}


def result(id: str, content: Any = "seen") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


def headers(**changes: str) -> CIMultiDict[str]:
    made = {
        "User-Agent": AGENT,
        "X-DashScope-UserAgent": AGENT,
        "X-DashScope-CacheControl": "enable",
        "X-DashScope-AuthType": "qwen-oauth",
    }
    made.update({name.replace("_", "-"): value for name, value in changes.items()})
    return CIMultiDict({name: value for name, value in made.items() if value})


def code_of(plain: Plain | None) -> tuple[int, str]:
    assert plain is not None
    body = jsonx.decode(plain.body)
    assert set(body) == {"error", "request_id"}
    return plain.status, body["error"]["code"]


def test_the_vendors_client_with_a_good_bearer_is_let_in() -> None:
    assert refuse_caller(headers(), "ada") is None


def test_a_bearer_of_nobody_is_a_401_before_anything_else() -> None:
    assert code_of(refuse_caller(CIMultiDict(), None)) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    "changes",
    [
        {"X_DashScope_UserAgent": ""},
        {"X_DashScope_UserAgent": "QwenCode/0.1 (linux; x64)"},
        {"X_DashScope_UserAgent": "curl/8", "User_Agent": "curl/8"},
        {"X_DashScope_CacheControl": ""},
        {"X_DashScope_AuthType": ""},
        {"X_DashScope_AuthType": "openai"},
    ],
)
def test_another_client_is_refused(changes: dict[str, str]) -> None:
    assert code_of(refuse_caller(headers(**changes), "ada"))[0] == 400


@pytest.mark.parametrize(
    "messages",
    [
        [SYSTEM, USER],
        [SYSTEM, {"role": "user", "content": [{"type": "text", "text": "hi", **MARK}]}],
        [SYSTEM, {"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url"}]}],
        [SYSTEM, USER, calls(call("a"), call("b")), result("b"), result("a"), USER],
    ],
)
def test_what_the_portal_takes(messages: list[Any]) -> None:
    assert refuse_body({"messages": messages, "max_tokens": 65_536}, CODER) is None


@pytest.mark.parametrize(
    "messages",
    [
        None,
        [],
        ["hi"],
        [USER],
        [{"role": "system", "content": "You are kind."}, USER],
        [{"role": "system", "content": [{"type": "text", "text": "x"}]}, USER],
        [{"role": "system", "content": []}, USER],
        [{"role": "developer", "content": SYSTEM["content"]}, USER],
        [SYSTEM, USER, SYSTEM],
        [SYSTEM, {"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        [SYSTEM, USER, calls(call("a")), result("a", [{"type": "text", "text": "seen"}])],
    ],
)
def test_what_the_portal_does_not_take(messages: Any) -> None:
    assert code_of(refuse_body({"messages": messages}, CODER)) == (400, "invalid_parameter_error")


@pytest.mark.parametrize(
    "messages",
    [
        [calls(call("a")), USER],
        [calls(call("a")), USER, result("a")],
        [calls(call("a"), call("b")), result("a")],
        [result("a")],
        [calls(call("a")), result("a"), result("a")],
        [calls(call("a", "")), result("a")],
        [calls(call("a", "{")), result("a")],
    ],
)
def test_tools_out_of_order_are_an_error_of_their_own(messages: list[Any]) -> None:
    plain = refuse_body({"messages": [SYSTEM, USER, *messages]}, CODER)
    assert code_of(plain) == (400, "InternalError.Algo.InvalidParameter")


@pytest.mark.parametrize("limit", [0, 65_537, "many"])
def test_a_limit_outside_the_models_range_is_refused(limit: Any) -> None:
    assert code_of(refuse_body({"messages": [SYSTEM, USER], "max_tokens": limit}, CODER))[0] == 400


def test_an_alias_that_clients_resolve_is_no_model_here() -> None:
    assert MODELS.find("qwen3.5-plus") is None
    assert refuse_body({"model": "qwen3.5-plus"}, None) == unknown_model("qwen3.5-plus")
