"""The truth of an index in one SQLite file. Everything else is derived from it.

places      where documents are from: files with their stamps, and documents that were given; what could not be read there
documents   texts and blocks; one lives as long as a place holds it
passages    slices of documents
vectors     by the hash of the words they were made from: the same words are embedded once, whatever becomes of files
skipped     what was passed over before it was read
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from .files import Stamp
from .types import Block, Document, Failure, Passage, RetrievalError, Source

FORMAT = 2
WAIT_SECONDS = 60.0
READ_AT_ONCE = 500  # SQLite limits the number of ? in one statement

_SCHEMA = """
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, source TEXT NOT NULL, text TEXT NOT NULL, blocks TEXT NOT NULL);
CREATE TABLE places (
    origin TEXT PRIMARY KEY, document TEXT REFERENCES documents (id), source TEXT, unread TEXT NOT NULL,
    is_file INTEGER NOT NULL, size INTEGER, modified INTEGER, changed INTEGER, inode INTEGER, checked INTEGER,
    sha256 TEXT NOT NULL, readers TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX places_document ON places (document);
CREATE TABLE passages (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    document INTEGER NOT NULL REFERENCES documents (number) ON DELETE CASCADE,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, text TEXT NOT NULL, place TEXT NOT NULL, key BLOB NOT NULL,
    UNIQUE (document, start));
CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL);
CREATE TABLE skipped (name TEXT PRIMARY KEY, message TEXT NOT NULL) WITHOUT ROWID;
"""
_PASSAGE = "SELECT p.number, p.text, p.place, d.source FROM passages p JOIN documents d ON d.number = p.document"
_PLACE = "SELECT origin, source, unread, is_file, size, modified, changed, inode, checked, sha256, readers FROM places"
_BLOCKS = TypeAdapter(tuple[Block, ...])
_FAILURES = TypeAdapter(tuple[Failure, ...])


class DamagedStore(RetrievalError):
    """The SQLite file is not one, or not whole."""


class OlderStore(RetrievalError):
    """The SQLite file is of an older format, which can be taken over."""


@dataclass(frozen=True)
class Place:
    """Where a document is from, and what of it could not be read. `source` is None where nothing could.

    A file has a `stamp`, the `sha256` of its bytes, and the `readers` that read it ("" asks to read it again).
    """

    origin: str
    source: Source | None
    unread: tuple[Failure, ...] = ()
    is_file: bool = False
    stamp: Stamp | None = None
    sha256: str = ""
    readers: str = ""


class Store:
    """One connection; the caller serialises its use. Raises DamagedStore, OlderStore, or RetrievalError when it is busy."""

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
        """Grows by one with each change of passages; derived files name the one they were made from."""
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

    # Places

    def places(self) -> dict[str, Place]:
        """Every place by its origin."""
        return {row[0]: _place(row) for row in self._rows(f"{_PLACE} ORDER BY origin")}

    def place(self, origin: str) -> Place | None:
        rows = self._rows(f"{_PLACE} WHERE origin = ?", (origin,))
        return _place(rows[0]) if rows else None

    def first_place(self, source_id: str) -> Place | None:
        """The place that says what a document is called: of several with one text, the first by name."""
        rows = self._rows(f"{_PLACE} WHERE document = ? ORDER BY origin LIMIT 1", (source_id,))
        return _place(rows[0]) if rows else None

    def failures(self) -> list[Failure]:
        """All that could not be read, by name."""
        found = [Failure(name=name, message=message) for name, message in self._rows("SELECT * FROM skipped")]
        rows = self._rows("SELECT unread FROM places WHERE unread != '[]'")
        found += [failure for (unread,) in rows for failure in _FAILURES.validate_json(unread)]
        return sorted(dict.fromkeys(found), key=lambda failure: (failure.name, failure.message))

    # Reading

    def sources(self) -> list[Source]:
        return [
            Source.model_validate_json(row[0]) for row in self._rows("SELECT source FROM documents ORDER BY number")
        ]

    def source(self, source_id: str) -> Source | None:
        rows = self._rows("SELECT source FROM documents WHERE id = ?", (source_id,))
        return Source.model_validate_json(rows[0][0]) if rows else None

    def languages(self) -> set[str]:
        """The languages of the documents; "" where it was not told."""
        query = "SELECT DISTINCT coalesce(json_extract(source, '$.language'), '') FROM documents"
        return {row[0] for row in self._rows(query)}

    def document(self, source_id: str) -> Document | None:
        rows = self._rows("SELECT source, text, blocks FROM documents WHERE id = ?", (source_id,))
        place = self.first_place(source_id)
        if not rows:
            return None
        source, text, blocks = rows[0]
        return Document(
            source=Source.model_validate_json(source),
            text=text,
            blocks=_BLOCKS.validate_json(blocks),
            unread=place.unread if place else (),
        )

    def passage(self, passage_id: str) -> Passage | None:
        source_id, _, start = passage_id.rpartition("-")
        if not start.isdecimal():
            return None
        rows = self._rows(f"{_PASSAGE} WHERE d.id = ? AND p.start = ?", (source_id, int(start)))
        return _passage(rows[0]) if rows else None

    def passages(self, numbers: Sequence[int]) -> dict[int, Passage]:
        rows = self._in_parts(f"{_PASSAGE} WHERE p.number IN", numbers)
        return {row[0]: _passage(row) for row in rows}

    def all_passages(self) -> Iterator[tuple[int, Passage]]:
        """Every passage with its number, by number."""
        with self._translated():
            for row in self._connection.execute(f"{_PASSAGE} ORDER BY p.number"):
                yield row[0], _passage(row)

    def numbers_of(self, source_ids: Iterable[str]) -> list[int]:
        """The numbers of the passages of these documents."""
        query = "SELECT p.number FROM passages p JOIN documents d ON d.number = p.document WHERE d.id IN"
        return [row[0] for row in self._in_parts(query, list(source_ids))]

    def vectors(self, dim: int, numbers: Sequence[int] | None = None) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Numbers [n] and vectors [n, dim] of these passages, or of all, by number; damaged ones are left out, see repair."""
        query = "SELECT p.number, v.vector FROM passages p LEFT JOIN vectors v ON v.key = p.key"
        rows = self._rows(query) if numbers is None else self._in_parts(f"{query} WHERE p.number IN", numbers)
        rows = sorted((number, blob) for number, blob in rows if blob is not None and len(blob) == 4 * dim)
        matrix = np.frombuffer(b"".join(blob for _, blob in rows), dtype="<f4").reshape(len(rows), dim)
        return np.array([number for number, _ in rows], dtype=np.int64), matrix.astype(np.float32)

    def lacking(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those of the keys that have no vector yet."""
        wanted = set(keys)
        return wanted - {row[0] for row in self._in_parts("SELECT key FROM vectors WHERE key IN", list(wanted))}

    # Writing

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Inside another one, part of it."""
        if self._connection.in_transaction:
            yield
            return
        with self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def next_generation(self) -> None:
        """Inside a transaction that changed passages."""
        generation = str(self.generation() + 1)
        self._connection.execute("INSERT OR REPLACE INTO facts VALUES ('generation', ?)", (generation,))

    def put_vectors(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        rows = [(key, vector.astype("<f4").tobytes()) for key, vector in vectors.items()]
        with self.transaction():
            self._connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def put_place(self, place: Place) -> None:
        stamp = place.stamp
        times = (
            (stamp.size, stamp.modified_ns, stamp.changed_ns, stamp.inode, stamp.checked_ns) if stamp else (None,) * 5
        )
        source_id, source = (place.source.id, place.source.model_dump_json()) if place.source else (None, None)
        unread = _FAILURES.dump_json(place.unread).decode()
        row = (place.origin, source_id, source, unread, place.is_file, *times, place.sha256, place.readers)
        self._connection.execute(f"INSERT OR REPLACE INTO places VALUES ({','.join('?' * len(row))})", row)

    def drop_place(self, origin: str) -> None:
        self._connection.execute("DELETE FROM places WHERE origin = ?", (origin,))

    def drop_places_of(self, source_id: str) -> None:
        self._connection.execute("DELETE FROM places WHERE document = ?", (source_id,))

    def keep(self, document: Document, pieces: Sequence[Passage], keys: Sequence[bytes]) -> list[int]:
        """Inside a transaction: keep a document that is not held; the numbers of its passages, in their order."""
        source = document.source
        blocks = _BLOCKS.dump_json(document.blocks, exclude_defaults=True).decode()
        row = (source.id, source.model_dump_json(), document.text, blocks)
        statement = "INSERT INTO documents (id, source, text, blocks) VALUES (?, ?, ?, ?)"
        number = self._connection.execute(statement, row).lastrowid or 0
        return [self._insert_passage(number, piece, key) for piece, key in zip(pieces, keys, strict=True)]

    def describe(self, source: Source) -> None:
        """Inside a transaction: another title, date or uri for a document that is held."""
        self._connection.execute("UPDATE documents SET source = ? WHERE id = ?", (source.model_dump_json(), source.id))

    def remove(self, source_id: str) -> list[int]:
        """Inside a transaction: forget a document and its places; the passage numbers gone."""
        numbers = self.numbers_of([source_id])
        self.drop_places_of(source_id)
        self._connection.execute("DELETE FROM documents WHERE id = ?", (source_id,))
        return numbers

    def remove_text(self, source_id: str) -> list[int]:
        """Inside a transaction: forget a document that is put back in the same transaction; its places stay."""
        self._connection.execute("PRAGMA defer_foreign_keys = ON")
        numbers = self.numbers_of([source_id])
        self._connection.execute("DELETE FROM documents WHERE id = ?", (source_id,))
        return numbers

    def drop_unused_vectors(self) -> None:
        with self.transaction():
            self._connection.execute("DELETE FROM vectors WHERE key NOT IN (SELECT key FROM passages)")

    def put_skipped(self, failures: Iterable[Failure], *, only: bool) -> None:
        """What was passed over before it was read; `only` that, or that too."""
        with self.transaction():
            if only:
                self._connection.execute("DELETE FROM skipped")
            rows = [(failure.name, failure.message) for failure in failures]
            self._connection.executemany("INSERT OR REPLACE INTO skipped VALUES (?, ?)", rows)

    def _insert_passage(self, document: int, piece: Passage, key: bytes) -> int:
        place = piece.model_dump_json(exclude={"text", "source"}, exclude_defaults=True)
        row = (document, piece.start, piece.end, piece.text, place, key)
        statement = 'INSERT INTO passages (document, start, "end", text, place, key) VALUES (?, ?, ?, ?, ?, ?)'
        return self._connection.execute(statement, row).lastrowid or 0

    # Health

    def problems(self) -> list[str]:
        """What the file itself says is wrong with it; empty when it is whole."""
        return [str(row[0]) for row in self._rows("PRAGMA integrity_check") if row[0] != "ok"]

    def broken_documents(self, dim: int) -> list[tuple[Source, str]]:
        """Documents whose text, passages or vectors are not what they were when they were added, and why."""
        found = ((source, self._fault(source, dim)) for source in self.sources())
        return [(source, reason) for source, reason in found if reason]

    def _fault(self, source: Source, dim: int) -> str:
        document = self.document(source.id)
        if document is None or hashlib.sha256(document.text.encode()).hexdigest() != source.sha256:
            return "its text was changed"
        query = """SELECT start, "end", p.text, vector FROM passages p JOIN documents d ON d.number = document
            LEFT JOIN vectors v ON v.key = p.key WHERE id = ?"""
        for start, end, text, vector in self._rows(query, (source.id,)):
            if document.text[start:end] != text:
                return f"its passage at {start} is no slice of its text"
            is_whole = vector is not None and len(vector) == 4 * dim
            if not is_whole or not np.isclose(np.linalg.norm(np.frombuffer(vector, "<f4")), 1, atol=1e-3):
                return f"the vector of its passage at {start} is damaged"
        return ""

    def drop_vectors_of(self, source_id: str) -> None:
        """Inside a transaction: the vectors of a document are made anew."""
        query = """DELETE FROM vectors WHERE key IN (
            SELECT p.key FROM passages p JOIN documents d ON d.number = p.document WHERE d.id = ?)"""
        self._connection.execute(query, (source_id,))

    def _prepare(self) -> None:
        with self._translated():
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version = {FORMAT};COMMIT;")
            elif version > FORMAT:
                raise RetrievalError(f"{self.path} has format {version}, this program reads {FORMAT}; update it.")
            if self._connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise DamagedStore(f"{self.path} is damaged.")
            if 0 < version < FORMAT:
                raise OlderStore(f"{self.path} has format {version}, this program writes {FORMAT}.")

    def _fact(self, key: str) -> str:
        rows = self._rows("SELECT value FROM facts WHERE key = ?", (key,))
        return rows[0][0] if rows else ""

    def _in_parts(self, query: str, values: Sequence[Any]) -> list[Any]:
        """Rows of `query`, which ends with IN, for any number of values."""
        found: list[Any] = []
        for first in range(0, len(values), READ_AT_ONCE):
            some = values[first : first + READ_AT_ONCE]
            found += self._rows(f"{query} ({','.join('?' * len(some))})", some)
        return found

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


def older_documents(path: Path) -> list[tuple[str, Document]]:
    """Origins and documents of an index of the first format, which had no blocks. Raises DamagedStore."""
    try:
        connection = sqlite3.connect(path)
        rows = connection.execute("SELECT origin, source, text FROM documents ORDER BY number").fetchall()
        connection.close()
    except sqlite3.DatabaseError as exc:
        raise DamagedStore(f"{path} is damaged ({exc}).") from exc
    return [(origin, Document(source=Source.model_validate_json(source), text=text)) for origin, source, text in rows]


def _passage(row: tuple[int, str, str, str]) -> Passage:
    _, text, place, source = row
    start = place[:-1] + ("," if len(place) > 2 else "")
    return Passage.model_validate_json(f'{start}"text":{json.dumps(text)},"source":{source}}}')


def _place(row: tuple[Any, ...]) -> Place:
    origin, source, unread, is_file, *stamp, sha256, readers = row
    return Place(
        origin=origin,
        source=Source.model_validate_json(source) if source else None,
        unread=_FAILURES.validate_json(unread),
        is_file=bool(is_file),
        stamp=Stamp(*stamp) if stamp[0] is not None else None,
        sha256=sha256,
        readers=readers,
    )
