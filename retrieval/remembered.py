"""Vectors of sentences, kept in a file beside an index from one run to the next: the next question meets many of them again.

The file is a help and no truth. What is kept goes by the hash of embedder and words, so a document that changes has other sentences and
finds nothing old; where the file cannot be read or written everything is embedded anew, and a damaged one is begun again.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from .embed import Embedder, Vectors
from .store import READ_AT_ONCE
from .types import Words

FORMAT = 1
WAIT_SECONDS = 2.0  # for another process that writes; then it is done without the file
MOST = 20_000  # vectors, 30 MB; those kept first go first
_SCHEMA = """
DROP TABLE IF EXISTS vectors;
CREATE TABLE vectors (number INTEGER PRIMARY KEY, key BLOB UNIQUE NOT NULL, vector BLOB NOT NULL);
"""


class Remembered:
    """An embedder that looks in a file first. For one run at a time; several, and several processes, may share the file."""

    def __init__(self, embedder: Embedder, path: Path, most: int = MOST):
        self.embedder, self.path, self.most = embedder, path, most
        self.id, self.dim = embedder.id, embedder.dim
        self._connection: sqlite3.Connection | None = None
        self._is_usable = True

    def embed(self, texts: Sequence[str]) -> Vectors:
        keys = [hashlib.sha256(f"{self.id}\n{text}".encode()).digest()[:16] for text in texts]
        held = self._read(keys)
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in held}
        if fresh:
            made = dict(zip(fresh, self.embedder.embed(list(fresh.values())), strict=True))
            self._write(made)
            held |= made
        return np.array([held[key] for key in keys], dtype=np.float32).reshape(len(keys), self.dim)

    def words(self, texts: Sequence[str]) -> list[Words]:
        """Made anew: a text's words are two hundred times as long as its vector."""
        return self.embedder.words(texts)

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection, self._is_usable = None, False

    def _read(self, keys: Iterable[bytes]) -> dict[bytes, Vectors]:
        """What is kept under these keys; a row that is no vector of length 1 is left out."""
        wanted = list(dict.fromkeys(keys))
        rows: list[tuple[bytes, bytes]] = []
        try:
            for first in range(0, len(wanted), READ_AT_ONCE):
                some = wanted[first : first + READ_AT_ONCE]
                query = f"SELECT key, vector FROM vectors WHERE key IN ({','.join('?' * len(some))})"
                rows += self._opened().execute(query, some).fetchall() if self._is_usable else []
        except sqlite3.DatabaseError as error:
            self._give_up(error)
        found = {key: np.frombuffer(blob, dtype="<f4") for key, blob in rows if len(blob) == 4 * self.dim}
        return {key: vector for key, vector in found.items() if abs(float(vector @ vector) - 1) < 1e-3}

    def _write(self, made: Mapping[bytes, Vectors]) -> None:
        if not self._is_usable:
            return
        try:
            with self._opened() as connection:
                rows = [(key, vector.astype("<f4").tobytes()) for key, vector in made.items()]
                connection.executemany("INSERT OR REPLACE INTO vectors (key, vector) VALUES (?, ?)", rows)
                connection.execute(
                    "DELETE FROM vectors WHERE number <= (SELECT max(number) FROM vectors) - ?", (self.most,)
                )
        except sqlite3.DatabaseError as error:
            self._give_up(error)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self.path, timeout=WAIT_SECONDS, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            if self._version() != FORMAT:
                self._lay_out()
        return self._connection

    def _version(self) -> int:
        assert self._connection is not None, "asked once it is open"
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _lay_out(self) -> None:
        """Begin the file; of several processes that would, the first does."""
        assert self._connection is not None, "asked once it is open"
        self._connection.execute("BEGIN IMMEDIATE")
        with self._connection:
            if self._version() != FORMAT:
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {FORMAT}")

    def _give_up(self, error: sqlite3.DatabaseError) -> None:
        """Go on without the file. One that is damaged goes, so that the next run begins it again."""
        self.close()
        if not isinstance(error, sqlite3.OperationalError):  # locked, full, read-only: the file is well
            for suffix in ("", "-wal", "-shm"):
                with suppress(OSError):
                    self.path.with_name(self.path.name + suffix).unlink()
