"""A response's body, read within its caps: bytes on the wire, bytes unpacked, and a deadline."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator

import httpx

from ..outcomes import Failed

_WINDOW = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
ENCODINGS = "gzip, deflate"


def read(response: httpx.Response, max_bytes: int, deadline: float) -> bytes:
    """The body, unpacked. Failed when it is larger than `max_bytes` (packed or unpacked), late, or cut."""
    host = response.url.host
    declared = response.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(host, max_bytes)
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    chunks = _timed(response.iter_raw(), host, deadline)
    if encoding in ("", "identity"):
        return _plain(chunks, host, max_bytes)
    if encoding not in _WINDOW:  # such as "gzip, gzip": nobody asked for it, and each layer multiplies
        raise Failed(f"{host} packed its answer as {encoding!r}, which was not asked for.", cause="type", where=host)
    return _unpacked(chunks, encoding, host, max_bytes)


def _timed(chunks: Iterator[bytes], host: str, deadline: float) -> Iterator[bytes]:
    for chunk in chunks:
        if time.monotonic() > deadline:
            raise Failed(f"{host} did not finish its answer in time.", cause="timeout", where=host)
        yield chunk


def _plain(chunks: Iterator[bytes], host: str, max_bytes: int) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            raise _too_large(host, max_bytes)
    return bytes(body)


def _unpacked(chunks: Iterator[bytes], encoding: str, host: str, max_bytes: int) -> bytes:
    body, packed, unpacker = bytearray(), 0, zlib.decompressobj(_WINDOW[encoding])
    try:
        for chunk in chunks:
            if not packed and encoding == "deflate" and chunk[:1] and chunk[0] & 0x0F != 8:
                unpacker = zlib.decompressobj(-zlib.MAX_WBITS)  # many servers send it without the zlib header
            packed += len(chunk)
            body += unpacker.decompress(chunk, max_bytes + 1 - len(body))
            if len(body) > max_bytes or packed > max_bytes:
                raise _too_large(host, max_bytes)
    except zlib.error as exc:
        raise Failed(f"{host} sent {encoding} data that is damaged.", cause="cut", where=host, again=True) from exc
    if packed and not unpacker.eof:
        raise Failed(f"{host} sent {encoding} data that is cut off.", cause="cut", where=host, again=True)
    return bytes(body)


def _too_large(host: str, max_bytes: int) -> Failed:
    return Failed(f"{host} sent more than {max_bytes:,} bytes.", cause="large", where=host)
