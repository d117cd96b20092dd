"""What can be seen of a run from its folder, at any moment and from any process: how it stands, its newest state, its drafts so far."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from palimpsest.agent.state import ResearchState, Revision
from palimpsest.retrieval.types import Frozen

from .errors import DamagedError, ResearchError
from .graph import history
from .processes import Status, status
from .runs import Record, Run


class Watched(Frozen):
    """A run at one moment. `state` is the newest that is whole: of the last step, or of the last finished version; `events` are the
    lines of its log, some of them younger than the state.
    """

    record: Record
    status: Status
    state: ResearchState
    events: tuple[dict[str, Any], ...] = ()

    @property
    def version(self) -> int:
        """The number of the newest version: of the report that is written, or was written last."""
        return self.record.current.number


class Moment(Frozen):
    """A draft on its way: the state that a step left, what the step was, and the revisions that it made."""

    version: int
    step: str
    state: ResearchState
    revisions: tuple[Revision, ...] = ()


def watch(run: Run) -> Watched:
    """How a run stands now. ResearchError when its record cannot be read.

    What is read after the status is at least as new, so that a run that ends between the two looks is never called done beside
    a draft that was still open: whoever watches looks again for as long as it is not done.
    """
    stands = status(run)
    record = run.record()
    return Watched(record=record, status=stands, state=_newest(run, record), events=tuple(_events(run)))


def moments(run: Run) -> list[Moment]:
    """Every draft of a run that differs from the one before, from the outline to the end, over all its versions."""
    record = run.record()
    found: list[Moment] = []
    for version in record.versions:
        finished = [run.state(version.number)] if version.done else []
        for state in (*_history(run.checkpoint, version.number, stamp_of(run.checkpoint)), *finished):
            _add(found, version.number, state)
    return found


def _add(found: list[Moment], version: int, state: ResearchState) -> None:
    before = found[-1].state if found else ResearchState(question=state.question)
    if state.draft.blocks and state.draft != before.draft:
        made = state.revisions[len(before.revisions) :]
        found.append(Moment(version=version, step=_step(before, state, version), state=state, revisions=made))


def _step(before: ResearchState, state: ResearchState, version: int) -> str:
    """What was done between two drafts, in words."""
    if not before.draft.blocks:
        return "the outline"
    if state.finished:
        return "finished: what conflicts, what is missing, the sources"
    if len(state.revisions) > len(before.revisions):
        return "reopened and denoised again"
    if version != before.version:
        return "opened for a revision"
    return "written from the evidence"


def _newest(run: Run, record: Record) -> ResearchState:
    """The state of the current version, or, before its first step, that of the version before it."""
    if record.current.done:
        return run.state(record.current.number)
    reached = _history(run.checkpoint, record.current.number, stamp_of(run.checkpoint))
    if reached:
        return reached[-1]
    done = [v.number for v in record.versions if v.done]
    return run.state(done[-1]) if done else ResearchState(question=record.question, budget=record.config.limits)


def stamp_of(path: Path) -> tuple[tuple[int, int], ...]:
    """Size and time of a database and of the log beside it: other when somebody wrote to it."""
    found = (path, path.with_name(f"{path.name}-wal"))
    return tuple((p.stat().st_size, p.stat().st_mtime_ns) for p in found if p.exists())


@lru_cache(maxsize=8)
def _history(path: Path, version: int, stamp: object) -> Sequence[ResearchState]:
    try:
        return history(path, version)
    except DamagedError as error:
        raise ResearchError(f"{path} is damaged ({error}); delete it and resume: the run then starts over") from error


def _events(run: Run) -> Sequence[dict[str, Any]]:
    return _lines(run.folder, stamp_of(run.events_file))


@lru_cache(maxsize=8)
def _lines(folder: Path, stamp: object) -> Sequence[dict[str, Any]]:
    return Run(folder).events()
