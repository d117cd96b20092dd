"""The command `research`: it translates words into calls of workflows and events into lines, and decides nothing."""

from __future__ import annotations

import json
import shlex
import sys
import textwrap
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from . import streams

if TYPE_CHECKING:
    from palimpsest.agent.state import Event
    from palimpsest.workflows.changes import Change
    from palimpsest.workflows.config import Config
    from palimpsest.workflows.runs import Run

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Deep research on a diffusion language model: cited reports that are revised in place.\n\n"
    'Start with:  research run "Which open diffusion language model is the fastest?"',
)
index_app = typer.Typer(no_args_is_help=True, help="The retrieval index on its own.")
app.add_typer(index_app, name="index")

MODEL_HELP = '"embedded", a folder of weights, a Hugging Face id, or the http(s) address of a "research serve"'
Reference = Annotated[str, typer.Argument(help='a run: its id, the start of one, its path, or "last"')]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="file of settings [default: research.toml, if there is one]"),
]
Out = Annotated[Path | None, typer.Option("--out", help="folder of runs [default: runs]")]
Docs = Annotated[
    list[Path] | None,
    typer.Option("--docs", help="file or folder to search; repeat for more [default: the bundled library]"),
]
AsJson = Annotated[bool, typer.Option("--json", help="one event per line on standard output")]
RowsAsJson = Annotated[bool, typer.Option("--json", help="one JSON object per line")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress, only the report")]


def main() -> None:
    """Run the command; every expected failure is one sentence on standard error and an exit code."""
    import os

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    streams.guard()
    with _sentences():
        _stand()
        try:
            app()
        finally:
            sys.stdout.flush()


def _stand() -> None:
    """ResearchError when the working folder is gone: torch ends the process when it cannot find where it stands."""
    from palimpsest.workflows.errors import ResearchError

    try:
        Path.cwd()
    except OSError as error:
        raise ResearchError(f"the working folder cannot be used ({error.strerror}); go to another: cd ~") from error


@contextmanager
def _sentences() -> Iterator[None]:
    from palimpsest.workflows.errors import FAILED, ResearchError, RetrievalError

    try:
        yield
    except ResearchError as error:
        _say(f"research: {error}")
        sys.exit(error.code)
    except RetrievalError as error:
        _say(f"research: {error}")
        sys.exit(FAILED)
    except streams.OutputError as error:
        if error.is_unread:
            sys.exit(streams.UNREAD)
        _say(f"research: standard output cannot be written: {error}")
        sys.exit(FAILED)
    except OSError as error:
        _say(f"research: {_reason(error)}; mend that and give the same command again")
        sys.exit(FAILED)


def _reason(error: OSError) -> str:
    """What the system says, and of which file; an OSError that the system did not make is a fault of ours, and is raised again."""
    if error.strerror is None:
        raise error
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _config(file: Path | None, **arguments: Any) -> Config:
    from palimpsest.workflows.config import Config

    return Config.load(file=file, **arguments)


def _find(reference: str, out: Path | None, file: Path | None) -> Run:
    from palimpsest.workflows.runs import Run

    return Run.find(reference, _config(file, out=out).out)


@app.command()
def run(
    question: Annotated[str, typer.Argument(help="the question, in quotes")],
    docs: Docs = None,
    model: Annotated[str | None, typer.Option(help=MODEL_HELP)] = None,
    writer: Annotated[
        str | None, typer.Option(help="URL#MODEL of a chat endpoint that writes the words between names and figures")
    ] = None,
    denoising: Annotated[
        str | None, typer.Option(help="how a hosted model writes: steady, fast or careful [default: steady]")
    ] = None,
    effort: Annotated[int | None, typer.Option(help="1 (quick) to 5 (thorough) [default: 3]")] = None,
    budget: Annotated[
        str | None, typer.Option(help="longest time, such as 90s or 5m; the report is written with what is known")
    ] = None,
    out: Out = None,
    seed: Annotated[int | None, typer.Option(help="the same seed gives the same report [default: 0]")] = None,
    seal: Annotated[
        Path | None, typer.Option("--seal", help="write the head of the finished log to a file, to keep elsewhere")
    ] = None,
    web: Annotated[
        str | None, typer.Option(help="services to ask, with commas between, or all (see: research services)")
    ] = None,
    since: Annotated[int | None, typer.Option(help="no source of a service older than this year")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="one kind of service: paper, encyclopaedia, web")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="ask nobody, whatever the settings say")] = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="services answer from the cache of earlier runs; nobody is asked")
    ] = False,
    contact: Annotated[str | None, typer.Option(help="your e-mail address, which services wish to know")] = None,
    approve_queries: Annotated[
        bool, typer.Option("--approve-queries", help="show each query before it leaves this machine, and wait")
    ] = False,
    name: Annotated[str, typer.Option(help="what the run is called [default: words of the question]")] = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Answer a question with a cited report.

    research run "Who designed the Eiffel Tower?" --docs notes/ --effort 4

    research run "Does masked diffusion scale?" --web arxiv,openalex --since 2023
    """
    from palimpsest.workflows.research import research
    from palimpsest.workflows.web import announcement

    docs_given = tuple(docs) if docs else None
    settings = _config(
        config, docs=docs_given, model=model, effort=effort, budget=budget, out=out, seed=seed, web=web, since=since,
        type=kind, offline=offline or None, replay=replay or None, contact=contact, approve_queries=approve_queries or None,
        writer=writer, denoising=denoising,
    )  # fmt: skip
    if hosts := announcement(settings):
        _say(f"research: {hosts}")
    elsewhere = f" --out {shlex.quote(str(out))}" if out else ""
    events = research(streams.typed(question), settings, approve=_may_leave, name=name)
    _follow(events, as_json, quiet, f"research resume last{elsewhere}", begins=True, seal=seal)


def _announce(found: Run) -> None:
    """Say whom a run that goes on will ask."""
    from palimpsest.workflows.web import announcement

    if hosts := announcement(found.record().config):
        _say(f"research: {hosts}")


def _may_leave(query: str) -> bool:
    """A person's word on a query; without a terminal to ask on, no."""
    if not sys.stdin.isatty():
        return False
    _say(f"ask services: “{query}”? [y/N]")
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


