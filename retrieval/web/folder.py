"""A folder of saved pages as a web: what was fetched once can be searched again, and tests need no network."""

from __future__ import annotations

from pathlib import Path

from ..lexical import query_tokens, tokens
from ..loaders import find_files, load
from ..outcomes import Failed
from ..types import Document
from .service import Filters, Service
from .work import Work


class Folder(Service):
    """`base` is the folder. Its documents are ranked by how many of the query's words they hold."""

    name = "folder"
    kind = "web"
    hosts = ()

    def search(self, query: str, filters: Filters) -> tuple[Work, ...]:
        wanted = query_tokens(query)
        scored = []
        for document in self._documents():
            held = set(tokens(f"{document.source.title} {document.text}"))
            scored.append((sum(word in held for word in wanted), document))
        best = sorted((pair for pair in scored if pair[0]), key=lambda pair: (-pair[0], pair[1].source.uri))
        return tuple(self._work(document) for _, document in best[: filters.limit])

    def work(self, identifier: str) -> Work:
        for document in self._documents():
            if document.source.uri == identifier:
                return self._work(document)
        raise Failed(f"{self.base} holds no {identifier}.", cause="missing", where=identifier)

    def _documents(self) -> list[Document]:
        files, _ = find_files([Path(self.base)])
        return [load(path) for path in files]

    def _work(self, document: Document) -> Work:
        source = document.source
        return Work(
            service=self.name,
            id=source.uri,
            title=source.title,
            url=source.uri,
            kind="web",
            authors=source.authors,
            date=source.date,
            text=document.text,
        )
