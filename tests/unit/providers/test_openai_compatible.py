from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import errors, jsonx
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.providers.base import Call, Provider
from iflow_cli_proxy.providers.openai_compatible import OpenAICompatible
from iflow_cli_proxy.providers.presets import Preset
from iflow_cli_proxy.routing.catalog import Catalog, Model
from tests.support.fake_clock import FakeClock


def account(key: str = "", base_url: str = "") -> Account:
    return Account(id="a", provider="desk", label="desk", api_key=Secret(key), base_url=base_url)


def provider(**more: Any) -> OpenAICompatible:
    return OpenAICompatible("desk", "http://desk:1/v1/", more.pop("catalog", Catalog()), clock=FakeClock(), **more)


def call(fields: dict[str, Any], *, key: str = "", **more: Any) -> Call:
    raw = {name: jsonx.Raw(jsonx.encode(value)) for name, value in fields.items()}
    return Call(
        account=account(key), model=more.pop("model", "m"), fields=raw, is_stream=more.pop("is_stream", False), **more
    )


def body_of(made: Any) -> Any:
    return jsonx.decode(made.body)


def test_it_is_a_provider() -> None:
    port: Provider = provider()
    assert port.protocol == "openai_chat"


def test_a_plain_request_goes_on_as_it_is() -> None:
    fields = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5, "seed": 3}
    made = provider().prepare(call(fields))
    assert made.method == "POST"
    assert made.url == "http://desk:1/v1/chat/completions"
    assert body_of(made) == {"model": "m", **fields}


def test_authorization_is_sent_only_when_there_is_a_key() -> None:
    assert "Authorization" not in provider().prepare(call({})).headers
    assert provider().prepare(call({}, key=" sk-x\n")).headers["Authorization"] == "Bearer sk-x"


def test_a_stream_asks_for_its_usage_and_keeps_the_clients_options() -> None:
    made = provider().prepare(call({"stream_options": {"include_obfuscation": False}}, is_stream=True))
    assert body_of(made)["stream"] is True
    assert body_of(made)["stream_options"] == {"include_obfuscation": False, "include_usage": True}
    assert made.headers["Accept"] == "text/event-stream"


def test_without_a_wish_for_usage_a_stream_has_no_options() -> None:
    made = provider().prepare(call({}, is_stream=True, wants_usage=False))
    assert body_of(made) == {"model": "m", "stream": True}


def test_a_whole_answer_is_asked_for_without_any_word_about_streams() -> None:
    assert body_of(provider().prepare(call({"stream_options": {"include_usage": True}}))) == {"model": "m"}


@pytest.mark.parametrize(
    ("field", "given", "sent"),
    [
        ("max_tokens", {"max_completion_tokens": 7}, {"max_tokens": 7}),
        ("max_tokens", {"max_tokens": 7}, {"max_tokens": 7}),
        ("max_completion_tokens", {"max_tokens": 7}, {"max_completion_tokens": 7}),
        ("max_completion_tokens", {"max_tokens": 7, "max_completion_tokens": 8}, {"max_completion_tokens": 8}),
        ("", {"max_tokens": 7, "max_completion_tokens": 8}, {"max_tokens": 7, "max_completion_tokens": 8}),
        ("max_tokens", {}, {}),
    ],
)
def test_the_output_limit_has_the_name_the_upstream_wants(
    field: str, given: dict[str, int], sent: dict[str, int]
) -> None:
    made = provider(preset=Preset(max_tokens_field=field)).prepare(call(given))
    assert body_of(made) == {"model": "m", **sent}


def test_the_name_on_the_wire_comes_from_the_catalogue() -> None:
    catalog = Catalog([Model(id="Big", upstream_id="org/big-v2"), Model(id="Small")])
    assert body_of(provider(catalog=catalog).prepare(call({}, model="big")))["model"] == "org/big-v2"
    assert body_of(provider(catalog=catalog).prepare(call({}, model="small")))["model"] == "Small"


def test_headers_of_the_config_are_added_and_win_whatever_their_case() -> None:
    made = provider(preset=Preset(headers={"X-Title": "t"}), extra_headers={"user-agent": "mine"}).prepare(call({}))
    assert made.headers["X-Title"] == "t"
    assert made.headers["user-agent"] == "mine"
    assert "User-Agent" not in made.headers


def test_an_account_may_live_at_another_address() -> None:
    fields = Call(account=account(base_url="http://other:2"), model="m", fields={}, is_stream=False)
    assert provider().prepare(fields).url == "http://other:2/chat/completions"


def test_the_list_of_models_is_asked_for_with_the_key() -> None:
    made = provider().models_request(account("sk-x"))
    assert (made.method, made.url, made.body) == ("GET", "http://desk:1/v1/models", b"")
    assert made.headers["Authorization"] == "Bearer sk-x"


def test_failures_are_recognised() -> None:
    assert isinstance(provider().find_error(503, {}, None), errors.Overloaded)
    assert provider().find_error(200, {}, {"choices": [{}]}) is None


def test_large_fields_are_copied_without_being_parsed() -> None:
    broken = jsonx.Raw(b'[{"role": not even JSON}]')
    made = provider().prepare(Call(account=account(), model="m", fields={"messages": broken}, is_stream=False))
    assert b"not even JSON" in made.body
