"""Where a stranger's URL may lead: RELIABILITY I21 and I22, row by row."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.transport.addresses import NOT_ALLOWED, AddressRules, is_public, parse_url, read_address

STRICT = AddressRules()
LAX = AddressRules(allows_http=True, ports=frozenset({8080}))
"""Nothing is refused for its scheme or its port, so that what is tested is the address."""


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x.png",
        "http://localhost/x.png",
        "http://LOCALHOST/x.png",
        "http://LocalHost.:8080/x.png",
        "http://foo.localhost/x.png",
        "http://[::1]/x.png",
        "http://[0:0:0:0:0:0:0:1]/x.png",
        "http://[::ffff:127.0.0.1]/x.png",
        "http://[::ffff:7f00:1]/x.png",
        "http://[::127.0.0.1]/x.png",
        "http://[::]/x.png",
        "http://2130706433/x.png",
        "http://0x7f000001/x.png",
        "http://0X7F000001/x.png",
        "http://0x7f.0.0.1/x.png",
        "http://0177.0.0.1/x.png",
        "http://017700000001/x.png",
        "http://127.1/x.png",
        "http://127.0.1/x.png",
        "http://127.0.0.1./x.png",
        "http://127.000.000.001/x.png",
        "http://0.0.0.0/x.png",
        "http://0/x.png",
        "http://user@127.0.0.1/x.png",
        "http://images.example@127.0.0.1/x.png",
        "http://user:word@images.example/x.png",
        "http://@images.example/x.png",
        "http://images.example\\@127.0.0.1/x.png",
        "http://127.0.0.1\\@images.example/x.png",
        "http:\\\\127.0.0.1\\x.png",
        "http://images.example./x.png",
        "http://%6c%6f%63alhost/x.png",
        "http://127.0.0.1%2f.images.example/x.png",
        "http://\uff11\uff12\uff17.\uff10.\uff10.\uff11/x.png",
        "http://\u24dbocalhost/x.png",
        "http://images\u3002example/x.png",
        "http://images.example:8080:80/x.png",
        "http://images.example:/x.png",
        "http://:8080/x.png",
        "http:///x.png",
        "http://",
        "http:images.example/x.png",
        "http://[fe80::1%25eth0]/x.png",
        "http://[127.0.0.1]/x.png",
        "http://[8.8.8.8]/x.png",
        "http://8.8.8.8%eth0/x.png",
        "http://[v1.x]/x.png",
        "http://[::1/x.png",
        "http://intranet/x.png",
        "http://images.example /x.png",
        " http://images.example/x.png",
        "http://images.example/x.png\r\nX: y",
        "http://images.example/\0",
        "http://127.0.0.1#@images.example/x.png",
        "http://127.0.0.1?@images.example/x.png",
        "http://-images.example/x.png",
        "http://images..example/x.png",
        f"http://{'a' * 64}.example/x.png",
        f"http://images.example/{'a' * 9000}",
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "gopher://127.0.0.1:6379/_INFO",
        "ftp://images.example/x.png",
        "data:image/png;base64,AAAA",
        "//images.example/x.png",
        "/x.png",
        "",
    ],
)  # fmt: skip
def test_i21_what_leads_to_this_machine_or_is_written_oddly_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_url(url, LAX)

    assert caught.value.code == NOT_ALLOWED
    assert caught.value.message.startswith("The image URL is not allowed: ")
    assert "127.0.0.1" not in caught.value.message


INSIDE = (
    "169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16",
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255",
    "100.64.0.1", "100.127.255.255", "fc00::1", "fdff::1", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::808:808", "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::", "2002:7f00:1::1", "2002:808:808::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001::1", "2001:db8::1", "2001:2::1", "2001:20::1", "3fff::1",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:7f00:1",
    "224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1", "255.255.255.255", "240.0.0.1", "0.0.0.0", "0.1.2.3",
    "127.0.0.1", "127.255.255.254", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255",
    "192.88.99.1", "192.31.196.1", "192.52.193.1", "192.175.48.1", "2620:4f:8000::1", "2606:4700:4700::1111%eth0",
    "100::1", "5f00::1", "4000::1",
)  # fmt: skip
OUTSIDE = (
    "1.1.1.1", "8.8.8.8", "93.184.215.14", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1",
    "169.253.255.255", "192.167.255.255", "192.169.0.1", "198.17.255.255", "198.20.0.1", "223.255.255.255",
    "2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450:4001:80b::200e", "::ffff:8.8.8.8",
)  # fmt: skip


@pytest.mark.parametrize("text", INSIDE)
def test_i22_addresses_that_are_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", INSIDE)
def test_i22_nor_may_a_url_hold_one(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_url(f"https://{f'[{text}]' if ':' in text else text}/latest/meta-data/", STRICT)

    assert caught.value.code == NOT_ALLOWED
    assert text not in caught.value.message


@pytest.mark.parametrize("text", OUTSIDE)
def test_public_addresses_are_public(text: str) -> None:
    assert is_public(ip_address(text))
    assert parse_url(f"https://{f'[{text}]' if ':' in text else text}/x.png", STRICT).literal == ip_address(text)


@pytest.mark.parametrize(
    "host",
    [
        "metadata.google.internal",
        "METADATA.GOOGLE.INTERNAL",
        "metadata.google.internal.",
        "metadata",
        "instance-data.ec2.internal",
        "printer.local",
        "router.lan",
        "nas.home.arpa",
        "wiki.intranet",
    ],
)
def test_i22_names_of_neighbours_and_metadata_services_are_refused_unresolved(host: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_url(f"https://{host}/computeMetadata/v1/", STRICT)

    assert caught.value.code == NOT_ALLOWED


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://images.example/x.png", "https://"),
        ("https://images.example:8080/x.png", "port"),
        ("https://images.example:80/x.png", "port"),
        ("https://images.example:0/x.png", "port"),
        ("https://images.example:99999/x.png", "port"),
    ],
)
def test_plain_http_and_other_ports_take_a_setting(url: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        parse_url(url, STRICT)


def test_what_a_setting_allows_is_allowed() -> None:
    assert parse_url("http://images.example:8080/x.png", LAX).url == "http://images.example:8080/x.png"
    loopback = AddressRules(is_allowed=lambda address: address == ip_address("127.0.0.1"))
    assert parse_url("https://127.0.0.1/x.png", loopback).literal == ip_address("127.0.0.1")
    with pytest.raises(InvalidRequest):
        parse_url("https://8.8.8.8/x.png", loopback)


@pytest.mark.parametrize(
    ("url", "ordinary"),
    [
        ("HTTPS://Images.Example:443/X.png?A=B#frag", "https://images.example/X.png?A=B"),
        ("https://images.example", "https://images.example/"),
        ("https://images.example?x", "https://images.example/?x"),
        ("https://a_b.xn--fiqs8s/%E5%9B%BE.png?q=%20", "https://a_b.xn--fiqs8s/%E5%9B%BE.png?q=%20"),
        ("https://images.example/图.png", "https://images.example/%E5%9B%BE.png"),
        ("https://[2606:4700:4700:0::1111]/x", "https://[2606:4700:4700::1111]/x"),
        ("https://images.example/@user/x:1.png", "https://images.example/@user/x:1.png"),
    ],
)
def test_a_good_url_comes_out_in_its_ordinary_spelling(url: str, ordinary: str) -> None:
    assert parse_url(url, STRICT).url == ordinary


def test_only_addresses_in_their_ordinary_form_are_read() -> None:
    assert read_address("8.8.8.8") == ip_address("8.8.8.8")
    assert [read_address(text) for text in ("8.8.8", "010.8.8.8", "8.8.8.8/32", "images.example", "")] == [None] * 5
