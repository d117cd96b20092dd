"""The main job: a question becomes a run folder with a cited report; a stopped run goes on; a finished one is revised."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palimpsest.agent import loop
from palimpsest.agent.budget import Stopped, nobody
from palimpsest.agent.frames import Watch
from palimpsest.agent.plans import Plan
from palimpsest.agent.state import Event, Lasting, ResearchState, Tools
from palimpsest.agent.steering import NOTHING, Steering
from palimpsest.retrieval.types import Found

from . import changes, corpus, export
from .amending import NO_EVIDENCE, Evidence, amend, check_hosts, start
from .config import Config, is_text, keep_tracing_off, make
from .documents import check_docs
from .errors import FAILED, USAGE, DamagedError, ResearchError
from .frames import FrameLog, Show
from .memory import bound_arenas
from .runs import Record, Run, write
from .seal import head, sealed

if TYPE_CHECKING:
    from .web import Approve

LONGEST_QUESTION = 10_000  # letters; a page and a half of close print
OPENING = "opening the documents and the model"
Events = Generator[Event, None, None]


def research(
    question: str,
    config: Config | None = None,
    *,
    plan: Plan | None = None,
    approve: Approve | None = None,
    created: Callable[[Run], None] | None = None,
    name: str = "",
    watch: Show | None = None,
    **settings: Any,
) -> Events:
    """Answer a question; yields events as they happen, the last of them `finished` with the run's id and report in its data.

    `settings` override those of `config`; a `plan` stands in the place of one made here; with `approve_queries` each query of the web
    waits for `approve`; `created` is told the run as soon as it has a folder, which is called `name` when one is given; `watch` sees
    the frames. ResearchError for a question, documents or services that cannot be used.
    """
    base = config or Config.load()
    chosen = make({**base.model_dump(), **settings}) if settings else base
    if plan:
        chosen = chosen.model_copy(update={"plan": plan.items})
    return _new(checked(question, chosen), chosen, approve, created, name, watch)


def checked(question: str, config: Config) -> str:
    """The question on one line. ResearchError when it, the documents or the working folder cannot be used."""
    if not question.strip():
        raise ResearchError('the question is empty; ask one: research run "Who designed the Eiffel Tower?"', USAGE)
    if not is_text(question):
        raise ResearchError("the question holds bytes that are no text; type it again in UTF-8", USAGE)
    if len(question) > LONGEST_QUESTION:
        length = f"{len(question):,} letters long, and at most {LONGEST_QUESTION:,} are read"
        raise ResearchError(f"the question is {length}; ask shorter, and put the rest into a file for --docs", USAGE)
    if not is_text(str(Path.cwd())):
        raise ResearchError(
            "the working folder's name holds bytes that are no text here; go to another or set LC_ALL=C.UTF-8", USAGE
        )
    check_docs(config.docs)
    return " ".join(question.split())


def _new(
    question: str,
    config: Config,
    approve: Approve | None,
    created: Callable[[Run], None] | None,
    name: str,
    watch: Show | None,
) -> Events:
    begun = time.monotonic()
    with _opened(config, approve, question, watch) as (tools, held):
        held.prepare()
        run = Run.create(question, config, tools.writer.name, name)
        if created:
            created(run)
        with run.locked():
            yield from _advance(run, tools, held, FrameLog(run, 1, watch), spent=time.monotonic() - begun)


def resume(run: Run, *, own: Config | None = None, approve: Approve | None = None, watch: Show | None = None) -> Events:
    """Go on with the version that was being written or that a person stopped, from its last checkpoint.

    `own` are the settings of whoever resumes: the run's hosts must be theirs. ResearchError when it is finished.
    """
    record = run.record()
    if record.current.done and not record.current.stopped:
        raise ResearchError(f"{record.id} is finished; see it with: research show {record.id}", USAGE)
    check_hosts(record, own)
    run.forget_stop()
    return go_on(run, approve=approve, watch=watch)


def go_on(run: Run, *, approve: Approve | None = None, watch: Show | None = None) -> Events:
    """Write the version that waits to be written, from its last checkpoint; its hosts were checked by whoever began it."""
    with run.locked():
        record = run.record()
        if record.current.done and not record.current.stopped:
            raise ResearchError(f"{record.id} is finished; see it with: research show {record.id}", USAGE)
        if record.current.stopped:
            again = record.current.model_copy(update={"done": False, "stopped": False})
            record = record.model_copy(update={"versions": (*record.versions[:-1], again)})
            run.save(record)
        frames = FrameLog(run, record.current.number, watch)
        settings = record.config.seen_from(record.started_in)
        begun = time.monotonic()
        with _opened(settings, approve, record.question, frames.show, run.is_stop_asked) as (tools, held):
            is_begun = record.model != ""
            if not is_begun:  # `processes.begin` made the folder before anything was opened
                held.prepare()
                run.save(record.model_copy(update={"model": tools.writer.name}))
            yield from _advance(run, tools, held, frames, spent=0.0 if is_begun else time.monotonic() - begun)


def revise(
    run: Run,
    evidence: Sequence[Path] | Evidence = (),
    reopen: Sequence[str] = (),
    pin: Sequence[str] = (),
    *,
    steering: Steering = NOTHING,
    own: Config | None = None,
    approve: Approve | None = None,
    watch: Show | None = None,
) -> Events:
    """Write the next version of a finished report: hold it against what a person brings, and do what they ask of it."""
    brought = evidence if isinstance(evidence, Evidence) else NO_EVIDENCE.model_copy(update={"files": tuple(evidence)})
    wish = steering.model_copy(update={"reopen": (*steering.reopen, *reopen), "pin": (*steering.pin, *pin)})
    amend(run, wish, brought, own)
    run.forget_stop()
    return go_on(run, approve=approve, watch=watch)


@contextmanager
def _opened(
    config: Config,
    approve: Approve | None,
    question: str,
    watch: Show | None,
    stop: Callable[[], bool] = nobody,
) -> Iterator[tuple[Tools, corpus.Corpus]]:
    bound_arenas()
    note = Watch(watch, "open").note if watch else _unheard
    note(OPENING)
    opener = partial(corpus.open_index, watch=corpus.pace(note), stop=stop)
    held = corpus.Corpus(config, opener, approve=approve, question=question)
    try:
        yield corpus.tools(config, held), held
    finally:
        held.close()


def _unheard(text: str) -> None:
    """Nobody listens."""


def _advance(run: Run, tools: Tools, held: corpus.Corpus, frames: FrameLog, spent: float = 0.0) -> Events:
    """Write the current version from its last checkpoint to its files; the first event after a kill repeats what was lost.

    `spent` are the seconds that opening took: they belong to the budget of a fresh run. Where a person stops it, its files hold what
    was known by then, and its checkpoint stays where it was.
    """
    from .graph import Checkpointed

    keep_tracing_off()
    record = run.record()
    version = record.current
    search = _keeping(run, tools.search, held)
    tools = replace(
        tools, search=search, watch=Watch(frames.show, event_came=frames.event_came), stop=run.is_stop_asked
    )
    try:
        with Checkpointed(run.checkpoint) as graph:
            reached = graph.reached(version.number)
            if reached and run.count_events(version.number) < reached[1]:
                reached = None  # somebody cut the log; told from the beginning, it is whole again
            count = reached[1] if reached else 0
            run.cut_events(version.number, count)
            frames.events = count
            begun = None if reached else start(run, version, record).model_copy(update={"spent": spent})
            log = EventLog(run, version.number, count)
            try:
                if not (reached and reached[0].finished):
                    yield from log.kept(graph.stream(version.number, begun, tools))
                final = graph.reached(version.number)
            except Stopped as stopped:
                final = (yield from _concluded(log, stopped.known, tools)), log.count
                run.forget_stop()
    except (sqlite3.DatabaseError, DamagedError) as error:
        raise _unusable(run, record, error) from error
    assert final is not None, "a finished graph has a checkpoint"
    yield _counted(_finish(run, record, *final), tools)


@dataclass
class EventLog:
    """The log of one version: `count` events are in it."""

    run: Run
    version: int
    count: int

    def kept(self, events: Iterator[Event]) -> Events:
        """The events, each in the log before it is told; `finished` is told when the files are written."""
        for event in events:
            self.run.log(self.version, self.count, event)
            self.count += 1
            if event.kind != "finished":
                yield event


def _concluded(log: EventLog, known: ResearchState, tools: Tools) -> Generator[Event, None, ResearchState]:
    """A report of what a stopped run knows. Its events are logged beyond the checkpoint: whoever goes on takes them back."""
    reached = [known]

    def concluding() -> Events:
        reached.append((yield from loop.conclude(known, tools)))

    yield from log.kept(concluding())
    return reached[-1]


def _counted(event: Event, tools: Tools) -> Event:
    """The last event with the rows that this process computed: what a resumed run spares is no part of its log."""
    rows = tools.writer.rows if isinstance(tools.writer, Lasting) else None
    if rows is None or not rows.anew:
        return event
    text = f"{event.text}; {rows.computed:,} rows computed, {rows.anew:,} on canvases laid anew"
    return event.model_copy(update={"text": text, "data": {**event.data, "rows": rows.model_dump()}})


def _keeping(
    run: Run, search: Callable[[Sequence[str], int], Found], held: corpus.Corpus
) -> Callable[[Sequence[str], int], Found]:
    """The search, with the text of what it finds stored in the run at once: before the run ends, the file may change or go."""

    def search_and_keep(queries: Sequence[str], k: int) -> Found:
        found = search(queries, k)
        known = {s.id for s in run.sources()}
        run.keep_sources([held.document(h.passage) for h in found.hits if h.passage.source.id not in known])
        run.keep_calls(found.calls)
        return found

    return search_and_keep


_OUTSIDE = {  # what SQLite says of the disk and of rights, rather than of the file: the mend
    sqlite3.SQLITE_FULL: "make room on the disk",
    sqlite3.SQLITE_IOERR: "make room on the disk, or see whether it is sound",
    sqlite3.SQLITE_BUSY: "let the other program end",
    sqlite3.SQLITE_READONLY: "make it writable",
    sqlite3.SQLITE_CANTOPEN: "make its folder writable",
    sqlite3.SQLITE_PERM: "make it writable",
}


def _unusable(run: Run, record: Record, error: Exception) -> ResearchError:
    mend = _OUTSIDE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    if mend:
        problem = f"{run.checkpoint} cannot be used ({error})"
        return ResearchError(f"{problem}; nothing is lost: {mend}, and go on with: research resume {record.id}", FAILED)
    return ResearchError(
        f"the checkpoint of {record.id} is damaged ({error}); delete {run.checkpoint} and resume: the run then starts over",
        FAILED,
    )


def _finish(run: Run, record: Record, state: ResearchState, count: int) -> Event:
    """Seal a finished version in the log after its `count` events, write every file of it, and last the line that says it is done."""
    version, text = record.current, state.model_dump_json() + "\n"
    run.cut_events(version.number, count)
    run.log(version.number, count, sealed(run, record, version.number, text))
    write(run.folder / "drafts" / f"{version.number}.json", text)
    log = head(run.events())
    for name, content in export.derived(record, state, log).items():
        write(run.folder / name, content)
    stopped = state.finished == "stopped"
    done = (*record.versions[:-1], version.model_copy(update={"done": True, "stopped": stopped}))
    run.save(record.model_copy(update={"versions": done}))
    words, data = loop.summary(state)
    if version.number > 1:
        opened = [s for r in state.revisions if r.version == version.number for s in r.reopened]
        before = run.state(version.number - 1).draft
        data = {**data, "untouched": changes.compared(before, state.draft, opened).model_dump(exclude={"broken"})}
    where = {
        "run": record.id,
        "folder": str(run.folder),
        "report": str(run.report),
        "version": version.number,
        "seal": log,
        "asked": run.count_calls(),
    }
    return Event(step="finish", kind="finished", text=words, data={**data, **where})
