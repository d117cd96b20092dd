"""The retrieval index on its own."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Annotated

import typer

from .. import streams
from ..options import ConfigFile, Docs
from ..saying import configured, say


def index_add(docs: Annotated[list[Path], typer.Argument(help="files or folders")], config: ConfigFile = None) -> None:
    """Index documents ahead of a run; what is indexed already is left as it is.

    research index add notes/
    """
    from palimpsest.workflows.corpus import open_index, pace
    from palimpsest.workflows.documents import check_docs

    check_docs(docs)
    index, failures = open_index(configured(config, docs=tuple(docs)), pace(say))
    info = index.info()
    for failure in failures:
        say(_said(failure.name, failure.message))
    unread = f"; {info.num_unread} not read, or not whole" if info.num_unread else ""
    print(f"{info.num_documents} documents, {info.num_passages} passages{unread}")


def index_search(
    query: str,
    docs: Docs = None,
    k: Annotated[int, typer.Option("-k", min=1, max=10_000, help="passages")] = 5,
    since: Annotated[str, typer.Option(help="only documents of this date or later, as 2024 or 2024-06")] = "",
    type: Annotated[str, typer.Option(help="only documents of this kind, as pdf or csv")] = "",
    path: Annotated[
        str, typer.Option(help="only documents with this in their path or address, * for any letters")
    ] = "",
    config: ConfigFile = None,
) -> None:
    """The best passages for a query.

    research index search "who designed the tower" --docs notes/ -k 3 --since 2020 --type pdf
    """
    from palimpsest.workflows.corpus import search_index
    from palimpsest.workflows.documents import check_docs

    settings = configured(config, docs=tuple(docs) if docs else None)
    check_docs(settings.docs)
    for hit in search_index(settings, streams.typed(query), k, since=since, type=type, path=path):
        place = " › ".join([hit.passage.source.title, *hit.passage.path])
        page = f", page {hit.passage.page}" if hit.passage.page else ""
        print(f"{hit.score:.4f} {place}{page} [{', '.join(hit.found_by)}]")
        print(textwrap.indent(textwrap.fill(hit.passage.text, 100), "    "))


def index_info(docs: Docs = None, config: ConfigFile = None) -> None:
    """What an index holds, and whether it is sound.

    research index info --docs notes/
    """
    from palimpsest.workflows.corpus import open_index
    from palimpsest.workflows.documents import check_docs

    settings = configured(config, docs=tuple(docs) if docs else None)
    check_docs(settings.docs)
    index, failures = open_index(settings)
    print(index.info().model_dump_json(indent=2))
    for sentence in [*index.repaired, *index.check(), *(_said(f.name, f.message) for f in failures)]:
        say(sentence)


def _said(name: str, message: str) -> str:
    """What could not be read, or not wholly, of which file."""
    return message if name in message else f"{name}: {message}"
