"""What a run searches: the bundled library or a person's documents, kept in a cached index."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from palimpsest.agent.answer_kinds import fitting, suiting
from palimpsest.agent.budget import READING, Clock, nobody
from palimpsest.agent.state import Lasting, Prose, RowReading, Sorting, Tools, Writer
from palimpsest.retrieval.chunks import passages as cut
from palimpsest.retrieval.embed import Embedder, MiniLMEmbedder, Vectors
from palimpsest.retrieval.folder import SENTENCES
from palimpsest.retrieval.index import Index, Progress, Watch
from palimpsest.retrieval.library import HybridSearcher
from palimpsest.retrieval.loaders import asked_in
from palimpsest.retrieval.records import Table, tables, tables_of
from palimpsest.retrieval.remembered import Remembered
from palimpsest.retrieval.search import fuse, search_all
from palimpsest.retrieval.types import Call, Document, Failure, Found, Hit, Passage, RetrievalError, Where, Words

from .calibration import answer_kinds, numbers_of, record_weights, report_weights
from .config import Config, default_folder
from .errors import FAILED, USAGE, ResearchError
from .reading import SelectingReader
from .tabling import TableReader

if TYPE_CHECKING:
    from palimpsest.agent.writer import ModelWriter

    from .web import Approve, WebSearch

TABLED = (
    "row",
    "field",
    "item",
    "paragraph",
)  # kinds of passages that may hold records; items share passages with paragraphs
LIBRARY = Path(__file__).parents[1] / "retrieval" / "library"


def library_uri(path: Path) -> str:
    """Bundled documents are named library:FILE wherever the package lies."""
    return f"library:{path.name}"


def index_folder(config: Config, embedder_id: str) -> Path:
    """Where the index of these documents is cached: one folder for each set of paths and embedder."""
    paths = sorted(str(p.resolve()) for p in config.docs) or [str(LIBRARY.resolve())]
    key = hashlib.sha256("\n".join([embedder_id, *paths]).encode()).hexdigest()[:16]
    return (config.index or default_folder()) / key


@lru_cache(maxsize=1)
def open_embedder() -> Embedder:
    """One for the whole process; it loads its weights when the first text comes."""
    return MiniLMEmbedder()


def open_index(
    config: Config, watch: Watch | None = None, stop: Callable[[], bool] = nobody
) -> tuple[Index, tuple[Failure, ...]]:
    """The index of the run's documents, brought up to date, and all that could not be read; `watch` is told how far it is.

    With a budget of seconds, or when a person stops the run, it holds what was read by then.
    """
    embedder = open_embedder()
    hurry = Hurry(config.budget, stop=stop)
    try:
        index = Index.open(index_folder(config, embedder.id), embedder)
        paths = config.docs or sorted(LIBRARY.glob("*.md"))
        index.sync(paths, watch, naming=None if config.docs else library_uri, more=hurry, limits=config.reading)
    except RetrievalError as error:
        raise ResearchError(str(error), FAILED) from error
    unread = (UNREAD,) if hurry.is_late else ()
    if index.info().num_documents == 0:
        reasons = "; ".join(f.message.rstrip(".") for f in index.failures()) or "no readable text"
        raise ResearchError(f"none of the documents could be read ({reasons}); give --docs a folder with text", USAGE)
    return index, (*unread, *index.failures())


UNREAD = Failure(
    name="documents",
    message="not all documents were read before the time was over; the next run goes on with them",
)


class Hurry:
    """Whether there is time for another file: within a budget of seconds (0 for none), and until somebody stops the run.

    There always is for the first.
    """

    def __init__(self, budget: float, now: Callable[[], float] = time.monotonic, stop: Callable[[], bool] = nobody):
        end = now() + READING * budget if budget else math.inf
        self.clock, self.is_first, self.is_late = Clock(end, now, stop), True, False

    def __call__(self) -> bool:
        self.is_late = (self.clock.stop() or self.clock.is_over) and not self.is_first
        self.is_first = False
        return not self.is_late


def pace(say: Callable[[str], None], *, every: float = 2.0) -> Watch:
    """Says every few seconds how far indexing is."""
    spoken = [time.monotonic()]

    def watch(progress: Progress) -> None:
        if time.monotonic() - spoken[0] < every:
            return
        spoken[0] = time.monotonic()
        left = "" if progress.seconds_left is None else f", about {progress.seconds_left:,.0f} s left"
        say(f"{progress.done:,} of {progress.total:,} files, {progress.num_passages:,} new passages{left}")

    return watch


def search_index(config: Config, query: str, k: int, **where: str) -> list[Hit]:
    """The best `k` passages of the documents that are as `where` (since, type, path) says."""
    with open_index(config)[0] as index:
        return HybridSearcher(index, where=Where(**where)).search(query, k)


def open_writer(config: Config) -> Writer:
    """The writer that `config.model` names: a server's address, or a model that is loaded here."""
    if config.model.startswith(("http://", "https://")):
        from .serving.loopback import is_loopback

        if config.offline and not is_loopback(urlsplit(config.model).hostname or ""):
            raise ResearchError(
                f"--offline, and the model is at {config.model}: evidence would leave this machine", USAGE
            )
        from .config import serve_token
        from .serving.remote_writer import RemoteWriter

        return RemoteWriter(config.model, serve_token(), seed=config.seed)
    return open_model(config)


