"""A finished report as markdown, HTML, JSON or BibTeX."""

from __future__ import annotations

import re

from palimpsest.agent.report import front_matter
from palimpsest.agent.state import ResearchState

from .runs import Record

_STYLE = (
    "body{font:17px/1.55 Georgia,serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color:#222}"
    "blockquote{border-left:3px solid #bbb;margin-left:0;padding-left:1rem;color:#444}"
    "h1,h2,h3{font-family:system-ui,sans-serif;line-height:1.25}h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem}"
    "h3{font-size:1rem}code{font-size:.85em;color:#555}li{margin:.35rem 0}"
)


def markdown(record: Record, state: ResearchState) -> str:
    """Front matter and the draft, nothing else: what is not a span cannot change."""
    fields = {
        "question": record.question,
        "model": record.model,
        "seed": str(record.config.seed),
        "version": str(state.version),
        "documents": ", ".join(str(p) for p in record.config.docs) or "bundled library",
    }
    return front_matter(fields) + state.draft.text


def html(record: Record, state: ResearchState) -> str:
    """A page on its own: no script, no request, every tag of a source shown as text."""
    from markdown_it import MarkdownIt

    # An image in a source's sentence would ask its server for it as soon as the page is opened.
    writer = MarkdownIt("commonmark", {"html": False}).disable("image")
    body, title = writer.render(state.draft.text), writer.renderInline(record.question)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_plain(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n{body}</body></html>\n"
    )


def _plain(text: str) -> str:
    return re.sub(r"<[^>]*>", "", text)


def bibtex(state: ResearchState) -> str:
    """One entry for each source the report cites, in the order of its numbers."""
    sources = {p.source.id: p.source for p in state.evidence}
    entries = []
    for number, source_id in enumerate(state.references, 1):
        source = sources[source_id]
        fields = {
            "title": source.title,
            "author": " and ".join(source.authors),
            "year": (source.date or "")[:4],
            "howpublished": source.uri,
            "note": f"text SHA-256 {source.sha256}",
        }
        lines = "".join(f"  {k} = {{{_escape(v)}}},\n" for k, v in fields.items() if v)
        entries.append(f"@misc{{source{number},\n{lines}}}\n")
    return "\n".join(entries)


def _escape(text: str) -> str:
    return re.sub(r"([&%$#_])", r"\\\1", text.replace("{", "").replace("}", "").replace("\\", ""))


def json_text(record: Record, state: ResearchState) -> str:
    """The record and the whole finished state: draft, graph, evidence, revisions."""
    return f'{{"record": {record.model_dump_json()}, "state": {state.model_dump_json()}}}\n'
