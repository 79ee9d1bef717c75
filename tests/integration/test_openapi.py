"""`/openapi.json` against the running server: every example in it, every route, every status in every protocol."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from jsonschema import Draft202012Validator

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.demo.run import start_demo
from iflow_cli_proxy.demo.tokens import Rules
from iflow_cli_proxy.server.openapi import document
from tests.support.admin import PASSWORD, Browser, Reply, admin_page, steer
from tests.support.described import (
    DOCUMENT,
    META_SCHEMA,
    Example,
    as_page,
    as_program,
    ask,
    complaints,
    examples,
    faults,
    one_of,
    operations,
    resolved,
    send,
)
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.patience import PATIENCE_S

KEY: Final = "sk-described-0123456789"
EMBEDDED: Final = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5, 0.125]}],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
}
RECORDED: Final = Path(document.__file__).parent / "data" / "answers.json"
SHOWN_ROWS: Final = 2


async def embed(_: web.Request) -> web.Response:
    return web.json_response(EMBEDDED)


@asynccontextmanager
async def described_gateway(more: str = "", routing: str = "") -> AsyncIterator[RunningGateway]:
    """Before the demo, and before an upstream that has embeddings; more settings, the first for `[routing]`."""
    app = web.Application()
    app.router.add_post("/v1/embeddings", embed)
    async with await start_demo(delay_s=0) as demo, TestServer(app) as embedder:
        toml = f"""
            [routing]
            default_provider = "demo"
            {routing}
            [models.aliases]
            "text-embedding-3-small" = "embed/text-embedding-3-small"
            [providers.demo]
            kind = "iflow"
            base_url = "{demo.url}"
            api_key = "{demo.key}"
            [providers.embed]
            kind = "openai_compatible"
            base_url = "{embedder.make_url("/v1")}"
            {more}
        """
        async with running_gateway(toml) as gateway:
            steer(gateway, toml, {})
            yield gateway


# --- the document itself ------------------------------------------------------------------------------------------


def test_the_document_is_openapi_3_1() -> None:
    errors = Draft202012Validator(META_SCHEMA).iter_errors(DOCUMENT)
    assert [f"{error.json_path}: {error.message[:200]}" for error in errors] == []


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_every_schema_is_json_schema(name: str) -> None:
    Draft202012Validator.check_schema(DOCUMENT["components"]["schemas"][name])


def test_every_reference_leads_somewhere_and_every_component_is_referred_to() -> None:
    text = jsonx.encode(DOCUMENT).decode()
    named = set(re.findall(r'"#/components/([^"]+)"', text))
    there = {f"{room}/{name}" for room, found in DOCUMENT["components"].items() for name in found}
    for name in named:
        resolved({"$ref": f"#/components/{name}"})

    assert there - named - {f"securitySchemes/{name}" for name in DOCUMENT["components"]["securitySchemes"]} == set()


def test_every_operation_has_a_name_of_its_own_and_known_ways_in() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    ways = {way for _, _, operation in operations() for one in operation["security"] for way in one}

    assert len(names) == len(set(names))
    assert ways <= set(DOCUMENT["components"]["securitySchemes"])


def test_patterns_are_of_json_schema_and_not_of_python() -> None:
    patterns = re.findall(r'"pattern":"((?:[^"\\]|\\.)*)"', jsonx.encode(DOCUMENT["components"]).decode())
    assert [one for one in patterns if r"\\Z" in one or "(?i" in one or "(?P" in one] == []


# --- routes -------------------------------------------------------------------------------------------------------


def described() -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for path, method, operation in operations():
        choices = {
            one["name"]: one["schema"]["enum"]
            for one in operation.get("parameters", ())
            if one["in"] == "path" and "enum" in one["schema"]
        }
        for values in product(*choices.values()):
            spelled = path
            for name, value in zip(choices, values, strict=True):
                spelled = spelled.replace(f"{{{name}}}", value)
            found.add((method.upper(), spelled))
    return found


def routed(app: web.Application) -> set[tuple[str, str]]:
    """Every route; those that match several words once for each. HEAD goes with GET."""
    found: set[tuple[str, str]] = set()
    for route in app.router.routes():
        if route.method in ("HEAD", "*") or route.resource is None:
            continue
        pattern = route.resource.canonical
        info = route.resource.get_info()
        if "pattern" in info:
            words = dict(re.findall(r"\(\?P<(\w+)>([\w|]+)\)", info["pattern"].pattern))
            names = [name for name, alternatives in words.items() if "|" in alternatives]
            for values in product(*(words[name].split("|") for name in names)):
                spelled = pattern
                for name, value in zip(names, values, strict=True):
                    spelled = spelled.replace(f"{{{name}}}", value)
                found.add((route.method, spelled))
        else:
            found.add((route.method, pattern))
    return found


async def test_every_route_is_described_and_everything_described_is_a_route() -> None:
    async with described_gateway() as gateway:
        there = routed(gateway.server._runner.app)

    assert there - described() == set(), "not described: an entry in server/openapi/data is missing"
    assert described() - there == set(), "described, but no route"


# --- examples -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.id)
async def test_an_example_gets_the_answer_that_is_described(example: Example, request: pytest.FixtureRequest) -> None:
    more = f'[auth]\nrequired = "always"\nclient_keys = ["{KEY}"]' if example.told.get("where") == "keys" else ""
    async with described_gateway(more) as gateway, aiohttp.ClientSession() as session:
        sender = as_program(session, gateway.url)
        if example.path.startswith("/admin"):
            page = Browser(gateway, session)
            assert (await page.set_up()).status == 200
            sender = as_page(page)
        answer = await ask(sender, example)

    assert answer.status == example.told["status"], answer.body[:500]
    assert complaints(example.operation, answer) == []
    assert answer.headers["x-request-id"]
    if request.config.getoption("--regold"):
        record(example, answer)


def operation_of(name: str) -> Any:
    [found] = [operation for _, _, operation in operations() if operation["operationId"] == name]
    return found


async def test_ways_into_the_admin_page_are_as_described() -> None:
    async with admin_page(is_signed_in=False) as page:
        for name, call in {
            "adminSetUp": page.set_up,
            "adminLogIn": page.log_in,
            "adminChangePassword": lambda: page.post("/admin/password", {"current": PASSWORD, "new": PASSWORD + "!"}),
        }.items():
            reply = await call()
            check(operation_of(name), reply, 200)


async def test_a_sign_in_by_device_code_is_as_described() -> None:
    rules = Rules(approves_by_itself=True, poll_interval_s=1)
    async with await start_demo(delay_s=0, rules=rules) as demo, admin_page(demo.toml) as page:
        asked = {"provider": "standard"}
        begun = await page.post("/admin/oauth/device", asked)
        check(operation_of("beginDeviceCodeSignIn"), begun, 200)
        async with asyncio.timeout(PATIENCE_S):
            while (flow := await page.get(f"/admin/oauth/flows/{begun.json['flow']}")).json["state"] == "waiting":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        check(operation_of("getSignIn"), flow, 200)
        assert flow.json["state"] == "done"
        account = flow.json["account"]["id"]
        refreshed = await page.post(f"/admin/accounts/{account}/refresh", {})
        check(operation_of("refreshAccount"), refreshed, 200)
        initiated = await send(page.http, "POST", f"{page.gateway.url}/auth/initiate", body={"provider": "standard"})
        check(operation_of("beginDeviceSignIn"), initiated, 200)
        fields = {name: initiated.json[name] for name in ("device_code", "code_verifier", "interval")}
        polled = await send(page.http, "POST", f"{page.gateway.url}/auth/poll", body={**asked, **fields})
        check(operation_of("waitForDeviceSignIn"), polled, 200)


async def test_what_the_ledger_and_the_keys_hold_is_as_described() -> None:
    async with described_gateway() as gateway, aiohttp.ClientSession() as session:
        page = Browser(gateway, session)
        await page.set_up()
        for which in ("askPlayground.hello", "createKey.laptop"):
            await ask(as_page(page), one_of(which))
        async with asyncio.timeout(PATIENCE_S):
            # A row is written a moment after its answer.
            while not (rows := (await ask(as_page(page), one_of("listRequests.newest"))).json["requests"]):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        calls = {
            "listRequests": "/admin/requests",
            "getRequest": f"/admin/requests/{rows[0]['id']}",
            "getUsage": "/admin/usage?by=day,model,key",
            "listKeys": "/admin/keys",
            "listAccounts": "/admin/accounts",
        }
        for name, path in calls.items():
            reply = await page.get(path)
            check(operation_of(name), reply, 200)


@pytest.mark.parametrize("example", [one for one in examples() if one.body is not None], ids=lambda example: example.id)
def test_an_example_that_is_answered_is_a_request_by_its_schema(example: Example) -> None:
    schema = example.operation["requestBody"]["content"]["application/json"]["schema"]
    if example.told["status"] in (200, 401):
        assert faults(schema, example.body) == []


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.id)
def test_an_example_shows_its_answer(example: Example) -> None:
    told = resolved(example.operation["responses"][str(example.told["status"])])
    shown = [media for media in told.get("content", {}).values() if example.told["name"] in media.get("examples", {})]
    if example.told.get("record") is not False:
        assert shown, "pytest --regold tests/integration/test_openapi.py records it"


def record(example: Example, answer: Reply) -> None:
    """Those that have no answer yet; long lists are shown by their first rows."""
    found = jsonx.decode(RECORDED.read_bytes())
    if example.told.get("record") is False or example.id in found:
        return
    body: Any = answer.body.decode()
    if answer.type == "application/json":
        body = jsonx.decode(answer.body)
        for name in ("data", "models"):
            if isinstance(body, dict) and isinstance(body.get(name), list):
                body[name] = body[name][:SHOWN_ROWS]
        if isinstance(body, dict) and "secret" in body:
            body["secret"] = "sk-told-once"
    found[example.id] = {"type": answer.type, "body": body}
    lines = (f"{jsonx.encode(name).decode()}: {jsonx.encode(shown).decode()}" for name, shown in sorted(found.items()))
    RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


# --- errors, in each protocol's shape -----------------------------------------------------------------------------

QUESTIONS: Final = {
    "openai_chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello!"}]}),
    "openai_completions": ("/v1/completions", {"prompt": "Hello!"}),
    "openai_embeddings": ("/v1/embeddings", {"input": "Hello!"}),
    "openai_responses": ("/v1/responses", {"input": "Hello!"}),
    "anthropic": ("/v1/messages", {"max_tokens": 64, "messages": [{"role": "user", "content": "Hello!"}]}),
    "gemini": ("/v1beta/models/{model}:generateContent", {"contents": [{"parts": [{"text": "Hello!"}]}]}),
    "ollama": ("/api/chat", {"messages": [{"role": "user", "content": "Hello!"}], "stream": False}),
}
LIMITED: Final = f"""
    unknown_models = "reject"
    [server]
    max_body_bytes = 4096
    [auth]
    required = "always"
    client_keys = ["{KEY}"]
