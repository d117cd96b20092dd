"""Runs that go on in the background, for those who ask over a wire: started, followed by their log, cancelled, gone on with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Literal

from palimpsest.agent.state import Event

from . import research
from .config import Config, make
from .corpus import Corpus
from .errors import USAGE, ResearchError, RetrievalError
from .runs import Run, is_name

WAITING = 16  # runs that may wait for their turn; one runs at a time, because each wants the whole machine
ALLOWED = frozenset(
    ("effort", "budget", "seed", "web", "since", "type")
)  # what somebody who asks over a wire may choose
Events = Generator[Event, None, None]
Status = Literal["waiting", "running", "done", "cancelled", "failed"]


@dataclass
class Job:
    """A run under way. `run` is there once it has a folder; `problem` says why it failed."""

    question: str
    run: Run | None = None
    status: Status = "waiting"
    problem: str = ""
    events: list[Event] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Stop after the event under way; the run can be resumed."""
        self.stop.set()


class Jobs:
    """Starts runs with the settings of whoever opened it. What others may choose is `ALLOWED`: never a file, a host or a model."""

    def __init__(self, config: Config):
        self.config = config
        self.by_run: dict[str, Job] = {}
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="run")
        self._waiting: list[Future[None]] = []

    def close(self) -> None:
        """End what runs after its event under way; nothing is lost."""
        for job in list(self.by_run.values()):
            job.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def settings(self, chosen: dict[str, Any]) -> Config:
        """The settings of a run. ResearchError for one that may not be chosen over a wire."""
        given = {key: value for key, value in chosen.items() if value not in (None, "")}
        foreign = sorted(given.keys() - ALLOWED)
        if foreign:
            raise ResearchError(f"{', '.join(foreign)} cannot be chosen here; {', '.join(sorted(ALLOWED))} can", USAGE)
        names = {name.strip() for name in str(given.get("web", "")).split(",") if name.strip()}
        held = {name.strip() for name in self.config.web.split(",") if name.strip()}
        if names and "all" not in held and not names <= held:
            allowed = ", ".join(sorted(held)) or "none"
            raise ResearchError(
                f"{', '.join(sorted(names - held))} may not be asked; this server allows {allowed} (--web)", USAGE
            )
        return make({**self.config.model_dump(), **given})

    def start(self, question: str, chosen: dict[str, Any] | None = None, docs: Any = None) -> Job:
        """A new run. ResearchError when it cannot be begun or too many wait."""
        config = self.settings(chosen or {})
        config = config.model_copy(update={"docs": docs, "web": ""}) if docs else config
        return self._submit(
            Job(question), lambda job: research.research(question, config, created=_on_start(self, job))
        )

    def revise(self, run: Run, reopen: tuple[str, ...], pin: tuple[str, ...]) -> Job:
        """The next version of a finished run."""
        job = _known(self, run)
        events = research.revise(run, (), reopen, pin, own=self.config)
        return self._submit(job, lambda job: events)

    def resume(self, run: Run) -> Job:
        """Go on with a run that was stopped."""
        job = _known(self, run)
        events = research.resume(run, own=self.config)
        return self._submit(job, lambda job: events)

    def _submit(self, job: Job, events: Callable[[Job], Events]) -> Job:
        self._waiting = [future for future in self._waiting if not future.done()]
        if len(self._waiting) > WAITING:
            raise ResearchError(f"{WAITING} runs are waiting already; try again when one is done")
        if job.run is not None:
            self.by_run[job.run.folder.name] = job
        self._waiting.append(self._pool.submit(_follow, job, events))
        return job

    def find(self, reference: str) -> Run:
        """The run of this id. ResearchError for a path too: who asks from elsewhere names no folder of this machine."""
        if not is_name(reference):
            raise ResearchError(f"{reference[:100]!r} is no run's id", USAGE)
        return Run.find(reference, self.config.out)


def _on_start(jobs: Jobs, job: Job) -> Callable[[Run], None]:
    def started(run: Run) -> None:
        job.run = run
        jobs.by_run[run.folder.name] = job
        job.begun.set()

    return started


def _known(jobs: Jobs, run: Run) -> Job:
    """A job over a run that has a folder. ResearchError while another one writes it."""
    held = jobs.by_run.get(run.folder.name)
    if held is not None and not held.over.is_set():
        raise ResearchError(f"{run.folder.name} is being written; wait for it, or cancel it", USAGE)
    job = Job(run.record().question, run=run)
    job.begun.set()
    return job


def _follow(job: Job, events: Callable[[Job], Events]) -> None:
    """Runs on the jobs' thread. What stops a run is told to whoever asks for it, as a sentence."""
    try:
        if not job.stop.is_set():
            job.status = "running"
            with closing(events(job)) as stream:
                _drain(job, stream)
        if job.status != "done":
            job.status = "cancelled"
    except (ResearchError, RetrievalError, OSError) as error:
        job.status, job.problem = "failed", str(error)
    finally:
        if job.status == "running":  # a fault of ours: the thread ends with it, and whoever waits must hear of it
            job.status, job.problem = (
                "failed",
                "the run broke off by a fault of the program; its log says how far it came",
            )
        job.begun.set()
        job.over.set()


def _drain(job: Job, stream: Iterator[Event]) -> None:
    for event in stream:
        job.events.append(event)
        if event.kind == "finished":
            job.status = "done"
        elif job.stop.is_set():
            return


def search(config: Config, query: str, k: int) -> list[dict[str, Any]]:
    """Passages for a query out of the documents and services of `config`, as plain values."""
    with closing(Corpus(config)) as held:
        found = held.search([query], k)
    return [
        {
            "text": hit.passage.text,
            "passage": hit.passage.id,
            "title": hit.passage.source.title,
            "uri": hit.passage.source.uri,
            "date": hit.passage.source.date,
            "score": hit.score,
        }
        for hit in found.hits
    ]
