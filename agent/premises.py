"""What a question takes for granted: the question without its question words is a claim, and documents may contradict it.

"Why did the mill close in 1990?" takes for granted that the mill closed in 1990. Only sentences that name what the question names and
hold most of its words are judged, and where one of them says it, nothing is contradicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.types import Passage

from .evidence_text import content, overlap, sentences_of, slice_of
from .numbers import Numbers
from .questions import granted
from .state import Writer


class Contradiction(NamedTuple):
    """A sentence that says otherwise, and the model's probability of that."""

    sentence: Passage
    probability: float


def contradiction(writer: Writer, numbers: Numbers, question: str, passages: Sequence[Passage]) -> Contradiction | None:
    """The sentence that most surely contradicts what a question takes for granted; None where one says it, or none is sure."""
    claim = granted(question) if numbers.premise else ""
    spoken = [s for p in passages for s in _sentences(p) if _is_about(question, claim, s, numbers)] if claim else []
    verdicts = writer.verdicts([(claim, s.text) for s in spoken]) if spoken else []
    if not verdicts or max(v.supports for v in verdicts) >= numbers.granted:
        return None
    sentence, verdict = max(zip(spoken, verdicts, strict=True), key=lambda held: held[1].refutes)
    return Contradiction(sentence, verdict.refutes) if verdict.refutes >= numbers.premise else None


def _sentences(passage: Passage) -> list[Passage]:
    return [slice_of(passage, start, end) for start, end in sentences_of(passage)]


def _is_about(question: str, claim: str, sentence: Passage, numbers: Numbers) -> bool:
    """Whether a sentence, with the title of its source, names what the question names, and holds most of what is claimed."""
    titled = content(f"{sentence.source.title} {sentence.text}")
    names = [question[s:e] for s, e, kind in typed_spans(question) if kind is MaskKind.ENTITY]
    return overlap(content(claim), sentence.text) >= numbers.premise_words and all(content(n) <= titled for n in names)
