"""What a question takes for granted: the question without its question words is a claim, and documents may contradict it.

"Why did the mill close in 1990?" takes for granted that the mill closed in 1990. Only sentences that name what the question names and
hold most of its words are judged, and where one of them says it, nothing is contradicted.
"""

from __future__ import annotations

from collections.abc import Sequence

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.lexical import tokens
from palimpsest.retrieval.types import Passage

from .denials import denials
from .evidence_text import content, sentences_of, slice_of
from .numbers import Numbers
from .questions import granted
from .replies import is_for_another
from .state import Writer


def contradiction(writer: Writer, numbers: Numbers, question: str, passages: Sequence[Passage]) -> Passage | None:
    """The sentence that most surely contradicts what a question takes for granted; None where one says it, or none is sure.

    One that says the contrary is refuting, one that denies it says it without its words of denial.
    """
    claim = granted(question) if numbers.premise else ""
    read = [s for p in passages for s in _sentences(p, claim)] if claim else []
    spoken = [s for s in read if _is_about(question, claim, s, numbers)]
    if not spoken:
        return None
    texts = [s.text for s in spoken]
    deny = denials(writer, numbers, claim, texts)
    judged = list(zip(writer.verdicts([(claim, text) for text in texts]), deny, spoken, strict=True))
    if any(verdict.supports >= numbers.granted and not is_denial for verdict, is_denial, _ in judged):
        return None
    against = [(v.refutes, s) for v, is_denial, s in judged if is_denial or v.refutes >= numbers.premise]
    return max(against, key=lambda held: held[0])[1] if against else None


def _sentences(passage: Passage, claim: str) -> list[Passage]:
    """The sentences of a passage without replies to another question."""
    places = sentences_of(passage)
    own = (place for place in places if not is_for_another(passage, places, place[0], claim))
    return [slice_of(passage, start, end) for start, end in own]


def _is_about(question: str, claim: str, sentence: Passage, numbers: Numbers) -> bool:
    """Whether a sentence, with the title of its source, names what the question names, and holds most of what is claimed."""
    titled = content(f"{sentence.source.title} {sentence.text}")
    names = [question[s:e] for s, e, kind in typed_spans(question) if kind is MaskKind.ENTITY]
    return share(claim, sentence.text) >= numbers.premise_words and all(content(n) <= titled for n in names)


def share(claim: str, text: str) -> float:
    """The share of a claim's words that a text holds in some form: "close" in "closed"."""
    wanted, held = (set(tokens(" ".join(sorted(content(words))))) for words in (claim, text))
    return len(wanted & held) / len(wanted) if wanted else 0.0
