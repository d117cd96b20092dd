"""A run that a person stops leaves a usable report, and goes on from there to the report of an undisturbed run."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from palimpsest.workflows import processes, research, steering
from palimpsest.workflows.audit import verify
from palimpsest.workflows.config import Config
from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.runs import Run
from tests.workflows import scripted


@pytest.fixture
def rivals(config: Config) -> Config:
    scripted.lay_documents(config.docs[0], {"rival.md": scripted.RIVAL})
    return config


def stopped(config: Config, after: int) -> Run:
    """A run that is told to stop when so many events were heard."""
    made: list[Run] = []
    for number, _ in enumerate(research.research(scripted.QUESTION, config, created=made.append), 1):
        if number == after:
            made[0].ask_to_stop()
    return made[0]


def test_a_run_stopped_at_every_event_has_a_report_and_goes_on_to_the_same_one(rivals: Config) -> None:
    undisturbed = scripted.finished(rivals)
    total = len(undisturbed.events()) - 1
    stops = 0
    for after in range(1, total, 2):
        run = stopped(rivals.model_copy(update={"out": rivals.out.parent / f"stopped-{after}"}), after)
        assert verify(run) == []
        assert run.report.exists()
        if not run.record().current.stopped:  # too late: nothing was left to be done
            continue
        stops += 1
        assert run.state(1).finished == "stopped"
        assert [e["kind"] for e in run.events()][-2:] == ["finished", "sealed"]
        assert processes.status(run) == "stopped"
        list(research.resume(run))
        assert scripted.stories(run) == scripted.stories(undisturbed)
        assert scripted.report(run) == scripted.report(undisturbed)
        assert verify(run) == []
    assert stops > 3


def test_a_stopped_report_can_be_revised(rivals: Config) -> None:
    run = stopped(rivals, 4)
    list(steering.ask(run, "How many knots does Marisa reach?"))
    assert [v.stopped for v in run.record().versions] == [True, False]
    assert "## How many knots does Marisa reach?" in run.report.read_text(encoding="utf-8")
    assert verify(run) == []
    with pytest.raises(ResearchError, match="is finished"):
        research.resume(run)


def wait_for(what: Callable[[], bool], seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def patient(rivals: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Config:
    """Processes that read by pattern, and wait half a second in each reading."""
    starter = (
        "import sys, time; from tests.workflows import scripted; from palimpsest.workflows import processes\n"
        "read = scripted.PatternWriter.answers\n"
        "def slowly(*given): time.sleep(0.5); return read(*given)\n"
        "scripted.PatternWriter.answers = slowly\n"
        "scripted.use(setattr); sys.exit(processes.main())\n"
    )
    (tmp_path / "starter.py").write_text(starter, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setattr(processes, "COMMAND", [sys.executable, str(tmp_path / "starter.py")])
    return rivals


def test_a_process_of_its_own_is_watched_stopped_and_gone_on_with(patient: Config) -> None:
    run = processes.begin(f"  {scripted.QUESTION} ", patient)
    assert processes.status(run) == "unfinished"
    processes.spawn(run)
    wait_for(lambda: any(e["kind"] == "searched" for e in run.events()))
    assert processes.status(run) == "running"
    with pytest.raises(ResearchError, match="being written by another process"):
        list(research.resume(run))
    processes.stop(run)
    wait_for(lambda: not processes.is_alive(run))
    assert processes._children[run.folder.resolve()].wait() == 3
    assert processes.status(run) == "stopped"
    assert run.record().model == "scripted"
    assert verify(run) == []
    processes.spawn(run)
    wait_for(lambda: not processes.is_alive(run))
    assert processes.status(run) == "done"
    assert scripted.report(run) == scripted.report(
        scripted.finished(patient.model_copy(update={"out": patient.out / "x"}))
    )
    steering.amend(run, steering.Steering(question="How many knots does Marisa reach?"))
    processes.spawn(run)
    wait_for(lambda: not processes.is_alive(run))
    assert (processes.status(run), len(run.record().versions)) == ("done", 2)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_terminated_process_leaves_a_report(patient: Config) -> None:
    run = processes.begin(scripted.QUESTION, patient)
    processes.spawn(run)
    wait_for(lambda: any(e["kind"] == "searched" for e in run.events()))
    child = processes._children[run.folder.resolve()]
    child.send_signal(signal.SIGTERM)
    assert child.wait(60) == 3
    assert run.record().current.stopped
    assert verify(run) == []


def test_no_code_of_the_folder_that_a_run_was_started_in_is_run(rivals: Config, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('taken over')\n", encoding="utf-8")
    run = processes.begin(scripted.QUESTION, rivals)
    run.save(run.record().model_copy(update={"started_in": tmp_path}))
    for file in rivals.docs[0].iterdir():
        file.unlink()  # it ends at once
    processes.spawn(run)
    wait_for(lambda: not processes.is_alive(run))
    assert "holds no file to read" in processes.problem(run)


def test_a_warning_is_no_fault(rivals: Config) -> None:
    run = processes.begin(scripted.QUESTION, rivals)
    (run.folder / processes.LOG).write_text("UserWarning: of a library\n", encoding="utf-8")
    assert processes.status(run) == "unfinished"
    (run.folder / processes.LOG).write_text("Traceback (most recent call last):\n", encoding="utf-8")
    assert processes.status(run) == "failed"


def test_what_a_process_failed_of_is_told(patient: Config, tmp_path: Path) -> None:
    run = processes.begin(scripted.QUESTION, patient)
    for file in patient.docs[0].iterdir():
        file.unlink()
    processes.spawn(run)
    wait_for(lambda: not processes.is_alive(run))
    assert processes.status(run) == "failed"
    assert "holds no file to read" in processes.problem(run)
