"""What is checked in every request of OpenAI's protocols, before anything of its own shape is looked at."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.jsonx import Json, JsonError

NOT_FOR_CLIENTS: Final = (
    "api_base",
    "api_key",
    "api_version",
    "base_url",
    "custom_llm_provider",
    "extra_headers",
    "organization",
    "__proto__",
)
"""Words by which other gateways let a request choose its destination or its credentials. Never here (I16)."""
_MOST_FIELDS: Final = 1000

Name = Annotated[str, Meta(min_length=1, max_length=256)]
# A name, not a path, a template or a header in disguise (I13).
ModelName = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^(?!.*\.\.)[^\W_][\w .:/@+,()\[\]-]*\Z")]
Tokens = Annotated[int, Meta(ge=1, le=10_000_000)]
ImageUrl = Annotated[str, Meta(pattern=r"^(?i:https?://|data:)")]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Temperature = Annotated[float, Meta(ge=0, le=2)]
TopP = Annotated[float, Meta(ge=0, le=1)]

MISSING: Final = "Object missing required field `{}`"
"""How msgspec words it, for the fields that are required only sometimes: the path is made of it."""


def read_object(body: bytes) -> dict[str, Json]:
    """The body as an object without words that are not for clients. Raises JsonError or InvalidRequest."""
    values = jsonx.decode_strict(body)
    if not isinstance(values, dict):
        raise InvalidRequest("The body must be a JSON object.")
    if len(values) > _MOST_FIELDS:
        raise InvalidRequest(f"The body has more than {_MOST_FIELDS} fields.")
    for name in NOT_FOR_CLIENTS:
        if name in values:
            raise InvalidRequest(f"`{name}` cannot be set by a request; it belongs to the gateway.", param=name)
    return values


def invalid(error: JsonError, body: bytes) -> InvalidRequest:
    """The same as the client's mistake, with the path of what is wrong."""
    path = error.path or jsonx.field_at_fault(body)
    where = f"`{path}`" if path else "The body is not valid JSON"
    return InvalidRequest(f"{where}: {error.what}.", param=path or None)
