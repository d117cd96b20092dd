"""Sentences that deny what is read in them: "was not passed for the purpose of raising revenue" gives no purpose.

Words of denial only propose; the model decides. It judges the answer against the sentence as it stands and with those words taken out:
where the sentence denies the answer, its support rises steeply without them; where it denies something else ("the bridge, which was
not finished until 1890, was designed by ..."), it does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import regex  # type: ignore[import-untyped]

from palimpsest.retrieval.types import Passage

from .evidence_text import sentence_at
from .numbers import Numbers, log_odds
from .questions import stated
from .state import Candidate, Verdict, Writer

_PROPOSED = regex.compile(
    r"\b(?:no longer|any ?more|fail(?:s|ed|ing)? to|failure to|den(?:y|ies|ied|ying)(?: having)?|refus(?:e|es|ed|ing) to"
    r"|reject(?:s|ed)?|ruled out|yet to|untrue|false(?:ly)?|disproved?|refuted?|contrary to|myth|lack(?:s|ed|ing)?|not|no|never"
    r"|none|nobody|nothing|nowhere|neither|nor|without|cannot|hardly)\b|n['’]t\b",
    regex.IGNORECASE,
)
_ASSERTS = regex.compile(  # what holds a word of denial and denies nothing of what stands with it
    r"\bnot (?:only|just|merely|simply|solely|least)\b|\b(?:nothing|none|nobody|no one) (?:but|other than|less than|more than)\b"
    r"|\bno (?:other than|less than|fewer than|more than|doubt|different)\b|\b(?:not|never)\b[^,;]*\buntil\b",
    regex.IGNORECASE,
)
_TURNS = regex.compile(
    r"(?<!\b(?:nothing|none|nobody|one|anything|all)\s)\bbut\b|;", regex.IGNORECASE
)  # what is denied ends here


def without_denial(sentence: str, at: int | None = None) -> str:
    """The sentence without its words of denial, or those in the clause around the place `at`; the same where it has none."""
    kept = [m.span() for m in _ASSERTS.finditer(sentence)]
    first, last = (0, len(sentence)) if at is None else _clause(sentence, at)
    for match in reversed(list(_PROPOSED.finditer(sentence, first, last))):
        if not any(start <= match.start() < end for start, end in kept):
            sentence = f"{sentence[: match.start()].rstrip()} {sentence[match.end() :].lstrip()}"
    return sentence.strip()


def _clause(sentence: str, at: int) -> tuple[int, int]:
    turns = [m.start() for m in _TURNS.finditer(sentence)]
    return max((t for t in turns if t <= at), default=0), min((t for t in turns if t > at), default=len(sentence))


def denials(writer: Writer, numbers: Numbers, claim: str, texts: Sequence[str]) -> list[bool]:
    """For each text whether it denies the claim: by half the gain that is asked of two wordings."""
    bare = [without_denial(text) for text in texts]
    doubtful = [n for n, text in enumerate(texts) if bare[n] != text.strip()] if numbers.denial else []
    judged = writer.verdicts([(claim, text) for n in doubtful for text in (texts[n], bare[n])]) if doubtful else []
    gains = [_gain(*judged[n : n + 2]) for n in range(0, len(judged), 2)]
    found = {n for n, gain in zip(doubtful, gains, strict=True) if 2 * gain >= numbers.denial}
    return [n in found for n in range(len(texts))]


def denied(
    writer: Writer, numbers: Numbers, question: str, read: Sequence[tuple[Candidate, Passage]]
) -> list[tuple[Candidate, str]]:
    """Those readings, each given with its passage, whose own sentence denies them, with that sentence."""
    held = [(c, *_sentence(c, passage)) for c, passage in read] if numbers.denial else []
    doubtful = [(c, said, bare) for c, said, at in held if (bare := without_denial(said, at)) != said.strip()]
    claims = [(f"{question} {c.text}", stated(question, c.text)) for c, _, _ in doubtful]
    texts = [(said, bare) for _, said, bare in doubtful]
    pairs = [(claim, text) for both, shown in zip(claims, texts, strict=True) for claim in both for text in shown]
    judged = writer.verdicts(pairs) if pairs else []
    gains = [sum(_gain(*judged[n + at : n + at + 2]) for at in (0, 2)) for n in range(0, len(judged), 4)]
    return [(c, said) for (c, said, _), gain in zip(doubtful, gains, strict=True) if gain >= numbers.denial]


def _sentence(candidate: Candidate, passage: Passage) -> tuple[str, int]:
    """The sentence that a candidate was read in, and where in it."""
    start, end = sentence_at(passage, candidate.start, candidate.end)
    return passage.text[start - passage.start : end - passage.start], candidate.start - start


def _gain(said: Verdict, bare: Verdict) -> float:
    return log_odds(bare.supports) - log_odds(said.supports)
