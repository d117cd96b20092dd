"""What is taken home: a report verified, and exported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import streams
from ..options import ConfigFile, Out, Reference
from ..saying import find, read, write


def verify(
    reference: Annotated[str, typer.Argument(help='a run: its id, the start of one, its path, or "last"')] = "",
    report: Annotated[
        Path | None, typer.Option("--report", help="a report.md that was taken away from its folder")
    ] = None,
    seal: Annotated[Path | None, typer.Option("--seal", help="a head of the log that was kept elsewhere")] = None,
    out: Out = None,
    config: ConfigFile = None,
) -> None:
    """Check a run again from its folder alone, offline; exit 1 when something does not hold.

    Quotations against sources, sources against hashes, citations, every written file against the state, the state against the log,
    the log as a chain. A report alone is checked as far as its own text allows.

    research verify last
    """
    from palimpsest.workflows import audit
    from palimpsest.workflows.errors import USAGE, ResearchError

    if not reference and report is None:
        raise ResearchError("give a run to verify, or --report FILE", USAGE)
    problems: list[str] = []
    if reference:
        found = find(reference, out, config)
        problems += audit.verify(found, read(seal).strip() if seal else "")
        if report:
            problems += audit.compare(found, read(report))
        held = f"{found.folder.name}: every quotation, citation, file and hash holds, and so does the chain of its log"
    else:
        problems += audit.check_report(read(report or Path()))
        held = "the report's citations, sources and front matter hold together. " + audit.UNCHECKED
    for problem in problems:
        print(problem)
    if problems:
        raise SystemExit(1)
    print(held)


def _write_pdf(to: Path | None, data: bytes) -> None:
    from palimpsest.workflows.errors import USAGE, ResearchError

    if to is None:
        raise ResearchError("a PDF is no text for a terminal; name a file: -o report.pdf", USAGE)
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(data)
    except OSError as error:
        raise ResearchError(f"cannot write {to} ({error.strerror}); name another place", USAGE) from error


def export(
    reference: Reference,
    form: Annotated[
        str, typer.Option("--format", help="md, html, json, bib, pdf, csl, ris, references or seal")
    ] = "md",
    style: Annotated[
        str | None, typer.Option(help="references: a citation style by name, or a .csl file [default: Harvard]")
    ] = None,
    to: Annotated[Path | None, typer.Option("--output", "-o", help="file to write [default: standard output]")] = None,
    out: Out = None,
    config: ConfigFile = None,
) -> None:
    """A report as markdown, HTML, JSON or PDF; its sources as BibTeX, CSL-JSON, RIS or in a style; or its seal.

    The seal is the head of its log, to keep elsewhere for `verify --seal`.

    research export last --format html -o report.html
    """
    from palimpsest.workflows import export as forms
    from palimpsest.workflows.errors import USAGE, ResearchError
    from palimpsest.workflows.seal import head

    found = find(reference, out, config)
    record = found.record()
    done = [v.number for v in record.versions if v.done]
    if not done:
        raise ResearchError(f"{record.id} is not finished; first: research resume {record.id}", USAGE)
    state = found.state(done[-1])
    log = head([e for e in found.events() if e["version"] <= done[-1]])
    makers = {
        "md": lambda: forms.markdown(record, state, log),
        "html": lambda: forms.html(state, log),
        "json": lambda: forms.report_json(record, state, log),
        "bib": lambda: forms.bibtex(state),
        "csl": lambda: forms.csl_json(state),
        "ris": lambda: forms.ris(state),
        "references": lambda: forms.references_in(state, style),
        "seal": lambda: f"{log}\n",
    }
    if form == "pdf":
        _write_pdf(to, forms.pdf(state, log))
        return
    if form not in makers:
        raise ResearchError(f"there is no format {form!r}; the formats are {', '.join(makers)} and pdf", USAGE)
    text = makers[form]()
    if to is None:
        escape = {"json": streams.escaped_json, "html": streams.escaped_html}.get(form)
        print(text if escape is None or streams.can_encode(text) else escape(text), end="")
        return
    write(to, text)
