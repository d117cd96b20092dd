"""What each way to denoise changes and costs, on a real model.

`python -m palimpsest.dlm_core.evaluation.denoising --model FOLDER --data TEXT --sentences 24`

Of sentences from a text the words between names and figures are opened, as the agent opens them (the sentence before is the evidence),
and written by each way in turn. `same` is the share of places that hold the author's own word again; `doubled` of those that repeat
their neighbour; calls and rows are the model's, a sentence. Seconds are this machine's, today's.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from ..cache.span_cache import SPAN_CACHE, Cache
from ..canvas.canvas import Canvas, Piece
from ..decoding import profiles
from ..decoding.sampler import Guess, Model, Plan, denoise
from ..decoding.speculative import speculate
from ..denoisers.hosted import HostedDenoiser
from ..denoisers.open import open_denoiser
from ..kinds import MaskKind, SlotSpec, typed_spans
from ..models.errors import ModelError
from ..training.adapt import AdaptConfig, documents, parted

Way = Callable[[Model, Canvas], Canvas]
MOST_PLACES = 12


@dataclass(frozen=True)
class Case:
    """A sentence whose words between anchors are open: its canvas, and the author's own words there, [T]."""

    canvas: Canvas
    words: torch.Tensor


class Counted:
    """A model whose calls and computed rows are counted."""

    def __init__(self, model: Model):
        self.model, self.calls, self.rows = model, 0, 0

    def guess(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache] | None = None, seeds: Sequence[int] | None = None
    ) -> tuple[list[Guess], list[Cache]]:
        found, kept = self.model.guess(canvases, caches, seeds)
        self.calls += 1
        self.rows += sum(k.report.recomputed if k else len(c) for k, c in zip(kept, canvases, strict=True))
        return found, kept


def by(plan: Callable[[int], Plan]) -> Way:
    def way(model: Model, canvas: Canvas) -> Canvas:
        *_, last = denoise(model, canvas, **vars(plan(int(canvas.open.sum()))))
        return last.canvas

    return way


def guessed_ahead(width: int) -> Way:
    def way(model: Model, canvas: Canvas) -> Canvas:
        *_, last = speculate(model, canvas, width=width, cache=SPAN_CACHE)
        return last.canvas

    return way


WAYS: dict[str, Way] = {
    "steady": by(profiles.steady),
    "fast": by(profiles.fast),
    "careful": guessed_ahead(4),
    "careful, not guessed ahead": by(profiles.careful),
    "all at once": by(lambda n: Plan(1)),
}


def cases(denoiser: HostedDenoiser, found: Sequence[str], count: int, most: int = MOST_PLACES) -> list[Case]:
    """Sentences with an anchor and at most so many open places, each behind the one before it."""
    made: list[Case] = []
    for text in found:
        sentences = [s.strip() + "." for s in text.replace("\n", " ").split(". ") if 40 < len(s) < 160]
        for before, sentence in pairwise(sentences):
            case = _case(denoiser, before, sentence, most)
            if case is not None:
                made.append(case)
                break  # one of each document
        if len(made) == count:
            break
    return made


def _case(denoiser: HostedDenoiser, before: str, sentence: str, most: int) -> Case | None:
    pieces: list[Piece] = []
    words: list[int] = []
    at = 0
    anchors = [(a, b) for a, b, kind in typed_spans(sentence) if kind is not MaskKind.LOGIC]
    for start, end in [*anchors, (len(sentence) - 1, len(sentence))]:
        between = denoiser.tokenizer.encode(sentence[at:start].rstrip()).ids
        if between:
            pieces.append(SlotSpec(MaskKind.TEXT, len(between), free=True))
            words += between
        pieces.append((" " if at < start and sentence[start - 1] == " " else "") + sentence[start:end])
        at = end
    if not anchors or not 4 <= len(words) <= most:
        return None
    canvas = denoiser.build([], [("before", before)], pieces)
    full = torch.full((len(canvas),), -1)
    full[canvas.open] = torch.tensor(words)
    return Case(canvas, full)


def measured(denoiser: HostedDenoiser, asked: Sequence[Case], way: Way) -> dict[str, float]:
    model = Counted(denoiser)
    same = doubled = places = 0
    begun = time.perf_counter()
    for case in asked:
        done, where = way(model, case.canvas), case.canvas.open
        words = done.tokens[where]
        same += int((words == case.words[where]).sum())
        doubled += int((done.tokens[1:] == done.tokens[:-1])[where[1:]].sum())
        places += int(where.sum())
    size = len(asked)
    return {
        "same": same / places,
        "doubled": doubled / places,
        "calls": model.calls / size,
        "rows": model.rows / size,
        "seconds": (time.perf_counter() - begun) / size,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m palimpsest.dlm_core.evaluation.denoising", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--model", required=True, help="folder or Hugging Face id of a hosted model")
    parser.add_argument(
        "--data", type=Path, required=True, help="a text, as training.adapt reads it; what that held out is asked"
    )
    parser.add_argument("--sentences", type=int, default=24)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    given = parser.parse_args()
    try:
        denoiser = open_denoiser(given.model)
        if not isinstance(denoiser, HostedDenoiser):
            raise ModelError(f"{given.model} writes no prose; give a checkpoint of LLaDA, Dream, LLaDA2 or their kin")
        text = AdaptConfig(Path(), given.data, Path(), steps=1, documents=given.documents)
        asked = cases(denoiser, parted(documents(text))[1], given.sentences)
    except (ModelError, ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    if not asked:
        raise SystemExit(
            f"{given.data} holds no sentence with a name or figure among what is held out; read more --documents"
        )
    print(f"{len(asked)} sentences, {sum(int(c.canvas.open.sum()) for c in asked)} open places")
    for name in given.ways:
        row: dict[str, Any] = {"way": name, **measured(denoiser, asked, WAYS[name])}
        print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}), flush=True)


if __name__ == "__main__":
    main()
