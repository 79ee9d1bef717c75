"""Client keys, strategy and resilience out of `keys.json` of an older iflow2api (reference section 2.6, ZY).

Knows that file as plain values and what its words are called here. Refuses to know files, and its accounts, which are
taken over before: the caller says what they are called now. A key whose accounts are not known is left out, since a
key without accounts may use all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from glob import escape
from typing import Any, Final, TypeAlias, TypeGuard

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.pool.client_key import ClientKey, digest_of

Setting: TypeAlias = tuple[tuple[str, ...], Any]
"""The full name of a setting, in pieces, and its value: for `state/overrides.py`."""

_NAME: Final = "imported"
_MOST_KEYS: Final = 1000
_LONGEST_SECRET: Final = 4096
_EASILY_GUESSED: Final = 12
_STRATEGIES: Final = ("least_busy", "round_robin")
_RESILIENCE: Final[Mapping[str, tuple[str, float, float]]] = {
    "failure_threshold": ("failure_threshold", 1, 1000),
    "cool_down_seconds": ("cool_down_s", 0, 86_400),
    "retry_attempts": ("retry_attempts", 0, 10),
    "retry_backoff_ms": ("retry_backoff_ms", 0, 60_000),
}
"""Their word, ours and our range."""


@dataclass(frozen=True, kw_only=True)
class ForeignKeys:
    """What there is to take over; nothing in it is secret but the digests."""

    keys: tuple[ClientKey, ...] = ()
    """For `KeyFile.take_over`, which gives them other names where theirs are taken."""
    strategies: Mapping[str, str] = field(default_factory=dict)
    """By the name of a key: how one of its accounts was picked, where that was not the usual way."""
    settings: tuple[Setting, ...] = ()
    notes: tuple[str, ...] = ()
    """What a person should know, as in "client key 2 is left out: it names no account"."""


class _Unusable(ValueError):
    """A key that cannot be taken over; the text says why."""


def read_foreign_keys(tree: Mapping[str, Json], accounts: Mapping[str, str], *, now: float) -> ForeignKeys:
    """Everything of the file but its accounts.

    `accounts` maps the names they have in the file to what they are called here, as provider/label.
    """
    keys: list[ClientKey] = []
    strategies: dict[str, str] = {}
    notes: list[str] = []
    for number, (secret, entry) in enumerate(_entries(tree), 1):
        try:
            key, strategy = _key(number, secret, entry, tree, accounts)
        except _Unusable as error:
            notes.append(f"client key {number} is left out: {error}")
            continue
        keys.append(replace(key, created_at=now))
        if strategy:
            strategies[key.name] = strategy
        if len(secret) < _EASILY_GUESSED:
            notes.append(f"client key {number} is short enough to be guessed: iflow2api key rotate {key.name}")
    settings, more = _settings(tree, has_keys=bool(keys))
    return ForeignKeys(
        keys=tuple(keys), strategies=strategies, settings=tuple(settings), notes=(*notes, *more, *_rest(tree))
    )


def with_pools(found: ForeignKeys, taken: Sequence[ClientKey]) -> tuple[tuple[ClientKey, ...], tuple[Setting, ...]]:
    """The keys as they are to be kept, and the pools that carry the strategies of those that had one.

    `taken` are keys of `found`, in any number and under the names they are kept by.
    """
    strategies = {key.digest: found.strategies[key.name] for key in found.keys if key.name in found.strategies}
    kept, pools = [], []
    for key in taken:
        strategy = strategies.get(key.digest)
        if strategy is None:
            kept.append(key)
            continue
        pools.append((("pools", key.name), {"accounts": list(key.accounts), "strategy": strategy}))
        kept.append(replace(key, pool=key.name, accounts=()))
    return tuple(kept), tuple(pools)


def _entries(tree: Mapping[str, Json]) -> list[tuple[str, Json]]:
    keys = tree.get("keys")
    return list(keys.items())[:_MOST_KEYS] if isinstance(keys, dict) else []


def _key(
    number: int, secret: str, entry: Json, tree: Mapping[str, Json], accounts: Mapping[str, str]
) -> tuple[ClientKey, str]:
    """The key and its strategy, empty for the usual one. Raises _Unusable."""
    if not secret.strip() or secret != secret.strip() or len(secret) > _LONGEST_SECRET:
        raise _Unusable("it is empty, has blanks around it or is too long")
    if not isinstance(entry, dict):
        raise _Unusable("it is not an object")
    named = _names(entry) or _names(tree.get("default"))
    if not named:
        raise _Unusable("it names no account")
    known = dict.fromkeys(accounts[name] for name in named if name in accounts)
    if not known:
        raise _Unusable("none of its accounts is taken over")
    strategy = entry.get("strategy", _STRATEGIES[0])
    if strategy not in _STRATEGIES:
        raise _Unusable("its strategy is not known here")
    globs = tuple(escape(name) for name in known)
    key = ClientKey(name=f"{_NAME}-{number}", digest=digest_of(secret), accounts=globs)
    return key, str(strategy) if strategy != _STRATEGIES[0] and len(globs) > 1 else ""


def _names(entry: Json) -> list[str]:
    if not isinstance(entry, dict):
        return []
    several = entry.get("accounts")
    found = several if isinstance(several, list) and several else [entry.get("account")]
    return [name for name in found if isinstance(name, str) and name]


def _settings(tree: Mapping[str, Json], *, has_keys: bool) -> tuple[list[Setting], list[str]]:
    """What the file says of itself in our words, and what of that is no value here."""
    settings: list[Setting] = []
    notes: list[str] = []
    resilience = tree.get("resilience")
    if isinstance(resilience, dict):
        if resilience.get("enabled") is False:
            notes.append("resilience was switched off, which there is no setting for; [resilience] stays as it is")
        else:
            for word, (ours, low, high) in _RESILIENCE.items():
                if word not in resilience:
                    continue
                value = resilience[word]
                may_be_part = ours.endswith("_s")
                if _is_number(value) and low <= value <= high and (may_be_part or _is_whole(value)):
                    settings.append((("resilience", ours), value))
                else:
                    notes.append(f"resilience.{word} is no value that can be taken over")
            settings += _statuses(resilience, notes)
    auth = tree.get("auth")
    if isinstance(auth, dict):
        if auth.get("enabled") is False:
            notes.append("client keys were not checked; here they are, on any address but loopback (auth.required)")
        elif auth.get("required") is True and has_keys:
            settings.append((("auth", "required"), "always"))
    return settings, notes


def _statuses(resilience: Mapping[str, Json], notes: list[str]) -> Iterator[Setting]:
    if "retry_status_codes" not in resilience:
        return
    codes = resilience["retry_status_codes"]
    if isinstance(codes, list) and all(_is_whole(code) and 400 <= code <= 599 for code in codes):
        yield ("resilience", "retry_status_codes"), codes
    else:
        notes.append("resilience.retry_status_codes is no value that can be taken over")


def _rest(tree: Mapping[str, Json]) -> Iterator[str]:
    keys = tree.get("keys")
    if isinstance(keys, dict) and len(keys) > _MOST_KEYS:
        yield f"only the first {_MOST_KEYS} client keys are read"
    if _names(tree.get("default")):
        yield "the default account is not taken over: without a key any account may answer"


def _is_whole(value: Json) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Json) -> TypeGuard[int | float]:
    return _is_whole(value) or isinstance(value, float)
