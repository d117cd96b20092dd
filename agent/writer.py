"""A denoiser as the agent's writer: every question put to it is a canvas of typed slots. The one door to torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from palimpsest.dlm_core.cache.living import Living
from palimpsest.dlm_core.cache.span_cache import SPAN_CACHE
from palimpsest.dlm_core.canvas.canvas import Canvas, Decoder, Fill
from palimpsest.dlm_core.decoding.frame_words import standing_words
from palimpsest.dlm_core.decoding.profiles import PROFILES
from palimpsest.dlm_core.decoding.sampler import Frame, Plan, denoise_all, in_batches, sureness, threshold
from palimpsest.dlm_core.decoding.speculative import speculate
from palimpsest.dlm_core.denoisers import embedded
from palimpsest.dlm_core.denoisers.open import shared_denoiser
from palimpsest.dlm_core.kinds import (
    BRIDGE_PROMPT,
    BRIDGE_SLOT,
    KIND_PROMPT,
    KIND_SLOT,
    SCOPE_PROMPT,
    SCOPE_SLOT,
    VERDICT_SLOT,
    MaskKind,
    SlotSpec,
)
from palimpsest.retrieval.types import Passage

from .asking import KINDS
from .draft import Kind
from .evidence_text import likeliest_first, same_answer
from .frames import Token
from .state import Candidate, Filled, Piece, Posteriors, Rows, Together, Verdict
from .watching import Eye

CITE = SlotSpec(MaskKind.CITE)
CELLS_READ, ROW_LETTERS = 12, 3000  # spans of a row that are looked at, and letters of it


class ModelWriter:
    """Fills, judges and cites with `model`: "embedded", a folder of weights, or a Hugging Face id of a known family.

    Steps, the settling probability and the lengths of slots are those measured of the model. `threads` limits torch's own; None
    leaves them alone. The same `seed` draws the same words. `denoising` names how prose is denoised (`decoding.profiles`); carefully,
    each place by itself, with `drafter` to guess ahead. WeightsError and ModelError name what is missing or damaged.
    """

    def __init__(
        self,
        model: str | Path = "embedded",
        threads: int | None = None,
        steps: int | None = None,
        seed: int = 0,
        denoising: str = "steady",
        drafter: ModelWriter | None = None,
    ):
        if threads is not None:
            torch.set_num_threads(threads)
        self.denoiser = shared_denoiser(model)
        self.name = str(model) if model == "embedded" else Path(model).name
        self.calibration = self.denoiser.calibration
        self.steps = steps or self.calibration.steps
        self.seed = seed
        self.denoising, self.drafter = denoising, drafter
        self.eye: Eye | None = None

    @property
    def writes_prose(self) -> bool:
        """Whether it can write words that stand in no source."""
        return self.denoiser.writes_prose

    def knows(self, slot: str) -> bool:
        """Whether it was measured how well this model fills a slot of this name: one that it never learnt it fills with noise."""
        return f"{slot}_cases" in self.calibration.measured

    def seeded(self, seed: int) -> ModelWriter:
        """The same model, drawing by another seed."""
        other = copy(self)
        other.seed = seed
        return other

    def seen(self, eye: Eye) -> ModelWriter:
        """The same model, showing each step of the canvases that it denoises."""
        other = copy(self)
        other.eye = eye
        return other

    def living(self) -> ModelWriter:
        """The same model for one run: its canvases live on from one call to the next, and go with the writer.

        What is asked of the same question over the same passages again is not computed again; only new passages and drafts are.
        """
        other = copy(self)
        other.denoiser = self.denoiser.alive(Living())
        return other

    @property
    def rows(self) -> Rows | None:
        """Rows of canvases computed since the writer was made `living`."""
        alive = self.denoiser.living
        return Rows(computed=alive.tally.computed, anew=alive.tally.anew) if alive else None

    def answers(self, question: str, kind: Kind, passages: Sequence[Passage], k: int) -> list[Candidate]:
        """Up to `k` answers a passage, each passage on a canvas of its own, in the order of `passages`."""
        slot = SlotSpec(MaskKind[kind])
        canvases = [self._canvas([question], [p], [slot, " ", CITE]) for p in passages]
        ranked = in_batches(canvases, lambda batch: self.denoiser.rank(batch, 0, k, self.seed))
        return [
            _candidate(r.fill.text, p, r.fill.start, r.fill.end, r.probability)
            for p, ranks in zip(passages, ranked, strict=True)
            for r in ranks
            if r.fill
        ]

    def choose(self, question: str, kind: Kind, passages: Sequence[Passage]) -> Filled:
        """The one answer read when all `passages` lie on one canvas; [NONE] gives empty words and no passage."""
        canvas = self._canvas([question], passages, [SlotSpec(MaskKind[kind]), " ", CITE])
        return self._filled(self._side_by_side([canvas])[0], 0, passages)

    def posteriors(
        self, question: str, kind: Kind, passages: Sequence[Passage], rivals: Sequence[str]
    ) -> Posteriors | None:
        """How probable each of `rivals` is when all `passages` lie on one canvas, and nothing, and other words.

        The rivals are what one slot may become: branches of one canvas with one distribution, in which every span counts for the first
        rival that it says. None for a model that scores lengths on canvases of their own.
        """
        if not isinstance(self.denoiser, embedded.Denoiser):
            return None
        canvas = self._canvas([question], passages, [SlotSpec(MaskKind[kind]), " ", CITE])
        found, none = self.denoiser.readings(canvas, 0)
        shares = [0.0] * len(rivals)
        for reading in found:
            said = next((n for n, r in enumerate(rivals) if reading.fill and same_answer(reading.fill.text, r)), None)
            if said is not None:
                shares[said] += reading.probability
        return Posteriors(rivals=tuple(shares), nothing=none, other=max(1.0 - none - sum(shares), 0.0))

    def bridges(self, question: str, passages: Sequence[Passage], k: int) -> list[str]:
        """Names that lead on, from one canvas of all passages; a model whose slot for them was not measured is asked for names."""
        if not self.knows("bridge"):
            return likeliest_first(self.answers(question, "ENTITY", passages, k))
        canvas = self._canvas([question], [_titled(p) for p in passages], [BRIDGE_PROMPT, BRIDGE_SLOT, " ", CITE])
        return list(dict.fromkeys(r.fill.text for r in self.denoiser.rank([canvas], 0, k, self.seed)[0] if r.fill))

    def hops(self, question: str) -> float:
        """The probability that a question takes a chain of looks, or several beside each other; 0 where it was not measured."""
        if not self.knows("scope"):
            return 0.0
        canvas = self._canvas([question], [], [SCOPE_PROMPT, SCOPE_SLOT])
        _, chain, several = self.denoiser.choices([canvas], 0, self.seed)[0]
        return chain + several

    def together(self, question: str, kind: Kind, passages: Sequence[Passage], k: int) -> Together:
        """The likeliest answers of one canvas of all passages that fit on it; what is read in a title counts where the text has it."""
        shown = [_titled(p) for p in passages]
        canvas = self._canvas([question], shown, [SlotSpec(MaskKind[kind]), " ", CITE])
        ranked, held = self.denoiser.rank([canvas], 0, k, self.seed)[0], {p.id: p for p in passages}
        none = next((r.probability for r in ranked if r.fill is None), 0.0)
        read = [_untitled(r.fill, held[r.fill.name], r.probability) for r in ranked if r.fill and r.fill.name in held]
        return Together(answers=tuple(c for c in read if c), none=none)

    def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        """What each (claim, text) pair's text says of its claim."""
        canvases = [self.denoiser.build([claim], [("", text)], [VERDICT_SLOT]) for claim, text in pairs]
        probabilities = in_batches(canvases, lambda batch: self.denoiser.choices(batch, 0, self.seed))
        return [Verdict(supports=s, refutes=r, silent=n) for s, r, n in probabilities]

    def fill(self, forms: Sequence[tuple[Sequence[Piece], Sequence[Passage]]]) -> list[list[Filled]]:
        """Denoise each form's slots from its passages; [NONE] or nothing to copy gives empty words and no passage."""
        drafts = [self.denoiser.shorten([*map(self._sized, pieces), CITE]) for pieces, _ in forms]
        canvases = [self._canvas(draft[:-1], p, draft) for draft, (_, p) in zip(drafts, forms, strict=True)]
        denoised = self._side_by_side(canvases)
        return [
            [self._filled(frames, number, passages) for number in range(len(frames[-1].canvas.slots) - 1)]
            for frames, (_, passages) in zip(denoised, forms, strict=True)
        ]

    def compose(self, forms: Sequence[tuple[Sequence[Piece], Sequence[Passage]]]) -> list[list[str] | None]:
        """Denoise the free slots of each form in words of the model's own.

        None for a form that fits on no canvas of it, and for words of which the model is less sure, place by place on the geometric
        mean, than what it was measured to settle.
        """
        canvases = {n: built for n, form in enumerate(forms) if (built := self._sheet(*form)) is not None}
        if self.denoising == "careful":
            trajectories = {n: self._guessed_ahead(canvas, forms[n]) for n, canvas in canvases.items()}
        else:
            trajectories = dict(zip(canvases, in_batches(list(canvases.values()), self._written), strict=True))
        sure = {n: frames for n, frames in trajectories.items() if sureness(frames) >= self.calibration.commit}
        return [self._words(sure[n][-1].canvas) if n in sure else None for n in range(len(forms))]

    def _sheet(self, pieces: Sequence[Piece], passages: Sequence[Passage]) -> Canvas | None:
        shown = [(p.id, p.text) for p in passages]
        try:
            return self.denoiser.build([], shown[: self.denoiser.fit([], shown, pieces)], pieces)
        except ValueError:  # longer than what this model reads or writes at once
            return None

    def _written(self, canvases: list[Canvas]) -> list[list[Frame]]:
        plan = PROFILES[self.denoising](max(int(c.open.sum()) for c in canvases), self.calibration.doubt)
        trajectories: list[list[Frame]] = [[] for _ in canvases]
        for reached in denoise_all(
            self.denoiser, canvases, seed=self.seed, **vars(replace(plan, resize=self.denoiser.resize))
        ):
            for number, frame in enumerate(reached):
                trajectories[number].append(frame)
                self._show(number, frame)
        return trajectories

    def _guessed_ahead(self, canvas: Canvas, form: tuple[Sequence[Piece], Sequence[Passage]]) -> list[Frame]:
        """One place a step, several steps guessed ahead: by the drafter, which copies, or by the model itself."""
        draft = self._drafted(canvas, *form) if self.drafter else None
        steps = speculate(self.denoiser, canvas, cache=SPAN_CACHE, seed=self.seed, draft=draft)
        trajectory: list[Frame] = []
        for frame in steps:
            trajectory.append(frame)
            self._show(0, frame)
        return trajectory

    def _drafted(self, canvas: Canvas, pieces: Sequence[Piece], passages: Sequence[Passage]) -> Tensor:
        """[T] what the drafter copies into the same slots, in this model's tokens; -1 where nothing."""
        assert self.drafter is not None, "asked only where there is one"
        copying = [replace(p, free=False, max_length=0) if isinstance(p, SlotSpec) else p for p in pieces]
        draft = torch.full((len(canvas),), -1)
        for slot, fill in zip(canvas.slots, self.drafter.fill([(copying, passages)])[0], strict=True):
            words = self.denoiser.tokenizer.encode(f" {fill.text}").ids if fill.text else []
            size = min(len(words), slot.end - slot.start)
            draft[slot.start : slot.start + size] = torch.tensor(words[:size], dtype=torch.long)
        return draft

    def _words(self, canvas: Canvas) -> list[str]:
        fills = [canvas.fill(n, self.denoiser.tokenizer) for n in range(len(canvas.slots))]
        return [fill.text if fill else "" for fill in fills]

    def kinds(self, question: str) -> dict[str, float]:
        """The probabilities of the kinds of a question, by the names of `asking.KINDS`."""
        canvas = self._canvas([question], [], [KIND_PROMPT, KIND_SLOT])
        return dict(zip(KINDS, self.denoiser.choices([canvas], 0, self.seed)[0], strict=True))

    def cells(self, question: str, row: str, cells: Sequence[str]) -> list[float]:
        """The log-probability that each cell answers the question, of the row in words: title, then names and cells."""
        slot = SlotSpec(MaskKind.TEXT, self.calibration.length(MaskKind.TEXT))
        canvas = self.denoiser.build([question], [("", row[:ROW_LETTERS])], [slot, " ", CITE])
        read = {r.fill.text: r.probability for r in self.denoiser.rank([canvas], 0, CELLS_READ, self.seed)[0] if r.fill}
        return [math.log(read[cell]) if read.get(cell) else -math.inf for cell in cells]

    @property
    def plan(self) -> Plan:
        return Plan(schedule=self.steps, commit=threshold(self.calibration.commit), resize=self.denoiser.resize)

    def _side_by_side(self, canvases: Sequence[Canvas]) -> list[list[Frame]]:
        places = {id(canvas): n for n, canvas in enumerate(canvases)}

        def together(batch: list[Canvas]) -> list[list[Frame]]:
            steps = []
            for frames in denoise_all(self.denoiser, batch, seed=self.seed, **vars(self.plan)):
                steps.append(frames)
                for canvas, frame in zip(batch, frames, strict=True):
                    self._show(places[id(canvas)], frame)
            return [[frames[i] for frames in steps] for i in range(len(batch))]

        return in_batches(canvases, together)

    def _show(self, form: int, frame: Frame) -> None:
        if self.eye:
            slots = [_tokens(frame, n, self.denoiser.tokenizer) for n in range(len(frame.canvas.slots))]
            self.eye(form, frame.step + 1, slots)

    def _filled(self, frames: Sequence[Frame], number: int, passages: Sequence[Passage]) -> Filled:
        place = frames[0].canvas.slots[number].start
        step, settled = next((n, f) for n, f in enumerate(frames, 1) if not f.canvas.open[place])
        fill, probability = settled.canvas.fill(number, self.denoiser.tokenizer), float(settled.guess.prob[place])
        if fill is None or fill.name is None:
            return Filled(text="", passage=None, start=-1, end=-1, probability=0.0, none=probability, steps=step)
        passage = next(p for p in passages if p.id == fill.name)
        start, end = passage.start + fill.start, passage.start + fill.end
        return Filled(
            text=fill.text, passage=passage.id, start=start, end=end, probability=probability, none=0.0, steps=step
        )

    def _canvas(self, question: Sequence[Piece], passages: Sequence[Passage], draft: Sequence[Piece]) -> Canvas:
        """Evidence is cut to fit by whole passages, the last ones first."""
        shown, sized = [(p.id, p.text) for p in passages], [self._sized(p) for p in draft]
        return self.denoiser.build(question, shown[: self.denoiser.fit(question, shown, sized)], sized)

    def _sized(self, piece: Piece) -> Piece:
        """A slot whose length is not given has that which was measured for its kind."""
        if isinstance(piece, str) or piece.max_length:
            return piece
        return replace(piece, max_length=self.calibration.length(piece.kind))


def _titled(passage: Passage) -> Passage:
    return passage.model_copy(update={"text": f"{passage.source.title}. {passage.text}"})


def _untitled(fill: Fill, passage: Passage, probability: float) -> Candidate | None:
    """What was read in a passage under its title, at its place in the passage; None where only the title holds it."""
    start = fill.start - len(passage.source.title) - len(". ")
    if start < 0:
        start = passage.text.find(fill.text)
    return _candidate(fill.text, passage, start, start + len(fill.text), probability) if start >= 0 else None


def _tokens(frame: Frame, slot: int, tokenizer: Decoder) -> tuple[Token, ...]:
    return tuple(
        Token(text=p.text, open=p.is_open, certainty=p.certainty) for p in standing_words(frame, slot, tokenizer)
    )


def _candidate(text: str, passage: Passage, start: int, end: int, probability: float) -> Candidate:
    return Candidate(
        text=text, passage=passage.id, start=passage.start + start, end=passage.start + end, probability=probability
    )
