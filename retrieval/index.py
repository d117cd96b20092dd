"""An index is a folder that can be killed at any moment and reopened. It is a state: what its files say now.

    index.sqlite    the truth: places, documents, passages, vectors (store.py)
    lexical/        derived: the words for search by word
    manifest.json   derived: which generation of the truth the word index shows, and its checksums
    origins.jsonl   what was ever added, so that a lost truth can be read again from the files
    sentences.sqlite  a help, no truth: vectors of sentences of earlier runs (remembered.py)

A change commits the truth first and writes the manifest last. A derived file that does not match is rebuilt. Vectors are
searched in memory and kept by the hash of their words, so nothing is embedded twice.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from . import folder as on_disk
from .chunks import passages
from .embed import Embedder
from .files import origin_of, readers, sha256_of, stamp_of
from .folder import LEXICAL, MANIFEST, STORE, Manifest, write_lock
from .lexical import LexicalIndex
from .loaders import Limits, find_files, load
from .store import DamagedStore, OlderStore, Place, Store, older_documents
from .types import EVERYTHING, Document, Failure, Frozen, Hit, Passage, RetrievalError, Source, Where
from .vectors import Vectors

BATCH_PASSAGES = 256
BATCH_DOCUMENTS = 500
BATCH_HURRIED = 16  # passages, where somebody may say between two batches that it is enough


class Progress(Frozen):
    """How far adding is. `seconds_left` is None until something was read to judge by; `title` is what was read last."""

    done: int
    total: int
    num_passages: int = 0  # made so far
    seconds_left: float | None = None
    title: str = ""


Watch = Callable[[Progress], None]
Naming = Callable[[Path], str]  # the uri of a file
More = Callable[[], bool]  # whether there is time for another file


class Added(Frozen):
    """What became of each document. A text that is held already, under whatever name, is unchanged."""

    added: tuple[Source, ...] = ()
    replaced: tuple[Source, ...] = ()
    unchanged: tuple[Source, ...] = ()
    removed: tuple[Source, ...] = ()
    failures: tuple[Failure, ...] = ()


class IndexInfo(Frozen):
    """`num_bytes` of the folder; `unread` names what could not be read, wholly or in part, and why."""

    num_documents: int
    num_passages: int
    num_bytes: int
    embedder: str
    dim: int
    languages: tuple[str, ...] = ()
    num_unread: int = 0
    unread: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class Read:
    """What was read at a place; no document where nothing could be."""

    place: Place
    document: Document | None = None


GENEROUS = Limits()


@dataclass(frozen=True)
class _Reading:
    """How files are read: `naming` gives them another uri than their own."""

    naming: Naming | None = None
    limits: Limits = GENEROUS
    readers: str = field(default_factory=lambda: readers())

    def edition(self, is_whole: bool) -> str:
        """Who read a file. What was read whole stays so within other limits; the rest is then read again."""
        if is_whole or self.limits == GENEROUS:
            return self.readers
        return f"{self.readers} within {hashlib.sha256(repr(self.limits).encode()).hexdigest()[:12]}"


@dataclass
class _Tally:
    sources: dict[str, list[Source]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    def count(self, kind: str, source: Source) -> None:
        self.sources.setdefault(kind, []).append(source)

    def frozen(self) -> Added:
        return Added(failures=tuple(self.failures), **{kind: tuple(found) for kind, found in self.sources.items()})


@dataclass
class _Change:
    """Passage numbers that went and came in one transaction."""

    removed: list[int] = field(default_factory=list)
    added: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.removed or self.added)


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
        self._vectors: Vectors | None = None
        self._lexical: LexicalIndex | None = None

    @classmethod
    def open(cls, folder: str | os.PathLike[str], embedder: Embedder, *, create: bool = True) -> Index:
        """Open the index in `folder`, or make it; damaged derived files are rebuilt, see `repaired`.

        A lost or damaged index.sqlite is set aside and its files are read again where they still exist; one of an older
        format is taken over. Raises RetrievalError where no file is left, for another embedder's index, and for a folder
        that holds other things.
        """
        folder = Path(folder)
        on_disk.prepare(folder, create)
        try:
            index = cls(folder, embedder, _open_store(folder, embedder))
        except DamagedStore as exc:
            return _recover(cls, folder, embedder, exc)
        index._synchronise()
        if (folder / on_disk.OLDER).exists():
            index._take_over(folder / on_disk.OLDER)
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

    def add(
        self, paths: Iterable[str | os.PathLike[str]], watch: Watch | None = None, *, limits: Limits = GENEROUS
    ) -> Added:
        """Add files and folders. Files that cannot be read are failures, by name; the others are added.

        A file that is known by its stamp or its bytes is not read again, unless it was not read whole and `limits` are
        others now. What was done when it is interrupted stays.
        """
        return self._add_files(paths, watch, _Reading(limits=limits))

    def sync(
        self,
        paths: Iterable[str | os.PathLike[str]],
        watch: Watch | None = None,
        *,
        naming: Naming | None = None,
        more: More | None = None,
        limits: Limits = GENEROUS,
    ) -> Added:
        """Make the files of the index those under `paths`: add what is new or changed, forget what is not there any more.

        Documents that were given by `add_documents` stay. `naming` gives files another uri than their own. `more` is asked
        before each file that is not known; once it says no, the rest is left for another time.
        """
        return self._add_files(paths, watch, _Reading(naming, limits), only=True, more=more)

    def add_documents(self, documents: Iterable[Document], watch: Watch | None = None) -> Added:
        """Add documents made elsewhere. One with the uri of an older one replaces it."""
        given = [Read(_given(document), document) for document in documents]
        tally = _Tally()
        self._take(given, tally, _Clock(len(given), 0, watch))
        return tally.frozen()

    def remove(self, source_ids: Iterable[str]) -> None:
        """Forget documents; unknown ids are ignored. A file among them comes back when it is added again."""
        with self._changing() as change:
            for source_id in source_ids:
                change.removed += self._store.remove(source_id)

    def _add_files(
        self,
        paths: Iterable[str | os.PathLike[str]],
        watch: Watch | None,
        reading: _Reading,
        only: bool = False,
        more: More | None = None,
    ) -> Added:
        files, skipped = find_files(paths)
        with self._lock:
            known = self._store.places()
            self._store.put_skipped(skipped, only=only)
        tally = _Tally(failures=list(skipped))
        unknown = [path for path in files if not self._is_known(path, known.get(origin_of(path)), reading, tally)]
        wanted = takewhile(lambda _: more is None or more(), unknown)
        size = 0 if more is None else BATCH_HURRIED
        reads = (_read(path, reading) for path in wanted)
        self._take(reads, tally, _Clock(len(files), len(files) - len(unknown), watch), size)
        if only:
            self._forget(_gone(known.values(), files, reading.naming), tally)
        if tally.sources.keys() & {"replaced", "removed"}:
            with self._lock:
                self._store.drop_unused_vectors()
        return tally.frozen()

    def _is_known(self, path: Path, place: Place | None, reading: _Reading, tally: _Tally) -> bool:
        """Whether a file is as it was when it was read: by its stamp, else by its bytes."""
        if place is None or place.readers != reading.edition(is_whole=not place.unread) or not place.stamp:
            return False
        stamp = stamp_of(path)
        if stamp is None:
            return False
        if not place.stamp.is_same(stamp):
            if not place.sha256 or sha256_of(path, stamp) != place.sha256:
                return False
            with self._lock, self._store.transaction():
                self._store.put_place(replace(place, stamp=stamp))
        tally.failures += place.unread
        if place.source:
            tally.count("unchanged", place.source)
        return True

    def _take(self, reads: Iterable[Read], tally: _Tally, clock: _Clock, size: int = 0) -> None:
        batch: list[Read] = []
        fresh: dict[str, list[Passage]] = {}
        for read in reads:
            batch.append(read)
            document = read.document
            if document and document.source.id not in fresh and not self._holds(document.source):
                fresh[document.source.id] = passages(document)
            if len(batch) >= BATCH_DOCUMENTS or sum(map(len, fresh.values())) >= (size or BATCH_PASSAGES):
                self._write(batch, fresh, tally, clock)
                batch, fresh = [], {}
        self._write(batch, fresh, tally, clock)

    def _holds(self, source: Source) -> bool:
        with self._lock:
            return self._store.source(source.id) is not None

    def _write(self, batch: list[Read], fresh: dict[str, list[Passage]], tally: _Tally, clock: _Clock) -> None:
        """Embed, then commit, and then say so: what was counted is kept."""
        pieces = [
            piece for some in fresh.values() for piece in some
        ]  # of many documents: few texts at once cost more each
        for first in range(0, len(pieces), BATCH_PASSAGES):
            self._embed(pieces[first : first + BATCH_PASSAGES])
            clock.embedded(len(pieces[first : first + BATCH_PASSAGES]))
        if batch:
            with self._changing() as change:
                for read in batch:
                    self._keep(read, fresh, change, tally)
            on_disk.append_origins(self.folder, (read.place.origin for read in batch))
            clock.wrote(batch)

    def _keep(self, read: Read, fresh: dict[str, list[Passage]], change: _Change, tally: _Tally) -> None:
        place, document, before = read.place, read.document, self._store.place(read.place.origin)
        old = before.source if before else None
        is_held = document is not None and self._store.source(document.source.id) is not None
        if document and not is_held:
            self._insert(document, fresh.get(document.source.id) or passages(document), change)
        self._store.put_place(place)
        tally.failures += place.unread
        if document and is_held:
            self._restructure(place, document, change)
        if document:
            kind = "unchanged" if is_held and old in (None, place.source) else "replaced" if old else "added"
            tally.count(kind, document.source)
            self._settle(document.source.id, change)
        if old and (document is None or old.id != document.source.id):
            self._settle(old.id, change)

    def _restructure(self, place: Place, document: Document, change: _Change) -> None:
        """The same text may be read with other blocks by better readers; the first of its places decides."""
        first, held = self._store.first_place(document.source.id), self._store.document(document.source.id)
        if first and held and first.origin == place.origin and held.blocks != document.blocks:
            change.removed += self._store.remove_text(document.source.id)
            self._insert(document, passages(document), change)

    def _insert(self, document: Document, pieces: list[Passage], change: _Change) -> None:
        self._embed(pieces)  # in nearly every case that was done before the lock was taken
        change.added += self._store.keep(document, pieces, [_key(piece) for piece in pieces])

    def _settle(self, source_id: str, change: _Change) -> None:
        """A document is called what its first place calls it, and goes when it has none."""
        place, held = self._store.first_place(source_id), self._store.source(source_id)
        if place is None or place.source is None:
            change.removed += self._store.remove(source_id)
        elif held is not None and held.title != place.source.title:
            document = self._store.document(source_id)
            assert document is not None
            change.removed += self._store.remove_text(source_id)
            renamed = document.model_copy(update={"source": place.source})
            self._insert(renamed, passages(renamed), change)
        elif held is not None and held != place.source:
            self._store.describe(place.source)

    def _forget(self, origins: Iterable[str], tally: _Tally) -> None:
        """Forget places, and the documents that had no other."""
        with self._changing() as change:
            for origin in sorted(origins):
                place = self._store.place(origin)
                self._store.drop_place(origin)
                if place and place.source:
                    self._settle(place.source.id, change)
                    if self._store.source(place.source.id) is None:
                        tally.count("removed", place.source)

    def _embed(self, pieces: Sequence[Passage]) -> None:
        """Make the vectors of these passages that are not there yet, each text once."""
        texts = {_key(piece): _searchable(piece) for piece in pieces}
        with self._lock:
            lacking = sorted(self._store.lacking(texts))
        if lacking:
            vectors = self.embedder.embed([texts[key] for key in lacking])
            with self._lock:
                self._store.put_vectors(dict(zip(lacking, vectors, strict=True)))

    def _take_over(self, older: Path) -> None:
        """The documents of an index of an older format; killed within, it is begun again at the next opening."""
        given = [Read(replace(_given(document), origin=origin, is_file=os.path.isabs(origin)), document)
                 for origin, document in older_documents(older)]  # fmt: skip
        self._take(given, _Tally(), _Clock(len(given), 0, None))
        older.unlink()
        self.repaired.append(f"The index was of an older format; its {len(given)} documents were taken over.")

    # Searching

    def search_dense(self, query: str, k: int, where: Where = EVERYTHING) -> list[Hit]:
        """The `k` passages nearest in meaning; scores are cosines."""
        if not query.strip() or k <= 0:
            return []
        vector = self.embedder.embed([query])
        with self._current() as (vectors, _):
            return self._hits(vectors.search(vector, k, self._among(where)), "dense")

    def search_lexical(self, query: str, k: int, where: Where = EVERYTHING) -> list[Hit]:
        """The `k` passages with the most telling words of the query; scores are BM25."""
        with self._current() as (_, lexical):
            among = self._among(where)
            ranked = lexical.search(query, k, languages=self._store.languages(), among=among)
            return self._hits(ranked, "lexical")

    def _among(self, where: Where) -> NDArray[np.int64] | None:
        if where == EVERYTHING:
            return None
        places = self._store.places().values()
        chosen = {place.source.id for place in places if place.source and _is_where(place.source, place.origin, where)}
        return np.array(sorted(self._store.numbers_of(sorted(chosen))), dtype=np.int64)

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

    def failures(self) -> tuple[Failure, ...]:
        """All that could not be read of what was added, by name: kept until the file is read or gone."""
        with self._lock:
            return tuple(self._store.failures())

    def info(self) -> IndexInfo:
        with self._lock:
            (num_documents, num_passages), unread = self._store.counts(), self.failures()
            languages = sorted(filter(None, self._store.languages()))
        return IndexInfo(
            num_documents=num_documents,
            num_passages=num_passages,
            num_bytes=sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file()),
            embedder=self.embedder.id,
            dim=self.embedder.dim,
            languages=tuple(languages),
            num_unread=len({failure.name for failure in unread}),
            unread=unread,
        )

    # Health

    def check(self) -> list[str]:
        """Everything that is wrong, each in a sentence; reads the whole index. Empty when all is well."""
        with self._lock:
            broken = self._store.broken_documents(self.embedder.dim)
            found = [f"{STORE}: {problem}." for problem in self._store.problems()]
            found += [f"The document {source.title} ({source.id}): {reason}." for source, reason in broken]
            return found + self._derived_problems()

    def repair(self) -> list[str]:
        """Mend what `check` finds and say what was done: broken documents are made anew from their text, or dropped."""
        with self._lock, write_lock(self.folder):
            broken = self._store.broken_documents(self.embedder.dim)
            problems = self._derived_problems()
            done = [self._mend(source, reason) for source, reason in broken]
            self._rebuild()
        return done + [f"{problem.rstrip('.')}; rebuilt from {STORE}." for problem in problems]

    def _mend(self, source: Source, reason: str) -> str:
        document, place = self._store.document(source.id), self._store.first_place(source.id)
        is_whole = document is not None and hashlib.sha256(document.text.encode()).hexdigest() == source.sha256
        with self._store.transaction():
            self._store.drop_vectors_of(source.id)
            if document is not None and is_whole:
                self._store.remove_text(source.id)
                self._insert(document, passages(document), _Change())
            else:
                self._store.remove(source.id)
            self._store.next_generation()
        if is_whole:
            return f"The document {source.title} was made anew from its text, since {reason}."
        return f"The document {source.title} was dropped, since {reason}; add {place.origin if place else 'it'} again."

    def _derived_problems(self) -> list[str]:
        lexical = self._load_lexical()
        problems = [lexical] if isinstance(lexical, str) else []
        if self._vectors is None or self._store.generation() != self._generation:
            return problems
        held, stored = self._vectors.held(), self._store.vectors(self.embedder.dim)
        is_same = np.array_equal(held[0], stored[0]) and np.array_equal(held[1], stored[1])
        return problems + ([] if is_same else [f"The vectors in memory are not those of {STORE}."])

    # The derived parts

    @contextmanager
    def _current(self) -> Iterator[tuple[Vectors, LexicalIndex]]:
        """Locked against other threads, with the derived parts of the newest generation loaded."""
        with self._lock:
            self._synchronise()
            assert self._vectors is not None
            assert self._lexical is not None
            yield self._vectors, self._lexical

    @contextmanager
    def _changing(self) -> Iterator[_Change]:
        """Locked against other threads and processes, in one transaction, which the derived parts then follow."""
        with self._lock, write_lock(self.folder):
            if self._store.generation() != self._generation:
                self._load_or_rebuild()
            change = _Change()
            with self._store.transaction():
                yield change
                if change:
                    self._store.next_generation()
            if change:
                self._follow(change)

    def _synchronise(self) -> None:
        """Another process, or a killed one, may have changed the truth since the derived parts were loaded."""
        if self._store.generation() == self._generation or not self._load():
            return
        with write_lock(self.folder):  # whoever was writing has finished now
            self._load_or_rebuild()

    def _load_or_rebuild(self) -> None:
        problem = self._load()
        if problem:
            is_new = self._store.generation() == 0
            self._rebuild()
            self.repaired += [] if is_new else [f"{problem.rstrip('.')}; rebuilt from {STORE}."]

    def _load(self) -> str:
        """Load the derived parts; a sentence says what is not right, if something is not."""
        generation, lexical = self._store.generation(), self._load_lexical()
        if isinstance(lexical, str):
            return lexical
        self._vectors = Vectors(self.embedder.dim, *self._store.vectors(self.embedder.dim))
        self._lexical, self._generation = lexical, generation
        return ""

    def _load_lexical(self) -> LexicalIndex | str:
        manifest = on_disk.read_manifest(self.folder)
        if manifest is None:
            return f"{MANIFEST} was missing or damaged."
        if manifest.generation != self._store.generation():
            return f"The word index was older than {STORE}: a run ended before it had written it."
        lexical = on_disk.read_lexical(self.folder, manifest.lexical)
        if lexical is None:
            return f"{LEXICAL} was missing or damaged."
        is_whole = len(lexical) == self._store.counts()[1]
        return lexical if is_whole else f"The word index did not hold as many passages as {STORE}."

    def _rebuild(self) -> None:
        self._generation = -1
        self._lexical = None
        on_disk.remove_folder(self.folder / LEXICAL)
        self._vectors = Vectors(self.embedder.dim, *self._store.vectors(self.embedder.dim))
        self._lexical = LexicalIndex(self.folder / LEXICAL)
        self._lexical.update(add=((n, _searchable(p), p.source.language) for n, p in self._store.all_passages()))
        self._write_manifest(known={})

    def _follow(self, change: _Change) -> None:
        """Bring the derived parts from the generation before to this one."""
        assert self._vectors is not None
        assert self._lexical is not None
        self._generation = -1  # whatever fails below, the next use loads or rebuilds
        self._vectors.remove(change.removed)
        self._vectors.add(*self._store.vectors(self.embedder.dim, change.added))
        added = self._store.passages(change.added)
        texts = ((number, _searchable(added[number]), added[number].source.language) for number in change.added
                 if number in added)  # fmt: skip
        manifest = on_disk.read_manifest(self.folder)
        self._lexical.update(remove=change.removed, add=texts)
        self._write_manifest(known=dict(manifest.lexical) if manifest else {})

    def _write_manifest(self, known: dict[str, str]) -> None:
        generation = self._store.generation()
        num_documents, num_passages = self._store.counts()
        manifest = Manifest(
            generation=generation,
            embedder=self.embedder.id,
            dim=self.embedder.dim,
            num_documents=num_documents,
            num_passages=num_passages,
            lexical=on_disk.lexical_checksums(self.folder, known),
        )
        on_disk.write_manifest(self.folder, manifest)
        self._generation = generation


class _Clock:
    """Tells a watcher how far adding is, and from the pace so far how long the rest may take."""

    def __init__(self, total: int, num_known: int, watch: Watch | None):
        self.total, self.num_known, self.watch = total, num_known, watch
        self.done, self.num_passages, self.title = num_known, 0, ""
        self.start = time.monotonic()
        self._tell()

    def embedded(self, num_passages: int) -> None:
        self.num_passages += num_passages
        self._tell()

    def wrote(self, batch: Sequence[Read]) -> None:
        self.done += len(batch)
        self.title = next((read.document.source.title for read in reversed(batch) if read.document), self.title)
        self._tell()

    def _tell(self) -> None:
        if self.watch:
            num_read = self.done - self.num_known
            left = (time.monotonic() - self.start) / num_read * (self.total - self.done) if num_read else None
            progress = Progress(done=self.done, total=self.total, num_passages=self.num_passages, seconds_left=left)
            self.watch(progress.model_copy(update={"title": self.title}))


def _gone(known: Iterable[Place], files: Sequence[Path], naming: Naming | None) -> set[str]:
    """Origins that the files do not have: of files, and of documents given under a name that one of the files bears now.

    Indexes of the first format held what is named, such as the bundled library, as given documents.
    """
    now, named = set(map(origin_of, files)), set(map(naming, files)) if naming else set()
    return {p.origin for p in known if p.origin not in now and (p.is_file or p.origin in named)}


def _given(document: Document) -> Place:
    return Place(document.source.uri, document.source, document.unread)


def _read(path: Path, reading: _Reading) -> Read:
    """What is in a file. Its stamp is taken first: a change while it is read shows the next time."""
    stamp = stamp_of(path)
    place = Place(origin_of(path), None, is_file=True, stamp=stamp, sha256=sha256_of(path, stamp))
    try:
        document = load(path, limits=reading.limits, uri=reading.naming(path) if reading.naming else None)
    except RetrievalError as exc:
        failure = Failure(name=place.origin, message=str(exc))
        edition = "" if exc.retryable else reading.edition(is_whole=False)
        return Read(replace(place, unread=(failure,), readers=edition))
    edition = reading.edition(is_whole=not document.unread)
    return Read(replace(place, source=document.source, unread=document.unread, readers=edition), document)


def _searchable(piece: Passage) -> str:
    """What is embedded and indexed of a passage: "he was born there" is found by its document's title and its headings."""
    headings = [heading for heading in piece.path if heading != piece.source.title]
    return "\n".join([" – ".join([piece.source.title, *headings]), piece.text])


