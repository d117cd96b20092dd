"""What a run's folder shows while it is written, when it was stopped, and afterwards: the same to every process."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from palimpsest.workflows import processes, research, watching
from palimpsest.workflows.config import Config
from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.runs import Run
from tests.workflows import scripted


def test_a_run_is_seen_while_it_is_written_and_when_it_was_stopped(config: Config) -> None:
    events = research.research(scripted.QUESTION, config)
    heard = [next(events) for _ in range(5)]
    run = scripted.only_run(config)
    seen = watching.watch(run)
    assert seen.status == "running"
    assert [e["text"] for e in seen.events] == [e.text for e in heard]
    assert [q.id for q in seen.state.questions] == ["q1", "q2", "q3"], (
        "two facts, and sections: toy vectors leave it unsure"
    )
    events.close()  # type: ignore[attr-defined]
    assert watching.watch(run).status == "unfinished"
    list(research.resume(run))
    done = watching.watch(run)
    assert (done.status, done.state) == ("done", run.state(1))


def test_a_run_that_ends_between_two_looks_is_never_done_beside_an_open_draft(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = research.research(scripted.QUESTION, config)
    for _ in range(5):
        next(events)
    run = scripted.only_run(config)
    looked = processes.is_alive

    def ends_after(run: Run) -> bool:
        was = looked(run)
        list(events)
        return was

    def ends_before(run: Run) -> bool:
        list(events)
        return looked(run)

    monkeypatch.setattr(processes, "is_alive", ends_after)
    seen = watching.watch(run)
    assert (seen.status, seen.record.current.done, seen.state) == ("waiting", True, run.state(1)), (
        "it is looked at again"
    )
    assert watching.watch(run).status == "done"

    other = config.model_copy(update={"out": config.out / "other"})
    events = research.research(scripted.QUESTION, other)
    next(events)
    monkeypatch.setattr(processes, "is_alive", ends_before)
    assert watching.watch(scripted.only_run(other)).status == "done", "not broken off: it ended while it was looked at"


def test_drafts_are_seen_from_the_outline_to_the_end_of_every_version(config: Config, tmp_path: Path) -> None:
    newer = tmp_path / "newer.md"
    newer.write_text(scripted.NEWER, encoding="utf-8")
    run = scripted.finished(config)
    list(research.revise(run, [newer]))
    found = watching.moments(run)
    assert found[0].step == "the outline"
    assert {s.text for s in found[0].state.draft.spans() if s.status == "open"} == {""}
    assert found[-1].state == run.state(2)
    assert [m.version for m in found] == sorted(m.version for m in found)
    made = [r for m in found for r in m.revisions]
    assert tuple(made) == run.state(2).revisions
    assert all(a.state.draft != b.state.draft for a, b in pairwise(found))


def test_a_damaged_checkpoint_is_a_sentence(config: Config) -> None:
    run = scripted.finished(config)
    run.checkpoint.write_bytes(run.checkpoint.read_bytes()[:4096] + b"no database" * 4000)
    with pytest.raises(ResearchError, match="is damaged"):
        watching.moments(run)
    assert watching.watch(run).status == "done"


def test_a_run_without_a_checkpoint_shows_its_finished_draft(config: Config) -> None:
    run = scripted.finished(config)
    run.checkpoint.unlink()
    assert [m.state for m in watching.moments(run)] == [run.state(1)]
    with pytest.raises(ResearchError, match=r"run\.json cannot be read"):
        watching.watch(Run(run.folder / "nothing"))
