"""The commands by which a person steers a finished run: each goes through the functions that the workbench uses."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from palimpsest.agent.state import Event
from palimpsest.ui import cli
from palimpsest.ui.commands import steering
from palimpsest.workflows import research
from palimpsest.workflows.audit import verify
from palimpsest.workflows.config import Config
from palimpsest.workflows.runs import Run
from tests.ui.test_cli import Command, asked, assert_refused, command, done, unfinished
from tests.workflows import scripted

__all__ = ["command", "done", "unfinished"]


def body(run: Run) -> str:
    return run.report.read_text(encoding="utf-8").split("\n---\n", 1)[1]


def test_words_pins_and_bans_in_one_revision(command: Command, done: Run) -> None:
    result = command("revise", "last", "--edit", "q2.answer=a dozen", "--pin", "q1.answer", "--note", "Bread is warm.")
    assert result.code == 0
    assert "**a dozen** *(a person's words: “a dozen”)*" in result.out
    assert "bytes stand as they stood" in result.out
    assert command("revise", "last", "--ban", "1", "--quiet").code == 0
    assert "banned by a person" in body(done)
    assert command("verify", "last").code == 0


def test_a_follow_up_from_the_command_line(command: Command, done: Run) -> None:
    result = command("ask", "last", "How many knots does it reach?")
    assert result.code == 0
    assert "## How many knots does it reach?\n\n**12** [1]" in result.out
    assert verify(done) == []


def test_a_new_document_by_its_address_is_refused_offline(command: Command) -> None:
    assert asked(command, "--quiet", "--offline").code == 0
    result = command("revise", "last", "--evidence", "https://example.org/a")
    assert_refused(result, 2, "https://example.org/a was not fetched: --offline")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("revise", "last", "--edit", "q1.answer"), "has no =; write --edit SPAN=WORDS"),
        (("revise", "last", "--ban", "Nobody"), "no source 'Nobody' in use"),
        (("ask", "last", "  "), "the question is empty"),
        (("replay", "last", "--version", "7"), "there is no version 7; the versions are [1]"),
        (("run", "Who?", "--approve"), "--approve shows the plan and waits for you, and here is no terminal"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    command: Command, done: Run, arguments: tuple[str, ...], message: str
) -> None:
    assert_refused(command(*arguments), 2, message)


def test_a_run_is_played_again_with_its_masks(command: Command, done: Run) -> None:
    command("revise", "last", "--evidence", "newer.md", "--quiet")
    lines = command("replay", "last").out.splitlines()
    assert any("▒ q1.answer text (question), step 0: []" in line for line in lines)
    assert any("▒ q1.answer text (question), step 1: [Marisa]" in line for line in lines)
    assert any(line.startswith("   check ▢ reopened") for line in lines)
    first = command("replay", "last", "--version", "1", "--json").out.splitlines()
    rows = [json.loads(line) for line in first]
    assert [r["event"]["text"] for r in rows if "event" in r] == [
        e["text"] for e in done.events() if e["version"] == 1 and e["kind"] != "sealed"
    ]
    assert sum("frame" in r for r in rows) > 10
    done.frames_file.unlink()
    assert any(line.startswith("   check ▢ reopened") for line in command("replay", "last").out.splitlines())


def test_what_was_taken_out_is_shown_with_nothing_in_its_place() -> None:
    """It once had an empty mark of words that came in."""
    assert steering._inline("It takes 95 minutes.", "It takes 70 minutes.") == "It takes [-95-] {+70+} minutes."
    assert steering._inline("It takes 95 minutes.", "") == "[-It takes 95 minutes.-]"
    assert steering._inline("", "Salt") == "{+Salt+}"


def test_a_diff_tells_what_stands(command: Command, done: Run) -> None:
    command("revise", "last", "--evidence", "newer.md", "--quiet")
    output = command("diff", "last").out
    assert "(version 2, contradicted)" in output
    last = output.splitlines()[-1]
    assert last.endswith("are new")
    assert int(last.split(" bytes")[0].replace(",", "")) > 100


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_terminated_run_prints_its_report_and_goes_on(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = research.research

    def terminated(*arguments: Any, **more: Any) -> Iterator[Event]:
        for number, event in enumerate(begin(*arguments, **more)):
            yield event
            if number == 3:
                os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(research, "research", terminated)
        result = asked(command, "--quiet")
    assert result.code == 3
    assert "# What is the fastest barge" in result.out
    assert "Go on with: research resume runs/what-is" in result.err
    run = Run.find("last", Path("runs"))
    assert verify(run) == []
    assert command("list").out.split()[1] == "stopped"
    assert command("resume", "last", "--quiet").code == 0
    assert scripted.report(run) == scripted.report(scripted.finished(Config.load(docs=("docs",), out=Path("other"))))
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_resumed_run_asks_before_a_query_leaves(
    command: Command, unfinished: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`resume` of a run with --approve-queries once asked nobody, and so nothing was asked of the services."""
    given: list[Any] = []

    def resumed(run: Run, **how: Any) -> Iterator[Event]:
        given.append(how["approve"])
        yield from ()

    monkeypatch.setattr(research, "resume", resumed)
    command("resume", "last", "--quiet")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys.stdin, "readline", lambda: "y\n", raising=False)
    assert given[0]("a query") is True


def test_a_strangers_host_is_named_by_the_person_or_not_at_all(command: Command, unfinished: Run) -> None:
    record = unfinished.record()
    settings = record.config.model_copy(update={"model": "http://127.0.0.1:9"})
    unfinished.save(record.model_copy(update={"config": settings}))
    message = "names http://127.0.0.1:9 in its folder, and evidence and token would go there; if you trust that host"
    assert_refused(command("resume", "last"), 2, message, "--model http://127.0.0.1:9")
    assert command("resume", "last", "--model", "http://127.0.0.1:9", "--quiet").code == 0


def test_a_run_with_a_chat_writer_goes_on_when_its_host_is_named_again(command: Command, unfinished: Run) -> None:
    record, writer = unfinished.record(), "http://127.0.0.1:9/v1#tiny"
    unfinished.save(record.model_copy(update={"config": record.config.model_copy(update={"writer": writer})}))
    assert_refused(command("resume", "last"), 2, f"--writer {writer}")
    assert command("resume", "last", "--writer", writer, "--quiet").code == 0


def test_help_names_every_way_to_steer(command: Command) -> None:
    output = command("revise", "--help").out
    assert all(
        option in output for option in ("--evidence", "--note", "--reopen", "--pin", "--unpin", "--edit", "--ban")
    )
    assert set(cli.COMMANDS) >= {"ask", "replay", "diff", "revise"}