@app.command()
def resume(
    reference: Reference,
    model: Annotated[
        str | None, typer.Option(help="the host that the run asks, if it asks one and you trust it")
    ] = None,
    out: Out = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a run that was stopped or killed; it ends in the same report.

    research resume last
    """
    from palimpsest.workflows import research

    found, own = _find(reference, out, config), _config(config, model=model, out=out)
    _announce(found)
    _follow(
        research.resume(found, own=own, approve=_may_leave),
        as_json,
        quiet,
        f"research resume {shlex.quote(str(found.folder))}",
    )


@app.command()
def revise(
    reference: Reference,
    evidence: Annotated[list[Path] | None, typer.Option("--evidence", help="a new document; repeat for more")] = None,
    reopen: Annotated[
        list[str] | None, typer.Option("--reopen", help="a span id (see: research show RUN --spans)")
    ] = None,
    pin: Annotated[list[str] | None, typer.Option("--pin", help="a span id that must never change")] = None,
    out: Out = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Hold a finished report against new evidence; only what it contradicts is reopened.

    research revise last --evidence correction.md
    """
    from palimpsest.workflows import research

    found = _find(reference, out, config)
    mend = f"research resume {shlex.quote(str(found.folder))}"
    _follow(research.revise(found, evidence or [], reopen or [], pin or []), as_json, quiet, mend)
    if not (as_json or quiet):
        _print_changes(found, None, None)


def _follow(
    events: Generator[Event, None, None],
    as_json: bool,
    quiet: bool,
    mend: str,
    begins: bool = False,
    seal: Path | None = None,
) -> None:
    """Show events as they come; at the end the report, unless events are what was asked for.

    `mend` is the command that goes on after an interruption; a run that only `begins` has nothing to go on with before its first event.
    """
    from palimpsest.workflows.errors import BUDGET

    last: Event | None = None
    try:
        # Closed at once: a graph that is left in the middle keeps a thread, and the process would wait for it for ever.
        with closing(events), _shown(as_json, quiet) as show:
            for event in events:
                last = event
                show(event)
    except (KeyboardInterrupt, OSError, streams.OutputError) as error:
        _stop(error, "give the same command again" if begins and last is None else mend)
    if last is None or last.kind != "finished":
        return
    report = Path(last.data["report"])
    if seal:
        _write(seal, f"{last.data['seal']}\n")
    if not as_json:
        _print_report(report)
    if last.data.get("stopped") == "budget":
        _say("research: the time budget was spent; the report holds what was known by then")
        raise SystemExit(BUDGET)


def _stop(error: KeyboardInterrupt | OSError | streams.OutputError, mend: str) -> NoReturn:
    """Say why a run stopped in the middle, and how it goes on."""
    from palimpsest.workflows.errors import FAILED

    if isinstance(error, KeyboardInterrupt):
        _say(f"research: stopped; nothing is lost. Go on with: {mend}")
        raise SystemExit(130) from None
    if isinstance(error, OSError):
        _say(f"research: {_reason(error)}; mend that, then go on with: {mend}")
    elif error.is_unread:
        raise error
    else:
        _say(f"research: standard output cannot be written: {error}; nothing is lost, go on with: {mend}")
    raise SystemExit(FAILED) from error


def _print_report(report: Path) -> None:
    """The report, and where it lies; SystemExit 1 when it cannot be printed: it is kept."""
    from palimpsest.workflows.errors import FAILED

    try:
        print(_body(report.read_text(encoding="utf-8")), flush=True)
    except streams.OutputError as error:
        if error.is_unread:
            raise
        _say(f"research: standard output cannot be written: {error}; the report is kept: {report}")
        raise SystemExit(FAILED) from error
    _say(f"report: {report}")


def _print_json(row: str) -> None:
    """A line of JSON; where the output lacks letters they are escaped, and nothing is lost."""
    print(row if streams.can_encode(row) else streams.escaped_json(row), flush=True)


@contextmanager
def _shown(as_json: bool, quiet: bool) -> Iterator[Callable[[Event], None]]:
    """Where events go: JSON to standard output; else lines beside it, in a terminal with colours and the step under way."""
    if as_json:
        yield lambda event: _print_json(event.model_dump_json())
    elif quiet:
        yield lambda event: None
    elif not sys.stderr.isatty():
        yield lambda event: _say(_line(event))
    else:
        from rich.console import Console

        console = Console(stderr=True, highlight=False)
        with console.status("opening the documents and the model") as status:

            def show(event: Event) -> None:
                console.print(_line(event), style=_COLOURS.get(event.kind), markup=False, soft_wrap=True)
                status.update(event.step)

            yield show


_COLOURS = {
    "believed": "cyan",
    "wrote": "green",
    "conflict": "yellow",
    "reopened": "magenta",
    "revised": "bold green",
    "rolled back": "yellow",
    "failed": "red",
    "unestablished": "red",
}
_SIGNS = {
    "searched": "?",
    "believed": "~",
    "wrote": "+",
    "conflict": "!",
    "reopened": "▢",
    "revised": "→",
    "rolled back": "←",
}


def _line(event: Event) -> str:
    text = " ".join(event.text.split())
    if event.kind != "failed":  # the mend stands at the end of a failure
        text = textwrap.shorten(text, 150, placeholder=" …")
    return f"{event.step:>8} {_SIGNS.get(event.kind, ' ')} {text}"


def _body(report: str) -> str:
    """The report without its front matter."""
    return report.split("\n---\n", 1)[-1].strip("\n")


@app.command("list")
def list_runs(out: Out = None, config: ConfigFile = None, as_json: RowsAsJson = False) -> None:
    """The runs there are, the oldest first.

    research list --out reports
    """
    from palimpsest.workflows.errors import ResearchError
    from palimpsest.workflows.runs import Run

    for found in Run.all(_config(config, out=out).out):
        try:
            record = found.record()
        except ResearchError as error:
            _say(f"research: {error}")
            continue
        status = "done" if record.current.done else "unfinished"
        row = {
            "id": record.id,
            "created": record.created,
            "status": status,
            "versions": len(record.versions),
            "question": record.question,
        }
        if as_json:
            _print_json(json.dumps(row, ensure_ascii=False))
        else:
            print(f"{row['id']:55} {status:10} v{row['versions']}  {row['question']}")


@app.command()
def show(
    reference: Reference,
    spans: Annotated[bool, typer.Option("--spans", help="every filled span: id, confidence, source, words")] = False,
    sources: Annotated[
        bool, typer.Option("--sources", help="every source, and what was asked of which service")
    ] = False,
    out: Out = None,
    config: ConfigFile = None,
) -> None:
    """The newest report of a run, or every span of it with its id.

    research show last --spans
    """
    from palimpsest.workflows.errors import ResearchError

    found = _find(reference, out, config)
    if sources:
        _print_sources(found)
        return
    record = found.record()
    done = [v.number for v in record.versions if v.done]
    if not done:
        _say(f"research: {record.id} is not finished; go on with: research resume {record.id}")
        raise SystemExit(1)
    state = found.state(done[-1])
    if not spans:
        if not found.report.exists():
            mend = f"research export {record.id} -o {found.report}"
            raise ResearchError(f"{found.report} is missing; write it again with: {mend}")
        print(_body(found.report.read_text(encoding="utf-8")))
        return
    for span in (
        s for s in state.draft.spans() if s.status in ("filled", "pinned", "unestablished") and s.text.strip()
    ):
        source = state.passage(span.support[0].passage).source.title if span.support else ""
        sure = f"{span.confidence:.2f}" if span.confidence is not None else "    "
        print(f"{span.id:14} {span.kind:7} {sure} {span.text.strip()[:60]!r}  {source}")


@app.command("services")
def list_services(config: ConfigFile = None, as_json: RowsAsJson = False) -> None:
    """The services that --web can name: what kind each is, whom it asks, and what it needs.

    research services
    """
    from palimpsest.workflows.web import known

    for row in known(_config(config)):
        fields = f"{row['name']:18} {row['kind']:14} {row['asks']:36} {row['needs']}".rstrip()
        print(json.dumps(row, ensure_ascii=False) if as_json else fields)


def _print_sources(found: Run) -> None:
    """Sources as a table, then what was asked, service by service."""
    for source in found.sources():
        marks = " ".join(filter(None, (source.extent, source.retracted, source.version, source.licence)))
        when = source.date or "undated"
        print(f"{source.id}  {when:10}  {source.title[:60]:60}  {source.doi or source.uri}  {marks}".rstrip())
    for service, endings in found.count_calls().items():
        print(f"asked {service}: " + ", ".join(f"{count} {ending}" for ending, count in endings.items()))


@app.command()
def diff(
    reference: Reference,
    first: Annotated[int | None, typer.Argument(help="version before")] = None,
    last: Annotated[int | None, typer.Argument(help="version after")] = None,
    out: Out = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> None:
    """What changed, old to new, with the reason, the evidence and the model's probabilities.

    research diff last 1 2
    """
    _print_changes(_find(reference, out, config), first, last, as_json)


def _print_changes(found: Run, first: int | None, last: int | None, as_json: bool = False) -> None:
    from palimpsest.workflows.changes import diff as changes

    rows = changes(found, first, last)
    for change in rows:
        if as_json:
            _print_json(change.model_dump_json())
        else:
            print(_change(change))
    if not rows and not as_json:
        print("nothing was reopened")


def _change(change: Change) -> str:
    revision = change.revision
    lines = [
        f"{revision.span}  (version {revision.version}, {revision.reason})",
        f"  {_inline(revision.old, revision.new)}",
    ]
    if change.passage:
        lines.append(
            f"  {change.passage.source.title} ({change.passage.source.date or 'undated'}): “{change.sentence}”"
        )
    return "\n".join(lines)


def _inline(old: str, new: str) -> str:
    """Old and new in one line, words that went in [-...-], words that came in {+...+}."""
    a, b = old.split(" "), new.split(" ")
    pieces = []
    for tag, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(" ".join(a[i:j]))
            continue
        pieces += [f"[-{' '.join(a[i:j])}-]"] if j > i else []
        pieces += [f"{{+{' '.join(b[k:m])}+}}"] if m > k else []
    return " ".join(pieces)


@app.command()
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
        found = _find(reference, out, config)
        problems += audit.verify(found, _read(seal).strip() if seal else "")
        if report:
            problems += audit.compare(found, _read(report))
        held = f"{found.folder.name}: every quotation, citation, file and hash holds, and so does the chain of its log"
    else:
        problems += audit.check_report(_read(report or Path()))
        held = "the report's citations, sources and front matter hold together. " + audit.UNCHECKED
    for problem in problems:
        print(problem)
    if problems:
        raise SystemExit(1)
    print(held)


def _read(path: Path) -> str:
    from palimpsest.workflows.errors import USAGE, ResearchError

    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ResearchError(f"cannot read {path} ({error.strerror}); give another file", USAGE) from error
    except UnicodeDecodeError as error:
        raise ResearchError(f"{path} is not UTF-8 text; give the file as it was written", USAGE) from error


@app.command()
def export(
    reference: Reference,
    form: Annotated[str, typer.Option("--format", help="md, html, json, bib, csl, ris, references or seal")] = "md",
    style: Annotated[
        str | None, typer.Option(help="references: a citation style by name, or a .csl file [default: Harvard]")
    ] = None,
    to: Annotated[Path | None, typer.Option("--output", "-o", help="file to write [default: standard output]")] = None,
    out: Out = None,
    config: ConfigFile = None,
) -> None:
    """A report as markdown, HTML or JSON; its sources as BibTeX, CSL-JSON, RIS or in a style; or its seal.

    The seal is the head of its log, to keep elsewhere for `verify --seal`.

    research export last --format html -o report.html
    """
    from palimpsest.workflows import export as forms
    from palimpsest.workflows.errors import USAGE, ResearchError
    from palimpsest.workflows.seal import head

    found = _find(reference, out, config)
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
    if form not in makers:
        raise ResearchError(f"there is no format {form!r}; the formats are {', '.join(makers)}", USAGE)
    text = makers[form]()
    if to is None:
        escape = {"json": streams.escaped_json, "html": streams.escaped_html}.get(form)
        print(text if escape is None or streams.can_encode(text) else escape(text), end="")
        return
    _write(to, text)


def _write(path: Path, text: str) -> None:
    from palimpsest.workflows.errors import USAGE, ResearchError
    from palimpsest.workflows.runs import write

    try:
        write(path, text)
    except OSError as error:
        raise ResearchError(f"cannot write {path} ({error.strerror}); name another place", USAGE) from error


@index_app.command("add")
def index_add(docs: Annotated[list[Path], typer.Argument(help="files or folders")], config: ConfigFile = None) -> None:
    """Index documents ahead of a run; what is indexed already is left as it is.

    research index add notes/
    """
    from palimpsest.workflows.corpus import check_docs, open_index, pace

    check_docs(docs)
    index, failures = open_index(_config(config, docs=tuple(docs)), pace(_say))
    info = index.info()
    for failure in failures:
        _say(f"not read: {failure.name}: {failure.message}")
    unread = f"; {info.num_unread} not read, or not whole" if info.num_unread else ""
    print(f"{info.num_documents} documents, {info.num_passages} passages{unread}")


@index_app.command("search")
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
    from palimpsest.workflows.corpus import check_docs, search_index

    settings = _config(config, docs=tuple(docs) if docs else None)
    check_docs(settings.docs)
    for hit in search_index(settings, streams.typed(query), k, since=since, type=type, path=path):
        place = " › ".join([hit.passage.source.title, *hit.passage.path])
        page = f", page {hit.passage.page}" if hit.passage.page else ""
        print(f"{hit.score:.4f} {place}{page} [{', '.join(hit.found_by)}]")
        print(textwrap.indent(textwrap.fill(hit.passage.text, 100), "    "))


@index_app.command("info")
def index_info(docs: Docs = None, config: ConfigFile = None) -> None:
    """What an index holds, and whether it is sound.

    research index info --docs notes/
    """
    from palimpsest.workflows.corpus import check_docs, open_index

    settings = _config(config, docs=tuple(docs) if docs else None)
    check_docs(settings.docs)
    index, failures = open_index(settings)
    print(index.info().model_dump_json(indent=2))
    for sentence in [*index.repaired, *index.check(), *(f"skipped {f.name}: {f.message}" for f in failures)]:
        print(sentence)


@app.command("eval")
def evaluate(
    suite: Annotated[str, typer.Argument(help="wikipedia, hotpotqa or open")],
    data: Annotated[Path, typer.Option(help="folder with the suite's files")],
    pages: Annotated[Path | None, typer.Option(help="wikipedia: a file of pages as a haystack")] = None,
    collection: Annotated[str, typer.Option(help="open: one collection of the folder [default: all]")] = "",
    limit: Annotated[int, typer.Option(min=0, help="questions, 0 for all")] = 100,
    effort: Annotated[int | None, typer.Option(help="1 (quick) to 5 (thorough) [default: 3]")] = None,
    seed: Annotated[int | None, typer.Option(help="draws the questions [default: 0]")] = None,
    rows: Annotated[
        Path | None,
        typer.Option("--out", help="open: file for one row a question; a run that was stopped goes on from it"),
    ] = None,
    to: Annotated[Path | None, typer.Option("--json", help="file for settings, figures and every row")] = None,
    config: ConfigFile = None,
) -> None:
    """Measure the whole program: index a suite's documents, ask its questions, score the reports.

    research eval wikipedia --data eval/ --pages train/wikipedia_pages.jsonl.xz --limit 100

    research eval open --data open/ --out rows.jsonl
    """
    from palimpsest.workflows.errors import USAGE, ResearchError
    from palimpsest.workflows.evaluation import suites as measure

    chosen = _config(config, effort=effort, seed=seed)
    if suite == "open":
        if pages or rows is None:
            raise ResearchError(
                "the suite open takes no --pages, and wants a file for its rows: --out rows.jsonl", USAGE
            )
        _evaluate_open(chosen, data, collection, limit, rows, to)
    elif suite not in measure.SUITES:
        raise ResearchError(f"there is no suite {suite!r}; the suites are {', '.join(measure.SUITES)} and open", USAGE)
    elif collection or rows:
        raise ResearchError(f"--collection and --out belong to the suite open; leave them out for {suite}", USAGE)
    else:
        _evaluate_suite(chosen, suite, data, pages, limit, to)


def _evaluate_suite(config: Config, suite: str, data: Path, pages: Path | None, limit: int, to: Path | None) -> None:
    from palimpsest.workflows.calibration import numbers_of
    from palimpsest.workflows.corpus import default_folder, open_embedder, open_writer
    from palimpsest.workflows.evaluation import suites as measure
    from palimpsest.workflows.runs import write

    folder = (config.index or default_folder()) / f"eval-{suite}-{'pages' if pages else 'plain'}"
    rows: list[measure.Row] = []
    for item in measure.evaluate(
        measure.SUITES[suite], data, folder, writer=open_writer(config), embedder=open_embedder(),
        limit=limit, seed=config.seed, budget=config.limits, pages=pages, numbers=numbers_of(config.model),
    ):  # fmt: skip
        if isinstance(item, measure.Progress):
            _say(f"indexed {item.done} of {item.total} documents")
        else:
            rows.append(item)
            _say(f"{len(rows):4} f1 {item.f1:.2f}  {item.question}  →  {item.answer or 'not established'}")
    for name, value in measure.summary(rows).items():
        print(f"{name:20} {value:8.2f}")
    if to:
        settings = {"suite": suite, "limit": limit, "seed": config.seed, "effort": config.effort, "pages": bool(pages)}
        write(to, measure.to_json(rows, settings))


def _evaluate_open(config: Config, data: Path, collection: str, limit: int, out: Path, to: Path | None) -> None:
    from palimpsest.workflows.calibration import numbers_of
    from palimpsest.workflows.corpus import default_folder, open_embedder, open_writer
    from palimpsest.workflows.evaluation import open_questions as measure
    from palimpsest.workflows.evaluation.open_score import by_group
    from palimpsest.workflows.evaluation.suites import Progress
    from palimpsest.workflows.runs import write

    scope = {"data": str(data.resolve()), "collection": collection, "limit": limit}
    settings = {**scope, "seed": config.seed, "effort": config.effort, "model": config.model}
    read = measure.read_data(data, collection)
    rows = []
    for item in measure.evaluate_open(
        read, config.index or default_folder(), out, settings,
        writer=open_writer(config), embedder=open_embedder(), budget=config.limits, numbers=numbers_of(config.model),
    ):  # fmt: skip
        if isinstance(item, Progress):
            _say(f"indexed {item.done} of {item.total} documents")
        else:
            question, row = item
            rows.append(row)
            _say(f"{len(rows):4} {len(row.citations):3} citations {row.seconds:6.1f} s  {question.question}")
    scored = measure.scored(read, rows)
    for group, figures in by_group(scored).items():
        print(f"{group}: {sum(r.collection == group or group == 'all' for r in scored)} questions")
        for name, figure in figures.items():
            print(f"  {name:22} {figure.mean:9.3f}  [{figure.low:.3f}, {figure.high:.3f}]  of {figure.n}")
    if to:
        write(to, measure.to_json(scored, settings))


@app.command()
def serve(
    model: Annotated[
        str | None, typer.Option("--model", help="embedded, a folder of weights, or a Hugging Face id")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535)] = 8321,
    active: Annotated[int, typer.Option("--max-active", min=1, help="canvases that share a step")] = 16,
    waiting: Annotated[int, typer.Option("--max-waiting", min=0, help="more requests that may wait")] = 64,
    hosts: Annotated[
        list[str] | None, typer.Option("--allow-host", help="a name that a reverse proxy on this machine asks for")
    ] = None,
    docs: Docs = None,
    web: Annotated[str | None, typer.Option(help="services that runs of others may ask [default: none]")] = None,
    out: Out = None,
    config: ConfigFile = None,
) -> None:
    """Hold a model and serve it over HTTP: revise canvases, stream their frames, chat, runs, health, metrics.

    Runs of others read what --docs names, ask at most what --web names, and lie in --out.

    research serve --port 8321, and elsewhere: research run "..." --model http://127.0.0.1:8321
    """
    from palimpsest.workflows.config import serve_token
    from palimpsest.workflows.corpus import open_model
    from palimpsest.workflows.serving import server

    token = serve_token()
    server.check_exposure(host, token)
    with server.listen(host, port) as listener:
        settings = _config(config, model=model, docs=tuple(docs) if docs else None, web=web, out=out)
        writer = open_model(settings)
        _say(f"serving {writer.name} on {server.address_of(listener)}")
        application = server.application(
            writer, active=active, waiting=waiting, token=token, hosts=hosts or (), config=settings
        )
        server.serve(application, listener)


@app.command()
def ui(
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8501,
    host: Annotated[
        str, typer.Option("--host", help="address to listen on; another than this machine's wants a token")
    ] = "127.0.0.1",
    docs: Docs = None,
    runs: Annotated[Path | None, typer.Option("--runs", help="folder of runs [default: runs]")] = None,
    model: Annotated[str | None, typer.Option(help=MODEL_HELP)] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="open the page")] = True,
    config: ConfigFile = None,
) -> None:
    """Open the research workbench: ask, watch masks turn into words, judge, steer, and take the report home.

    research ui --docs notes/
    """
    from palimpsest.workflows.corpus import check_docs

    from .workbench import serving

    settings = _config(config, docs=tuple(docs) if docs else None, out=runs, model=model)
    check_docs(settings.docs)
    serving.serve(settings, host, port, browser=browser, say=_say)


@app.command()
def mcp(
    docs: Docs = None,
    web: Annotated[str | None, typer.Option(help="services that clients may ask [default: none]")] = None,
    out: Out = None,
    config: ConfigFile = None,
) -> None:
    """Serve research, ask, search and verify as tools of the Model Context Protocol, over standard input and output.

    research mcp --docs notes/ --web wikipedia,openalex
    """
    from palimpsest.workflows.errors import USAGE, ResearchError

    try:
        from palimpsest.workflows.mcp import server
    except ModuleNotFoundError as error:
        raise ResearchError(
            "research mcp needs one more library: pip install 'palimpsest-research[mcp]'", USAGE
        ) from error
    settings = _config(config, docs=tuple(docs) if docs else None, web=web, out=out)
    server(settings).run("stdio")


@app.command()
def doctor(config: ConfigFile = None) -> None:
    """Check the installation, line by line, with the mend; exit 1 when something is broken.

    research doctor
    """
    from palimpsest.workflows.doctor import examine

    results = examine(_config(config))
    for name, fine, text in results:
        print(f"{'ok ' if fine else 'BAD'} {name}: {text}")
    if not all(fine for _, fine, _ in results):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
