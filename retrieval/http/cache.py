"""The cache on disk (hishel, RFC 9111) and the wire below it: nothing secret, and nothing but good answers, is ever stored."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import urlencode

import httpx
from hishel import CacheOptions, SqliteStorage
from hishel.httpx import CacheTransport

from ..outcomes import Offline

MAX_ENTRY = 20 * 1024 * 1024
MAX_SIZE = 1024**3


class Wire(httpx.BaseTransport):
    """Below the cache: adds what is secret, takes cookies off, and marks answers that must not be stored."""

    def __init__(self, below: httpx.BaseTransport):
        self.below = below

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        sent = httpx.Request(
            request.method,
            _with(request.url, request.extensions.get("private", ())),
            headers=[*request.headers.raw, *_raw(request.extensions.get("secret", ()))],
            stream=request.stream,
            extensions=request.extensions,
        )
        response = self.below.handle_request(sent)
        response.headers.pop("set-cookie", None)
        keep = request.extensions.get("keep", 0)
        if response.status_code not in (200, 304):
            response.headers["cache-control"] = "no-store"
        elif keep and not any(
            name in response.headers for name in ("cache-control", "expires", "etag", "last-modified")
        ):
            response.headers["cache-control"] = f"max-age={int(keep)}"  # most services say nothing of caching
        return response

    def close(self) -> None:
        self.below.close()


def _with(url: httpx.URL, private: tuple[tuple[str, str], ...]) -> httpx.URL:
    more = urlencode(private).encode("ascii")
    return url.copy_with(query=b"&".join(filter(None, (url.query, more)))) if more else url


def _raw(headers: tuple[tuple[str, str], ...]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]


class Cache(httpx.BaseTransport):
    """The wire behind a cache in `folder`. With `replay`, answers come from the cache alone, however old, and nothing is asked."""

    def __init__(self, folder: Path, wire: httpx.BaseTransport, *, replay: bool = False):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.storage = SqliteStorage(database_path=folder / "http.sqlite", max_stream_size=MAX_ENTRY, max_size=MAX_SIZE)
        self.replay = replay
        self._wire = CacheTransport(
            Silent() if replay else wire, self.storage, rfc=False if replay else CacheOptions(shared=False)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["caching"] = {"key": _key(str(request.url))}
        return self._wire.handle_request(request)

    def forget(self, url: str) -> None:
        """Take an answer out that turned out to be none: a challenge page, a shape that nobody knows."""
        for entry in self.storage.get_entries(_key(url)):
            self.storage.remove_entry(entry.id)

    def close(self) -> None:
        self._wire.close()


class Silent(httpx.BaseTransport):
    """Stands where the network would be."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        raise Offline(
            f"{request.url.host} was not asked: this run is replayed from the cache, which does not hold {request.url}.",
            cause="replay",
            where=str(request.url),
        )


def _key(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()
