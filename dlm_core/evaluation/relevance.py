"""Whether the relevance slot puts the sentences first that answer a question."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from ..canvas.canvas import Canvas, Piece
from ..decoding.sampler import in_batches
from ..denoisers.embedded import Denoiser
from ..kinds import RELEVANCE_PROMPT, RELEVANCE_SLOT
from ..metrics import normalise
from ..training.examples import Row

TOGETHER = 6  # sentences on one canvas, as in training
LETTERS = 900  # of the paragraph that is shown with them


def relevances(denoiser: Denoiser, question: str, title: str, sentences: Sequence[str]) -> list[float]:
    """The probability of RELEVANT of each sentence, read beside its neighbours."""
    parts = [sentences[at : at + TOGETHER] for at in range(0, len(sentences), TOGETHER)]
    canvases = []
    for part in parts:
        draft: list[Piece] = [piece for text in part for piece in (text, RELEVANCE_PROMPT, RELEVANCE_SLOT, " ")]
        canvases.append(denoiser.build([question], [("p", f"{title}. {' '.join(part)}"[:LETTERS])], draft[:-1]))

    def work(batch: list[Canvas]) -> list[list[float]]:
        return [[choice[0] for choice in slots] for slots in denoiser.all_choices(batch)]

    return [score for scores in in_batches(canvases, work) for score in scores]


def average_precision(scores: Sequence[float], right: Sequence[bool]) -> float:
    """The mean, over the right ones, of the share that is right down to each, the highest score first."""
    ranked = [r for _, r in sorted(zip(scores, right, strict=True), key=lambda pair: -pair[0])]
    return mean(sum(ranked[:n]) / n for n, is_right in enumerate(ranked, 1) if is_right)


def answer_sentences(denoiser: Denoiser, rows: Sequence[Row]) -> dict[str, float]:
    """Rows of (question, title, sentences, answer_sentences): mean average precision of the slot, and of shared words."""
    slot, words = [], []
    for row in rows:
        right = [n in set(row["answer_sentences"]) for n in range(len(row["sentences"]))]
        if not any(right):
            continue
        said = set(normalise(row["question"]).split())
        slot.append(average_precision(relevances(denoiser, row["question"], row["title"], row["sentences"]), right))
        shared = [len(said & set(normalise(s).split())) / (len(said) or 1) for s in row["sentences"]]
        words.append(average_precision(shared, right))
    return {"average_precision": mean(slot), "of_shared_words": mean(words), "n": len(slot)}
