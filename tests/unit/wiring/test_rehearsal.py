"""What would be sent, without sending it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError, InvalidRequest, NotFound
from iflow_cli_proxy.state.paths import find_paths
from iflow_cli_proxy.transport.base import UpstreamRequest
from iflow_cli_proxy.wiring.rehearsal import STAND_IN, Asked, rehearse
from tests.support.gateway import settings_from

UP = '[providers.up]\nkind = "openai_compatible"\nbase_url = "http://up.test/v1"\napi_key = "sk-real-key-of-somebody"\n'


async def rehearsed(home: Path, toml: str = UP, **fields: Any) -> UpstreamRequest:
    body = {"model": "up/m", "messages": [{"role": "user", "content": "hi"}]}
    usual: dict[str, Any] = {
        "protocol": "openai_chat",
        "path": "/v1/chat/completions",
        "headers": {},
        "body": jsonx.encode(body),
        "provider": "up",
    }
    environ = {"IFLOW2API_HOME": str(home)}
    return await rehearse(Asked(**{**usual, **fields}), settings_from(toml), find_paths(environ), environ)


async def test_it_is_the_request_of_a_real_gateway_but_for_the_key(tmp_path: Path) -> None:
    request = await rehearsed(tmp_path)
    assert request.url == "http://up.test/v1/chat/completions"
    assert jsonx.decode(request.body)["model"] == "m"
    sent = repr(dict(request.headers))
    assert STAND_IN in sent
    assert "sk-real-key" not in sent


async def test_a_request_of_another_protocol_is_translated(tmp_path: Path) -> None:
    body = jsonx.encode({"contents": [{"parts": [{"text": "hi"}]}]})
    path = "/v1beta/models/up/m:streamGenerateContent"
    request = await rehearsed(tmp_path, protocol="gemini", path=path, body=body)
    sent = jsonx.decode(request.body)
    assert (sent["model"], sent["stream"], sent["messages"][0]["content"]) == ("m", True, "hi")


async def test_settings_of_today_hold(tmp_path: Path) -> None:
    request = await rehearsed(tmp_path, UP + '[models.parameters."m"]\noverride = { top_p = 0.5 }\n')
    assert jsonx.decode(request.body)["top_p"] == 0.5


async def test_iflow_s_table_is_signed_with_the_stand_in(tmp_path: Path) -> None:
    body = jsonx.encode({"model": "iflow/glm-5", "messages": [{"role": "user", "content": "hi"}]})
    request = await rehearsed(tmp_path, "", provider="iflow", body=body)
    assert [*request.headers][:3] == ["Content-Type", "Authorization", "user-agent"]
    assert len(request.headers["x-iflow-signature"]) == 64


async def test_what_would_never_be_sent_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'nobody'"):
        await rehearsed(tmp_path, provider="nobody")
    with pytest.raises(NotFound):
        await rehearsed(tmp_path, path="/v1/elsewhere")
    with pytest.raises(InvalidRequest):
        await rehearsed(tmp_path, body=b'{"model":"up/m"}')
