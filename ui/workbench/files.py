"""The files of a report that can be taken home, each as the command writes it."""

from __future__ import annotations

from palimpsest.agent.state import ResearchState
from palimpsest.workflows import export
from palimpsest.workflows.runs import Record, Run
from palimpsest.workflows.seal import head

FORMS = {  # by ending: media type, and what the button says
    "md": ("text/markdown", "Markdown"),
    "html": ("text/html", "HTML"),
    "json": ("application/json", "JSON"),
    "bib": ("application/x-bibtex", "BibTeX"),
    "pdf": ("application/pdf", "PDF"),
}


def made(run: Run, record: Record, state: ResearchState, form: str) -> str | bytes:
    """The report of a finished state in one of the forms."""
    log = head([e for e in run.events() if e["version"] <= state.version])
    if form == "md":
        return export.markdown(record, state, log)
    if form == "pdf":
        return export.pdf(state, log)
    if form == "html":
        return export.html(state, log)
    return export.report_json(record, state, log) if form == "json" else export.bibtex(state)
