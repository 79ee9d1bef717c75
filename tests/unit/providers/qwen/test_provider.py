from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import errors, jsonx
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.providers.base import Call, Provider
from iflow_cli_proxy.providers.qwen.catalog import load_catalog
from iflow_cli_proxy.providers.qwen.provider import QwenProvider
from iflow_cli_proxy.providers.qwen.sunset import ENDED_AT
from tests.support.entropy import counting_entropy
from tests.support.fake_clock import FakeClock

MESSAGES = [{"role": "user", "content": "hi"}]
DEMO = "http://127.0.0.1:9801/v1"


def provider(clock: FakeClock | None = None, own_models: str = "", **more: Any) -> QwenProvider:
    return QwenProvider(
        "qwen", load_catalog(own_models), clock=clock or FakeClock(), entropy=counting_entropy(), **more
    )  # fmt: skip


def account(*, is_oauth: bool = True, base_url: str = "", key: str = "at-1") -> Account:
    return Account(id="a", provider="qwen", label="a", api_key=Secret(key), is_oauth=is_oauth, base_url=base_url)


def call(
    model: str = "coder-model",
    who: Account | None = None,
    *,
    is_stream: bool = False,
    conversation: str = "",
    **fields: Any,
) -> Call:
    return Call(
        account=who or account(),
        model=model,
        fields={"messages": MESSAGES, **fields},
        is_stream=is_stream,
        conversation=conversation,
    )


def body(made: QwenProvider, one: Call) -> dict[str, Any]:
    return dict(jsonx.decode(made.prepare(one).body))


def test_it_is_a_provider_with_its_own_failing_word() -> None:
    port: Provider = provider()
    assert (port.protocol, port.default_concurrency) == ("openai_chat", 4)
    assert port.failing_stop_words == {"error_finish"}
    assert port.reuses_call_indexes


def test_a_sign_in_calls_the_portal_and_a_key_calls_dashscope() -> None:
    signed_in = provider().prepare(call())
    with_key = provider().prepare(call(who=account(is_oauth=False, key=" sk-1\n")))
    assert signed_in.url == "https://portal.qwen.ai/v1/chat/completions"
    assert signed_in.headers["Authorization"] == "Bearer at-1"
    assert signed_in.headers["X-DashScope-AuthType"] == "qwen-oauth"
    assert with_key.url == "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions"
    assert with_key.headers["Authorization"] == "Bearer sk-1"
    assert with_key.headers["X-DashScope-AuthType"] == "openai"


def test_the_accounts_own_address_goes_before_the_configured_one() -> None:
    made = provider(base_url=DEMO)
    assert made.prepare(call()).url == f"{DEMO}/chat/completions"
    there = account(base_url="dashscope-intl.aliyuncs.com/compatible-mode")
    assert (
        made.prepare(call(who=there)).url == "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions"
    )
    assert made.prepare(call(who=account(base_url=DEMO))).url == f"{DEMO}/chat/completions"
    typed = account(is_oauth=False, base_url="https://relay.example.com/openai")
    assert made.prepare(call(who=typed)).url == "https://relay.example.com/openai/chat/completions"


@pytest.mark.parametrize("base_url", ["https://evil.example.com/v1", "http://portal.qwen.ai", DEMO, "file:///etc"])
def test_a_token_is_not_sent_to_an_address_nobody_vouches_for(base_url: str) -> None:
    with pytest.raises(errors.LoginRequired) as caught:
        provider().prepare(call(who=account(base_url=base_url)))
    assert base_url not in caught.value.message + caught.value.hint
    assert "[providers.qwen]" in caught.value.hint


@pytest.mark.parametrize(
    ("asked", "is_oauth", "sent"),
    [
        ("coder-model", True, "coder-model"),
        ("QWEN", True, "coder-model"),
        ("qwen3.5-plus", True, "coder-model"),
        ("qwen3.5-plus(high)", True, "coder-model"),
        ("qwen3.5-plus", False, "qwen3.5-plus"),
        ("Qwen3-Coder-Plus", True, "qwen3-coder-plus"),
        ("Future-Model", False, "Future-Model"),
    ],
)
def test_the_name_on_the_wire_depends_on_who_asks(asked: str, is_oauth: bool, sent: str) -> None:
    assert body(provider(), call(asked, account(is_oauth=is_oauth)))["model"] == sent


def test_the_limit_is_that_of_the_model_that_answers() -> None:
    assert body(provider(), call("vision-model", max_tokens=99_999))["max_tokens"] == 8192
    assert body(provider(), call("qwen-plus", max_tokens=99_999))["max_tokens"] == 65_536
    assert body(provider(), call("qwen-plus", account(is_oauth=False), max_tokens=99_999))["max_tokens"] == 32_768
    own = '[[models]]\nid = "coder-model"\noutput_tokens = 7'
    assert body(provider(own_models=own), call("qwen3.6-plus", max_tokens=99))["max_tokens"] == 7
    assert "max_tokens" not in body(provider(), call())


def test_thinking_is_asked_for_by_name_and_by_setting() -> None:
    assert body(provider(), call("coder-model(low)"))["thinking_budget"] == 1024
    quiet = provider(default_thinking="off")
    assert body(quiet, call())["enable_thinking"] is False
    assert "enable_thinking" not in body(quiet, call("qwen3-coder-plus"))


def test_the_session_is_the_conversation() -> None:
    made = provider()
    first, second, other = (
        body(made, call(conversation=name))["metadata"]["sessionId"] for name in ("thread-7", "thread-7", "")
    )
    assert first == second != other


def test_headers_of_the_config_win() -> None:
    made = provider(extra_headers={"user-agent": "mine", "X-Team": "docs"}, platform="darwin", machine="arm64")
    headers = made.prepare(call()).headers
    assert headers["user-agent"] == headers["X-DashScope-UserAgent"] == "mine"
    assert headers["X-Team"] == "docs"
    assert "User-Agent" not in headers
    assert headers["X-Stainless-OS"] == "MacOS"


def test_only_a_key_can_ask_for_the_list_of_models() -> None:
    assert provider().models_request(account()) is None
    made = provider().models_request(account(is_oauth=False, key="sk-1"))
    assert made is not None
    assert (made.method, made.url) == ("GET", "https://dashscope.aliyuncs.com/compatible-mode/v1/models")
    assert made.headers["Authorization"] == "Bearer sk-1"
    assert "Content-Type" not in made.headers


def test_after_the_end_the_way_out_is_named_where_a_sign_in_would_meet_it() -> None:
    after = provider(FakeClock(ENDED_AT + 1))
    quota = {"error": {"code": "insufficient_quota", "message": "free allocated quota exceeded"}}
    for status, said in ((401, None), (429, quota), (404, None), (200, None)):
        found = after.find_error(status, {"content-type": "text/html"}, said)
        assert found is not None
        assert "2026-04-15" in found.hint
        assert "https://dashscope-intl.aliyuncs.com/compatible-mode/v1" in found.hint
    busy = after.find_error(429, {}, None)
    assert busy is not None
    assert "2026-04-15" not in busy.hint
    assert after.find_error(200, {}, {"choices": []}) is None
    assert after.hint_when_gone


def test_before_the_end_and_for_relays_there_is_no_talk_of_it() -> None:
    assert provider(FakeClock(ENDED_AT - 1)).hint_when_gone == ""
    assert provider(FakeClock(ENDED_AT + 1), base_url=DEMO).hint_when_gone == ""
    assert provider(FakeClock(ENDED_AT + 1), base_url="https://portal.qwen.ai/v1").hint_when_gone
