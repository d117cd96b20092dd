"""A client for a server that the person named (a model served elsewhere): the same door, open to that one origin and no other."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
from httpx import BaseTransport, HTTPError, Response

from .address import read
from .network import Guard, transport

__all__ = ["BaseTransport", "HTTPError", "Response", "client"]


def client(
    url: str, *, headers: Mapping[str, str] | None = None, seconds: float = 600.0, below: BaseTransport | None = None
) -> httpx.Client:
    """A client whose every request goes to `url`'s host and port: it follows no redirect, and reads no proxy from the environment.

    Refused when the address cannot be read in one way only.
    """
    address = read(url)
    guard = Guard(operators=frozenset((address.origin,)), ports=frozenset((address.port,)))
    return httpx.Client(
        base_url=url.rstrip("/"),
        headers=dict(headers or {}),
        timeout=seconds,
        transport=below or transport(guard),
        trust_env=False,
        follow_redirects=False,
    )
