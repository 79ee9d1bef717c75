"""Finds the iFlow sign-in a person already has: environment, settings and the files of the vendor's client.

Knows where the client keeps what and which place wins. Works on what it is handed (environment, home folder, a
function that reads) and writes nothing: a damaged file becomes a finding, never a crash and never a repair.
Folders that others can fill are left alone on purpose: a `.iflow` in the current directory or in the temporary folder
could name a base URL that collects keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.providers.discovery import Discovery, Finding, Reader
from iflow_cli_proxy.providers.iflow.live import ACCOUNTS, OAUTH, SETTINGS, live_sign_in
from iflow_cli_proxy.providers.sign_in_file import read_object

HOME_VARIABLE: Final = "IFLOW_HOME"
SYSTEM_FILE_VARIABLE: Final = "IFLOW_CLI_SYSTEM_SETTINGS_PATH"
_SYSTEM_FILES: Final = {
    "darwin": "/Library/Application Support/iFlowCli/settings.json",
    "win32": r"C:\ProgramData\iflow-cli\settings.json",
}
_SYSTEM_FILE: Final = "/etc/iflow-cli/settings.json"

_LOGIN: Final = "sign in again with the iFlow client, or set IFLOW_API_KEY"
_REFERENCE: Final = re.compile(r"\$(?:\{(?P<braced>\w+)\}|(?P<bare>\w+))")
_WRONG_HOST: Final = re.compile(r"^(https?://)api\.iflow\.cn(?=[:/]|$)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class _Key:
    text: str
    origin: str


@dataclass(kw_only=True)
class _Search:
    """One run: what it may look at, and what it has found so far."""

    environ: Mapping[str, str]
    read: Reader
    findings: list[Finding] = field(default_factory=list)

    def report(self, where: str, problem: str, hint: str = "") -> None:
        self.findings.append(Finding(where=where, problem=problem, hint=hint))


def discover(
    environ: Mapping[str, str], home: Path | None, read: Reader, *, provider: str = "iflow", platform: str = "linux"
) -> Discovery:
    """Look in every place, in the order environment, sign-in files, settings; `platform` is `sys.platform`."""
    search = _Search(environ=environ, read=read)
    folder = _folder(environ, home)
    settings = _settings(search, folder, platform)
    oauth, oauth_at = _object(search, folder / OAUTH) if folder else ({}, 0.0)
    cached, cached_at = _object(search, folder / ACCOUNTS) if folder else ({}, 0.0)
    if folder and oauth:
        _judge_oauth(search, folder / OAUTH, oauth)

    found = list(_from_environment(search))
    if folder:
        signed_in = [(oauth_at, oauth.get("apiKey"), OAUTH), (cached_at, cached.get("iflowApiKey"), ACCOUNTS)]
        signed_in.sort(key=lambda entry: -entry[0])  # stable: of two equally old files the sign-in itself wins
        found += _usable(search, [(value, str(folder / name)) for _, value, name in signed_in])
    is_elsewhere = settings.word("selectedAuthType") == "openai-compatible"
    if is_elsewhere:
        _report_elsewhere(search, settings)
    else:
        found += _usable(search, [settings.entry("apiKey"), settings.entry("searchApiKey")])

    base_url = "" if is_elsewhere else _base_url(search, settings)
    label = _label(oauth)
    accounts = [_account(key, provider, label, base_url) for key in _distinct(found)]
    is_clients = bool(folder and accounts and accounts[0].origin.startswith(str(folder)))
    live = live_sign_in(folder, oauth, accounts[0]) if folder and is_clients else None
    return Discovery(
        accounts=tuple(accounts[:1]),
        spare=tuple(accounts[1:]),
        live=(live,) if live else (),
        findings=tuple(search.findings),
    )


def files(environ: Mapping[str, str], home: Path | None, *, platform: str = "linux") -> tuple[Path, ...]:
    """Every file `discover` reads, whether it is there or not."""
    folder = _folder(environ, home)
    own = (folder / SETTINGS, folder / OAUTH, folder / ACCOUNTS) if folder else ()
    return (*own, _system_file(environ, platform))


def from_environment(environ: Mapping[str, str], key: str) -> tuple[str, str]:
    """A setting's value and the variable it came from; the client's four spellings, best first."""
    snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).upper()
    for name in (f"IFLOW_{key}", f"IFLOW_{snake}", f"iflow_{key}", f"iflow_{snake}"):
        if environ.get(name, "").strip():
            return environ[name].strip(), name
    return "", ""


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """The settings of all files as one, each value with its file; `$VAR` references are still in it."""

    values: Mapping[str, Any]
    origins: Mapping[str, str]

    def entry(self, key: str) -> tuple[Any, str]:
        return self.values.get(key), self.origins.get(key, "")

    def word(self, key: str) -> str:
        value = self.values.get(key)
        return value.strip() if isinstance(value, str) else ""


def _settings(search: _Search, folder: Path | None, platform: str) -> _Settings:
    """The system's file over the person's own."""
    system = _system_file(search.environ, platform)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for path in [folder / SETTINGS, system] if folder else [system]:
        tree, _ = _object(search, path)
        values.update(tree)
        origins.update(dict.fromkeys(tree, str(path)))
    return _Settings(values=values, origins=origins)


def _system_file(environ: Mapping[str, str], platform: str) -> Path:
    return Path(environ.get(SYSTEM_FILE_VARIABLE) or _SYSTEM_FILES.get(platform, _SYSTEM_FILE))


def _folder(environ: Mapping[str, str], home: Path | None) -> Path | None:
    named = environ.get(HOME_VARIABLE, "").strip()
    if named:
        rest = named.removeprefix("~/")
        return home / rest if home and rest != named else Path(named)
    return home / ".iflow" if home else None


def _object(search: _Search, path: Path) -> tuple[dict[str, Any], float]:
    """A file's JSON object and the time of its change; an empty one with a finding when it is damaged."""
    found = read_object(search.read, path, _LOGIN)
    if isinstance(found, Finding):
        search.findings.append(found)
    return found if isinstance(found, tuple) else ({}, 0.0)


