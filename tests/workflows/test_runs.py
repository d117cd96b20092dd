"""Nothing is lost: a run or a revision killed at any event ends, resumed, in the same report with the same events."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from palimpsest.agent.state import Event
from palimpsest.workflows import graph, research
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
    assert scripted.report(run) == scripted.report(undisturbed)
    assert run.record().current.done
    assert verify(run) == []


def test_a_run_dropped_at_every_event_is_resumed_to_the_same_report(rivals: Config) -> None:
    undisturbed = scripted.finished(rivals)
    total = len(undisturbed.events()) - 1  # what is sealed is not told
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
    total = sum(e["version"] == 2 for e in undisturbed.events()) - 1
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


@pytest.mark.parametrize("moment", ["sealed", "write"])
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


# What may have happened meanwhile


@pytest.mark.parametrize("late", [False, True])
def test_a_run_goes_on_after_its_documents_were_edited_or_deleted(rivals: Config, late: bool) -> None:
    """What was found before the stop is in the run folder, text and all; once all is found, the report ends the same."""
    undisturbed = scripted.finished(rivals)
    config = elsewhere(rivals, "edited")
    abandon(research.research(scripted.QUESTION, config), len(undisturbed.events()) - 2 if late else 3)
    (config.docs[0] / "harbour.md").unlink()
    scripted.lay_documents(config.docs[0], {"barges.md": scripted.DOCS["barges.md"] + "It was painted in spring.\n"})
    run = scripted.only_run(config)
    list(research.resume(run))
    assert verify(run) == []
    assert "reaches 15 knots" in run.report.read_text(encoding="utf-8")
    if late:
        assert_same(run, undisturbed)


def test_a_run_goes_on_from_another_folder(rivals: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths in research.toml are relative; a resumed run takes them from where it was begun."""
    monkeypatch.chdir(tmp_path)
    near = rivals.model_copy(update={"docs": (Path("docs"),), "index": Path("index"), "out": Path("near")})
    undisturbed = scripted.finished(near)
    abandon(research.research(scripted.QUESTION, elsewhere(near, "stopped")), 3)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    (run,) = Run.all(tmp_path / "stopped")
    list(research.resume(run))
    assert_same(run, Run(tmp_path / undisturbed.folder))
    assert not list((tmp_path / "other").iterdir())


def test_two_at_once_do_not_write_one_run(rivals: Config, newer: Path) -> None:
    events = research.research(scripted.QUESTION, rivals)
    next(events)
    run = scripted.only_run(rivals)
    with pytest.raises(ResearchError, match=f"{run.folder.name} is being written by another process; wait"):
        list(research.resume(run))
    events.close()  # type: ignore[attr-defined]
    list(research.resume(run))
    revision = research.revise(run, [newer])
    next(revision)
    with pytest.raises(ResearchError, match="is being written by another process"):
        research.revise(run, reopen=["c1.5"])
    revision.close()  # type: ignore[attr-defined]
    assert len(run.record().versions) == 2


def test_a_revision_is_not_begun_while_another_is(config: Config, newer: Path) -> None:
    """Two of them once found the run finished, both added version 2, and the second read the first one's evidence as its own."""
    run = scripted.finished(config)
    with run.locked(), pytest.raises(ResearchError, match="is being written by another process"):
        research.revise(run, [newer])
    assert len(run.record().versions) == 1
    assert not (run.folder / "inputs").exists()


def test_whether_a_run_is_being_written_is_seen_without_disturbing_it(config: Config) -> None:
    """A page looks at it several times a second; a writer that begins in that moment waits instead of giving up."""
    events = research.research(scripted.QUESTION, config)
    next(events)
    run = scripted.only_run(config)
    assert run.is_being_written()
    events.close()  # type: ignore[attr-defined]
    assert not run.is_being_written()
    assert not Run(run.folder / "nothing").is_being_written()
    look = sqlite3.connect(run.folder / "write.lock", isolation_level=None, check_same_thread=False)
    look.execute("BEGIN")
    look.execute("SELECT 1 FROM sqlite_master").fetchone()
    Timer(0.1, look.close).start()
    with run.locked():
        assert run.is_being_written()