def _key(piece: Passage) -> bytes:
    return hashlib.sha256(_searchable(piece).encode()).digest()[:16]


def _is_where(source: Source, origin: str, where: Where) -> bool:
    name, kind = source.uri.casefold(), where.type.casefold().lstrip(".")
    is_recent = not where.since or (
        bool(source.date) and f"{source.date}~" >= where.since
    )  # 2025 may be any day of 2025
    is_kind = (
        not kind or name.endswith(f".{kind}") or origin.casefold().endswith(f".{kind}") or kind in source.media_type
    )
    wanted = f"*{where.path.casefold()}*"
    return is_recent and is_kind and (fnmatchcase(name, wanted) or fnmatchcase(origin.casefold(), wanted))


# Opening


def _open_store(folder: Path, embedder: Embedder) -> Store:
    with write_lock(folder):  # two processes may not both lay out a new file
        try:
            store = Store(folder / STORE)
        except OlderStore:
            on_disk.set_older_aside(folder)
            store = Store(folder / STORE)
    try:
        manifest = on_disk.read_manifest(folder)
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
    origins = on_disk.read_origins(folder)
    files = [origin for origin in origins if Path(origin).is_file()]
    if not files:
        mend = "delete the folder and add the documents again"
        raise RetrievalError(f"{damage} Its files are not there to read again: {mend}.") from damage
    with write_lock(folder):
        aside = on_disk.set_aside(folder)
        Store(folder / STORE).close()  # a folder without a truth would look like a stranger's
    index = kind.open(folder, embedder)
    outcome = index.add(files)
    num_lost = len(origins) - len(outcome.added) - len(outcome.unchanged)
    index.repaired = [f"{damage} It is kept as {aside}; {len(outcome.added)} of its files were read again."]
    index.repaired += [f"{num_lost} documents could not be read again; add them anew."] if num_lost else []
    return index
