"""An index is a folder that can be killed at any moment and reopened.

    index.sqlite    the truth: documents, passages, vectors
    vectors.faiss   derived: the vectors for search by meaning
    lexical/        derived: the words for search by word
    manifest.json   derived: which generation of the truth the derived files show, and their checksums

A change commits the truth first and writes the manifest last. Derived files that do not match are rebuilt.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .chunks import passages
from .embed import Embedder
from .lexical import LexicalIndex
from .loaders import find_files, load
from .store import WAIT_SECONDS, DamagedStore, Store
from .types import Document, Failure, Frozen, Hit, Passage, RetrievalError, Source

BATCH_PASSAGES = 256
STORE, VECTORS, LEXICAL, MANIFEST, LOCK = "index.sqlite", "vectors.faiss", "lexical", "manifest.json", "write.lock"

Progress = Callable[[int, int], None]  # documents done, documents in all


class Added(Frozen):
    """What became of each document. A text that is held already, under whatever name, is unchanged."""

    added: tuple[Source, ...] = ()
    replaced: tuple[Source, ...] = ()
    unchanged: tuple[Source, ...] = ()
    failures: tuple[Failure, ...] = ()


class IndexInfo(Frozen):
    num_documents: int
    num_passages: int
    num_bytes: int
    embedder: str
    dim: int


class Manifest(Frozen):
    """What the derived files were made from, and their checksums."""

    format: int = 1
    generation: int
    embedder: str
    dim: int
    num_documents: int
    num_passages: int
    vectors_sha256: str
    lexical_sha256: str
    origins: tuple[str, ...] = ()  # lets a lost index.sqlite be read again from the files


@dataclass(frozen=True)
class _Piece:
    """A document ready to be kept: passages and their vectors [n, dim]."""

    origin: str
    document: Document
    passages: list[Passage]
    vectors: NDArray[np.float32]


@dataclass
class _Tally:
    sources: dict[str, list[Source]] = field(default_factory=lambda: {"added": [], "replaced": [], "unchanged": []})
    failures: list[Failure] = field(default_factory=list)

    def frozen(self) -> Added:
        return Added(failures=tuple(self.failures), **{kind: tuple(found) for kind, found in self.sources.items()})


def dense_exact(vectors: NDArray[np.float32], query: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Rows of `vectors` [n, d] with the largest dot product with `query` [d], best first: the plain twin of FAISS."""
    return np.argsort(-(vectors @ query), kind="stable")[: max(k, 0)].astype(np.int64)


