"""A writer under somebody's eyes: the same answers, masks before and words after, and nothing made when nobody looks."""

from __future__ import annotations

from dataclasses import replace

from palimpsest.agent.budget import Clock, watched
from palimpsest.agent.frames import Frame, Slot, Token, Watch
from palimpsest.agent.state import Tools
from palimpsest.agent.watching import Eye, at
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec

from .world import NUMBERS, ScriptedWriter, Shelf, passage

HELD = passage("The barge holds 12 crates.", "Barges")
FORM = (("The barge holds ", SlotSpec(MaskKind.NUMBER), " crates."), (HELD,))


class Stepwise(ScriptedWriter):
    """Shows one step between before and after, with two slots more than it was asked for: a citation is no place of the draft."""

    eye: Eye | None = None

    def seen(self, eye: Eye) -> Stepwise:
        other = Stepwise({})
        other.eye = eye
        return other

    def _fill(self, pieces, passages):  # type: ignore[no-untyped-def]
        if self.eye:
            guess = (Token(text="13", open=True, certainty=0.4),)
            self.eye(0, 1, [guess, (Token(text="cite", open=True),)])
            self.eye(0, 2, [(Token(text="12", certainty=0.9),), (Token(text="cite"),)])
        return super()._fill(pieces, passages)


def seen_by(writer: ScriptedWriter) -> tuple[Tools, list[Slot]]:
    slots: list[Slot] = []

    def show(frame: Frame) -> None:
        assert frame.step == "check"
        slots.extend(frame.slots)

    return Tools(writer, Shelf(), NUMBERS, watch=Watch(show).during("check")), slots


def test_nobody_looking_on_costs_nothing() -> None:
    tools = Tools(ScriptedWriter({}), Shelf(), NUMBERS)
    assert at(tools, "b", [["b.1"]], "person") is tools.writer


def test_a_filling_is_a_mask_a_guess_and_a_word() -> None:
    tools, slots = seen_by(Stepwise({}))
    shown = at(tools, "b", [["b.1"]], "contradicted").fill([FORM])
    assert shown == ScriptedWriter({}).fill([FORM])
    assert [(s.span, s.block, s.kind, s.reason) for s in slots] == [("b.1", "b", "NUMBER", "contradicted")] * 3
    assert [(s.turn, [(t.text, t.open) for t in s.tokens]) for s in slots] == [
        (0, [("", True)]), (1, [("13", True)]), (1, [("12", False)]),
    ]  # fmt: skip


def test_a_writer_under_a_clock_is_seen_too() -> None:
    tools, slots = seen_by(Stepwise({}))
    at(watched(tools, Clock(1e12)), "b", [["b.1"]], "person").fill([FORM])
    assert [t.text for s in slots for t in s.tokens] == ["", "13", "12"]


def test_answers_and_verdicts_are_seen_before_and_after() -> None:
    tools, slots = seen_by(ScriptedWriter({"How many": r"holds (\d+)"}))
    at(tools, "q1.block", [["q1.answer"]], "question").answers("How many?", "NUMBER", [HELD], 1)
    assert [[(t.text, t.open, t.certainty) for t in s.tokens] for s in slots] == [
        [("", True, None)],
        [("12", True, 0.9)],
    ]
    slots.clear()
    at(tools, "q1.block", [["h1.verdict"], ["h2.verdict"]], "verdict").verdicts([("12", "12"), ("13", "12")])
    assert [s.span for s in slots] == ["h1.verdict", "h2.verdict"] * 2
    assert [" ".join(t.text for t in s.tokens) for s in slots[2:]] == ["supports", "refutes"]


def test_other_methods_of_a_writer_are_its_own() -> None:
    tools, _ = seen_by(ScriptedWriter({}))
    writer = at(tools, "b", [[]], "x")
    assert writer.name == "scripted"
    assert replace(tools, watch=None).writer is tools.writer
