"""A writer under the eyes of whoever looks on: the same answers, with frames of the places it is asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast, runtime_checkable

from palimpsest.dlm_core.kinds import SlotSpec
from palimpsest.retrieval.types import Passage

from .draft import Kind
from .frames import Slot, Token, Watch
from .state import Candidate, Filled, Piece, Together, Tools, Verdict, Writer

# What stands in each slot of a form after a step of its canvas: (form, step from 1, tokens of each slot).
Eye = Callable[[int, int, Sequence[tuple[Token, ...]]], None]
MASK = (Token(text="", open=True),)
SAID = ("supports", "refutes", "says nothing of it")


@runtime_checkable
class Seen(Protocol):
    """A writer that can show its steps; another is shown before and after only."""

    def seen(self, eye: Eye) -> Any: ...


def at(tools: Tools, block: str, spans: Sequence[Sequence[str]], reason: str) -> Writer:
    """The writer, shown at work on these places: the spans of each form that it is given next, all of one block.

    With nobody looking on it is the writer itself.
    """
    if tools.watch is None:
        return tools.writer
    return cast(Writer, Shown(tools.writer, tools.watch, block, spans, reason))


class Shown:
    """A writer that shows its slots as masks before it is asked, and as words afterwards."""

    def __init__(self, writer: Writer, watch: Watch, block: str, spans: Sequence[Sequence[str]], reason: str):
        self._writer, self._watch, self._block, self._spans, self._reason = writer, watch, block, spans, reason

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def answers(self, question: str, kind: Kind, passages: Sequence[Passage], k: int) -> list[Candidate]:
        self._show(0, [MASK], [kind], 0)
        found = self._writer.answers(question, kind, passages, k)
        best = max(found, key=lambda c: c.probability, default=None)
        if best:
            self._show(0, [words(best.text, best.probability, is_open=True)], [kind], 1)
        return found

    def choose(self, question: str, kind: Kind, passages: Sequence[Passage]) -> Filled:
        self._show(0, [MASK], [kind], 0)
        filled = self._stepwise([[kind]]).choose(question, kind, passages)
        self._show(0, [_said(filled)], [kind], filled.steps)
        return filled

    def bridges(self, question: str, passages: Sequence[Passage], k: int) -> list[str]:
        self._show(0, [MASK], ["ENTITY"], 0)
        found = self._writer.bridges(question, passages, k)
        if found:
            self._show(0, [words(found[0], None, is_open=True)], ["ENTITY"], 1)
        return found

    def together(self, question: str, kind: Kind, passages: Sequence[Passage], k: int) -> Together:
        self._show(0, [MASK], [kind], 0)
        found = self._writer.together(question, kind, passages, k)
        for best in found.answers[:1]:
            self._show(0, [words(best.text, best.probability, is_open=True)], [kind], 1)
        return found

    def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        for form in range(len(pairs)):
            self._show(form, [MASK], ["CHOICE"], 0)
        found = self._writer.verdicts(pairs)
        for form, verdict in enumerate(found):
            share, word = max(zip((verdict.supports, verdict.refutes, verdict.silent), SAID, strict=True))
            self._show(form, [words(word, share)], ["CHOICE"], 1)
        return found

    def fill(self, forms: Sequence[tuple[Sequence[Piece], Sequence[Passage]]]) -> list[list[Filled]]:
        kinds: list[list[Kind]] = [
            [cast(Kind, p.kind.name) for p in pieces if isinstance(p, SlotSpec)] for pieces, _ in forms
        ]
        for form, asked in enumerate(kinds):
            self._show(form, [MASK] * len(asked), asked, 0)
        found = self._stepwise(kinds).fill(forms)
        for form, filled in enumerate(found):
            self._show(form, [_said(f) for f in filled], kinds[form], max((f.steps for f in filled), default=0))
        return found

    def _stepwise(self, kinds: Sequence[Sequence[Kind]]) -> Writer:
        """The writer with an eye on each step, where it can be looked at so closely."""

        def eye(form: int, turn: int, tokens: Sequence[tuple[Token, ...]]) -> None:
            if any(t.open for slot in tokens for t in slot):  # the last step is shown when its words are known
                self._show(form, tokens[: len(kinds[form])], kinds[form], turn)

        return cast(Writer, self._writer.seen(eye)) if isinstance(self._writer, Seen) else self._writer

    def _show(self, form: int, tokens: Sequence[tuple[Token, ...]], kinds: Sequence[Kind], turn: int) -> None:
        spans = self._spans[form] if form < len(self._spans) else ()
        slots = [
            Slot(span=span, block=self._block, kind=kind, reason=self._reason, turn=turn, tokens=shown)
            for span, kind, shown in zip(spans, kinds, tokens, strict=False)
        ]
        if slots:
            self._watch.slots(*slots)


def words(text: str, certainty: float | None, is_open: bool = False) -> tuple[Token, ...]:
    """A text as tokens of one certainty, word by word."""
    return tuple(Token(text=word, open=is_open, certainty=certainty) for word in text.split()) or MASK


def _said(filled: Filled) -> tuple[Token, ...]:
    """Words that were filled in; nothing where the evidence held none."""
    if filled.passage is None and not filled.text:
        return (Token(text="", certainty=filled.none),)
    return words(filled.text, filled.probability)