def open_model(config: Config) -> ModelWriter:
    from palimpsest.agent.writer import ModelWriter as Opened
    from palimpsest.dlm_core.denoisers.embedded_weights import WeightsError
    from palimpsest.dlm_core.models.checkpoint import folder_of
    from palimpsest.dlm_core.models.errors import ModelError

    try:
        if config.offline and config.model != "embedded":
            folder_of(config.model, fetch=False)
        opened = Opened(config.model, threads=config.threads, seed=config.seed, denoising=config.denoising)
        if opened.writes_prose and config.denoising == "careful":
            opened.drafter = Opened("embedded")
        return opened
    except (WeightsError, ModelError) as error:
        raise ResearchError(str(error), FAILED) from error


def open_prose(config: Config, writer: Writer) -> Prose | None:
    """Who writes prose: the chat model that `config.writer` names, else the writer itself where it can, else nobody."""
    if not config.writer:
        return cast(Prose, writer) if getattr(writer, "writes_prose", False) else None
    from .serving.loopback import is_loopback

    if config.offline and not is_loopback(urlsplit(config.writer).hostname or ""):
        raise ResearchError(
            f"--offline, and the writer is at {config.writer}: evidence would leave this machine", USAGE
        )
    from .config import writer_token
    from .serving.chat_writer import ChatWriter

    return ChatWriter(config.writer, writer_token())


def open_web(config: Config, approve: Approve | None = None, question: str = "") -> WebSearch:
    """The services that `config.web` names, behind the door, with the cache of pages beside that of the indexes."""
    from . import web

    door = web.open_door(config, web.chosen(config), web.cache(config))
    return web.WebSearch(config, door, open_embedder(), approve, question)


