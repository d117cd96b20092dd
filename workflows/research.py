"""The main job: a question becomes a run folder with a cited report; a stopped run goes on; a finished one is revised."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palimpsest.agent import loop
from palimpsest.agent.state import Event, ResearchState, Tools
from palimpsest.retrieval.chunks import passages
from palimpsest.retrieval.loaders import load
from palimpsest.retrieval.types import Document, Found, Passage, RetrievalError

from . import corpus, export
from .config import Config, is_text, keep_tracing_off, make
from .errors import FAILED, USAGE, DamagedError, ResearchError
from .memory import bound_arenas
from .runs import Record, Run, Version, write
from .seal import head, sealed

if TYPE_CHECKING:
    from .web import Approve

LONGEST_QUESTION = 10_000  # letters; a page and a half of close print


def research(
    question: str,
    config: Config | None = None,
    *,
    approve: Approve | None = None,
    created: Callable[[Run], None] | None = None,
    name: str = "",
    **settings: Any,
) -> Generator[Event, None, None]:
    """Answer a question; yields events as they happen, the last of them `finished` with the run's id and report in its data.

    `settings` override those of `config`; with `approve_queries` each query of the web waits for `approve`; `created` is told the
    run as soon as it has a folder, which is called `name` when one is given. ResearchError for a question, documents or services that
    cannot be used.
    """
    base = config or Config.load()
    chosen = make({**base.model_dump(), **settings}) if settings else base
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
    corpus.check_docs(chosen.docs)
    return _new(" ".join(question.split()), chosen, approve, created, name)


def _new(
    question: str, config: Config, approve: Approve | None, created: Callable[[Run], None] | None, name: str
) -> Generator[Event, None, None]:
    begun = time.monotonic()
    with _opened(config, approve, question) as (tools, held):
        held.prepare()
        run = Run.create(question, config, tools.writer.name, name)
        if created:
            created(run)
        with run.locked():
            yield from _advance(run, tools, held, spent=time.monotonic() - begun)


def resume(run: Run) -> Generator[Event, None, None]:
    """Go on with the version that was being written, from its last checkpoint. ResearchError when it is finished."""
    record = run.record()
    if record.current.done:
        raise ResearchError(f"{record.id} is finished; see it with: research show {record.id}", USAGE)
    return _resume(run, record)


def _resume(run: Run, record: Record) -> Generator[Event, None, None]:
    with run.locked(), _opened(record.config.seen_from(record.started_in), question=record.question) as (tools, held):
        yield from _advance(run, tools, held)


def revise(
    run: Run, evidence: Sequence[Path] = (), reopen: Sequence[str] = (), pin: Sequence[str] = ()
) -> Generator[Event, None, None]:
    """Write the next version of a finished report: hold it against new files, reopen or pin spans by id."""
    if not (evidence or reopen or pin):
        raise ResearchError("nothing to revise with; give --evidence FILE, --reopen SPAN or --pin SPAN", USAGE)
    if len({path.name for path in evidence}) < len(evidence):
        raise ResearchError("two evidence files have the same name; rename one", USAGE)
    documents = [_loaded(path, uri=f"evidence:{path.name}") for path in evidence]
    with run.locked():
        record = _with_next_version(run, list(evidence), tuple(reopen), tuple(pin))
        run.keep_sources(documents)
        run.save(record)
    return _resume(run, record)


def _with_next_version(run: Run, evidence: list[Path], reopen: tuple[str, ...], pin: tuple[str, ...]) -> Record:
    """The record of a finished run with one more version begun, its evidence copied into the run."""
    record = run.record()
    if not record.current.done:
        raise ResearchError(f"{record.id} is not finished; first: research resume {record.id}", USAGE)
    _amended(run.state(record.current.number), [], reopen, pin)
    number = record.current.number + 1
    version = Version(number=number, kind="revise", inputs=run.take(number, evidence), reopen=reopen, pin=pin)
    return record.model_copy(update={"versions": (*record.versions, version)})


def _loaded(path: Path, uri: str | None = None) -> Document:
    try:
        return load(path, uri=uri)
    except RetrievalError as error:
        raise ResearchError(str(error), USAGE) from error


def _amended(
    state: ResearchState, found: Sequence[Passage], reopen: Sequence[str], pin: Sequence[str]
) -> ResearchState:
    spans = {s.id: s for s in state.draft.spans()}
    for name in (*reopen, *pin):
        if name not in spans or not spans[name].may_change:
            places = [s.id for s in spans.values() if s.may_change]
            wrong = f"span {name!r} is fixed" if name in spans else f"there is no span {name!r}"
            raise ResearchError(f"{wrong}; some that may be opened or pinned: {', '.join(places[:8])}", USAGE)
    return loop.amend(state, found, reopen, pin)


def _start(run: Run, version: Version, record: Record) -> ResearchState:
    """The state from which a version is written; a function of what lies in the run folder."""
    if version.kind == "run":
        return ResearchState(question=record.question, budget=record.config.limits)
    documents = [_loaded(run.folder / name, uri=f"evidence:{Path(name).name}") for name in version.inputs]
    found = [p for d in documents for p in passages(d)]
    return _amended(run.state(version.number - 1), found, version.reopen, version.pin)


@contextmanager
def _opened(
    config: Config, approve: Approve | None = None, question: str = ""
) -> Iterator[tuple[Tools, corpus.Corpus]]:
    bound_arenas()
    held = corpus.Corpus(config, approve=approve, question=question)
    try:
        yield corpus.tools(config, held), held
    finally:
        held.close()


def _advance(run: Run, tools: Tools, held: corpus.Corpus, spent: float = 0.0) -> Generator[Event, None, None]:
    """Write the current version from its last checkpoint to its files; the first event after a kill repeats what was lost.

    `spent` are the seconds that opening took: they belong to the budget of a fresh run.
    """
    from .graph import Checkpointed

    keep_tracing_off()
    record = run.record()
    version = record.current
    tools = replace(tools, search=_keeping(run, tools.search, held))
    try:
        with Checkpointed(run.checkpoint) as graph:
            reached = graph.reached(version.number)
            if reached and run.count_events(version.number) < reached[1]:
                reached = None  # somebody cut the log; told from the beginning, it is whole again
            count = reached[1] if reached else 0
            run.cut_events(version.number, count)
            if not (reached and reached[0].finished):
                start = None if reached else _start(run, version, record).model_copy(update={"spent": spent})
                for event in graph.stream(version.number, start, tools):
                    run.log(version.number, count, event)
                    count += 1
                    if event.kind != "finished":
                        yield event
            final = graph.reached(version.number)
    except (sqlite3.DatabaseError, DamagedError) as error:
        raise _unusable(run, record, error) from error
    assert final is not None, "a finished graph has a checkpoint"
    yield _finish(run, record, *final)


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
    done = (*record.versions[:-1], version.model_copy(update={"done": True}))
    run.save(record.model_copy(update={"versions": done}))
    words, data = loop.summary(state)
    where = {
        "run": record.id,
        "folder": str(run.folder),
        "report": str(run.report),
        "version": version.number,
        "seal": log,
        "asked": run.count_calls(),
    }
    return Event(step="finish", kind="finished", text=words, data={**data, **where})