"""


def question(protocol: str, model: str = "glm-5", **changes: Any) -> tuple[Any, str, dict[str, Any]]:
    """The operation that is asked, its path, and a body that asks it."""
    path, body = QUESTIONS[protocol]
    inside = {} if "{model}" in path else {"model": model}
    return DOCUMENT["paths"][path]["post"], path.replace("{model}", model), {**inside, **body, **changes}


@asynccontextmanager
async def limited_gateway() -> AsyncIterator[tuple[RunningGateway, aiohttp.ClientSession]]:
    """One that wants a key, knows its models and takes small bodies; the session has the key."""
    keyed = {"Authorization": f"Bearer {KEY}"}
    async with described_gateway(routing=LIMITED) as gateway, aiohttp.ClientSession(headers=keyed) as session:
        yield gateway, session


def check(operation: Any, answer: Reply, status: int) -> None:
    assert answer.status == status, answer.body[:500]
    assert complaints(operation, answer) == []


@pytest.mark.parametrize("protocol", QUESTIONS)
async def test_400_names_the_json_path(protocol: str) -> None:
    operation, path, body = question(protocol)
    field = next(name for name in body if name not in ("model", "max_tokens", "stream"))
    async with limited_gateway() as (gateway, session):
        answer = await send(session, "POST", gateway.url + path, body={**body, field: 7})

    check(operation, answer, 400)
    assert field in answer.body.decode()


@pytest.mark.parametrize("protocol", QUESTIONS)
async def test_statuses_of_the_door_are_described(protocol: str) -> None:
    operation, path, body = question(protocol)
    async with limited_gateway() as (gateway, session):
        url = gateway.url + path
        wrong_key = await send(session, "POST", url, body=body, headers={"Authorization": "Bearer sk-nobodys"})
        wrong_method = await send(session, "PATCH", url)
        too_large = await send(session, "POST", url, body={**body, "padding": "x" * 5000})
        of_a_page = {"Content-Type": "text/plain", "Origin": "http://127.0.0.1"}
        not_json = await send(session, "POST", url, data=jsonx.encode(body), headers=of_a_page)
        cut = await send(session, "POST", url, data=b'{"model":', headers={"Content-Type": "application/json"})

    check(operation, wrong_key, 401)
    check(operation, wrong_method, 405)
    check(operation, too_large, 413)
    check(operation, not_json, 415)
    check(operation, cut, 400)


@pytest.mark.parametrize("protocol", [name for name in QUESTIONS if name != "openai_embeddings"])
@pytest.mark.parametrize(
    ("fault", "status"),
    [("http_429", 429), ("http_400", 400), ("http_422", 422), ("http_500", 502), ("empty", 502), ("reset", 502)],
)
async def test_statuses_of_a_failing_upstream_are_described(protocol: str, fault: str, status: int) -> None:
    operation, path, body = question(protocol, f"glm-5+{fault}")
    async with described_gateway("[resilience]\nretry_attempts = 0") as gateway, aiohttp.ClientSession() as session:
        answer = await send(session, "POST", gateway.url + path, body=body)
        resting = await send(session, "POST", gateway.url + path, body=body)

    check(operation, answer, status)
    assert complaints(operation, resting) == []


@pytest.mark.parametrize("protocol", QUESTIONS)
async def test_a_model_nobody_has_and_a_gateway_that_stops_are_described(protocol: str) -> None:
    operation, path, body = question(protocol, "no-such-model")
    async with limited_gateway() as (gateway, session):
        unknown = await send(session, "POST", gateway.url + path, body=body)
        gateway.server.state.is_draining = True
        draining = await send(session, "POST", gateway.url + path, body=body)

    check(operation, unknown, 404)
    check(operation, draining, 503)
    assert int(draining.headers["retry-after"]) >= 1


# --- the judge itself ---------------------------------------------------------------------------------------------

CHAT: Final = DOCUMENT["paths"]["/v1/chat/completions"]["post"]
GOOD: Final = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {}}],
}
JSON: Final = {"content-type": "application/json; charset=utf-8"}
EVENTS: Final = {"content-type": "text/event-stream"}


def test_a_good_answer_has_no_faults() -> None:
    assert complaints(CHAT, Reply(200, JSON, jsonx.encode(GOOD))) == []
    assert complaints(CHAT, Reply(200, EVENTS, b"data: %b\n\ndata: [DONE]\n\n" % jsonx.encode(GOOD))) == []


@pytest.mark.parametrize(
    "answer",
    [
        Reply(302, JSON, b"{}"),
        Reply(200, {"content-type": "text/html"}, b"<p>"),
        Reply(200, JSON | {"x-iflow2api-surprise": "1"}, jsonx.encode(GOOD)),
        Reply(200, JSON, jsonx.encode({**GOOD, "choices": [{"index": -1, "message": {}}]})),
        Reply(200, JSON, jsonx.encode({name: value for name, value in GOOD.items() if name != "model"})),
        Reply(401, JSON, b'{"type":"error","message":"of another protocol"}'),
        Reply(200, EVENTS, b"data: {}\n\ndata: [DONE]\n\n"),
        Reply(200, EVENTS, b"data: %b\n\n" % jsonx.encode(GOOD)),
        Reply(200, EVENTS, b""),
    ],
)
def test_whatever_is_not_as_described_is_seen(answer: Reply) -> None:
    assert complaints(CHAT, answer)
