"""How well slots are filled from evidence, over one paragraph and over several, and what the model knows of its errors."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ..canvas.canvas import Canvas
from ..canvas.tokenizer import NONE, Tokenizer
from ..decoding.sampler import Frame, denoise_all, in_batches
from ..denoisers.embedded import Denoiser
from ..denoisers.embedded_layout import build_canvas
from ..kinds import MaskKind, SlotSpec
from ..metrics import auroc, calibration, exact, f1, normalise, percent
from ..training.corpus import CITE_SLOT
from ..training.examples import Row

RIVAL_LETTERS = 800  # of a text beside the gold ones: a canvas has room for 16 segments of 254 tokens


def answer_canvas(tokenizer: Tokenizer, question: str, context: str, required: bool) -> Canvas:
    pieces = (SlotSpec(MaskKind.TEXT, required=required), " ", CITE_SLOT)
    return build_canvas(tokenizer, [question], [("context", context)], pieces)


def answers(denoiser: Denoiser, rows: Sequence[Row], steps: int, required: bool) -> list[tuple[str, float]]:
    """Slot decoding of each row's question over its paragraph: (words, their probability); "" where [NONE] won."""
    canvases = [answer_canvas(denoiser.tokenizer, r["question"].strip(), r["context"], required) for r in rows]

    def work(batch: list[Canvas]) -> list[tuple[str, float]]:
        trajectory = list(denoise_all(denoiser, batch, schedule=steps))
        return [
            (_words(f.canvas, denoiser), _first_prob([frames[i] for frames in trajectory]))
            for i, f in enumerate(trajectory[-1])
        ]

    return in_batches(canvases, work)


def _words(canvas: Canvas, denoiser: Denoiser) -> str:
    fill = canvas.fill(0, denoiser.tokenizer)
    return "" if fill is None or int(canvas.tokens[canvas.slots[0].start]) == NONE else fill.text


def _first_prob(frames: Sequence[Frame]) -> float:
    """The probability at the step that settled the answer."""
    place = frames[0].canvas.slots[0].start
    for frame in frames:
        if not frame.canvas.open[place]:
            return float(frame.guess.prob[place])
    raise AssertionError("a finished trajectory leaves no slot open")


def span_filling(denoiser: Denoiser, rows: Sequence[Row], steps: int, required: bool) -> dict[str, float]:
    """Exact match and F1 of answers decoded in at most `steps` steps, with the calibration of their probabilities."""
    golds = [_golds(r) for r in rows]
    guesses = answers(denoiser, rows, steps, required)
    right = [exact(g, a) for (g, _), a in zip(guesses, golds, strict=True)]
    return {**_scores([g for g, _ in guesses], golds), **calibration([p for _, p in guesses], right)}


def _golds(row: Row) -> list[str]:
    return [a if isinstance(a, str) else a["text"] for a in row["answers"]] or [""]


def _scores(guesses: Sequence[str], golds: Sequence[Sequence[str]]) -> dict[str, float]:
    pairs = list(zip(guesses, golds, strict=True))
    return {
        "exact": 100 * sum(exact(g, a) for g, a in pairs) / len(pairs),
        "f1": 100 * sum(f1(g, a) for g, a in pairs) / len(pairs),
        "n": len(pairs),
    }


def with_silence(denoiser: Denoiser, rows: Sequence[Row], steps: int) -> dict[str, float]:
    """Answer or [NONE]: F1 of all, of the questions that have an answer and of those that have none."""
    guesses = answers(denoiser, rows, steps, required=False)
    golds = [_golds(r) for r in rows]
    figures = {**_scores([g for g, _ in guesses], golds)}
    figures |= calibration([p for _, p in guesses], [exact(g, a) for (g, _), a in zip(guesses, golds, strict=True)])
    for name, is_answered in (("f1_answerable", True), ("f1_unanswerable", False)):
        part = [(g, a) for (g, _), a in zip(guesses, golds, strict=True) if (a != [""]) == is_answered]
        if part:
            figures[name] = 100 * sum(f1(g, a) for g, a in part) / len(part)
    return figures