class Corpus:
    """An index opened when the first query comes; a revision that searches nothing never opens it.

    With `--web` services are asked beside it; without documents of one's own they are then all there is. `question` is the person's
    own: only addresses that stand in it are fetched as they are.
    """

    def __init__(
        self,
        config: Config,
        opener: Callable[[Config], tuple[Index, tuple[Failure, ...]]] = open_index,
        approve: Approve | None = None,
        question: str = "",
    ):
        self.config, self.opener, self.approve, self.question = config, opener, approve, question
        self._index: Index | None = None
        self._remembered: Remembered | None = None
        self._web: WebSearch | None = None
        self._failures: tuple[Failure, ...] = ()
        self._tables: dict[str, list[Table]] = {}
        self.calls: list[Call] = []

    def prepare(self) -> None:
        """Refuse now what could not be searched later: documents none of which can be read, a service that is not there."""
        if self.config.web:
            from . import web

            web.chosen(self.config)
        if self._has_index:
            self.open()

    @property
    def _has_index(self) -> bool:
        return bool(self.config.docs) or not self.config.web

    def open(self) -> Index:
        """The index, opened if it is not yet."""
        if self._index is None:
            self._index, self._failures = self.opener(self.config)
        return self._index

    def search(self, queries: Sequence[str], k: int) -> Found:
        """The best `k` passages for the queries, and what could not be read or reached."""
        found = search_all([HybridSearcher(self.open())], list(queries), k) if self._has_index else Found()
        if self.config.web:
            found = _beside(found, self._ask_web(queries, k))
        return found.model_copy(update={"hits": found.hits[:k], "failures": self._failures + found.failures})

    def _ask_web(self, queries: Sequence[str], k: int) -> Found:
        if self._web is None:
            self._web = open_web(self.config, self.approve, self.question)
        found = self._web.search(queries, k)
        self.calls += found.calls
        return found

    def document(self, passage: Passage) -> Document:
        """The whole document of a passage that `search` returned."""
        fetched = self._web.document(passage.source.id) if self._web else None
        return fetched or self.open().document(passage.source.id)

    def tables(self, passages: Sequence[Passage]) -> list[Table]:
        """The tables, forms and numbered lists that these passages are a part of, whole."""
        named = {p.id for p in passages}
        tabled = [p for p in passages if p.kind in TABLED]
        return [t for t in self.tables_beside(tabled) if named & {p.id for p in t.passages}]

    def tables_beside(self, passages: Sequence[Passage]) -> list[Table]:
        """All tables, forms and numbered lists of the documents that these passages are of."""
        sources = dict.fromkeys(p.source.id for p in passages)
        return [t for s in sources for t in self._tables_of(s, [p for p in passages if p.source.id == s])]

    def _tables_of(self, source: str, pieces: Sequence[Passage]) -> list[Table]:
        """The tables of a document; of one that the index does not hold only where these passages are the whole of it.

        A person brings such a document, or its file went meanwhile: of a table that is not whole nothing is computed.
        """
        if source not in self._tables:
            try:
                document = self.document(pieces[0])
            except RetrievalError:
                return tables(pieces) if _is_whole(pieces) else []
            self._tables[source] = tables_of(document, cut(document))
        return self._tables[source]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors [len(texts), dim] of the index's own embedder; what earlier runs embedded is remembered beside the index."""
        return self._embedder().embed(texts)

    def words(self, texts: Sequence[str]) -> list[Words]:
        """The words of each text in their context, by the index's own embedder."""
        return self._embedder().words(texts)

    def _embedder(self) -> Remembered:
        if self._remembered is None:
            index = self.open()
            self._remembered = Remembered(index.embedder, index.folder / SENTENCES)
        return self._remembered

    def close(self) -> None:
        if self._remembered is not None:
            self._remembered.close()
        if self._index is not None:
            self._index.close()
        if self._web is not None:
            self._web.close()


def _is_whole(pieces: Sequence[Passage]) -> bool:
    """Whether no neighbour of these passages is missing."""
    held = {p.id for p in pieces}
    return all(name in held for p in pieces for name in (p.before, p.after) if name)


def _beside(own: Found, web: Found) -> Found:
    """The person's documents and the web's, ranked together by what each ranking says."""
    hits = fuse([own.hits, web.hits], len(own.hits) + len(web.hits))
    return Found(hits=tuple(hits), failures=own.failures + web.failures, calls=own.calls + web.calls)


def tools(config: Config, corpus: Corpus) -> Tools:
    """What a run works with. Prose is judged by the embedded model where nobody measured what the writer's verdicts are worth."""
    opened = open_writer(config)
    writer: Writer = opened.living() if isinstance(opened, Lasting) else opened
    numbers = numbers_of(config.model if writer.name != "embedded" else "embedded")
    kinds = writer.kinds if isinstance(writer, Sorting) and writer.knows("kind") else None
    reader = SelectingReader(corpus, report_weights(), kinds)
    off = writer.cells if isinstance(writer, RowReading) and writer.knows("cell") else None
    records = TableReader(corpus, record_weights(), off)
    foreign = unread_language if writer.name == "embedded" else _none
    prose = open_prose(config, writer)
    judge = open_model(config.model_copy(update={"model": "embedded"})) if prose and not numbers.verdict else None
    told = answer_kinds()
    fits, suits = fitting(told, reader.vectors), suiting(told, reader.vectors)
    return Tools(
        writer,
        corpus.search,
        numbers,
        reader,
        prose,
        records=records,
        foreign=foreign,
        judge=judge,
        fits=fits,
        suits=suits,
        words=reader.words,
    )


def unread_language(text: str) -> str:
    """The name of a question's language where the embedded model, which reads English, does not read it; "" where it does."""
    from babel import Locale

    code = asked_in(text)
    return "" if code == "en" else str(Locale("en").languages.get(code, code))


def _none(text: str) -> str:
    return ""
