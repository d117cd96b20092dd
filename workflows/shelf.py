"""What the documents of some settings hold, for whoever wants to see it before asking: titles, dates, and what could not be read."""

from __future__ import annotations

from palimpsest.retrieval.index import IndexInfo, Progress, Watch
from palimpsest.retrieval.types import Failure, Frozen, Source

from .config import Config
from .corpus import index_folder, open_embedder, open_index

__all__ = ["IndexInfo", "Progress", "Shelf", "is_indexed", "look"]


class Shelf(Frozen):
    """The documents of an index and its figures; `unread` is what of them could not be read, and why."""

    documents: tuple[Source, ...]
    unread: tuple[Failure, ...]
    info: IndexInfo


def is_indexed(config: Config) -> bool:
    """Whether the documents were indexed before, so that a look takes no longer than reading what is new."""
    return index_folder(config, open_embedder().id).is_dir()


def look(config: Config, watch: Watch | None = None) -> Shelf:
    """Bring the index of the documents up to date and tell what it holds. ResearchError when nothing could be read."""
    index, unread = open_index(config, watch)
    with index:
        return Shelf(documents=tuple(index.documents()), unread=unread, info=index.info())
