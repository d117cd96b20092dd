"""Addresses: what is read in one way only, and which IP addresses are public."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from palimpsest.retrieval.http.address import check, follow, read, why_not
from palimpsest.retrieval.outcomes import Refused

PORTS = frozenset((80, 443))


@pytest.mark.parametrize(
    "text",
    "127.8.9.1 10.255.0.1 192.168.7.7 172.20.0.9 169.254.1.1 100.127.255.255 0.0.0.9 168.63.129.16 192.0.0.170 192.88.99.7 "
    "224.0.0.251 233.1.2.3 250.1.1.1 198.51.100.200 198.19.255.1 ::1 :: ::ffff:192.168.0.1 ::ffff:0:10.0.0.1 ::10.0.0.1 fe80::2 "
    "fd00::1 fec0::9 ff0e::1 64:ff9b::c0a8:1 64:ff9b:1::808:808 2001::9 2001:20::1 2001:db8:1::1 2002:808:808::1 3fff:1::1 5f00:1::1 "
    "4001::1 100::9 2606:4700::5efe:a00:1 2606:4700::200:5efe:7f00:1 fe80::1%eth0".split(),
)
def test_addresses_that_are_not_public(text: str) -> None:
    assert why_not(ip_address(text))


@pytest.mark.parametrize(
    "text",
    "9.9.9.9 11.255.1.1 172.33.0.1 100.128.9.9 169.255.0.1 198.20.0.1 192.0.3.1 223.255.255.254 2606:4700::1 2a00:1450::5 "
    "::ffff:9.9.9.9 64:ff9b::909:909 2001:4860:4860::8888 2606:4700::5efe:909:909".split(),
)
def test_addresses_that_are(text: str) -> None:
    assert why_not(ip_address(text)) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://0x7f.1/",
        "http://3232235777/",
        "http://8.8.8.8./",
        "http://010.8.8.8/",
        "http://8。8。8。8/",
        "http://8.8.8.0x8/",
        "http://a.b.0x/",
        "http://1.2.3.4.5/",
        "http://[::1/",
        "http://[fe80::1%eth0]/",
        "http://name:pass@example.com/",
        "http://@example.com/",
        "http://example.com%2f.evil.example/",
        "http://example.com\\.evil.example/",
        "http:/example.com/",
        "http:///example.com/",
        "http://exam ple.com/",
        "http://example.com/a b",
        "http://example.com/\x00",
        "http://example.com\u200b.example/",
        "http://example.com:/",
        "http://example.com:99999/",
        "http://example.com:0/",
        "http://example.com:+80/",
        "http://-a.example/",
        "http://a-.example/",
        "http://a..example/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 130 + "example/",
        "http://ex\u00adample.com/",
        "http://ｅxample.com/",
        "http://xn--zz--zz--.example/",
        "ftp://example.com/",
        "HTTPx://example.com/",
        "example.com/",
        "//example.com/",
        "",
        "http://example.com/" + "a" * 9000,
    ],
)
def test_what_two_readers_might_read_differently_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        read(url)


def test_a_plain_address_is_taken_apart() -> None:
    address = read("HTTPS://Bücher.Example.:8443/a?b=http://127.0.0.1/#c@d")
    assert (address.scheme, address.host, address.port) == ("https", "xn--bcher-kva.example", 8443)
    assert address.url == "https://xn--bcher-kva.example:8443/a?b=http://127.0.0.1/"


@pytest.mark.parametrize(
    "host", "intranet a.local A.LOCALHOST x.internal y.home.arpa z.onion nas.lan db.svc localhost.".split()
)
def test_names_of_the_local_network_are_refused(host: str) -> None:
    with pytest.raises(Refused, match=r"local network|not public"):
        check(read(f"http://{host}/"), PORTS)


def test_ports_are_the_two_of_the_web_unless_set() -> None:
    with pytest.raises(Refused, match="port 8080"):
        check(read("http://example.com:8080/"), PORTS)
    check(read("http://example.com:8080/"), PORTS | {8080})


@pytest.mark.parametrize(
    "location", ["", "http://a.example/", "https://a@b.example/", "ftp://a.example/", "b\r\nX: 1", "https://1/"]
)
def test_redirects_that_are_not_followed(location: str) -> None:
    with pytest.raises(Refused):
        follow(read("https://example.com/a"), location)


def test_redirects_that_are() -> None:
    base = read("http://example.com/a/b")
    leads = {place: follow(base, place).url for place in ("c", "/d?e=1", "//other.example/", "https://example.com/")}
    assert list(leads.values()) == [
        "http://example.com/a/c",
        "http://example.com/d?e=1",
        "http://other.example/",
        "https://example.com/",
    ]
