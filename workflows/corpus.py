"""What a run searches: the bundled library or a person's documents, kept in a cached index."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from palimpsest.agent.state import Tools, Writer
from palimpsest.retrieval.embed import Embedder, MiniLMEmbedder
from palimpsest.retrieval.index import Index
from palimpsest.retrieval.loaders import find_files, load
from palimpsest.retrieval.search import HybridSearcher, search_all
from palimpsest.retrieval.types import Document, Failure, Found, Passage, RetrievalError

from .calibration import numbers_of
from .config import Config
from .errors import FAILED, USAGE, ResearchError

if TYPE_CHECKING:
    from palimpsest.agent.writer import ModelWriter

LIBRARY = Path(__file__).parents[1] / "retrieval" / "library"


def library() -> list[Document]:
    """The bundled documents, named library:FILE wherever the package lies."""
    return [load(path, uri=f"library:{path.name}") for path in sorted(LIBRARY.glob("*.md"))]


def check_docs(docs: Sequence[Path]) -> None:
    """ResearchError when a path is missing or holds no document; nothing is read yet."""
    if docs:
        try:
            find_files(docs)
        except RetrievalError as error:
            raise ResearchError(str(error), USAGE) from error


def index_folder(config: Config, embedder_id: str) -> Path:
    """Where the index of these documents is cached: one folder for each set of paths and embedder."""
    paths = sorted(str(p.resolve()) for p in config.docs) or ["library"]
    key = hashlib.sha256("\n".join([embedder_id, *paths]).encode()).hexdigest()[:16]
    return (config.index or default_folder()) / key


def default_folder() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("palimpsest")) / "indexes"


def open_embedder() -> Embedder:
    return MiniLMEmbedder()


def open_index(config: Config) -> tuple[Index, tuple[Failure, ...]]:
    """The index of the run's documents, brought up to date, and the files that could not be read."""
    embedder = open_embedder()
    try:
        index = Index.open(index_folder(config, embedder.id), embedder)
        added = index.add(config.docs) if config.docs else index.add_documents(library())
        gone = [s.id for s in index.documents() if Path(s.uri).is_absolute() and not Path(s.uri).exists()]
        index.remove(gone)
    except RetrievalError as error:
        raise ResearchError(str(error), FAILED) from error
    if index.info().num_documents == 0:
        reasons = "; ".join(f.message.rstrip(".") for f in added.failures) or "no readable text"
        raise ResearchError(f"none of the documents could be read ({reasons}); give --docs a folder with text", USAGE)
    return index, added.failures


def open_writer(config: Config) -> Writer:
    """The writer that `config.model` names: a server's address, or a model that is loaded here."""
    if config.model.startswith(("http://", "https://")):
        from .config import serve_token
        from .serving.remote_writer import RemoteWriter

        return RemoteWriter(config.model, serve_token())
    return open_model(config)


def open_model(config: Config) -> ModelWriter:
    from palimpsest.agent.writer import ModelWriter as Opened
    from palimpsest.dlm_core.denoisers.embedded_weights import WeightsError
    from palimpsest.dlm_core.models.errors import ModelError

    try:
        return Opened(config.model, threads=config.threads, seed=config.seed)
    except (WeightsError, ModelError) as error:
        raise ResearchError(str(error), FAILED) from error


class Corpus:
    """An index opened when the first query comes; a revision that searches nothing never opens it."""

    def __init__(self, config: Config, opener: Callable[[Config], tuple[Index, tuple[Failure, ...]]] = open_index):
        self.config, self.opener = config, opener
        self._index: Index | None = None
        self._failures: tuple[Failure, ...] = ()

    def open(self) -> Index:
        """The index, opened if it is not yet."""
        if self._index is None:
            self._index, self._failures = self.opener(self.config)
        return self._index

    def search(self, queries: Sequence[str], k: int) -> Found:
        """The best `k` passages for the queries, and what could not be read or reached."""
        found = search_all([HybridSearcher(self.open())], list(queries), k)
        return Found(hits=found.hits[:k], failures=self._failures + found.failures)

    def document(self, passage: Passage) -> Document:
        """The whole document of a passage that `search` returned."""
        return self.open().document(passage.source.id)

    def close(self) -> None:
        if self._index is not None:
            self._index.close()


def tools(config: Config, corpus: Corpus) -> Tools:
    writer = open_writer(config)
    return Tools(writer, corpus.search, numbers_of(config.model if writer.name != "embedded" else "embedded"))
