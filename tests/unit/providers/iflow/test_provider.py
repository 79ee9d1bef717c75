from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import errors, jsonx
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.providers.base import Call, Provider
from iflow_cli_proxy.providers.iflow.catalog import load_catalog
from iflow_cli_proxy.providers.iflow.provider import IflowProvider, is_vendors
from iflow_cli_proxy.providers.iflow.signature import sign
from iflow_cli_proxy.providers.iflow.sunset import SUNSET_AT
from tests.support.entropy import counting_entropy
from tests.support.fake_clock import FakeClock

MESSAGES = [{"role": "user", "content": "hi"}]


def provider(clock: FakeClock | None = None, **more: Any) -> IflowProvider:
    return IflowProvider("iflow", load_catalog(), clock=clock or FakeClock(), entropy=counting_entropy(), **more)


def call(model: str = "glm-5", *, key: str = "sk-x", base_url: str = "", **more: Any) -> Call:
    account = Account(id="a", provider="iflow", label="a", api_key=Secret(key), base_url=base_url)
    fields = more.pop("fields", {"messages": MESSAGES})
    return Call(account=account, model=model, fields=fields, is_stream=more.pop("is_stream", False), **more)


def test_it_is_a_provider_with_the_vendors_limits() -> None:
    port: Provider = provider()
    assert (port.protocol, port.default_concurrency, port.support_id_header) == ("openai_chat", 1, "eagleeye-traceid")
    assert port.failing_stop_words == {"network_error"}


def test_a_request_is_signed_over_what_its_headers_say() -> None:
    made = provider(FakeClock(1_760_000_000.123)).prepare(call())
    headers = made.headers
    assert made.url == "https://apis.iflow.cn/v1/chat/completions"
    assert headers["Authorization"] == "Bearer sk-x"
    assert headers["x-iflow-timestamp"] == "1760000000123"
    assert headers["x-iflow-signature"] == sign(
        "sk-x", headers["user-agent"], headers["session-id"], headers["x-iflow-timestamp"]
    )


def test_a_second_attempt_is_signed_anew_in_the_same_session() -> None:
    clock = FakeClock()
    made = provider(clock)
    first = made.prepare(call())
    clock.advance(1)
    second = made.prepare(call())
    assert first.headers["session-id"] == second.headers["session-id"]
    assert first.headers["x-iflow-signature"] != second.headers["x-iflow-signature"]


def test_a_key_is_trimmed_before_it_is_used() -> None:
    made = provider().prepare(call(key=" sk-x\n"))
    assert made.headers["Authorization"] == "Bearer sk-x"
    assert made.headers == provider().prepare(call()).headers


def test_without_a_key_nothing_is_signed() -> None:
    headers = provider().prepare(call(key="")).headers
    assert not {"Authorization", "x-iflow-timestamp", "x-iflow-signature"} & set(headers)


def test_the_conversation_follows_the_clients() -> None:
    made = provider()
    first, second = (made.prepare(call(conversation="thread-7")).headers for _ in range(2))
    assert first["conversation-id"] == second["conversation-id"]
    assert made.prepare(call()).headers["conversation-id"] != first["conversation-id"]


def test_the_minimal_headers_are_a_setting_and_more_can_be_added() -> None:
    headers = provider(header_set="minimal", extra_headers={"x-team": "docs"}).prepare(call()).headers
    assert "accept-language" not in headers
    assert headers["x-team"] == "docs"


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("GLM-5", "glm-5"),
        ("glm-4.6", "glm-4.6-exp"),
        ("iflow-rome-30ba3b", "iFlow-ROME-30BA3B"),
        ("glm-4.7(high)", "glm-4.7"),
        ("deepseek-v3.2-chat(high)", "deepseek-v3.2-reasoner"),
        ("iflow/kimi-k2", "kimi-k2"),
        ("Future-Model", "Future-Model"),
    ],
)
def test_the_name_on_the_wire_is_the_canonical_one(asked: str, sent: str) -> None:
    assert jsonx.decode(provider().prepare(call(asked)).body)["model"] == sent


@pytest.mark.parametrize(
    ("changed", "asked", "limit"),
    [
        ("glm-5", "glm-5", 7),
        ("glm-4.6", "glm-4.6", 7),
        ("deepseek-v3.2-chat", "deepseek-v3.2-chat", 7),
        ("deepseek-v3.2-chat", "deepseek-v3.2-chat(high)", 64000),
        ("deepseek-v3.2-reasoner", "deepseek-v3.2-chat(high)", 7),
    ],
)
def test_a_persons_limit_is_the_limit(changed: str, asked: str, limit: int) -> None:
    catalog = load_catalog(f'[[models]]\nid = "{changed}"\noutput_tokens = 7')
    made = IflowProvider("iflow", catalog, clock=FakeClock(), entropy=counting_entropy()).prepare(call(asked))
    assert jsonx.decode(made.body)["max_new_tokens"] == limit


def test_the_setting_for_thinking_is_obeyed() -> None:
    body = jsonx.decode(provider(default_thinking="off").prepare(call()).body)
    assert body["enable_thinking"] is False


def test_the_vendors_own_deployments_get_the_session_in_the_body() -> None:
    made = provider(base_url="https://whale-wave.alibaba-inc.com/v1").prepare(call())
    assert jsonx.decode(made.body)["extend_fields"] == {"sessionId": made.headers["session-id"]}
    assert "extend_fields" not in jsonx.decode(provider().prepare(call()).body)


def test_an_account_may_live_at_another_address() -> None:
    assert provider().prepare(call(base_url="http://127.0.0.1:9/v1/")).url == "http://127.0.0.1:9/v1/chat/completions"


def test_the_list_of_models_is_asked_for_with_the_same_headers() -> None:
    made = provider().models_request(call().account)
    assert (made.method, made.url, made.body) == ("GET", "https://apis.iflow.cn/v1/models", b"")
    assert made.headers["Authorization"] == "Bearer sk-x"
    assert "Content-Type" not in made.headers


def test_after_the_end_a_web_page_or_a_redirect_names_the_way_out() -> None:
    after = provider(FakeClock(SUNSET_AT + 1))
    for status in (200, 302, 404, 410):
        found = after.find_error(status, {"content-type": "text/html"}, None)
        assert found is not None
        assert "serve --upstream" in found.hint
    assert "serve --upstream" in after.hint_when_gone
    busy = after.find_error(503, {}, None)
    assert isinstance(busy, errors.Overloaded)
    assert "--upstream" not in busy.hint


def test_before_the_end_and_for_relays_there_is_no_talk_of_it() -> None:
    assert provider(FakeClock(SUNSET_AT - 1)).hint_when_gone == ""
    assert provider(FakeClock(SUNSET_AT + 1), base_url="http://relay:1/v1").hint_when_gone == ""


@pytest.mark.parametrize("url", ["https://apis.iflow.cn/v1/", "http://apis.iflow.cn/v1", "https://api.iflow.cn"])
def test_every_spelling_of_the_vendors_address_is_the_vendors(url: str) -> None:
    assert provider(FakeClock(SUNSET_AT + 1), base_url=url).hint_when_gone
    assert not provider(FakeClock(SUNSET_AT + 1), base_url="https://notiflow.cn/v1").hint_when_gone


@pytest.mark.parametrize("url", ["http://[", "https://[::1", "http://]"])
def test_an_address_that_is_none_is_nobodys_and_stops_nothing(url: str) -> None:
    assert not is_vendors(url)
    assert provider(base_url=url).hint_when_gone == ""