class Index:
    """Documents that can be searched by meaning and by word. Safe for threads, and for several processes.

    `repaired` says in sentences what opening had to mend. Every method may raise RetrievalError.
    """

    def __init__(self, folder: Path, embedder: Embedder, store: Store):
        """Use Index.open."""
        self.folder = folder
        self.embedder = embedder
        self.repaired: list[str] = []
        self._store = store
        self._lock = threading.RLock()
        self._generation = -1
        self._vectors: Any = None
        self._lexical: LexicalIndex | None = None

    @classmethod
    def open(cls, folder: str | os.PathLike[str], embedder: Embedder, *, create: bool = True) -> Index:
        """Open the index in `folder`, or make it; damaged derived files are rebuilt, see `repaired`.

        A lost or damaged index.sqlite is set aside and its files are read again where they still exist. Raises
        RetrievalError where none does, for another embedder's index, and for a folder that holds other things.
        """
        folder = Path(folder)
        _prepare_folder(folder, create)
        try:
            index = cls(folder, embedder, _open_store(folder, embedder))
        except DamagedStore as exc:
            return _recover(cls, folder, embedder, exc)
        index._synchronise()
        return index

    def close(self) -> None:
        with self._lock:
            self._store.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Adding

    def add(self, paths: Iterable[str | os.PathLike[str]], progress: Progress | None = None) -> Added:
        """Add files and folders. Files that cannot be read are failures, by name; the others are added."""
        files, failures = find_files(paths)
        tally = _Tally(failures=failures)
        loaded = ((str(path), _load_or_note(path, tally)) for path in files)
        self._add(loaded, tally, len(files), progress)
        return tally.frozen()

    def add_documents(self, documents: Iterable[Document], progress: Progress | None = None) -> Added:
        """Add documents made elsewhere. One with the uri of an older one replaces it."""
        documents = list(documents)
        tally = _Tally()
        self._add(((document.source.uri, document) for document in documents), tally, len(documents), progress)
        return tally.frozen()

    def remove(self, source_ids: Iterable[str]) -> None:
        """Forget documents; unknown ids are ignored."""
        with self._writing():
            with self._store.transaction():
                removed = [number for source_id in source_ids for number in self._store.remove(source_id)]
            self._follow(removed, {})

    def _add(
        self, items: Iterable[tuple[str, Document | None]], tally: _Tally, total: int, progress: Progress | None
    ) -> None:
        batch: list[tuple[str, Document, list[Passage]]] = []
        with self._lock:
            described = {source.id: source for source in self._store.sources()}
        for done, (origin, document) in enumerate(items, start=1):
            if document is not None:
                self._forget_old_description(origin, document, described)
                with self._lock:
                    is_held = self._store.has(document.source.id)
                batch.append((origin, document, [] if is_held else passages(document)))
            if sum(len(pieces) for _, _, pieces in batch) >= BATCH_PASSAGES or done == total:
                self._write(self._embedded(batch), tally)
                batch = []
            if progress:
                progress(done, total)

    def _forget_old_description(self, origin: str, document: Document, described: dict[str, Source]) -> None:
        """Let go of a document whose text is the same and whose title, authors or date are not: it is added anew."""
        held = described.get(document.source.id)
        with self._lock:
            is_same_file = self._store.held_from(origin) == document.source.id
        if held is not None and is_same_file and held != document.source:
            self.remove([document.source.id])

    def _embedded(self, batch: list[tuple[str, Document, list[Passage]]]) -> list[_Piece]:
        texts = [_searchable(piece.source.title, piece.text) for _, _, pieces in batch for piece in pieces]
        vectors = self.embedder.embed(texts) if texts else np.zeros((0, self.embedder.dim), np.float32)
        ready, start = [], 0
        for origin, document, pieces in batch:
            ready.append(_Piece(origin, document, pieces, vectors[start : start + len(pieces)]))
            start += len(pieces)
        return ready

    def _write(self, batch: list[_Piece], tally: _Tally) -> None:
        with self._writing():
            replaced = {p.origin for p in batch if self._store.held_from(p.origin) not in ("", p.document.source.id)}
            added: dict[int, tuple[Passage, NDArray[np.float32]]] = {}
            kinds = ["unchanged"] * len(batch)
            if replaced or not all(self._store.has(piece.document.source.id) for piece in batch):
                with self._store.transaction():
                    removed = [n for p in batch for n in self._store.forget_other(p.origin, p.document.source.id)]
                    kinds = [self._keep(piece, added) for piece in batch]
                self._follow(removed, added)
        for piece, kind in zip(batch, kinds, strict=True):
            tally.sources["replaced" if piece.origin in replaced else kind].append(piece.document.source)

    def _keep(self, piece: _Piece, added: dict[int, tuple[Passage, NDArray[np.float32]]]) -> str:
        document = piece.document
        if self._store.has(document.source.id):
            return "unchanged"
        if not piece.passages:  # it was held when the batch was made, and went since
            piece = self._embedded([(piece.origin, document, passages(document))])[0]
        numbers = self._store.keep(piece.origin, document, piece.passages, piece.vectors)
        added |= dict(zip(numbers, zip(piece.passages, piece.vectors, strict=True), strict=True))
        return "added"

    # Searching

    def search_dense(self, query: str, k: int) -> list[Hit]:
        """The `k` passages nearest in meaning; scores are cosines."""
        if not query.strip() or k <= 0:
            return []
        vector = self.embedder.embed([query])
        with self._current():
            scores, numbers = self._vectors.search(vector, min(k, max(self._vectors.ntotal, 1)))
            return self._hits(_ordered(numbers[0], scores[0]), "dense")

    def search_lexical(self, query: str, k: int) -> list[Hit]:
        """The `k` passages with the most telling words of the query; scores are BM25."""
        with self._current():
            assert self._lexical is not None
            return self._hits(self._lexical.search(query, k), "lexical")

    def _hits(self, ranked: Sequence[tuple[int, float]], name: str) -> list[Hit]:
        found = self._store.passages([number for number, _ in ranked])
        return [
            Hit(passage=found[number], score=score, found_by=(name,)) for number, score in ranked if number in found
        ]

    # Reading

    def documents(self) -> list[Source]:
        """What is held, in the order it was added."""
        with self._lock:
            return self._store.sources()

    def document(self, source_id: str) -> Document:
        with self._lock:
            found = self._store.document(source_id)
        if found is None:
            raise RetrievalError(f"The index holds no document {source_id}; see documents() for those it holds.")
        return found

    def passage(self, passage_id: str) -> Passage:
        with self._lock:
            found = self._store.passage(passage_id)
        if found is None:
            raise RetrievalError(f"The index holds no passage {passage_id}; its document was changed or removed.")
        return found

    def info(self) -> IndexInfo:
        with self._lock:
            num_documents, num_passages = self._store.counts()
        return IndexInfo(
            num_documents=num_documents,
            num_passages=num_passages,
            num_bytes=sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file()),
            embedder=self.embedder.id,
            dim=self.embedder.dim,
        )

    # Health

    def check(self) -> list[str]:
        """Everything that is wrong, each in a sentence; reads the whole index. Empty when all is well."""
        with self._current():
            found = [f"{STORE}: {problem}." for problem in self._store.problems()]
            broken = self._store.broken_documents(self.embedder.dim)
            found += [f"The document {source.title} ({source.id}): {reason}." for source, reason in broken]
            return found + self._derived_problems(has_good_vectors=not broken)

    def repair(self) -> list[str]:
        """Mend what `check` finds and say what was done: broken documents are made anew from their text, or dropped."""
        with self._writing(synchronise=False):
            broken = self._store.broken_documents(self.embedder.dim)
            problems = self._derived_problems(has_good_vectors=not broken)
            done = [self._mend(source, reason) for source, reason in broken]
            self._rebuild()
        return done + [f"{problem.rstrip('.')}; rebuilt from {STORE}." for problem in problems]

    def _mend(self, source: Source, reason: str) -> str:
        document, origin = self._store.document(source.id), self._store.origin_of(source.id)
        is_whole = document is not None and hashlib.sha256(document.text.encode()).hexdigest() == source.sha256
        with self._store.transaction():
            self._store.remove(source.id)
            if document is not None and is_whole:
                self._keep(_Piece(origin, document, [], np.zeros((0, self.embedder.dim), np.float32)), {})
        if is_whole:
            return f"The document {source.title} was made anew from its text, since {reason}."
        return f"The document {source.title} was dropped, since {reason}; add {origin} again."

    def _derived_problems(self, *, has_good_vectors: bool) -> list[str]:
        problem = self._load()
        if problem or not has_good_vectors:
            return [problem] if problem else []
        numbers, vectors = self._store.vectors(self.embedder.dim)
        if not np.array_equal(_faiss_ids(self._vectors), numbers):
            return [f"{VECTORS} does not hold the passages of {STORE}."]
        stored = self._vectors.index.reconstruct_n(0, len(numbers)) if len(numbers) else vectors
        return (
            [] if np.array_equal(stored[np.argsort(_faiss_order(self._vectors))], vectors) else [f"{VECTORS} differs."]
        )

    # The derived files

    @contextmanager
    def _current(self) -> Iterator[None]:
        """Locked against other threads, with the derived files of the newest generation loaded."""
        with self._lock:
            self._synchronise()
            yield

    @contextmanager
    def _writing(self, *, synchronise: bool = True) -> Iterator[None]:
        """Locked against other threads and processes."""
        with self._lock, _write_lock(self.folder):
            if synchronise and self._store.generation() != self._generation:
                self._load_or_rebuild()
            yield

    def _synchronise(self) -> None:
        """Another process, or a killed one, may have changed the truth since the derived files were loaded."""
        if self._store.generation() == self._generation or not self._load():
            return
        with _write_lock(self.folder):  # whoever was writing has finished now
            self._load_or_rebuild()

    def _load_or_rebuild(self) -> None:
        problem = self._load()
        if problem:
            is_new = self._store.generation() == 0
            self._rebuild()
            self.repaired += [] if is_new else [f"{problem.rstrip('.')}; rebuilt from {STORE}."]

    def _load(self) -> str:
        """Load the derived files; a sentence says which one is not right, if one is not."""
        generation = self._store.generation()
        manifest = _read_manifest(self.folder)
        if manifest is None:
            return f"{MANIFEST} was missing or damaged."
        if manifest.generation != generation:
            return f"The derived files were older than {STORE}: a run ended before it had written them."
        vectors = _read_vectors(self.folder / VECTORS, manifest.vectors_sha256)
        if vectors is None:
            return f"{VECTORS} was missing or damaged."
        lexical = _read_lexical(self.folder / LEXICAL, manifest.lexical_sha256)
        if lexical is None:
            return f"{LEXICAL} was missing or damaged."
        if not vectors.ntotal == len(lexical) == self._store.counts()[1]:
            return f"The derived files did not hold as many passages as {STORE}."
        self._vectors, self._lexical, self._generation = vectors, lexical, generation
        return ""

    def _rebuild(self) -> None:
        self._generation = -1
        self._lexical = None
        _remove_folder(self.folder / LEXICAL)
        self._vectors = _faiss_index(self.embedder.dim, *self._store.vectors(self.embedder.dim))
        self._lexical = LexicalIndex(self.folder / LEXICAL)
        texts = ((number, _searchable(title, text)) for number, title, text in self._store.texts())
        self._lexical.update(add=texts)
        self._write_derived()

    def _follow(self, removed: list[int], added: dict[int, tuple[Passage, NDArray[np.float32]]]) -> None:
        """Bring the derived files from the generation before to this one."""
        assert self._lexical is not None
        self._generation = -1  # whatever fails below, the next use rebuilds
        if removed:
            self._vectors.remove_ids(np.array(removed, dtype=np.int64))
        if added:
            vectors = np.stack([vector for _, vector in added.values()])
            self._vectors.add_with_ids(vectors, np.array(list(added), dtype=np.int64))
        texts = [(number, _searchable(passage.source.title, passage.text)) for number, (passage, _) in added.items()]
        self._lexical.update(remove=removed, add=texts)
        self._write_derived()

    def _write_derived(self) -> None:
        import faiss

        data = faiss.serialize_index(self._vectors).tobytes()
        _replace(self.folder / VECTORS, data)
        generation = self._store.generation()
        num_documents, num_passages = self._store.counts()
        manifest = Manifest(
            generation=generation,
            embedder=self.embedder.id,
            dim=self.embedder.dim,
            num_documents=num_documents,
            num_passages=num_passages,
            vectors_sha256=hashlib.sha256(data).hexdigest(),
            lexical_sha256=_folder_sha256(self.folder / LEXICAL),
            origins=tuple(self._store.origins()),
        )
        _replace(self.folder / MANIFEST, manifest.model_dump_json(indent=1).encode())
        self._generation = generation


