"""The truth of an index in one SQLite file: documents, passages and vectors. Everything else is derived from it."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .types import Document, Passage, RetrievalError, Source

FORMAT = 1
WAIT_SECONDS = 60.0
READ_AT_ONCE = 500  # SQLite limits the number of ? in one statement

_SCHEMA = """
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, origin TEXT UNIQUE NOT NULL,
    source TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE passages (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    document INTEGER NOT NULL REFERENCES documents (number) ON DELETE CASCADE,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, text TEXT NOT NULL, vector BLOB NOT NULL,
    UNIQUE (document, start));
"""
_PASSAGE = (
    'SELECT p.number, p.start, p."end", p.text, d.source FROM passages p JOIN documents d ON d.number = p.document'
)


class DamagedStore(RetrievalError):
    """The SQLite file is not one, or not whole."""


class Store:
    """One connection; the caller serialises its use. Raises DamagedStore, or RetrievalError when it is busy."""

    def __init__(self, path: Path):
        self.path = path
        with self._translated():
            # autocommit: every transaction below is opened and closed in sight
            self._connection = sqlite3.connect(
                path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False
            )
        try:
            self._prepare()
        except RetrievalError:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    # Facts

    def generation(self) -> int:
        """Grows by one with each change of documents; derived files name the one they were made from."""
        return int(self._fact("generation") or 0)

    def claim(self, embedder: str, dim: int) -> tuple[str, int]:
        """The embedder this index belongs to: the one given, if it had none yet."""
        if not self._fact("dim"):
            with self._translated():
                self._connection.execute("INSERT OR IGNORE INTO facts VALUES ('embedder', ?)", (embedder,))
                self._connection.execute("INSERT OR IGNORE INTO facts VALUES ('dim', ?)", (str(dim),))
        return self._fact("embedder"), int(self._fact("dim"))

    def counts(self) -> tuple[int, int]:
        """Numbers of documents and of passages."""
        query = "SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM passages)"
        return tuple(self._rows(query)[0])

    # Reading

    def sources(self) -> list[Source]:
        return [
            Source.model_validate_json(row[0]) for row in self._rows("SELECT source FROM documents ORDER BY number")
        ]

    def origins(self) -> list[str]:
        return [row[0] for row in self._rows("SELECT origin FROM documents ORDER BY number")]

    def has(self, source_id: str) -> bool:
        return bool(self._rows("SELECT 1 FROM documents WHERE id = ?", (source_id,)))

    def held_from(self, origin: str) -> str:
        """The id of the document that came from `origin`, or ""."""
        rows = self._rows("SELECT id FROM documents WHERE origin = ?", (origin,))
        return rows[0][0] if rows else ""

    def origin_of(self, source_id: str) -> str:
        return str(self._rows("SELECT origin FROM documents WHERE id = ?", (source_id,))[0][0])

    def document(self, source_id: str) -> Document | None:
        rows = self._rows("SELECT source, text FROM documents WHERE id = ?", (source_id,))
        return Document(source=Source.model_validate_json(rows[0][0]), text=rows[0][1]) if rows else None

    def passage(self, passage_id: str) -> Passage | None:
        source_id, _, start = passage_id.rpartition("-")
        if not start.isdecimal():
            return None
        rows = self._rows(f"{_PASSAGE} WHERE d.id = ? AND p.start = ?", (source_id, int(start)))
        return _passage(rows[0]) if rows else None

    def passages(self, numbers: Sequence[int]) -> dict[int, Passage]:
        found: dict[int, Passage] = {}
        for first in range(0, len(numbers), READ_AT_ONCE):
            some = tuple(numbers[first : first + READ_AT_ONCE])
            places = ",".join("?" * len(some))
            found |= {row[0]: _passage(row) for row in self._rows(f"{_PASSAGE} WHERE p.number IN ({places})", some)}
        return found

    def texts(self) -> Iterator[tuple[int, str, str]]:
        """(number, title, text) of every passage, by number."""
        query = """SELECT p.number, json_extract(d.source, '$.title'), p.text
            FROM passages p JOIN documents d ON d.number = p.document ORDER BY p.number"""
        with self._translated():
            yield from self._connection.execute(query)

    def vectors(self, dim: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Numbers [n] and vectors [n, dim] of all passages, by number."""
        rows = self._rows("SELECT number, vector FROM passages ORDER BY number")
        if any(len(blob) != 4 * dim for _, blob in rows):
            raise DamagedStore(f"{self.path} holds a vector of the wrong length; call repair().")
        matrix = np.frombuffer(b"".join(blob for _, blob in rows), dtype="<f4").reshape(len(rows), dim)
        return np.array([number for number, _ in rows], dtype=np.int64), matrix.astype(np.float32)

    # Writing

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, one generation further."""
        with self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                generation = str(self.generation() + 1)
                self._connection.execute("INSERT OR REPLACE INTO facts VALUES ('generation', ?)", (generation,))
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def forget_other(self, origin: str, source_id: str) -> list[int]:
        """Inside a transaction: forget what `origin` said before, if another text; the passage numbers gone."""
        old = self.held_from(origin)
        return self.remove(old) if old and old != source_id else []

    def keep(
        self, origin: str, document: Document, pieces: Sequence[Passage], vectors: NDArray[np.float32]
    ) -> list[int]:
        """Inside a transaction: keep a document that is not held; the numbers of its passages, in their order."""
        number = self._insert_document(origin, document)
        return [self._insert_passage(number, *pair) for pair in zip(pieces, vectors, strict=True)]

    def remove(self, source_id: str) -> list[int]:
        """Inside a transaction: forget a document; the passage numbers gone."""
        query = "SELECT p.number FROM passages p JOIN documents d ON d.number = p.document WHERE d.id = ?"
        numbers = [row[0] for row in self._rows(query, (source_id,))]
        self._connection.execute("DELETE FROM documents WHERE id = ?", (source_id,))
        return numbers

    def _insert_document(self, origin: str, document: Document) -> int:
        source = document.source
        row = (source.id, origin, source.model_dump_json(), document.text)
        statement = "INSERT INTO documents (id, origin, source, text) VALUES (?, ?, ?, ?)"
        return self._connection.execute(statement, row).lastrowid or 0

    def _insert_passage(self, document: int, piece: Passage, vector: NDArray[np.float32]) -> int:
        row = (document, piece.start, piece.end, piece.text, vector.astype("<f4").tobytes())
        statement = 'INSERT INTO passages (document, start, "end", text, vector) VALUES (?, ?, ?, ?, ?)'
        return self._connection.execute(statement, row).lastrowid or 0

    # Health

    def problems(self) -> list[str]:
        """What the file itself says is wrong with it; empty when it is whole."""
        return [str(row[0]) for row in self._rows("PRAGMA integrity_check") if row[0] != "ok"]

    def broken_documents(self, dim: int) -> list[tuple[Source, str]]:
        """Documents whose text, passages or vectors are not what they were when they were added, and why."""
        broken = []
        for source in self.sources():
            reason = self._fault(source, dim)
            if reason:
                broken.append((source, reason))
        return broken

    def _fault(self, source: Source, dim: int) -> str:
        document = self.document(source.id)
        if document is None or hashlib.sha256(document.text.encode()).hexdigest() != source.sha256:
            return "its text was changed"
        query = (
            'SELECT start, "end", p.text, vector FROM passages p JOIN documents d ON d.number = document WHERE id = ?'
        )
        for start, end, text, vector in self._rows(query, (source.id,)):
            if document.text[start:end] != text:
                return f"its passage at {start} is no slice of its text"
            if len(vector) != 4 * dim or not np.isclose(np.linalg.norm(np.frombuffer(vector, "<f4")), 1, atol=1e-3):
                return f"the vector of its passage at {start} is damaged"
        return ""

    def _prepare(self) -> None:
        with self._translated():
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version = {FORMAT};COMMIT;")
            elif version != FORMAT:
                raise RetrievalError(f"{self.path} has format {version}, this program reads {FORMAT}; update it.")
            if self._connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise DamagedStore(f"{self.path} is damaged.")

    def _fact(self, key: str) -> str:
        rows = self._rows("SELECT value FROM facts WHERE key = ?", (key,))
        return rows[0][0] if rows else ""

    def _rows(self, query: str, values: Iterable[Any] = ()) -> list[Any]:
        with self._translated():
            return self._connection.execute(query, tuple(values)).fetchall()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.OperationalError, sqlite3.ProgrammingError) as exc:
            message = f"{self.path} cannot be used ({exc}); check the disk and that no other program holds it."
            raise RetrievalError(message, retryable="locked" in str(exc)) from exc
        except sqlite3.DatabaseError as exc:
            raise DamagedStore(f"{self.path} is damaged ({exc}).") from exc


def _passage(row: tuple[int, int, int, str, str]) -> Passage:
    _, start, end, text, source_json = row
    source = Source.model_validate_json(source_json)
    return Passage(id=f"{source.id}-{start}", text=text, source=source, start=start, end=end)
