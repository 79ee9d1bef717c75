"""Which headers Qwen is sent: those of the vendor's client, about one machine throughout.

Knows names, spelling and order, and how Node names machines. Refuses to know where the values of a request come from.
"""

from __future__ import annotations

from typing import Final

CLIENT_VERSION: Final = "0.14.3"
USER_AGENT: Final = "User-Agent"
DASHSCOPE_USER_AGENT: Final = "X-DashScope-UserAgent"

SIGNED_IN: Final = "qwen-oauth"
WITH_KEY: Final = "openai"

_SDK_OS: Final = {"linux": "Linux", "darwin": "MacOS", "win32": "Windows"}
_ARM: Final = frozenset({"arm64", "aarch64", "ARM64"})


def user_agent(platform: str, machine: str, version: str = CLIENT_VERSION) -> str:
    """`QwenCode/0.14.3 (linux; x64)`."""
    return f"QwenCode/{version} ({_node_platform(platform)}; {_arch(machine)})"


def fixed_headers(platform: str, machine: str, version: str = CLIENT_VERSION) -> dict[str, str]:
    """What is the same in every request; `platform` is `sys.platform`, `machine` is `platform.machine()`."""
    agent = user_agent(platform, machine, version)
    return {
        "Accept": "application/json",  # for streams too: the SDK's default
        "Content-Type": "application/json",
        USER_AGENT: agent,
        "X-DashScope-CacheControl": "enable",
        DASHSCOPE_USER_AGENT: agent,
        "X-Stainless-Lang": "js",
        "X-Stainless-Package-Version": "5.11.0",
        "X-Stainless-OS": _SDK_OS[_node_platform(platform)],
        "X-Stainless-Arch": _arch(machine),
        "X-Stainless-Runtime": "node",
        "X-Stainless-Runtime-Version": "v22.17.0",
        # A request of ours is always the client's first: attempts may differ in account, and the SDK counts its own.
        "X-Stainless-Retry-Count": "0",
        "X-Stainless-Timeout": "120",
        "Accept-Language": "*",
        "Sec-Fetch-Mode": "cors",
        "Accept-Encoding": "gzip, deflate",  # Node also offers `br`, which we could not undo
    }


def credentials(key: str, *, is_oauth: bool) -> dict[str, str]:
    """Who is asking; nothing without a key."""
    if not key:
        return {}
    return {"Authorization": f"Bearer {key}", "X-DashScope-AuthType": SIGNED_IN if is_oauth else WITH_KEY}


def with_one_agent(extra: dict[str, str]) -> dict[str, str]:
    """A person's headers; a User-Agent of theirs is said in both of its places."""
    names = {name.lower(): name for name in extra}
    given = names.get(USER_AGENT.lower())
    if given is None or DASHSCOPE_USER_AGENT.lower() in names:
        return extra
    return {**extra, DASHSCOPE_USER_AGENT: extra[given]}


def _node_platform(platform: str) -> str:
    return platform if platform in _SDK_OS else "linux"


def _arch(machine: str) -> str:
    return "arm64" if machine in _ARM else "x64"