def _searchable(title: str, text: str) -> str:
    """What is embedded and indexed of a passage: "he was born there" is found by its document's title."""
    return f"{title}\n{text}"


def _load_or_note(path: Path, tally: _Tally) -> Document | None:
    try:
        return load(path)
    except RetrievalError as exc:
        tally.failures.append(Failure(name=str(path), message=str(exc)))
        return None


def _ordered(numbers: Iterable[Any], scores: Iterable[Any]) -> list[tuple[int, float]]:
    """Best first, equal scores by number; FAISS pads with -1 when it holds fewer than asked."""
    pairs = [(int(number), float(score)) for number, score in zip(numbers, scores, strict=True) if number >= 0]
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))


# Opening


def _prepare_folder(folder: Path, create: bool) -> None:
    names = {STORE, MANIFEST}
    try:
        held = {path.name for path in folder.iterdir()} if folder.exists() else set()
        if held & names:
            return
        if not create:
            raise RetrievalError(f"{folder} holds no index; add files to make one.")
        if held - {LOCK, LEXICAL, VECTORS}:
            raise RetrievalError(f"{folder} holds other things than an index; choose a new or an empty folder.")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise RetrievalError(f"{folder} cannot be used for an index: {exc.strerror}; choose another folder.") from exc


def _open_store(folder: Path, embedder: Embedder) -> Store:
    with _write_lock(folder):  # two processes may not both lay out a new file
        store = Store(folder / STORE)
    try:
        manifest = _read_manifest(folder)
        if manifest and manifest.generation and not store.generation():
            raise DamagedStore(f"{folder / STORE} is missing or empty.")
        held = store.claim(embedder.id, embedder.dim)
        if held != (embedder.id, embedder.dim):
            raise RetrievalError(
                f"{folder} was made with the embedder {held[0]} ({held[1]} numbers), not with {embedder.id} "
                f"({embedder.dim}); open it with that one, or delete the folder and add the files again."
            )
    except RetrievalError:
        store.close()
        raise
    return store