def _judge_oauth(search: _Search, path: Path, oauth: Mapping[str, Any]) -> None:
    """The client writes an unchecked answer into this file when a refresh fails."""
    if not oauth.get("access_token") or oauth.get("expiry_date", 0) is None:
        search.report(str(path), "was damaged by a failed refresh: its tokens are gone", _LOGIN)
    if not oauth.get("apiKey"):
        search.report(str(path), "holds a sign-in without an API key", _LOGIN)


def _report_elsewhere(search: _Search, settings: _Settings) -> None:
    if settings.word("apiKey"):
        search.report(
            settings.entry("apiKey")[1],
            "is set up for another OpenAI-compatible service, so its key is not used for iFlow",
            "iflow2api serve --upstream URL",
        )


def _from_environment(search: _Search) -> Iterator[_Key]:
    for key in ("apiKey", "searchApiKey"):
        value, variable = from_environment(search.environ, key)
        yield from _usable(search, [(value, variable)])


def _usable(search: _Search, entries: list[tuple[Any, str]]) -> Iterator[_Key]:
    for value, origin in entries:
        if value is None or value == "":
            continue
        problem, text = _checked(search, value)
        if problem:
            search.report(origin, problem, _LOGIN)
        elif text:
            yield _Key(text=text, origin=origin)


def _checked(search: _Search, value: Any) -> tuple[str, str]:
    """What is wrong with a key, or the key itself."""
    if not isinstance(value, str):
        return "has an API key that is not text", ""
    text, missing = _resolved(value, search.environ)
    if missing:
        return f"takes its API key from the variable {missing}, which is not set", ""
    if text.startswith("enc:"):
        return "has an encrypted API key, which only the program that wrote it can read", ""
    if not (text.isascii() and text.isprintable()) or " " in text:
        return "has an API key with characters that no key has", ""
    return "", text


def _resolved(value: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """`value` with its `$VAR` and `${VAR}` filled in, trimmed; and the first variable that is not set."""
    missing = ""

    def fill(match: re.Match[str]) -> str:
        nonlocal missing
        name = match["braced"] or match["bare"]
        missing = missing or ("" if name in environ else name)
        return environ.get(name, "")

    return _REFERENCE.sub(fill, value).strip(), missing


def _base_url(search: _Search, settings: _Settings) -> str:
    """The configured address when it can be used, else nothing, which is the provider's own."""
    value, origin = from_environment(search.environ, "baseUrl")
    if not value:
        raw, origin = settings.entry("baseUrl")
        if not isinstance(raw, str):
            return ""
        value, _ = _resolved(raw, search.environ)
    if not value:
        return ""
    if not re.fullmatch(r"https?://[^\s/?#@]+(?:[/?][^\s#@]*)?", value):
        search.report(origin, "has a baseUrl that is not an http or https address", "correct it or take it out")
        return ""
    if _WRONG_HOST.match(value):
        search.report(origin, "names api.iflow.cn; the API is at apis.iflow.cn, which is used", "correct baseUrl")
        return _WRONG_HOST.sub(r"\1apis.iflow.cn", value)
    return value


def _label(oauth: Mapping[str, Any]) -> str:
    name = oauth.get("userName")
    fine = isinstance(name, str) and name.isascii() and name.isprintable() and 0 < len(name.strip()) <= 64
    return name.strip() if fine and isinstance(name, str) else "iflow-cli"


def _distinct(keys: list[_Key]) -> list[_Key]:
    seen: dict[str, _Key] = {}
    for key in keys:
        seen.setdefault(key.text, key)
    return list(seen.values())


def _account(key: _Key, provider: str, label: str, base_url: str) -> Account:
    return Account(
        id="iflow-cli",
        provider=provider,
        label=label,
        api_key=Secret(key.text),
        base_url=base_url,
        concurrency=1,
        origin=key.origin,
    )
