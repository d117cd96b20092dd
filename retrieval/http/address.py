"""Which addresses may be asked: an URL read in one way only, a name that is public, an IP address that is public.

Nothing here opens a connection. The lists are those of the IANA special-purpose registries (RFC 6890 and its successors); Python's
own `is_global` is asked too, but it knows nothing of multicast, of translated and tunnelled IPv4, or of one cloud's public wire server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urljoin

import idna

from ..outcomes import Refused

IPAddress = IPv4Address | IPv6Address
PORTS = {"http": 80, "https": 443}
MAX_LENGTH = 8_190  # octets that servers take as an address

_SHAPE = re.compile(r"(?i)(https?)://([^/?#]*)([/?#].*)?\Z", re.ASCII | re.DOTALL)
_SLASHES = re.compile(r"(?i)(?:https?:)?///")
_CONTROL = re.compile(r"[\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\\]")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z", re.ASCII)
_NUMERIC = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z", re.ASCII)
_QUAD = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z", re.ASCII)

# Ends of names that mean something on this machine or its network, or nothing at all, and never a public host.
_INNER = frozenset(
    "local localhost localdomain internal intranet lan home homenet corp private svc cluster consul arpa onion alt test invalid".split()
)
_REFUSED_4 = tuple(
    map(
        IPv4Network, ("168.63.129.16/32", "192.88.99.0/24", "192.0.0.0/24", "0.0.0.0/8", "100.64.0.0/10", "240.0.0.0/4")
    )
)
_UNICAST = IPv6Network("2000::/3")
_REFUSED_6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


@dataclass(frozen=True)
class Address:
    """An URL that can be read in one way: `host` in ASCII without a last dot, `literal` when it is an IP address."""

    url: str
    scheme: str
    host: str
    port: int
    literal: IPAddress | None = None

    @property
    def origin(self) -> tuple[str, str, int]:
        return (self.scheme, self.host, self.port)


def why_not(address: IPAddress) -> str | None:
    """The reason for which an IP address may not be connected to; None for a public one."""
    if isinstance(address, IPv4Address):
        return _why_not_4(address)
    if address.scope_id:
        return f"{address} names a network card of this machine"
    if address in _MAPPED or address in _NAT64:
        inner = _why_not_4(IPv4Address(int(address) & 0xFFFFFFFF))
        return f"{address} holds {inner}" if inner else None
    if address not in _UNICAST or not address.is_global or any(address in network for network in _REFUSED_6):
        return f"{address} is no public address"
    if int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
        inner = _why_not_4(IPv4Address(int(address) & 0xFFFFFFFF))
        return f"{address} tunnels to {inner}" if inner else None
    return None


def _why_not_4(address: IPv4Address) -> str | None:
    public = address.is_global and not address.is_multicast and not any(address in network for network in _REFUSED_4)
    return None if public else f"{address} is no public address"


def read(url: str) -> Address:
    """An absolute http(s) URL, taken apart. Refused when two readers could disagree about its host, or when it holds a login."""
    if _CONTROL.search(url):
        raise _refused(url, "it holds a blank, a control character or a backslash")
    if len(url.encode("utf-8", errors="replace")) > MAX_LENGTH:
        raise _refused(url, f"it is longer than {MAX_LENGTH:,} bytes")
    match = _SHAPE.match(url)
    if match is None:
        raise _refused(url, "only http:// and https:// addresses are asked")
    scheme, authority, rest = match[1].lower(), match[2], match[3] or "/"
    if "@" in authority:
        raise _refused(url, "it holds a login before the host")
    if "%" in authority:
        raise _refused(url, "its host is encoded")
    host, port = _host_and_port(url, authority, PORTS[scheme])
    literal = _literal(url, host)
    name = str(literal) if literal else _name(url, host)
    shown = f"[{name}]" if isinstance(literal, IPv6Address) else name
    suffix = "" if port == PORTS[scheme] else f":{port}"
    rest = rest if rest.startswith("/") else f"/{rest}"
    return Address(f"{scheme}://{shown}{suffix}{rest.partition('#')[0]}", scheme, name, port, literal)


def check(address: Address, ports: frozenset[int]) -> None:
    """Refused unless the port is one of `ports` and the host a public name or a public IP address."""
    if address.port not in ports:
        raise _refused(address.url, f"port {address.port} is not one of {', '.join(map(str, sorted(ports)))}")
    if address.literal is not None:
        reason = why_not(address.literal)
        if reason:
            raise _refused(address.url, reason)
    else:
        check_name(address.host, address.url)


def check_name(name: str, url: str) -> None:
    """Refused for a name that only this machine or its network knows."""
    labels = name.rstrip(".").lower().split(".")
    if len(labels) == 1:
        raise _refused(url, f"{name!r} is a name of the local network")
    if labels[-1] in _INNER:
        raise _refused(url, f"names that end in .{labels[-1]} are not public")


def check_answers(host: str, answers: tuple[IPAddress, ...], url: str) -> None:
    """Refused if any answer for a host is not public: a client may be brought to try each of them."""
    for answer in answers:
        reason = why_not(answer)
        if reason:
            raise _refused(url, f"{host} resolves to {answer}, and {reason}")


def follow(base: Address, location: str) -> Address:
    """Where a redirect leads; Refused when it is unreadable or goes from https to http."""
    if not location:
        raise _refused(base.url, "it redirects without saying where to")
    if _CONTROL.search(location):
        raise _refused(location, "it holds a blank, a control character or a backslash")
    if _SLASHES.match(location):
        raise _refused(location, "browsers and programs read so many slashes in different ways")
    target = read(urljoin(base.url, location))
    if base.scheme == "https" and target.scheme == "http":
        raise _refused(target.url, f"{base.host} redirects from https down to http")
    return target


def _host_and_port(url: str, authority: str, default: int) -> tuple[str, int]:
    match = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?", authority, re.ASCII)
    if match is None or not match[1]:
        raise _refused(url, "its host or port cannot be read" if authority else "it names no host")
    port = int(match[2]) if match[2] else default
    if not 0 < port < 65536:
        raise _refused(url, f"there is no port {port}")
    return match[1], port


def _literal(url: str, host: str) -> IPAddress | None:
    if host.startswith("["):
        try:
            return IPv6Address(host[1:-1])
        except ValueError as exc:
            raise _refused(url, f"{host} is no IPv6 address") from exc
    labels = re.split("[.\u3002\uff0e\uff61]", host.lower().rstrip(".\u3002\uff0e\uff61"))
    if not _NUMERIC.match(labels[-1]):
        return None
    try:
        if _QUAD.match(host):
            return IPv4Address(host)
    except ValueError:
        pass
    raise _refused(url, f"{host} is a number that readers of addresses read in several ways")


def _name(url: str, host: str) -> str:
    try:
        name = host.lower() if host.isascii() else idna.encode(host.lower(), strict=True).decode()
        labels = name.removesuffix(".").split(".")
        for label in labels:
            if label.startswith("xn--"):
                idna.ulabel(label)
    except idna.IDNAError as exc:
        raise _refused(url, f"{host} is no name of a host") from exc
    if len(name) > 254 or not all(_LABEL.match(label) for label in labels) or _NUMERIC.match(labels[-1]):
        raise _refused(url, f"{host} is no name of a host")
    return ".".join(labels)


def parse_ip(text: str) -> IPAddress:
    """An IP address as a resolver gives it."""
    return ip_address(text)


def _refused(url: str, why: str) -> Refused:
    shown = url if len(url) < 200 else url[:200] + "…"
    return Refused(f"{shown!r} was not asked: {why}.", cause="address", where=shown)
