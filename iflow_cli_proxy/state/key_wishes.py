"""What a person wishes of a client key, made into one or refused with the flag that is wrong."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf
from typing import Final, Literal

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.instants import epoch, rfc3339
from iflow_cli_proxy.pool.client_key import Budget, ClientKey, Retiring
from iflow_cli_proxy.state.key_entries import LARGEST_LIMIT, check_globs, check_name, check_note
from iflow_cli_proxy.state.keys import PARAM

_LENGTH: Final = re.compile(r"([0-9]{1,6})([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST_S: Final = 100 * 366 * 86_400
_TOKENS: Final = re.compile(r"([0-9][0-9_]{0,20})(?: ?tokens?)?")
_MONEY: Final = re.compile(r"\$?([0-9]{1,12}(?:\.[0-9]{1,6})?)(?: ?usd)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What stands on the command line or in a form, unread."""

    name: str
    models: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    pool: str = ""
    rpm: int = 0
    tpm: int = 0
    concurrency: int = 0
    budget: str = ""
    per: str = ""
    expires: str = ""
    note: str = ""


def key_from(wish: Wish, digest: bytes, now: float) -> ClientKey:
    """Raises ConfigError for the first flag that makes no sense."""
    if problem := check_name(wish.name):
        raise ConfigError(f"{wish.name!r} is no name of a key: it {problem}.", param=PARAM)
    if problem := check_note(wish.note):
        raise ConfigError(f"The note {problem}.", param="--note")
    for flag, limit in (("--rpm", wish.rpm), ("--tpm", wish.tpm), ("--concurrency", wish.concurrency)):
        if limit > LARGEST_LIMIT:
            raise ConfigError(f"{flag} is larger than anything that could be counted.", param=flag)
    return ClientKey(
        name=wish.name,
        digest=digest,
        models=_globs(wish.models, "--models"),
        accounts=_globs(wish.accounts, "--accounts"),
        pool=wish.pool,
        rpm=wish.rpm,
        tpm=wish.tpm,
        concurrency=wish.concurrency,
        budget=_budget(wish.budget, wish.per),
        created_at=now,
        expires_at=_moment(wish.expires, now),
        note=wish.note,
    )


def check_pool(name: str, pools: Collection[str]) -> None:
    """Raises ConfigError for a pool that is not in the configuration: its key could do nothing."""
    if name and name not in pools:
        hint = f"known: {', '.join(pools)}" if pools else f"write a table [pools.{name}] into config.toml first"
        raise ConfigError(f"There is no pool called {name!r}.", param="--pool", hint=hint)


def rotated(key: ClientKey, digest: bytes, now: float, grace_s: float) -> ClientKey:
    """With another secret; without a grace every older one ends, which is what a leak asks for.

    Raises:
        ConfigError: it was revoked.
    """
    if key.revoked_at is not None:
        raise ConfigError(f"{key.name} is revoked for good.", param=PARAM, hint=f"iflow2api key create {key.name}")
    if not grace_s:
        return replace(key, digest=digest, retiring=())
    older = tuple(one for one in key.retiring if now < one.until)
    return replace(key, digest=digest, retiring=(*older, Retiring(digest=key.digest, until=now + grace_s)))


def revoked(key: ClientKey, now: float) -> ClientKey:
    """Out of use for good; the first time is the one that counts."""
    return key if key.revoked_at is not None else replace(key, revoked_at=now, retiring=())


def seconds_of(text: str, flag: str) -> float:
    """A length of time such as 30m, 1h, 7d. Raises ConfigError."""
    match = _LENGTH.fullmatch(text.strip().lower())
    if match is None or not int(match[1]):
        raise ConfigError(f"{text!r} is no length of time.", param=flag, hint="such as 30m, 1h or 7d")
    seconds = int(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST_S:
        raise ConfigError(f"{text!r} is longer than a century.", param=flag, hint="such as 30m, 1h or 7d")
    return float(seconds)


def _globs(given: Iterable[str], flag: str) -> tuple[str, ...]:
    """Several in one word, between commas, or the flag several times."""
    globs = tuple(glob.strip() for word in given for glob in word.split(","))
    if problem := check_globs(globs):
        raise ConfigError(f"The list {problem}.", param=flag, hint=f"such as {flag} 'glm-*,qwen3-*'")
    return globs


def _budget(text: str, per: str) -> Budget | None:
    if per not in ("", "day", "month"):
        raise ConfigError(f"{per!r} is neither day nor month.", param="--per")
    period: Literal["day", "month"] = "day" if per == "day" else "month"
    word = text.strip()
    if not word:
        if per or text:
            raise ConfigError("A period needs a budget.", param="--budget", hint="such as --budget 1000000 --per day")
        return None
    if tokens := _TOKENS.fullmatch(word):
        amount = float(tokens[1].replace("_", ""))
        budget = Budget(amount=amount, unit="tokens", per=period)
    elif money := _MONEY.fullmatch(word):
        budget = Budget(amount=float(money[1]), unit="usd", per=period)
        if not ("$" in word or word.lower().endswith("usd")):
            raise _no_budget(text)
    else:
        raise _no_budget(text)
    if not 0 < budget.amount <= LARGEST_LIMIT:
        raise _no_budget(text)
    return budget


def _no_budget(text: str) -> ConfigError:
    return ConfigError(f"{text!r} is no budget.", param="--budget", hint="1000000 for tokens, 5usd for money")


def _moment(text: str, now: float) -> float:
    """A length of time from now, or a date: of UTC where it names no zone, at its beginning where it names no hour."""
    word = text.strip()
    if not word:
        return inf
    if _LENGTH.fullmatch(word.lower()):
        return now + seconds_of(word, "--expires")
    try:
        moment = epoch(datetime.fromisoformat(word))
        datetime.fromtimestamp(moment, UTC)
    except (ValueError, OverflowError):  # or of a zone in which UTC has no such year
        raise ConfigError(
            f"{text!r} is no moment.", param="--expires", hint="30d, 12h, 2027-01-31 or 2027-01-31T18:00:00Z"
        ) from None
    if moment <= now:
        raise ConfigError(f"{rfc3339(moment)} is in the past.", param="--expires")
    return moment
