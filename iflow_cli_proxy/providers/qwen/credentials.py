"""The sign-ins of Qwen Code on this machine: `~/.qwen/oauth_creds.json` and its named sisters.

Knows the fields of such a file, which files there may be and which of them take requests. Works on what it is handed
(environment, home folder, functions that read and list) and writes nothing itself: `merge` makes the bytes for whoever
holds the lock. A damaged file becomes a finding, never a crash and never a repair.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.instants import instant
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount, Tokens
from iflow_cli_proxy.providers.discovery import Discovery, Finding, Lister, LiveSignIn, Reader, SharedFile
from iflow_cli_proxy.providers.qwen.addresses import as_resource_url, base_url_of
from iflow_cli_proxy.providers.sign_in_file import decode_object, read_object
from iflow_cli_proxy.providers.signin import token_ends_at

FOLDER: Final = ".qwen"
DEFAULT_FILE: Final = "oauth_creds.json"
LOCK_SUFFIX: Final = ".lock"
DEFAULT_LABEL: Final = "default"
ID: Final = "qwen-cli"
"""Of the default file; a named one appends its name."""
USE_DEFAULT_VARIABLE: Final = "QWEN_CODE_AUTH_USE"
PREFERRED_VARIABLE: Final = "DEFAULT_ACCOUNT"
ADDRESS_FIELDS: Final = ("resource_url", "endpoint")
"""Where the API is, best first; the second is what older answers of the server call it."""


_NAMED: Final = re.compile(r"oauth_creds_(?P<name>.*)\.json", re.DOTALL)
_NAME: Final = re.compile(r"(?!\.+\Z)[A-Za-z0-9._@-]{1,64}")
_TOKEN: Final = re.compile(r"[!-~]+")
_REQUIRED: Final = ("access_token", "refresh_token", "token_type", "expiry_date")
_LOGIN: Final = "sign in again with Qwen Code"


@dataclass(frozen=True, kw_only=True)
class SignInFile:
    """One file there may be, and who it says it is."""

    path: Path
    id: str
    label: str
    provider: str
    configured: str = ""
    """The person's own base URL, whose host is trusted besides the vendor's."""

    @property
    def lock(self) -> Path:
        """`oauth_creds.lock` for the default file, as the vendor's client has it, and the like for the others."""
        return self.path.with_suffix(LOCK_SUFFIX)

    def parse(self, data: bytes) -> SavedAccount | None:
        """The account in the file's bytes; None when they hold no token. Raises JsonError when they are no object."""
        return self.account(decode_object(data))

    def account(self, tree: Mapping[str, Any]) -> SavedAccount | None:
        access, refresh = _token(tree.get("access_token")), _token(tree.get("refresh_token"))
        if not access and not refresh:
            return None
        base_url = base_url_of(_address(tree), self.configured)
        kind, scope = tree.get("token_type"), tree.get("scope")
        tokens = Tokens(
            access_token=Secret(access),
            refresh_token=Secret(refresh),
            expires_at=_expiry(tree),
            token_type=kind.lower() if isinstance(kind, str) and kind else "bearer",
            scope=scope if isinstance(scope, str) else "",
            base_url=base_url,
        )
        return SavedAccount(
            id=self.id,
            provider=self.provider,
            label=self.label,
            auth_type=AuthType.OAUTH,
            tokens=tokens,
            base_url=base_url,
            imported_from=str(self.path),
        )

    def live(self, account: SavedAccount, *, is_used: bool) -> LiveSignIn:
        return LiveSignIn(
            account=account,
            file=SharedFile(path=self.path, merge=merge),
            parse=self.parse,
            lock=self.lock,
            is_used=is_used,
        )


def discover(
    environ: Mapping[str, str],
    home: Path | None,
    read: Reader,
    list_names: Lister,
    *,
    provider: str = "qwen",
    configured: str = "",
) -> Discovery:
    """Every sign-in of Qwen Code, in the order in which it uses them; `configured` is the person's own base URL.

    Where there are named ones the default file takes no requests, yet is known and kept alive.
    """
    if home is None:
        return Discovery()
    folder = home / FOLDER
    named, findings = _named(folder, list_names, provider, configured)
    live = [
        file.live(account, is_used=True) for file in named if (account := _examined(file, read, findings)) is not None
    ]
    default = SignInFile(
        path=folder / DEFAULT_FILE, id=ID, label=DEFAULT_LABEL, provider=provider, configured=configured
    )  # fmt: skip
    is_wanted = environ.get(USE_DEFAULT_VARIABLE, "").strip().lower() != "false"
    if is_wanted and (account := _examined(default, read, findings)) is not None:
        if live:
            findings.append(_both_kinds(default.path))
        live.append(default.live(account, is_used=not live))
    return Discovery(live=tuple(live), findings=tuple(findings))


