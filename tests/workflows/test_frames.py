"""Frames: what is seen of a draft while it is denoised, tailed from the run's folder, and no part of what is sealed."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.agent.frames import Frame, Slot, Token
from palimpsest.workflows import frames, research
from palimpsest.workflows.audit import verify
from palimpsest.workflows.config import Config
from palimpsest.workflows.frames import FrameLog, View, fold, history, read
from palimpsest.workflows.runs import Run
from tests.workflows import scripted


def slot(text: str, is_open: bool, span: str = "q1.answer") -> Slot:
    return Slot(span=span, block="q1.block", kind="TEXT", tokens=(Token(text=text, open=is_open, certainty=0.5),))


def test_masks_turn_into_the_words_of_the_report(config: Config) -> None:
    seen: list[Frame] = []
    last = list(research.research(scripted.QUESTION, config, watch=seen.append))[-1]
    run = Run(Path(last.data["folder"]))
    slots = [s for f in seen for s in f.slots if s.span == "q1.answer"]
    assert slots[0].tokens == (Token(text="", open=True),), "a mask first"
    assert any(t.text == "Marisa" and t.certainty == 0.9 for s in slots for t in s.tokens)
    views = list(history(run))
    assert [v.n for v in views] == list(range(len(views)))
    assert views[-1].blocks == run.state(1).draft.blocks
    assert {v.step for v in views} >= {"plan", "weigh", "revise", "finish"}
    first = next(v for v in views if v.blocks)
    assert first.draft.span("q1.answer").status == "open"
    assert "frames.jsonl" not in str(run.events()), "frames are not sealed"
    run.frames_file.unlink()
    assert verify(run) == []


def test_a_verdict_is_a_choice_beside_its_block(config: Config) -> None:
    scripted.lay_documents(config.docs[0], {"rival.md": scripted.RIVAL})
    seen: list[Frame] = []
    list(research.research(scripted.QUESTION, config, watch=seen.append))
    verdicts = [s for f in seen for s in f.slots if s.kind == "CHOICE"]
    assert {t.text for s in verdicts for t in s.tokens} >= {"", "supports"}
    assert any(s.reason == "contradicted" and s.span.startswith("c") for f in seen for s in f.slots)


def test_a_page_reads_on_from_where_it_stopped(config: Config) -> None:
    run = scripted.finished(config)
    whole, end = read(run)
    view, offset, data = View(), 0, run.frames_file.read_bytes()
    seen = []
    for cut in (10, len(data) // 2, len(data)):
        run.frames_file.write_bytes(data[:cut])
        lines, offset = read(run, offset)
        seen += lines
        view = fold(view, lines)
    assert seen == whole
    assert offset == end == len(data)
    assert view == list(history(run))[-1]


def test_a_draft_lays_only_what_changed_and_settles_what_was_under_way(tmp_path: Path) -> None:
    run = Run(tmp_path)
    log = FrameLog(run, 1)
    from palimpsest.agent.draft import Block, Span

    one = Block(id="a", kind="heading", section="a", spans=(Span(id="a.0", text="A"),))
    two = Block(id="b", kind="heading", section="b", spans=(Span(id="b.0", text="B"),))
    log.show(Frame(step="plan", kind="draft", blocks=(one, two)))
    log.show(Frame(step="weigh", kind="slots", slots=(slot("x", True),)))
    log.show(Frame(step="weigh", kind="draft", blocks=(one, two)))
    changed = two.model_copy(update={"level": 2})
    log.show(Frame(step="revise", kind="draft", blocks=(changed,)))
    lines, _ = read(run)
    assert [(line.kind, [b.id for b in line.blocks], line.order) for line in lines] == [
        ("draft", ["a", "b"], ("a", "b")), ("slots", [], ()), ("draft", ["b"], ("b",)),
    ]  # fmt: skip
    views = list(history(run))
    assert list(views[1].slots) == ["q1.answer"]
    assert views[2].slots == {}
    assert views[2].blocks == (changed,)


def test_frames_are_bounded_and_what_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "LIMIT", 1000)
    run = Run(tmp_path)
    log = FrameLog(run, 1)
    for _ in range(50):
        log.show(Frame(step="weigh", kind="slots", slots=(slot("x", True),)))
    assert run.frames_file.stat().st_size < 1200
    assert [line.kind for line in read(run)[0]][-1] == "full"
    FrameLog(Run(tmp_path / "nowhere"), 1).note("open", "x")


def test_a_line_that_a_kill_cut_off_is_passed_over(tmp_path: Path) -> None:
    run = Run(tmp_path)
    FrameLog(run, 1).note("open", "first")
    whole = run.frames_file.read_bytes()
    run.frames_file.write_bytes(whole + whole[:20])
    FrameLog(run, 1).note("open", "second")
    assert [line.text for line in read(run)[0]] == ["first", "second"]
