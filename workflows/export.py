"""The report of a finished run in every form it is given out in; each is a function of the record and the state."""

from __future__ import annotations

import json
import re
from typing import Any

from palimpsest.agent.draft import Block
from palimpsest.agent.state import ResearchState

from .rendering import html as page
from .rendering import markdown as plain
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
        "evidence/passages.jsonl": "".join(p.model_dump_json() + "\n" for p in state.evidence),
    }


def markdown(record: Record, state: ResearchState, log: str) -> str:
    """Front matter and the draft, nothing else."""
    fields = {
        "question": record.question,
        "model": record.model,
        "seed": str(record.config.seed),
        "version": str(state.version),
        "documents": ", ".join(str(p) for p in record.config.docs) or "bundled library",
        "log": log,
    }
    return plain.render(state, fields)


def html(state: ResearchState, log: str) -> str:
    """A page on its own."""
    return page.render(state, log)


def report_json(record: Record, state: ResearchState, log: str) -> str:
    """The report as data: blocks with their words and what each cites, and the sources by number."""
    blocks = [_block(state, b) for b in state.draft.blocks]
    held = {p.source.id: p.source for p in state.evidence}
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
            "cites": [{"number": number_of(state, support), **support.model_dump()} for support in s.support],
        }
        for s in block.spans
    ]
    return {"id": block.id, "kind": block.kind, "section": block.section, "level": block.level, "about": block.about,
            "text": shown(block), "rows": block.rows, "spans": spans}  # fmt: skip


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
    return re.sub(r"([&%$#_])", r"\\\1", visible(text).replace("{", "").replace("}", "").replace("\\", ""))
