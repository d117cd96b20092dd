"""The live screen: typed masks that turn into words, at any width, with and without colour; and the plan as a list in the terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from palimpsest.agent.draft import Block, Span
from palimpsest.agent.frames import Frame, Slot, Token
from palimpsest.agent.plans import Plan
from palimpsest.agent.state import Event
from palimpsest.ui import planning
from palimpsest.ui.live import MASK, Screen
from palimpsest.workflows import steering
from palimpsest.workflows.config import Config
from palimpsest.workflows.errors import USAGE, ResearchError
from tests.workflows import scripted

ROOT = Path(__file__).parents[2]


def draft(*words: Span) -> Frame:
    heading = Block(id="h", kind="heading", section="a", level=2, spans=(Span(id="h.title", text="Answer"),))
    return Frame(step="plan", kind="draft", blocks=(heading, Block(id="b", kind="answer", section="a", spans=words)))


def under_way(*tokens: Token, kind: str = "ENTITY") -> Frame:
    slot = Slot.model_validate(
        {"span": "q1.answer", "block": "b", "kind": kind, "reason": "contradicted", "tokens": tokens}
    )
    return Frame(step="weigh", kind="slots", slots=(slot,))


def drawn(screen: Screen, width: int = 80, height: int = 40, colour: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=width, height=height, force_terminal=True, no_color=not colour).print(screen)
    return out.getvalue()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_mask_becomes_a_guess_and_then_a_word() -> None:
    screen = Screen()
    screen.frame(draft(Span(id="q1.answer", text="", kind="ENTITY", status="open")))
    assert f"{MASK}  entity" in plain(drawn(screen))
    screen.frame(under_way(Token(text="", open=True)))
    assert "entity: contradicted" in plain(drawn(screen)), "it says why it is open"
    screen.frame(under_way(Token(text="Marisa", open=True, certainty=0.4)))
    assert " Marisa  " in plain(drawn(screen))
    screen.frame(under_way(Token(text="Marisa", certainty=0.9)))
    assert MASK not in plain(drawn(screen))
    screen.frame(draft(Span(id="q1.answer", text="Marisa", kind="ENTITY", status="filled")))
    assert "entity" not in plain(drawn(screen))
    assert "Marisa" in plain(drawn(screen))


def test_kinds_have_colours_unless_none_are_wanted() -> None:
    screen = Screen()
    screen.frame(draft(Span(id="q1.answer", text="", kind="NUMBER", status="open")))
    assert "\x1b[7;33m" in drawn(screen, colour=True)
    assert "33" not in "".join(re.findall(r"\x1b\[[0-9;]*m", drawn(screen)))
    assert "number" in drawn(screen), "the kind is told without colours"


@pytest.mark.parametrize(("width", "height"), [(24, 10), (40, 12), (200, 60)])
def test_any_terminal_is_wide_and_high_enough(width: int, height: int) -> None:
    screen = Screen()
    words = " ".join(f"word{n}" for n in range(200))
    screen.frame(draft(Span(id="q1.answer", text=words, kind="TEXT", status="filled")))
    shown = plain(drawn(screen, width, height)).splitlines()
    assert max(map(len, shown)) <= width
    assert len(shown) <= height
    assert "word199" in "\n".join(shown), "what changed last is in view"


def test_what_was_done_is_counted_beside_the_draft() -> None:
    screen = Screen()
    for kind in ("searched", "searched", "revised"):
        screen.event(Event.model_validate({"step": "search", "kind": kind, "text": "x"}))
    screen.event(Event.model_validate({"step": "check", "kind": "conflict", "text": "x"}))
    assert "2 searches, 1 revised, 1 conflict\n" in plain(drawn(screen))
    screen.frame(Frame(step="search", kind="note", text="asking “" + "how long does it take " * 20))
    assert len(plain(drawn(screen, width=60)).splitlines()) == 1, "what is done stands on one line"
    screen.frame(Frame(step="open", kind="note", text="opening the documents and the model"))
    assert "opening the documents and the model" in plain(drawn(screen))


class Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", Keyboard("\n".join(lines) + "\n"))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    plan = Plan().plus("Who built it?", "fact").plus("How does it float?", "open")
    monkeypatch.setattr(steering, "plan", lambda question, config: plan)


def test_a_plan_is_edited_in_the_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (
        "edit 1 Who built the harbour?",
        "scope 1 as of 1901",
        "add When?",
        "move 3 1",
        "form 1 fact",
        "delete 3",
        "go",
    )
    typed(monkeypatch, *lines)
    plan = planning.approved("x", Config())
    assert [(i.words, i.kind, i.scope) for i in plan.items] == [
        ("When?", "fact", ""),
        ("Who built the harbour?", "fact", "as of 1901"),
    ]
    assert "2. [open] How does it float?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "message"),
    [("edit 9 x", "no item 9; the plan has 2"), ("move a 1", "a is no number"), ("form 1 ode", "no form 'ode'"),
     ("dance", "there is no 'dance'"), ("delete", "nothing is no number"), ("edit 1", "needs words")],
)  # fmt: skip
def test_a_line_that_means_nothing_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    typed(monkeypatch, line, "go")
    assert [i.words for i in planning.approved("x", Config()).items] == ["Who built it?", "How does it float?"]
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("line", ["quit", ""])
def test_a_plan_that_is_not_approved_begins_nothing(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    typed(monkeypatch, line)
    with pytest.raises(ResearchError, match="nothing was begun") as error:
        planning.approved("x", Config())
    assert error.value.code == USAGE


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of POSIX")
def test_in_a_terminal_the_draft_is_seen_and_the_report_comes_out(tmp_path: Path) -> None:
    scripted.lay_documents(tmp_path / "docs")
    main = "from tests.workflows import scripted; scripted.use(setattr); from palimpsest.ui.cli import main; main()"
    ours, theirs = pty.openpty()
    line = [sys.executable, "-c", main, "run", scripted.QUESTION, "--docs", "docs"]
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "RESEARCH_INDEX": str(tmp_path / "index"),
        "TERM": "xterm",
        "COLUMNS": "60",
    }
    with subprocess.Popen(line, cwd=tmp_path, env=env, stderr=theirs, stdout=subprocess.PIPE) as child:
        os.close(theirs)
        seen = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the terminal is closed with its last user
                break
            if not part:
                break
            seen += part
        assert child.stdout is not None
        report = child.stdout.read().decode()
    os.close(ours)
    assert child.returncode == 0
    assert "**Marisa** [1]" in report
    assert "\x1b" not in report
    screen = seen.decode(errors="replace")
    assert MASK in screen
    assert "report: " in screen
    assert not re.search(r"\x1b\[1;3[16]m", screen), "the colour of what happened is not that of the draft below it"
    told = [row for row in plain(screen).splitlines() if re.match(r" {2,6}(?:plan|search|revise) ", row)]
    assert told
    assert max(map(len, told)) <= 60, "a line about what happened is broken at its words"