def _recover(kind: type[Index], folder: Path, embedder: Embedder, damage: DamagedStore) -> Index:
    manifest = _read_manifest(folder)
    origins = manifest.origins if manifest else ()
    files = [origin for origin in origins if Path(origin).is_file()]
    if not files:
        mend = "delete the folder and add the documents again"
        raise RetrievalError(f"{damage} Its files are not there to read again: {mend}.") from damage
    aside = _set_aside(folder)
    index = kind.open(folder, embedder)
    outcome = index.add(files)
    num_lost = len(origins) - len(outcome.added) - len(outcome.unchanged)
    index.repaired = [f"{damage} It is kept as {aside}; {len(outcome.added)} of its files were read again."]
    index.repaired += [f"{num_lost} documents could not be read again; add them anew."] if num_lost else []
    return index


def _set_aside(folder: Path) -> str:
    """Rename the damaged file and drop all that was derived from it; the new name."""
    taken = sum(1 for _ in folder.glob(f"{STORE}.damaged-*"))
    aside = f"{STORE}.damaged-{taken + 1}"
    for suffix in ("", "-wal", "-shm"):
        if (folder / f"{STORE}{suffix}").exists():
            os.replace(folder / f"{STORE}{suffix}", folder / f"{aside}{suffix}")
    os.replace(folder / MANIFEST, folder / f"{aside}.{MANIFEST}")  # keeps the list of what was held
    (folder / VECTORS).unlink(missing_ok=True)
    # An empty manifest-less folder with a damaged file in it would look like a stranger's: lay the new store out now.
    Store(folder / STORE).close()
    return aside


