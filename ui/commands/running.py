"""Runs: begin one, go on with one, see what there is."""

from __future__ import annotations

import json
import shlex
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import streams
from ..options import MODEL_HELP, AsJson, ConfigFile, Docs, ModelHost, Out, Quiet, Reference, RowsAsJson, WriterHost
from ..planning import approved
from ..progress import follow
from ..saying import announce, body, configured, find, for_reader, may_leave, print_json, say

if TYPE_CHECKING:
    from palimpsest.agent.state import Event
    from palimpsest.workflows.frames import Show
    from palimpsest.workflows.runs import Run


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
    approve: Annotated[
        bool, typer.Option("--approve", help="show the plan, to be changed in the terminal, and wait for a go")
    ] = False,
    name: Annotated[str, typer.Option(help="what the run is called [default: words of the question]")] = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Answer a question with a cited report.

    research run "Who designed the Eiffel Tower?" --docs notes/ --effort 4

    research run "Does masked diffusion scale?" --web arxiv,openalex --since 2023 --approve
    """
    from palimpsest.workflows.research import research
    from palimpsest.workflows.runs import Run
    from palimpsest.workflows.web import announcement

    docs_given = tuple(docs) if docs else None
    settings = configured(
        config, docs=docs_given, model=model, effort=effort, budget=budget, out=out, seed=seed, web=web, since=since,
        type=kind, offline=offline or None, replay=replay or None, contact=contact, approve_queries=approve_queries or None,
        writer=writer, denoising=denoising,
    )  # fmt: skip
    if hosts := announcement(settings):
        say(f"research: {hosts}")
    asked, made = streams.typed(question), list[Run]()
    plan = approved(asked, settings) if approve else None

    def begin(watch: Show | None) -> Generator[Event, None, None]:
        return research(asked, settings, plan=plan, approve=may_leave, created=made.append, name=name, watch=watch)

    follow(begin, as_json, quiet, f"research resume last{_elsewhere(out, model, writer)}", made, seal)


def _elsewhere(out: Path | None, model: str | None, writer: str | None) -> str:
    """What has to be said again to go on with a run: where it lies, and the hosts that it asks."""
    asked = f" --model {shlex.quote(model)}" if model and "://" in model else ""
    written = f" --writer {shlex.quote(writer)}" if writer else ""
    return (f" --out {shlex.quote(str(out))}" if out else "") + asked + written


def resume(
    reference: Reference,
    model: ModelHost = None,
    writer: WriterHost = None,
    out: Out = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a run that was stopped or killed; it ends in the same report.

    research resume last
    """
    from palimpsest.workflows import research

    found, own = find(reference, out, config), configured(config, model=model, writer=writer, out=out)
    announce(found)
    follow(
        lambda watch: research.resume(found, own=own, approve=may_leave, watch=watch),
        as_json,
        quiet,
        f"research resume {shlex.quote(str(found.folder))}{_elsewhere(None, model, writer)}",
        [found],
    )


def list_runs(out: Out = None, config: ConfigFile = None, as_json: RowsAsJson = False) -> None:
    """The runs there are, the oldest first.

    research list --out reports
    """
    from palimpsest.workflows.errors import ResearchError
    from palimpsest.workflows.runs import Run

    for found in Run.all(configured(config, out=out).out):
        try:
            record = found.record()
        except ResearchError as error:
            say(f"research: {error}")
            continue
        status = "stopped" if record.current.stopped else "done" if record.current.done else "unfinished"
        row = {
            "id": record.id,
            "created": record.created,
            "status": status,
            "versions": len(record.versions),
            "question": record.question,
        }
        if as_json:
            print_json(json.dumps(row, ensure_ascii=False))
        else:
            print(f"{row['id']:55} {status:10} v{row['versions']}  {row['question']}")


def show(
    reference: Reference,
    spans: Annotated[bool, typer.Option("--spans", help="every filled span: id, kind, words, source")] = False,
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

    found = find(reference, out, config)
    if sources:
        _print_sources(found)
        return
    record = found.record()
    done = [v.number for v in record.versions if v.done]
    if not done:
        say(f"research: {record.id} is not finished; go on with: research resume {record.id}")
        raise SystemExit(1)
    state = found.state(done[-1])
    if not spans:
        if not found.report.exists():
            mend = f"research export {record.id} -o {found.report}"
            raise ResearchError(f"{found.report} is missing; write it again with: {mend}")
        print(for_reader(body(found.report.read_text(encoding="utf-8"))))
        return
    for span in (
        s for s in state.draft.spans() if s.status in ("filled", "pinned", "unestablished") and s.text.strip()
    ):
        source = state.passage(span.support[0].passage).source.title if span.support else ""
        print(f"{span.id:14} {span.kind:7} {span.text.strip()[:60]!r}  {source}")


def _print_sources(found: Run) -> None:
    """Sources as a table with the numbers that they have in the newest report, then what was asked, service by service."""
    from palimpsest.workflows.rendering.text import visible

    done = [v.number for v in found.record().versions if v.done]
    numbers = {name: f"[{n}]" for n, name in enumerate(found.state(done[-1]).references, 1)} if done else {}
    print(f"{'cited':5}  {'source':12}  {'date':10}  {'read':8}  {'title':60}  where, and what to know of it")
    for source in found.sources():
        marks = ", ".join(filter(None, (source.retracted, source.version, source.licence)))
        place = f"doi:{source.doi}" if source.doi else source.uri
        fields = (
            f"{numbers.get(source.id, ''):5}  {source.id}  {source.date or 'undated':10}  {source.extent or 'whole':8}"
        )
        print(visible(f"{fields}  {source.title[:60]:60}  {place}  {marks}").rstrip())
    for service, endings in found.count_calls().items():
        print(f"asked {service}: " + ", ".join(f"{count} {ending}" for ending, count in endings.items()))


def list_services(config: ConfigFile = None, as_json: RowsAsJson = False) -> None:
    """The services that --web can name: what kind each is, whom it asks, and what it needs.

    research services
    """
    from palimpsest.workflows.web import known

    for row in known(configured(config)):
        fields = f"{row['name']:18} {row['kind']:14} {row['asks']:36} {row['needs']}".rstrip()
        print(json.dumps(row, ensure_ascii=False) if as_json else fields)
