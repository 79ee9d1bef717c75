"""The two calls of a refresh: for tokens, and for the key that belongs to them where an API takes another one.

Knows which failures are worth asking again at once. Refuses to know what becomes of an answer.
"""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import ConnectionLost, CutOff, LoginRequired
from iflow_cli_proxy.core.ids import Entropy, uuid4
from iflow_cli_proxy.pool.saved import Tokens
from iflow_cli_proxy.providers import oauth
from iflow_cli_proxy.providers.signin import OAuthClient, Profile, Profiles
from iflow_cli_proxy.signin.calling import call
from iflow_cli_proxy.transport.base import Transport

TOKEN_LIMIT_S: Final = 20.0
PROFILE_LIMIT_S: Final = 8.0
"""Together less than the 30 s that others wait for the lock, under which both calls are made."""
_LEAST_S: Final = 1.0


async def new_tokens(
    client: OAuthClient, transport: Transport, old: Tokens, *, clock: Clock, entropy: Entropy
) -> Tokens:
    """What the token endpoint gives for a refresh token. Raises GatewayError."""
    give_up_at = clock.monotonic() + TOKEN_LIMIT_S
    try:
        return await _ask_once(client, transport, old, TOKEN_LIMIT_S, clock=clock, entropy=entropy)
    except (ConnectionLost, CutOff):
        # The server may have rotated the token and its answer was lost: for a moment many take the old one again (F49).
        pass
    except LoginRequired as error:
        # Qwen, as its own client has it: a bare 401 may pass, only the second is meant.
        if error.status != 401 or error.code is not None:
            raise
    left_s = max(_LEAST_S, give_up_at - clock.monotonic())
    return await _ask_once(client, transport, old, left_s, clock=clock, entropy=entropy)


async def profile_of(provider: str, profiles: Profiles, transport: Transport, tokens: Tokens) -> Profile:
    """Raises GatewayError."""
    return profiles.read(await call(transport, profiles.request(tokens), provider=provider, limit_s=PROFILE_LIMIT_S))


async def _ask_once(
    client: OAuthClient, transport: Transport, old: Tokens, limit_s: float, *, clock: Clock, entropy: Entropy
) -> Tokens:
    request_id = uuid4(entropy) if client.names_requests else ""
    request = oauth.refresh_request(client, refresh_token=old.refresh_token, request_id=request_id)
    answer = await call(transport, request, provider=client.provider, limit_s=limit_s)
    return oauth.read_tokens(client, answer, now=clock.now(), old=old)