def files(home: Path | None, list_names: Lister) -> tuple[Path, ...]:
    """Every file `discover` reads, the default one whether it is there or not."""
    if home is None:
        return ()
    named, _ = _named(home / FOLDER, list_names)
    return (*(file.path for file in named), home / FOLDER / DEFAULT_FILE)


def preferred_label(environ: Mapping[str, str]) -> str:
    """The account that goes first while nobody has been used yet; empty when the person did not say."""
    return environ.get(PREFERRED_VARIABLE, "").strip()


def merge(data: bytes, account: SavedAccount) -> bytes:
    """The file's new bytes: the tokens of `account`, and every field we do not know as it was.

    What the account does not say stays: a server that names no new refresh token or address means the old ones.
    Raises JsonError when the old bytes are no JSON object.
    """
    tree = decode_object(data)
    tokens = account.tokens
    if tokens is None:
        return data
    tree["access_token"] = tokens.access_token.reveal()
    if tokens.refresh_token:
        tree["refresh_token"] = tokens.refresh_token.reveal()
    if not isinstance(tree.get("token_type"), str):
        tree["token_type"] = "Bearer"
    if (ends_at := token_ends_at(account)) is not None:
        # The old date is that of the old token: left there, the new one would count as ended.
        tree["expiry_date"] = int(ends_at * 1000)
    base_url = tokens.base_url or account.base_url
    if base_url and base_url_of(_address(tree), base_url) != base_url:
        tree["resource_url"] = as_resource_url(base_url)
    return jsonx.indented(tree)


# --- files --------------------------------------------------------------------------------------------------------


def _named(
    folder: Path, list_names: Lister, provider: str = "", configured: str = ""
) -> tuple[list[SignInFile], list[Finding]]:
    """The named files in sorted order, without those whose name could be anything."""
    try:
        names = sorted(list_names(folder))
    except OSError as error:
        problem = f"cannot be looked into: {error.strerror or type(error).__name__}"
        return [], [Finding(where=str(folder), problem=problem, hint="check its permissions")]
    found: list[SignInFile] = []
    findings: list[Finding] = []
    for name in names:
        match = _NAMED.fullmatch(name)
        label = match["name"] if match else ""
        if match and _NAME.fullmatch(label):
            one = SignInFile(
                path=folder / name, id=f"{ID}-{label}", label=label, provider=provider, configured=configured
            )  # fmt: skip
            found.append(one)
        elif match:
            problem = f"holds a file with a name that is not used: {name!a}"
            findings.append(Finding(where=str(folder), problem=problem, hint="letters, digits and ._@- make a name"))
    return found, findings


def _examined(file: SignInFile, read: Reader, findings: list[Finding]) -> SavedAccount | None:
    """The account in a file; what is wrong with it is added to `findings`."""
    found = read_object(read, file.path, _LOGIN)
    if isinstance(found, Finding):
        findings.append(found)
    if found is None or isinstance(found, Finding):
        return None
    tree, _ = found
    findings += _judged(file, tree)
    return file.account(tree)


def _both_kinds(default: Path) -> Finding:
    return Finding(
        where=str(default),
        problem="is not used for requests, because there are named sign-ins beside it; if one of them is a copy of"
        " it, each refresh of the one ends the other",
        hint=f"move away the copy, or set {USE_DEFAULT_VARIABLE}=false",
    )


# --- fields -------------------------------------------------------------------------------------------------------


def _judged(file: SignInFile, tree: Mapping[str, Any]) -> Iterable[Finding]:
    """What the vendor's client would not take, and an address that a token must not be sent to."""
    where = str(file.path)
    missing = [name for name in _REQUIRED if not _is_there(tree, name)]
    if missing:
        yield Finding(where=where, problem=f"lacks a usable {', '.join(missing)}", hint=_LOGIN)
    address = _address(tree)
    if address.strip() and not base_url_of(address, file.configured):
        yield Finding(
            where=where,
            problem="names an address that is not one of Qwen's; its token is sent to the portal instead",
            hint=f"if you trust that address, make it the provider's base_url; else {_LOGIN}",
        )


def _is_there(tree: Mapping[str, Any], name: str) -> bool:
    if name == "expiry_date":
        return _expiry(tree) is not None
    return bool(_token(tree.get(name)))


def _expiry(tree: Mapping[str, Any]) -> float | None:
    """Milliseconds as the client writes them; digits and seconds are understood, dates are not expected."""
    return instant(tree.get("expiry_date"))


def _token(value: Any) -> str:
    """A word fit for a header; empty for anything else."""
    return value.strip() if isinstance(value, str) and _TOKEN.fullmatch(value.strip()) else ""


def _address(tree: Mapping[str, Any]) -> str:
    values = (tree.get(name) for name in ADDRESS_FIELDS)
    return next((value for value in values if isinstance(value, str) and value.strip()), "")