def test_a_run_can_be_given_its_name(config: Config) -> None:
    folder = config.out / "barges-1"
    folder.mkdir(parents=True)  # a page that starts a run keeps uploads there first
    last = list(research.research(scripted.QUESTION, config, name="barges-1"))[-1]
    assert (last.data["run"], Path(last.data["folder"])) == ("barges-1", folder)
    for name in ("barges-1", "../x", "A", "a b", "-a"):
        with pytest.raises(ResearchError, match="cannot name a new run"):
            list(research.research(scripted.QUESTION, config, name=name))


def test_a_lock_that_cannot_be_made_is_not_taken_for_another_process(config: Config) -> None:
    abandon(research.research(scripted.QUESTION, config), 3)
    run = scripted.only_run(config)
    (run.folder / "write.lock").unlink()
    (run.folder / "write.lock").mkdir()
    with pytest.raises(
        ResearchError, match=r"write\.lock cannot be written \(unable to open database file\); mend that"
    ):
        list(research.resume(run))


def test_a_separator_of_lines_in_a_text_is_a_letter(config: Config, newer: Path) -> None:
    """U+2028 ends a line for str.splitlines, but not in JSON, nor in a report; a document's is read as a blank."""
    odd = scripted.DOCS["barges.md"].replace("which reaches", "which\u2028reaches")
    scripted.lay_documents(config.docs[0], {"barges.md": odd})
    run = scripted.finished(config)
    assert "which reaches 12 knots. [1]" in run.report.read_text(encoding="utf-8")
    assert verify(run) == []
    heard = list(research.revise(run, [newer]))
    assert verify(run) == []
    logged = [e for e in run.events() if e["version"] == 2 and e["kind"] != "sealed"]
    assert [e["kind"] for e in logged] == [e.kind for e in heard]
    assert any("which reaches" in e["text"] for e in logged)


def test_a_damaged_log_is_written_again_from_the_beginning(rivals: Config) -> None:
    undisturbed = scripted.finished(rivals)
    for n, damage in enumerate([b"\xff\xfe", b"4\n", b"{}\n"]):
        config = elsewhere(rivals, f"damaged-{n}")
        abandon(research.research(scripted.QUESTION, config), 14)
        run = scripted.only_run(config)
        lines = run.events_file.read_bytes().split(b"\n")
        run.events_file.write_bytes(b"\n".join([*lines[:2], damage, *lines[3:]]))
        assert len(run.events()) == 2
        list(research.resume(run))
        assert_same(run, undisturbed)


@pytest.mark.parametrize("blob", [b"\xff\xff", b"", b"\xc1", b"\x81\xa5state\x01"])
def test_a_damaged_blob_in_a_sound_database_is_one_sentence(config: Config, blob: bytes) -> None:
    abandon(research.research(scripted.QUESTION, config), 6)
    run = scripted.only_run(config)
    with closing(sqlite3.connect(run.checkpoint)) as file, file:
        assert file.execute("UPDATE checkpoints SET checkpoint = ?", (blob,)).rowcount > 0
    with pytest.raises(ResearchError, match=f"the checkpoint of {run.folder.name} is damaged.*; delete .* and resume"):
        list(research.resume(run))
    for path in run.folder.glob("checkpoint.sqlite*"):
        path.unlink()
    list(research.resume(run))
    assert verify(run) == []


def test_a_full_disk_is_never_taken_for_a_damaged_checkpoint(rivals: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite itself says FULL here: the database may not grow beyond the pages it has."""
    undisturbed = scripted.finished(rivals)
    config = elsewhere(rivals, "full")
    abandon(research.research(scripted.QUESTION, config), 6)
    run = scripted.only_run(config)
    connect = sqlite3.connect

    def full(path: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(path, **options)
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(graph.sqlite3, "connect", full)
        with pytest.raises(ResearchError) as error:
            list(research.resume(run))
    assert "database or disk is full" in str(error.value)
    assert "delete" not in str(error.value)
    assert f"go on with: research resume {run.folder.name}" in str(error.value)
    list(research.resume(run))
    assert_same(run, undisturbed)