def multi_hop(
    denoiser: Denoiser, questions: Sequence[Row], corpus: Sequence[Row], passages: int, seed: int
) -> dict[str, float]:
    """Questions over two documents, all that the corpus holds of them on one canvas among others that share words with the question.

    Of questions whose documents are all there: exact, F1, and how often a gold document is cited. Of the others: how often [NONE] wins.
    """
    texts = {d["title"]: "".join(d["sentences"]) for d in corpus}
    rng = random.Random(seed)
    canvases = []
    for row in questions:
        gold = [t for t in row["gold_titles"] if t in texts]
        words = set(normalise(row["question"]).split())
        rivals = [t for t in rng.sample(sorted(texts), min(200, len(texts))) if t not in gold]
        rivals.sort(key=lambda t: -len(words & set(normalise(t + " " + texts[t]).split())))
        shown = [(t, f"{t}. {texts[t]}") for t in gold]
        shown += [(t, f"{t}. {texts[t]}"[:RIVAL_LETTERS]) for t in rivals[: passages - len(gold)]]
        rng.shuffle(shown)
        slots = (SlotSpec(MaskKind.TEXT), " ", CITE_SLOT)
        canvases.append(denoiser.build([row["question"]], shown, slots))

    def work(batch: list[Canvas]) -> list[Canvas]:
        return [f.canvas for f in list(denoise_all(denoiser, batch, schedule=2))[-1]]

    denoised = in_batches(canvases, work)
    complete = [(r, c) for r, c in zip(questions, denoised, strict=True) if r["gold_complete"]]
    lacking = [c for r, c in zip(questions, denoised, strict=True) if not r["gold_complete"]]
    figures: dict[str, float] = {"n": len(complete), "n_incomplete": len(lacking)}
    if complete:
        found = [(_words(c, denoiser), [r["answer"]]) for r, c in complete]
        figures |= {"exact": percent(exact(*w) for w in found), "f1": percent(f1(*w) for w in found)}
        figures["cites_gold"] = percent(_cited(c, denoiser) in r["gold_titles"] for r, c in complete)
    if lacking:
        figures["silent_when_incomplete"] = percent(not _words(c, denoiser) for c in lacking)
    return figures


def _cited(canvas: Canvas, denoiser: Denoiser) -> str | None:
    fill = canvas.fill(1, denoiser.tokenizer)
    return fill.name if fill else None


def slot_lengths(denoiser: Denoiser, rows: Sequence[Row], lengths: Sequence[int]) -> dict[str, float]:
    """F1 of answers whose slot starts with each of `lengths` tokens, what the worst start costs, and how many words answers are off."""
    guesses: dict[int, list[str]] = {}
    for length in lengths:
        slot = SlotSpec(MaskKind.TEXT, length, required=True)
        canvases = [
            denoiser.build([r["question"].strip()], [("c", r["context"])], (slot, " ", CITE_SLOT)) for r in rows
        ]
        ranked = in_batches(canvases, lambda batch: denoiser.rank(batch, 0, 1))
        guesses[length] = [next((r.fill.text for r in ranks if r.fill), "") for ranks in ranked]
    golds = [_golds(r) for r in rows]
    scores = {n: percent(f1(g, a) for g, a in zip(guesses[n], golds, strict=True)) for n in lengths}
    best = max(lengths, key=scores.__getitem__)
    off = [
        min(abs(len(guess.split()) - len(gold.split())) for gold in gold_words)
        for guess, gold_words in zip(guesses[best], golds, strict=True)
    ]
    fits = {n: scores[n] for n in lengths if n >= 8}  # shorter ones cannot hold every answer
    return {
        **{f"f1_from_{n}": score for n, score in scores.items()},
        "wrong_length_costs": max(fits.values()) - min(fits.values()),
        "words_off": sum(off) / len(off),
        "n": len(rows),
    }


@dataclass(frozen=True)
class Standing:
    """A filling, what the model gave for it when it was made, and its quality read where it stands (None without such a head)."""

    words: str
    probability: float
    margin: float
    quality: float | None


def error_detection(denoiser: Denoiser, rows: Sequence[Row]) -> dict[str, float]:
    """How well the model tells its right fillings from its wrong ones, by the quality head and by what it gave for them at first.

    `exact_of_surest_nine_tenths`: exact match once the tenth that is doubted most is struck out.
    """
    canvases = [answer_canvas(denoiser.tokenizer, r["question"].strip(), r["context"], False) for r in rows]
    head = denoiser.told_by("quality")

    def work(batch: list[Canvas]) -> list[Standing]:
        trajectory = list(denoise_all(denoiser, batch, schedule=2))
        again, _ = head.guess([f.canvas for f in trajectory[-1]])
        found = []
        for i, (frame, guess) in enumerate(zip(trajectory[-1], again, strict=True)):
            place = frame.canvas.slots[0].start
            made = next(f[i] for f in trajectory if not f[i].canvas.open[place]).guess
            quality = None if guess.quality is None else float(guess.quality[place])
            words = _words(frame.canvas, denoiser)
            found.append(Standing(words, float(made.prob[place]), float(made.margin[place]), quality))
        return found

    standing = zip(in_batches(canvases, work), rows, strict=True)
    kept = [(t, exact(t.words, _golds(r))) for t, r in standing if t.words]
    if not kept:
        return {"n": 0}
    right = [y for _, y in kept]
    figures: dict[str, float] = {"n": len(kept), "exact": percent(right)}
    signs = {"probability": [t.probability for t, _ in kept], "margin": [t.margin for t, _ in kept]}
    if all(t.quality is not None for t, _ in kept):
        signs["quality"] = [t.quality or 0.0 for t, _ in kept]
    for name, values in signs.items():
        figures[f"auroc_{name}"] = auroc(values, right)
        if name != "margin":
            figures[f"ece_{name}"] = calibration(values, right)["ece"]
    surest = sorted(zip(signs.get("quality", signs["probability"]), right, strict=True))
    figures["exact_of_surest_nine_tenths"] = percent(y for _, y in surest[len(surest) // 10 :])
    return figures
