"""Nothing is lost: a run or a revision killed at any event ends, resumed, in the same report with the same events."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from palimpsest.agent.state import Event
from palimpsest.workflows import research
from palimpsest.workflows.audit import verify
from palimpsest.workflows.config import Config
from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.runs import Run, write
from tests.workflows import scripted

ROOT = Path(__file__).parents[2]


@pytest.fixture
def rivals(config: Config) -> Config:
    """Documents that contradict each other, so that the first run already revises."""
    scripted.lay_documents(config.docs[0], {"rival.md": scripted.RIVAL})
    return config


def elsewhere(config: Config, name: str) -> Config:
    return config.model_copy(update={"out": config.out.parent / name})


def abandon(events: Iterator[Event], after: int) -> None:
    """Take so many events, give the step behind the last the time to go on unheard, and drop the run."""
    for _ in range(after):
        next(events)
    time.sleep(0.02)
    events.close()  # type: ignore[attr-defined]


def assert_same(run: Run, undisturbed: Run) -> None:
    assert scripted.stories(run) == scripted.stories(undisturbed)
    assert run.report.read_bytes() == undisturbed.report.read_bytes()
    assert run.record().current.done
    assert verify(run) == []


def test_a_run_dropped_at_every_event_is_resumed_to_the_same_report(rivals: Config) -> None:
    undisturbed = scripted.finished(rivals)
    total = len(undisturbed.events())
    assert total > 12
    for after in range(1, total):
        config = elsewhere(rivals, f"dropped-{after}")
        abandon(research.research(scripted.QUESTION, config), after)
        run = scripted.only_run(config)
        assert not run.record().current.done
        last = list(research.resume(run))[-1]
        assert last.kind == "finished"
        assert_same(run, undisturbed)


def test_a_run_dropped_twice_is_resumed_to_the_same_report(rivals: Config) -> None:
    undisturbed = scripted.finished(rivals)
    config = elsewhere(rivals, "twice")
    abandon(research.research(scripted.QUESTION, config), 4)
    run = scripted.only_run(config)
    abandon(research.resume(run), 3)
    list(research.resume(run))
    assert_same(run, undisturbed)


def revised(config: Config, evidence: Path) -> tuple[Run, Run]:
    """A finished run, and another of the same question that was also revised."""
    both = scripted.finished(elsewhere(config, "once")), scripted.finished(elsewhere(config, "revised"))
    list(research.revise(both[1], [evidence]))
    return both


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    (tmp_path / "newer.md").write_text(scripted.NEWER, encoding="utf-8")
    return tmp_path / "newer.md"


def test_a_revision_dropped_at_every_event_is_resumed_to_the_same_report(config: Config, newer: Path) -> None:
    _, undisturbed = revised(config, newer)
    total = sum(e["version"] == 2 for e in undisturbed.events())
    assert total > 4
    for after in range(1, total):
        run = scripted.finished(elsewhere(config, f"dropped-{after}"))
        abandon(research.revise(run, [newer]), after)
        assert [v.done for v in run.record().versions] == [True, False]
        list(research.resume(run))
        assert_same(run, undisturbed)


def test_a_resumed_revision_reads_the_file_as_it_was_brought(config: Config, newer: Path) -> None:
    """The person's file may change or go between the kill and the resumption; the run has its own copy."""
    _, undisturbed = revised(config, newer)
    run = scripted.finished(elsewhere(config, "gone"))
    abandon(research.revise(run, [newer]), 1)
    newer.unlink()
    list(research.resume(run))
    assert_same(run, undisturbed)


@pytest.mark.parametrize("moment", ["keep_evidence", "write"])
def test_a_run_killed_between_its_last_step_and_its_files_is_finished_by_resuming(
    rivals: Config, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    undisturbed = scripted.finished(rivals)
    config = elsewhere(rivals, "late")

    def killed(*arguments: Any) -> None:
        raise SystemExit(moment)

    with monkeypatch.context() as patch:
        patch.setattr(research, moment, killed)
        with pytest.raises(SystemExit):
            list(research.research(scripted.QUESTION, config))
    run = scripted.only_run(config)
    assert not run.record().current.done
    list(research.resume(run))
    assert_same(run, undisturbed)


def killed(config: Config, verb: str, after: int, evidence: str = "") -> None:
    """A process of its own that kills itself with SIGKILL after `after` events."""
    arguments = [verb, str(after), str(config.docs[0]), str(config.out), str(config.index), evidence]
    child = subprocess.run(
        [sys.executable, "-m", "tests.workflows.scripted", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr


@pytest.mark.parametrize("after", [5, 11])
def test_a_process_killed_with_sigkill_is_resumed_to_the_same_report(rivals: Config, after: int) -> None:
    undisturbed = scripted.finished(rivals)
    config = elsewhere(rivals, "killed")
    killed(config, "run", after)
    run = scripted.only_run(config)
    assert len(run.events()) == after
    list(research.resume(run))
    assert_same(run, undisturbed)


def test_a_revision_killed_with_sigkill_is_resumed_to_the_same_report(config: Config, newer: Path) -> None:
    _, undisturbed = revised(config, newer)
    config = elsewhere(config, "killed")
    run = scripted.finished(config)
    killed(config, "revise", 3, str(newer))
    list(research.resume(run))
    assert_same(run, undisturbed)


def test_a_line_cut_off_in_the_middle_is_no_event(config: Config) -> None:
    run = scripted.finished(config)
    whole = run.events()
    text = run.events_file.read_text(encoding="utf-8")
    run.events_file.write_text(text[:-20], encoding="utf-8")
    assert run.events() == whole[:-1]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "report.md", "before")

    def full(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write(tmp_path / "report.md", "after")
    assert (tmp_path / "report.md").read_text() == "before"


def test_runs_are_found_by_id_start_path_and_last(tmp_path: Path) -> None:
    config = Config(out=tmp_path)
    made = [Run.create(q, config, "m") for q in ("Alpha beta?", "Alpha gamma?")]
    for run, created in zip(made, ("2026-01-02T00:00:00", "2026-01-01T00:00:00"), strict=True):
        run.save(run.record().model_copy(update={"created": created}))
    assert [r.folder for r in Run.all(tmp_path)] == [made[1].folder, made[0].folder]
    assert Run.find("last", tmp_path).folder == made[0].folder
    assert Run.find("alpha-g", tmp_path).folder == made[1].folder
    assert Run.find(str(made[0].folder), tmp_path / "nowhere").folder == made[0].folder
    with pytest.raises(ResearchError, match="the start of several runs") as several:
        Run.find("alpha", tmp_path)
    assert several.value.code == 2
    with pytest.raises(ResearchError, match=f"there is no run 'beta'.*{made[1].folder.name}"):
        Run.find("beta", tmp_path)
    with pytest.raises(ResearchError, match="none yet"):
        Run.find("last", tmp_path / "empty")


def test_a_question_without_letters_still_has_a_folder(tmp_path: Path) -> None:
    assert Run.create("¿?", Config(out=tmp_path), "m").folder.name.startswith("run-")
