"""Which addresses a stranger's URL may lead to: those of the public internet, written the one ordinary way.

Pure. Knows the special ranges (IANA's special-purpose registries, RFC 6890, and what clouds put inside public ones) and
how parsers disagree about odd URLs. Refuses to resolve a name: an answer of the DNS is judged by `is_public` as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import quote

from iflow_cli_proxy.core.errors import InvalidRequest

Address: TypeAlias = IPv4Address | IPv6Address

NOT_ALLOWED: Final = "image_url_not_allowed"
_LONGEST_URL: Final = 8192
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?://(?P<authority>[^/?#]*)(?P<rest>[^#]*))?.*", re.DOTALL
)
_AUTHORITY: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")
# Two labels at least, and the last begins with a letter: `localhost` is a neighbour, `0x7f.1` and `127.1` are numbers.
_NAME: Final = re.compile(
    r"(?=.{4,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_ODD: Final = re.compile(r"[\x00-\x20\x7f\\]")
_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))
_PRIVATE_ENDINGS: Final = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa")
"""Names of the machine and its neighbours, the clouds' metadata services among them (RFC 6761, 6762, 8375)."""

_CLOSED_V4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network, and the unspecified address
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared by carriers; 100.100.100.200 is Alibaba's metadata service
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # the host agent of Azure, a public address by its looks
            "169.254.0.0/16",  # link-local; 169.254.169.254 and 169.254.170.2 are metadata services
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments; 192.0.0.192 is Oracle's metadata service
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # automatic multicast tunnels
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",  # private
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
_OPEN_V6: Final = IPv6Network("2000::/3")
"""The only part that is routed publicly; outside it are loopback, fc00::/7, fe80::/10, multicast and 64:ff9b::/96."""
_CLOSED_V6: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments, Teredo among them
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: an IPv4 address in disguise
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)


class Target(NamedTuple):
    """A URL that may be asked, in its ordinary spelling. `host` is lower case, an IPv6 address without brackets."""

    scheme: str
    host: str
    port: int
    rest: str
    """The path and what follows, ASCII, beginning with a slash."""

    @property
    def literal(self) -> Address | None:
        """The host when it is an address and not a name."""
        return read_address(self.host)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.rest}"


def is_public(address: Address) -> bool:
    """Whether strangers may send us there.

    An IPv4 address inside an IPv6 one is judged itself where it is merely mapped. Every other form that hides one
    (compatible, NAT64, 6to4, Teredo) is refused whole, whatever it hides: nobody's images live there.
    """
    if isinstance(address, IPv4Address):
        return not any(address in closed for closed in _CLOSED_V4)
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    return address.scope_id is None and address in _OPEN_V6 and not any(address in closed for closed in _CLOSED_V6)


@dataclass(frozen=True, kw_only=True)
class AddressRules:
    """Where URLs of strangers may lead."""

    allows_http: bool = False
    ports: frozenset[int] = frozenset()
    """Besides the scheme's own."""
    is_allowed: Callable[[Address], bool] = is_public


def parse_url(url: str, rules: AddressRules) -> Target:
    """The target of a URL whose scheme, host and port are allowed; an address in it is judged, a name is not resolved.

    Raises:
        InvalidRequest: it is not, or it is written in a way that parsers disagree about.
    """
    if len(url) > _LONGEST_URL or _ODD.search(url):
        raise refused("it is longer than a URL is, or holds a blank, a control character or a backslash")
    found = _URL.fullmatch(url)
    scheme = found["scheme"].lower() if found else ""
    if found is None or scheme not in _DEFAULT_PORTS or (scheme == "http" and not rules.allows_http):
        raise refused(f"it does not begin with {'http:// or https://' if rules.allows_http else 'https://'}")
    authority = _AUTHORITY.fullmatch(found["authority"] or "")
    if authority is None:
        raise refused("its host is not written as a plain name or address")
    port = int(authority["port"] or _DEFAULT_PORTS[scheme])
    if port != _DEFAULT_PORTS[scheme] and port not in rules.ports:
        raise refused("its port is not the usual one")
    host = _host((authority["v6"] or authority["name"]).lower(), rules, is_v6=authority["v6"] is not None)
    rest = quote(found["rest"], safe=_PRINTABLE, errors="replace")
    return Target(scheme, host, port, rest if rest.startswith("/") else f"/{rest}")


def read_address(text: str) -> Address | None:
    """An address in its ordinary form, None for anything else."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def refused(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"The image URL is not allowed: {why}.",
        code=NOT_ALLOWED,
        hint="send the image itself, as a data: URL",
    )


def leads_inside() -> InvalidRequest:
    """Never says which address it was."""
    return refused("it leads to an address that is not on the public internet")


def _host(text: str, rules: AddressRules, *, is_v6: bool) -> str:
    address = read_address(text)
    if address is not None:
        if (address.version == 6) != is_v6 or not rules.is_allowed(address):
            raise leads_inside()
        return str(address)
    if is_v6 or not _NAME.fullmatch(text) or text.endswith(_PRIVATE_ENDINGS):
        raise refused("its host is not the full name of a public server")
    return text
