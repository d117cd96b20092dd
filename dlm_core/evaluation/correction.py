"""How well a wrong draft is mended from evidence, and how much of what was right is left alone."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..canvas.canvas import Canvas, Piece
from ..decoding.sampler import Guess, denoise_all, in_batches
from ..denoisers.embedded import Denoiser
from ..denoisers.embedded_layout import build_canvas
from ..kinds import MaskKind, SlotSpec, typed_spans
from ..metrics import auroc, difference, exact, normalise, sari
from ..training.corpus import CITE_SLOT
from ..training.examples import Row
from .verdicts import stances

COPIED = (MaskKind.ENTITY, MaskKind.NUMBER)


def repair(denoiser: Denoiser, rows: Sequence[Row]) -> dict[str, float]:
    """Wrong claims whose differing words are known to be wrong: they become one hole, filled from the evidence.

    "exact": the claim became the right one, word for word; "copied": rows whose right words stand in the evidence at all.
    """
    canvases, golds, possible = [], [], []
    for row in rows:
        before, _, after, right = difference(row["wrong"], row["right"])
        pieces = tuple(p for p in (before, SlotSpec(MaskKind.TEXT), after) if p)
        canvases.append(build_canvas(denoiser.tokenizer, pieces, [("e", row["evidence"])], (*pieces, CITE_SLOT)))
        golds.append(right)
        possible.append(normalise(right) in normalise(row["evidence"]))
    ranked = in_batches(canvases, lambda batch: denoiser.rank(batch, 0, 1))
    hits = [
        exact(next((r.fill.text for r in ranks if r.fill), ""), [g]) for ranks, g in zip(ranked, golds, strict=True)
    ]
    inside = [h for h, p in zip(hits, possible, strict=True) if p]
    return {
        "exact": 100 * sum(hits) / len(hits),
        "exact_copyable": 100 * sum(inside) / len(inside),
        "copyable": 100 * sum(possible) / len(hits),
        "n": len(hits),
    }


@dataclass(frozen=True)
class Draft:
    """A claim as a canvas: its typed spans are slots that hold their words. `pieces` are the fixed words between them."""

    canvas: Canvas
    pieces: tuple[Piece, ...]

    def text(self, canvas: Canvas, denoiser: Denoiser, stood: Sequence[str]) -> str:
        """The claim as it reads on `canvas`; a slot that is left empty keeps the words that `stood` there."""
        number, words = 0, []
        for piece in self.pieces:
            if isinstance(piece, str):
                words.append(piece)
                continue
            fill = canvas.fill(number, denoiser.tokenizer)
            is_old = fill is None or fill.name is None
            words.append(stood[number] if is_old or fill is None else fill.text)
            number += 1
        return "".join(words)


def written(denoiser: Denoiser, claim: str, evidence: str) -> tuple[Draft, list[str]] | None:
    """The claim with its names and figures standing in slots, and these words; None for a claim without any."""
    pieces: list[Piece] = []
    words, at = [], 0
    for start, end, kind in typed_spans(claim):
        if kind in COPIED:
            pieces += [claim[at:start], SlotSpec(kind)]
            words.append(claim[start:end])
            at = end
    if not words:
        return None
    shown = tuple(p for p in (*pieces, claim[at:]) if p)
    canvas = denoiser.build(shown, [("e", evidence)], (*shown, CITE_SLOT))
    for number, word in enumerate(words):
        canvas = canvas.write(number, denoiser.tokenizer.encode(word).ids)
    return Draft(canvas, shown), words


def stale_drafts(denoiser: Denoiser, rows: Sequence[Row], rounds: int = 3) -> dict[str, float]:
    """The whole of active remasking: nobody says which words of a claim are wrong.

    Its names and figures stand in slots. Of a claim that the evidence is not read to support, each slot whose quality is below the
    calibrated doubt is opened on a branch of its own and denoised from the evidence; the branch on which the verdict turns furthest
    towards support stays, if it turns as far as was calibrated. So for `rounds` rounds. `exact`: the claim became the right one.
    `untouched_kept`: words that were right and are still there. `auroc`: of quality as a sign of a span that may stay. `oscillating`:
    claims the last round changed.
    """
    made = [written(denoiser, r["wrong"], r["evidence"]) for r in rows]
    usable = [(r, *m) for r, m in zip(rows, made, strict=True) if m]
    evidence = [r["evidence"] for r, _, _ in usable]
    texts, canvases = [r["wrong"] for r, _, _ in usable], [d.canvas for _, d, _ in usable]
    support = support_of(denoiser, texts, evidence)
    signs, may_stay = list[float](), list[float]()
    moved = 0
    for turn in range(rounds):
        quality = in_batches(canvases, lambda batch: list(map(quality_of, denoiser.guess(batch)[0], batch)))
        if turn == 0:
            signs = [q for one in quality for q in one]
            may_stay = [float(w in r["right"]) for r, _, words in usable for w in words]
        branches = [
            (n, canvas.reopen(canvas.slot_mask([slot])))
            for n, canvas in enumerate(canvases)
            for slot, sure in enumerate(quality[n])
            if not support[n][1] and sure < denoiser.calibration.doubt
        ]
        tried = in_batches([c for _, c in branches], lambda batch: denoised(denoiser, batch))
        after = [usable[n][1].text(c, denoiser, usable[n][2]) for (n, _), c in zip(branches, tried, strict=True)]
        judged = support_of(denoiser, after, [evidence[n] for n, _ in branches])
        changed, before = set[int](), [score for score, _ in support]
        for (n, _), canvas, text, new in zip(branches, tried, after, judged, strict=True):
            if text != texts[n] and new[0] > support[n][0] and new[0] - before[n] >= denoiser.calibration.turn:
                texts[n], canvases[n], support[n] = text, canvas, new
                changed.add(n)
        moved = len(changed)
    kept = [untouched(r["wrong"], r["right"], t) for (r, _, _), t in zip(usable, texts, strict=True)]
    count = max(len(usable), 1)
    return {
        "exact": 100 * sum(exact(t, [r["right"]]) for (r, _, _), t in zip(usable, texts, strict=True)) / len(rows),
        "untouched_kept": 100 * sum(k for k, _ in kept) / max(sum(n for _, n in kept), 1),
        "changed": 100 * sum(r["wrong"] != t for (r, _, _), t in zip(usable, texts, strict=True)) / count,
        "sari": sum(sari(r["wrong"], t, r["right"]) for (r, _, _), t in zip(usable, texts, strict=True)) / count,
        "sari_of_no_change": sum(sari(r["wrong"], r["wrong"], r["right"]) for r, _, _ in usable) / count,
        "auroc": auroc(signs, may_stay),
        "oscillating": 100 * moved / count,
        "n": len(rows),
        "without_slots": len(rows) - len(usable),
    }


def support_of(denoiser: Denoiser, claims: Sequence[str], evidence: Sequence[str]) -> list[tuple[float, bool]]:
    """Log-odds that the evidence supports each claim less those that it contradicts it, and whether support is the verdict."""
    verdicts = stances(denoiser, list(zip(claims, evidence, strict=True)))
    return [(_odds(s) - _odds(r), s == max(s, r, silent)) for s, r, silent in verdicts]


def _odds(share: float) -> float:
    """Log-odds, within those of one in ten thousand."""
    inside = min(max(share, 1e-4), 1 - 1e-4)
    return math.log(inside / (1 - inside))


def quality_of(guess: Guess, canvas: Canvas) -> list[float]:
    """Of each slot but the citation: that what stands there is right; by its probability where a model has no such head."""
    sign = guess.prob if guess.quality is None else guess.quality
    return [float(sign[slot.start]) for slot in canvas.slots[:-1]]


def denoised(denoiser: Denoiser, batch: list[Canvas]) -> list[Canvas]:
    trajectory = list(denoise_all(denoiser, batch, schedule=denoiser.calibration.steps))
    return [f.canvas for f in trajectory[-1]] if trajectory else batch


def untouched(wrong: str, right: str, now: str) -> tuple[int, int]:
    """Of the words that the wrong and the right claim have in common: how many are still there, and how many they are."""
    old, new, newest = wrong.split(), right.split(), now.split()
    common = [
        old[i]
        for a, _, n in difflib.SequenceMatcher(None, old, new, False).get_matching_blocks()
        for i in range(a, a + n)
    ]
    kept = sum(n for _, _, n in difflib.SequenceMatcher(None, common, newest, False).get_matching_blocks())
    return kept, len(common)
