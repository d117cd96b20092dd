"""The command: what it prints where, and what it says and returns when something cannot be done."""

from __future__ import annotations

import errno
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest

from palimpsest.agent.state import Event
from palimpsest.ui import cli, progress, streams
from palimpsest.workflows import corpus, doctor, graph, research
from palimpsest.workflows.config import Config
from palimpsest.workflows.runs import Run
from tests.dlm_core.models.checkpoints import write
from tests.workflows import scripted

ROOT = Path(__file__).parents[2]
TRUE_WRITER = corpus.open_writer


class Result(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`research ARGUMENTS`, called as the installed command is, in a folder with docs/ and the scripted writer."""
    for name in [n for n in os.environ if n.startswith("RESEARCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RESEARCH_INDEX", str(tmp_path / "index"))
    monkeypatch.chdir(tmp_path)
    scripted.use(monkeypatch.setattr)
    scripted.lay_documents(tmp_path / "docs")
    (tmp_path / "newer.md").write_text(scripted.NEWER, encoding="utf-8")

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["research", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(bool(stop.code))
        output = capsys.readouterr()
        return Result(code, output.out, output.err)

    return call


def asked(command: Command, *more: object) -> Result:
    return command("run", scripted.QUESTION, "--docs", "docs", *more)


@pytest.fixture
def done(command: Command) -> Run:
    assert asked(command, "--quiet").code == 0
    return Run.find("last", Path("runs"))


@pytest.fixture
def unfinished(command: Command) -> Run:
    events = research.research(scripted.QUESTION, Config.load(docs=("docs",)))
    for _ in range(6):
        next(events)
    events.close()  # type: ignore[attr-defined]
    return Run.find("last", Path("runs"))


def assert_refused(result: Result, code: int, *message: str) -> None:
    """One sentence on standard error, nothing on standard output, the right code."""
    assert (result.code, result.out) == (code, ""), result
    assert "Traceback" not in result.err
    assert result.err.startswith("research: ")
    assert result.err.count("\n") == 1, result.err
    for part in message:
        assert part in result.err


# What is shown


def test_a_run_shows_progress_beside_the_report(command: Command) -> None:
    result = asked(command)
    assert result.code == 0
    assert result.out.startswith("# What is the fastest barge")
    assert "**Marisa** [1]" in result.out
    assert "search ?" not in result.out
    for part in ("plan", "search ?", "weigh ~", "revise +", "finish", "report: runs/what-is-the-fastest-barge"):
        assert part in result.err


def test_quiet_prints_only_the_report(command: Command) -> None:
    result = asked(command, "--quiet")
    report = Run.find("last", Path("runs")).report
    assert result.out.strip() in report.read_text(encoding="utf-8")
    assert result.out.startswith("# ")
    assert result.err in ("", f"report: {report}\n")


def test_json_prints_one_event_on_a_line_and_nothing_else(command: Command) -> None:
    result = asked(command, "--json")
    events = [Event.model_validate_json(line) for line in result.out.splitlines()]
    assert [e.kind for e in events][:2] == ["planned", "searched"]
    assert events[-1].kind == "finished"
    assert Path(events[-1].data["report"]).exists()
    assert result.err == ""


def test_a_revision_shows_the_report_and_what_changed(command: Command, done: Run) -> None:
    result = command("revise", "last", "--evidence", "newer.md")
    assert result.code == 0
    assert "**17** [3]" in result.out
    changes = result.out[result.out.index("quotation c1") :]
    assert re.match(
        r"quotation c1, c1\.\d+  \(version 2, contradicted\)\n  .*\[-12-\] \{\+17\+\}.*\n  Barges of 2026 \(2026-03-01\): ",
        changes,
    )
    for part in ("check !", "check ▢", "check →"):
        assert part in result.err
    assert command("diff", "last", 1, 2).out == changes
    rows = [json.loads(line) for line in command("diff", "last", "--json").out.splitlines()]
    assert [r["revision"]["span"] for r in rows] == re.findall(r"(?m)(\S+)  \(version 2", changes)
    assert command("diff", "last", 0, 1).out == "nothing was reopened\n"


def test_a_revision_as_json_is_events_only(command: Command, done: Run) -> None:
    lines = command("revise", "last", "--evidence", "newer.md", "--json").out.splitlines()
    assert Event.model_validate_json(lines[-1]).data["version"] == 2
    assert all(Event.model_validate_json(line) for line in lines)


def test_list_shows_runs_and_their_state(command: Command, done: Run) -> None:
    out = command("list").out
    assert done.folder.name in out
    assert " done " in out
    assert json.loads(command("list", "--json").out)["question"] == scripted.QUESTION
    assert command("list", "--out", "nowhere") == (0, "", "")


def _text(text: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(text)


BROKEN = {  # what a run.json may have become, and what is said of it
    "cut off": (_text(b"{"), "is damaged"),
    "empty": (_text(b""), "is damaged"),
    "noise": (_text(bytes(range(256))), "is damaged"),
    "a list": (_text(b"[1]"), "is damaged"),
    "nested without end": (_text(b"[" * 100_000), "is damaged"),
    "a folder": (Path.mkdir, "cannot be read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_broken_run_hides_no_sound_one(command: Command, done: Run, name: str) -> None:
    lay, reason = BROKEN[name]
    Path("runs/broken").mkdir()
    lay(Path("runs/broken/run.json"))
    result = command("list")
    assert result.code == 0
    assert done.folder.name in result.out
    assert f"runs/broken/run.json {reason}" in result.err
    for verb in ("show", "verify", "diff", "export", "resume"):
        assert_refused(command(verb, "broken"), 1, f"runs/broken/run.json {reason}")
        assert command("show", "last").code == 0, "the newest sound run is still the last"


def test_show_prints_the_report_or_its_spans(command: Command, done: Run) -> None:
    assert command("show", done.folder.name[:30]).out.startswith("# What is")
    spans = command("show", "last", "--spans").out
    assert "q1.answer" in spans
    assert "'Marisa'  Barges of 2024" in spans
    assert "c1.5" in spans


def test_verify_says_what_it_found(command: Command, done: Run) -> None:
    result = command("verify", "last")
    assert (result.code, result.out) == (
        0,
        f"{done.folder.name}: every quotation, citation, file and hash holds, and so does the chain of its log\n",
    )
    done.report.write_text(done.report.read_text().replace("12 knots", "13 knots"))
    result = command("verify", "last")
    assert result.code == 1
    assert "13 knots" in result.out


def test_export_writes_every_form(command: Command, done: Run) -> None:
    assert command("export", "last").out == done.report.read_text(encoding="utf-8")
    assert command("export", "last", "--format", "html").out.startswith("<!doctype html>")
    assert "@misc{source1," in command("export", "last", "--format", "bib").out
    assert json.loads(command("export", "last", "--format", "json").out)["run"] == done.folder.name
    assert command("export", "last", "--format", "html", "-o", "page.html") == (0, "", "")
    assert Path("page.html").read_text(encoding="utf-8") == (done.folder / "report.html").read_text(encoding="utf-8")


def test_index_adds_searches_and_tells(command: Command) -> None:
    Path("docs/broken.pdf").write_bytes(b"no pdf")
    added = command("index", "add", "docs")
    assert added.out == "3 documents, 3 passages; 1 not read, or not whole\n"
    assert (
        added.err.count("broken.pdf") == 1
    )  # its path once stood twice in a line, with what a program calls the fault
    assert "broken.pdf is a broken PDF; download or export it again.\n" in added.err
    found = command("index", "search", "bread in a warm room", "--docs", "docs", "-k", 1).out
    assert "A kitchen" in found
    assert "Barges" not in found
    assert "Barges" in command("index", "search", "bread", "--docs", "docs", "--since", "2024").out
    told = command("index", "info", "--docs", "docs")
    assert json.loads(told.out)["num_documents"] == 3
    assert "broken.pdf is a broken PDF" in told.err


def test_doctor_names_what_is_broken(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_weights", lambda config: "fine")
    result = command("doctor")
    assert (result.code, result.err) == (0, "")
    for part in ("ok  python:", "ok  torch:", "ok  bundled library:", "ok  runs folder: runs can be written"):
        assert part in result.out
    monkeypatch.setattr(doctor, "LIBRARY", Path("nowhere"))
    result = command("doctor")
    assert result.code == 1
    assert "BAD bundled library: the bundled library is missing" in result.out


def test_doctor_looks_at_the_model_that_is_asked_for(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write("sdar", tmp_path / "sdar")
    monkeypatch.setenv("RESEARCH_MODEL", str(folder))
    assert "ok  model weights: SDAR, 2 shards, 0.0 GB" in command("doctor").out
    (folder / "model-00002-of-00002.safetensors").unlink()
    result = command("doctor")
    assert result.code == 1
    assert "BAD model weights: model-00002-of-00002.safetensors is missing" in result.out
    monkeypatch.setenv("RESEARCH_MODEL", "http://127.0.0.1:1")
    assert "BAD model weights: " in command("doctor").out


@pytest.mark.parametrize("verb", ["run", "resume", "list", "show", "diff", "revise", "verify", "export", "doctor"])
def test_every_command_has_help(command: Command, verb: str) -> None:
    result = command(verb, "--help")
    assert result.code == 0
    assert "Usage: " in result.out


# How it stops


def test_a_spent_budget_gives_a_report_and_code_3(command: Command) -> None:
    result = asked(command, "--budget", "0.000001s")
    assert result.code == 3
    assert "## Answer" in result.out
    assert "the time budget was spent" in result.err
    assert command("verify", "last").code == 0


def interrupt(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Ctrl-C while the event of this number is shown."""
    shown: list[str] = []

    def line(event: Event) -> str:
        shown.append(event.text)
        if len(shown) == after:
            raise KeyboardInterrupt
        return event.text

    monkeypatch.setattr(progress, "line", line)


def test_an_interrupted_run_can_be_resumed(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = asked(command, "--quiet", "--out", "other")
    with monkeypatch.context() as patch:
        interrupt(patch, 5)
        result = asked(command)
    assert (result.code, result.out) == (130, "")
    assert "research: stopped; nothing is lost. Go on with: research resume last" in result.err
    assert "Traceback" not in result.err
    resumed = command("resume", "last", "--quiet")
    assert (resumed.code, resumed.out) == (0, undisturbed.out)
    assert command("verify", "last").code == 0


def test_an_interruption_inside_the_model_is_no_crash(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(scripted.PatternWriter, "verdicts", stop)
        assert asked(command).code == 130
    assert command("resume", "last", "--quiet").code == 0


def test_a_full_disk_is_one_sentence_and_the_run_goes_on_later(
    command: Command, unfinished: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        result = command("resume", "last", "--quiet")
    assert_refused(result, 1, "No space left on device; mend that, then go on with: research resume runs/what-is")
    assert "delete" not in result.err
    assert command("resume", "last", "--quiet").code == 0
    assert command("verify", "last").code == 0


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        (sqlite3.SQLITE_FULL, "make room on the disk"),
        (
            sqlite3.SQLITE_IOERR_WRITE,
            "make room on the disk",
        ),  # what SQLite makes of a full disk in the middle of a page
        (sqlite3.SQLITE_READONLY_DIRECTORY, "make it writable"),
        (sqlite3.SQLITE_CANTOPEN, "make its folder writable"),
    ],
)
def test_a_checkpoint_that_cannot_be_written_is_not_called_damaged(
    command: Command, unfinished: Run, monkeypatch: pytest.MonkeyPatch, code: int, mend: str
) -> None:
    def fail(*arguments: Any) -> Any:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = code
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(graph.WholeSteps, "put", fail)
        result = command("resume", "last", "--quiet")
    assert_refused(result, 1, "checkpoint.sqlite cannot be used", mend, "go on with: research resume what-is")
    assert "delete" not in result.err
    assert "damaged" not in result.err
    assert command("resume", "last", "--quiet").code == 0


def test_an_interruption_before_the_first_event_is_no_crash(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: Any, **more: Any) -> Iterator[Event]:
        raise KeyboardInterrupt

    monkeypatch.setattr(research, "research", stop)
    result = asked(command)
    assert result.code == 130
    assert "Traceback" not in result.err


def test_a_run_that_nobody_reads_is_closed_before_the_command_ends(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A graph that was left open in the middle kept a thread that waits for its next event, and the process hung at its end."""
    order: list[str] = []

    def events(*arguments: Any, **more: Any) -> Iterator[Event]:
        try:
            yield Event(step="plan", kind="planned", text="one")
            yield Event(step="plan", kind="planned", text="two")
        finally:
            order.append("closed")

    def unread(row: str) -> None:
        order.append("shown")
        raise streams.OutputError(BrokenPipeError())

    stop = progress._stop
    monkeypatch.setattr(progress, "_stop", lambda *arguments: (order.append("stopped"), stop(*arguments)))
    monkeypatch.setattr(research, "research", events)
    monkeypatch.setattr(progress, "print_json", unread)
    assert command("run", "Who?", "--json") == (streams.UNREAD, "", "")
    assert order == ["shown", "closed", "stopped"]


# What cannot be done


@pytest.mark.parametrize("question", ["", "  \n "])
def test_an_empty_question(command: Command, question: str) -> None:
    assert_refused(command("run", question), 2, "the question is empty; ask one: research run")
    assert not Path("runs").exists()


def test_a_question_of_a_hundred_thousand_letters(command: Command) -> None:
    assert_refused(command("run", "How long? " * 10_000), 2, "100,000 letters long, and at most 10,000 are read")
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("index", "search", "barge", "-k", 10**12),
        ("index", "search", "barge", "-k", 0),
        ("diff", "last", 10**30, 10**31),
        ("run", "Who?", "--effort", 10**12),
        ("run", "Who?", "--seed", 10**30),
        ("run", "Who?", "--budget", "9" * 400),
        ("eval", "wikipedia", "--data", ".", "--limit", -(10**12)),
    ],
)
def test_an_absurd_number(command: Command, done: Run, arguments: tuple[object, ...]) -> None:
    result = command(*arguments)
    assert (result.code, result.out) == (2, "")
    assert "Traceback" not in result.err
    assert len(result.err) < 1000


def test_a_working_folder_that_is_gone(command: Command, tmp_path: Path) -> None:
    for verb in (["list"], ["run", "Who?"], ["show", "last"], ["index", "info"]):
        gone = tmp_path / "gone"
        gone.mkdir()
        os.chdir(gone)
        gone.rmdir()
        try:
            result = command(*verb)
        finally:
            os.chdir(tmp_path)
        assert_refused(result, 1, "the working folder cannot be used (No such file or directory); go to another")


def test_a_working_folder_whose_name_is_no_text(command: Command, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    os.chdir(odd)
    try:
        result = command("run", "Who?", "--docs", tmp_path / "docs")
    finally:
        os.chdir(tmp_path)
    assert_refused(result, 2, "the working folder's name holds bytes that are no text here")


@pytest.mark.parametrize("option", ["--out", "--docs"])
def test_a_folder_whose_name_is_no_text(command: Command, tmp_path: Path, option: str) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    assert_refused(command("run", "Who?", option, odd), 2, "holds bytes that are no text here; rename it")


def test_links_in_a_circle(command: Command, done: Run) -> None:
    Path("circle").symlink_to("circle")
    for arguments in (
        ("run", "Who?", "--out", "circle"),
        ("run", "Who?", "--docs", "circle"),
        ("run", "Who?", "--config", "circle"),
        ("revise", "last", "--evidence", "circle"),
        ("show", "circle"),
    ):
        assert_refused(command(*arguments), 2, "circle")


def test_a_file_of_settings_that_was_found_sends_nothing_anywhere(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder from somebody else could hold a research.toml that sends the token and the evidence to its author (p12)."""
    monkeypatch.setattr(corpus, "open_writer", TRUE_WRITER)
    monkeypatch.setenv("RESEARCH_SERVE_TOKEN", "secret")
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        heard: list[object] = []
        monkeypatch.setattr(server, "finish_request", lambda *request: heard.append(request))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        Path("research.toml").write_text(f'model = "{address}"\n')
        message = f"sets model to '{address}', another host; if you trust it: --config research.toml"
        try:
            assert_refused(command("run", "Who?", "--docs", "docs"), 2, message)
            assert_refused(command("doctor"), 2, message)
            assert heard == []
            assert command("run", "Who?", "--docs", "docs", "--config", "research.toml").code == 1
            assert heard
        finally:
            server.shutdown()
            thread.join()


def test_a_missing_folder(command: Command) -> None:
    assert_refused(command("run", "Who?", "--docs", "nowhere"), 2, "nowhere does not exist; check the spelling")
    assert not Path("runs").exists()


def test_an_empty_folder(command: Command) -> None:
    Path("empty").mkdir()
    assert_refused(command("run", "Who?", "--docs", "empty"), 2, "empty holds no file to read; put")


def huge(folder: str) -> None:
    Path(folder).mkdir(exist_ok=True)
    with Path(folder, "huge.txt").open("wb") as out:
        out.truncate(200 * 1024 * 1024)


def test_a_huge_file_is_named_and_the_others_are_read(command: Command) -> None:
    huge("docs")
    result = asked(command)
    assert result.code == 0
    assert "huge.txt is larger than 104,857,600 bytes; split it" in result.err.replace("\n", " ")
    assert "**Marisa** [1]" in result.out


def test_a_huge_file_alone(command: Command) -> None:
    huge("only")
    assert_refused(command("run", "Who?", "--docs", "only"), 2, "huge.txt is larger than 104,857,600 bytes")


def test_a_file_of_an_unknown_kind(command: Command) -> None:
    Path("drawing.dwg").write_bytes(b"dwg")
    assert_refused(command("run", "Who?", "--docs", "drawing.dwg"), 2, "drawing.dwg is of no known kind")


BLANK_PDF = (
    b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\n"
    b"endobj\n3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>\nendobj\n"
    b"trailer\n<< /Size 4 /Root 1 0 R >>\n%%EOF"
)


def test_a_pdf_without_text(command: Command) -> None:
    Path("scan.pdf").write_bytes(BLANK_PDF)
    assert_refused(command("run", "Who?", "--docs", "scan.pdf"), 2, "scan.pdf has no text layer, run OCR on it first")


def test_a_revision_with_a_pdf_without_text(command: Command, done: Run) -> None:
    Path("scan.pdf").write_bytes(BLANK_PDF)
    assert_refused(command("revise", "last", "--evidence", "scan.pdf"), 2, "scan.pdf has no text layer")
    assert len(done.record().versions) == 1


@pytest.mark.parametrize(
    "arguments", [("run", "Who?", "--dcos", "docs"), ("rnu", "Who?"), ("run",), ("run", "Who?", "--seed", "seven")]
)
def test_an_unknown_option_command_or_value(command: Command, arguments: tuple[str, ...]) -> None:
    result = command(*arguments)
    assert (result.code, result.out) == (2, "")
    assert "Usage: " in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [("--budget", "soon", "write 90s, 5m or 1h"), ("--effort", "9", "bad value 9 for effort")],
)
def test_a_bad_setting(command: Command, option: str, value: str, message: str) -> None:
    assert_refused(command("run", "Who?", option, value), 2, message)


def test_a_runs_folder_that_cannot_be_made(command: Command) -> None:
    Path("file").write_text("")
    assert_refused(asked(command, "--out", "file"), 2, "cannot write runs into file", "give --out a folder")


def test_a_missing_model(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the true writer
    monkeypatch.chdir(tmp_path)
    assert_refused(command("run", "Who?", "--model", "nowhere"), 1, "nowhere")
    assert not Path("runs").exists()


@pytest.mark.parametrize("verb", ["resume", "show", "diff", "verify", "revise", "export"])
def test_a_run_that_does_not_exist(command: Command, done: Run, verb: str) -> None:
    assert_refused(command(verb, "nothing"), 2, "there is no run 'nothing' in runs; the latest are", done.folder.name)


def test_the_start_of_several_ids(command: Command, done: Run) -> None:
    asked(command, "--quiet")
    assert_refused(command("show", "what"), 2, "'what' is the start of several runs", "give more of the id")


@pytest.mark.parametrize("verb", ["verify", "diff", "export", "revise"])
def test_a_run_that_is_not_finished(command: Command, unfinished: Run, verb: str) -> None:
    more = ("--evidence", "newer.md") if verb == "revise" else ()
    mend = f"is not finished; first: research resume {unfinished.folder.name}"
    assert_refused(command(verb, "last", *more), 2, mend)


def test_showing_a_run_that_is_not_finished(command: Command, unfinished: Run) -> None:
    result = command("show", "last")
    assert result.code in (1, 2)
    assert (result.out, result.err.count("\n")) == ("", 1)
    assert f"go on with: research resume {unfinished.folder.name}" in result.err


def test_resuming_a_finished_run(command: Command, done: Run) -> None:
    assert_refused(command("resume", "last"), 2, f"is finished; see it with: research show {done.folder.name}")


@pytest.mark.parametrize("damage", [b"not a database, only words " * 50, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_corrupted_checkpoint(command: Command, unfinished: Run, damage: bytes) -> None:
    unfinished.checkpoint.write_bytes(damage)
    assert_refused(command("resume", "last"), 1, "is damaged", f"delete {unfinished.checkpoint} and resume")
    for path in unfinished.folder.glob("checkpoint.sqlite*"):
        path.unlink()
    assert command("resume", "last", "--quiet").code == 0, "the mend works"
    assert command("verify", "last").code == 0


def test_a_checkpoint_cut_off(command: Command, unfinished: Run) -> None:
    data = unfinished.checkpoint.read_bytes()
    unfinished.checkpoint.write_bytes(data[: len(data) // 2])
    assert_refused(command("resume", "last"), 1, f"delete {unfinished.checkpoint} and resume")


@pytest.mark.parametrize("text", ["{", '{"id": "x"}', "\xff"])
@pytest.mark.parametrize("verb", ["show", "verify", "resume"])
def test_a_corrupted_record(command: Command, done: Run, verb: str, text: str) -> None:
    (done.folder / "run.json").write_bytes(text.encode("latin-1"))
    assert_refused(command(verb, "last"), 1, "run.json is damaged; restore it, or run the question again")


@pytest.mark.parametrize("verb", ["show", "verify", "diff", "export", "revise"])
def test_a_corrupted_draft(command: Command, done: Run, verb: str) -> None:
    (done.folder / "drafts" / "1.json").write_text('{"question": 4}')
    more = ("--evidence", "newer.md") if verb == "revise" else ()
    assert_refused(command(verb, "last", *more), 1, "1.json is damaged; restore it, or run the question again")


def test_a_corrupted_list_of_sources(command: Command, done: Run) -> None:
    (done.folder / "evidence" / "sources.json").write_text("[{]")
    assert_refused(command("revise", "last", "--evidence", "newer.md"), 1, "sources.json is damaged")


def test_showing_a_run_whose_report_is_gone(command: Command, done: Run) -> None:
    done.report.unlink()
    assert_refused(command("show", "last"), 1, "report.md", f"research export {done.folder.name}")


def test_a_revision_with_a_missing_file(command: Command, done: Run) -> None:
    assert_refused(command("revise", "last", "--evidence", "nowhere.md"), 2, "nowhere.md does not exist")
    assert len(done.record().versions) == 1


def test_a_revision_with_nothing(command: Command, done: Run) -> None:
    assert_refused(command("revise", "last"), 2, "give --evidence FILE, --reopen SPAN, --pin SPAN or --ban SOURCE")


@pytest.mark.parametrize("option", ["--reopen", "--pin"])
def test_an_unknown_span(command: Command, done: Run, option: str) -> None:
    assert_refused(
        command("revise", "last", option, "c9.9"),
        2,
        "there is no span or block 'c9.9'; some that may be opened, pinned or edited: q1.answer",
    )
    assert len(done.record().versions) == 1


@pytest.mark.parametrize("span", ["q1.cite", "c1.cite"])
def test_a_span_that_no_person_can_open(command: Command, done: Run, span: str) -> None:
    assert_refused(command("revise", "last", "--reopen", span), 2, f"span {span!r} is fixed; some that may be opened")
    assert len(done.record().versions) == 1


def test_an_unknown_format(command: Command, done: Run) -> None:
    assert_refused(command("export", "last", "--format", "docx"), 2, "the formats are md, html, json, bib")


def test_versions_that_do_not_exist(command: Command, done: Run) -> None:
    assert_refused(command("diff", "last", 4, 7), 2, "the versions are [1]")


def test_a_file_to_export_to_that_cannot_be_written(command: Command, done: Run) -> None:
    assert_refused(command("export", "last", "-o", "newer.md/page.html"), 2, "newer.md/page.html")


def test_codes_of_a_process_of_its_own(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RESEARCH_INDEX": str(tmp_path / "index")}

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "palimpsest.ui.cli", *arguments]
        return subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)

    assert call("list").returncode == 0
    refused = call("run", " ")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("research: the question is empty")
    assert call("run", "Who?", "--nonsense").returncode == 2
