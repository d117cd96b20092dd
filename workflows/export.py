"""The report of a finished run in every form it is given out in; each is a function of the record and the state."""

from __future__ import annotations

import json
from typing import Any

from palimpsest.agent.draft import Block
from palimpsest.agent.state import ResearchState
from palimpsest.retrieval import references
from palimpsest.retrieval.types import Source

from .rendering import html as page
from .rendering import markdown as plain
from .rendering import pdf as pages
from .rendering.text import number_of, shown, visible
from .runs import Record


def derived(record: Record, state: ResearchState, log: str) -> dict[str, str]:
    """Every file of a finished version that is made from its record and state, by name; `log` is the head of the run's log."""
    return {
        "report.md": markdown(record, state, log),
        "report.html": html(state, log),
        "report.json": report_json(record, state, log),
        "references.bib": bibtex(state),
        "revisions.jsonl": "".join(r.model_dump_json() + "\n" for r in state.revisions),
        "evidence/passages.jsonl": "".join(p.model_dump_json() + "\n" for p in state.passages),
    }


def markdown(record: Record, state: ResearchState, log: str) -> str:
    """Front matter and the draft, nothing else."""
    web = "" if record.config.offline else record.config.web
    fields = {
        "question": record.question,
        "model": record.model,
        "seed": str(record.config.seed),
        "version": str(state.version),
        "documents": ", ".join(str(p) for p in record.config.docs) or ("none" if web else "bundled library"),
        **({"web": web} if web else {}),
        "log": log,
    }
    return plain.render(state, fields)


def html(state: ResearchState, log: str) -> str:
    """A page on its own."""
    return page.render(state, log)


def pdf(state: ResearchState, log: str) -> bytes:
    """Pages for paper."""
    return pages.render(state, log)


def report_json(record: Record, state: ResearchState, log: str) -> str:
    """The report as data: blocks with their words and what each cites, and the sources by number."""
    blocks = [_block(state, b) for b in state.draft.blocks]
    held = {p.source.id: p.source for p in state.passages}
    sources = [{"number": n, **held[s].model_dump(mode="json")} for n, s in enumerate(state.references, 1)]
    data = {
        "run": record.id,
        "question": record.question,
        "version": state.version,
        "blocks": blocks,
        "sources": sources,
    }
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def _block(state: ResearchState, block: Block) -> dict[str, Any]:
    spans = [
        {
            "id": s.id,
            "text": s.text,
            "kind": s.kind,
            "status": s.status,
            "role": s.role,
            "person": s.person,
            "cites": [{"number": number_of(state, support), **support.model_dump()} for support in s.support],
        }
        for s in block.spans
    ]
    return {"id": block.id, "kind": block.kind, "section": block.section, "level": block.level, "about": block.about,
            "text": shown(block), "rows": block.rows, "spans": spans}  # fmt: skip


def cited(state: ResearchState) -> list[Source]:
    """The sources that the report cites, in the order of its numbers, with whatever no reader prints shown by its code."""
    sources = {p.source.id: p.source for p in state.passages}
    return [_visible(sources[source_id]) for source_id in state.references]


def _visible(source: Source) -> Source:
    fields = {name: visible(getattr(source, name)) for name in _WRITTEN}
    several = {name: tuple(map(visible, getattr(source, name))) for name in ("authors", "versions")}
    return source.model_copy(update={**fields, **several})


_WRITTEN = ("title", "uri", "venue", "volume", "issue", "pages", "publisher", "licence")


def bibtex(state: ResearchState) -> str:
    """One entry for each source the report cites, in the order of its numbers."""
    return references.bibtex(cited(state))


def csl_json(state: ResearchState) -> str:
    """The sources as CSL-JSON, for a citation manager."""
    return references.csl_json(cited(state))


def ris(state: ResearchState) -> str:
    """The sources as RIS, for a citation manager."""
    return references.ris(cited(state))


def references_in(state: ResearchState, style: str | None = None) -> str:
    """The sources in a citation style, a numbered line each. RetrievalError for a style that is not there."""
    lines = references.styled(cited(state), style or references.STYLE)
    return "".join(f"[{number}] {line}\n" for number, line in enumerate(lines, 1))