@contextmanager
def _write_lock(folder: Path) -> Iterator[None]:
    """One writer among processes. SQLite's own lock: it works on every system and dies with its process."""
    with closing(_locked_connection(folder)):
        yield


def _locked_connection(folder: Path) -> sqlite3.Connection:
    connection = None
    try:
        connection = sqlite3.connect(folder / LOCK, timeout=WAIT_SECONDS, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.DatabaseError as exc:
        if connection:
            connection.close()
        if "locked" in str(exc):
            message = f"{folder} is being written by another program; try again when it has finished."
            raise RetrievalError(message, retryable=True) from exc
        raise RetrievalError(f"{folder / LOCK} cannot be used ({exc}); delete it and check the folder.") from exc
    return connection


# Files


def _replace(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old bytes or the new ones."""
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as exc:
        raise RetrievalError(f"{path} cannot be written: {exc.strerror}; make room on the disk.") from exc


def _read_manifest(folder: Path) -> Manifest | None:
    try:
        return Manifest.model_validate(json.loads((folder / MANIFEST).read_bytes()))
    except (OSError, ValueError):  # pydantic's, json's and the decoder's errors are ValueErrors
        return None


def _read_vectors(path: Path, sha256: str) -> Any:
    import faiss

    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            return None
        return faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8))
    except (OSError, RuntimeError):
        return None


def _read_lexical(folder: Path, sha256: str) -> LexicalIndex | None:
    try:
        return LexicalIndex(folder) if _folder_sha256(folder) == sha256 else None
    except (OSError, RetrievalError):
        return None


def _folder_sha256(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if not path.name.startswith("."):  # tantivy's locks come and go
            digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _remove_folder(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    except OSError as exc:
        raise RetrievalError(f"{folder} cannot be replaced: {exc.strerror}; delete it yourself.") from exc


# FAISS


def _faiss_index(dim: int, numbers: NDArray[np.int64], vectors: NDArray[np.float32]) -> Any:
    import faiss

    index = faiss.IndexIDMap2(faiss.IndexFlatIP(dim))
    if len(numbers):
        index.add_with_ids(np.ascontiguousarray(vectors), numbers)
    return index


def _faiss_order(index: Any) -> NDArray[np.int64]:
    import faiss

    ids: NDArray[np.int64] = faiss.vector_to_array(index.id_map)
    return ids


def _faiss_ids(index: Any) -> NDArray[np.int64]:
    return np.sort(_faiss_order(index))
