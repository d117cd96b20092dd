"""Any open diffusion language model at work on the canvas: LLaDA, Dream, LLaDA2.x and their kin, none trained for typed slots.

What the embedded model learnt, these are held to by constraint. A slot that copies can only become a span of the evidence that is
legal for its kind: the model scores every such span of the slot's length by the probability it gives each word at its place, all
places from one forward (mean field; Di4C, arXiv 2410.08709, section 2). Slots of several lengths are scored side by side and compared
by their mean log-probability a place, which is what a length of one word and one of twelve have in common.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Protocol, Self

import torch
from torch import Tensor

from ..cache.living import Living
from ..cache.span_cache import NO_CACHE, SPAN_CACHE, Cache
from ..canvas.canvas import Canvas, Marks, Piece, Role, Sheet, Slot
from ..canvas.tokenizer import Encoding, Template
from ..decoding.constraints import Sequences
from ..decoding.sampler import Guess, Model
from ..decoding.slot_scores import Best, Limits, Ranked, Scored, guess_of, legal, limits, ranking
from ..kinds import LOGIC_WORDS, NOT_ENOUGH, REFUTES, SUPPORTS, MaskKind, SlotSpec
from .fitting import near_slots, whole
from .slot_calibration import UNMEASURED

LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16)  # of a copied span; tokens
SPOKEN = {SUPPORTS: "yes", REFUTES: "no", NOT_ENOUGH: "unknown", "[YES]": "yes", "[NO]": "no"}
NOTHING = "unknown"  # how a slot is left empty
VARIANT_FRINGE = 8  # rows around a slot that are computed anew for each length it is tried with
MARKERS = "123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

FILLING = (
    "Fill the blanks of the answer with words copied from the sources below, and cite the source by its mark. "
    f'Where the sources do not say it, write "{NOTHING}".'
)
JUDGING = f'Does the source below support the claim? Answer "yes", "no" (it contradicts the claim) or "{NOTHING}".'

WRITING = "Say in one plain sentence what the sources below say. Names, figures and the citation stand already."


class HostedTokenizer(Protocol):
    template: Template

    def encode(self, text: str) -> Encoding: ...

    def control(self, text: str) -> list[int]: ...

    def decode(self, ids: list[int]) -> str: ...


class Reader(Protocol):
    """The words of one canvas at some places [K]; None for places that were not computed."""

    def words(self, places: Tensor) -> Tensor | None:
        """Log-probabilities [K, V]."""

    def best(self, places: Tensor, allowed: Tensor | None) -> Best | None:
        """The best word of each place, of all words or of the `allowed` ids."""

    def standing(self, places: Tensor) -> Tensor | None:
        """[K] the probability that what stands there is right, where the model can tell."""


class PromptedDenoiser(ABC):
    """What all models that are prompted share: the layout, and the scoring of slots from the words' probabilities at their places."""

    writes_prose = True
    calibration = UNMEASURED

    def __init__(
        self, tokenizer: HostedTokenizer, mask: int, delete: int, positions: int, longest_draft: int | None = None
    ):
        """`positions` are those of the model; `longest_draft` tokens is what it can write at once, None for as many."""
        self.tokenizer, self.positions, self.longest_draft = tokenizer, positions, longest_draft or positions
        self.marks = Marks(mask, delete, tokenizer.encode(NOTHING).ids[0])
        singles = [tokenizer.encode(m).ids for m in MARKERS]
        self._markers = list(dict.fromkeys(i[0] for i in singles if len(i) == 1))
        self.logic = torch.tensor(sorted({tokenizer.encode(w).ids[0] for w in LOGIC_WORDS}))
        self.living: Living | None = None

    def alive(self, living: Living) -> Self:
        """The same model, its rows counted in `living`. Each looks at all others, so none is exact on another canvas: they stay from
        step to step of one, in its `SpanCache`, and no longer.
        """
        other = copy(self)
        other.living = living
        return other

    def _counted(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache], seeds: Sequence[int]
    ) -> tuple[list[Reader], list[Cache]]:
        """One forward of the canvases, its rows counted."""
        readers, kept = self._read(canvases, caches, seeds)
        if self.living:
            computed = [cache.report.recomputed if cache else len(c) for c, cache in zip(canvases, kept, strict=True)]
            self.living.tally.add(sum(computed), sum(map(len, canvases)))
        return readers, kept

    @abstractmethod
    def _read(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache], seeds: Sequence[int]
    ) -> tuple[list[Reader], list[Cache]]:
        """One forward of the canvases: how to read the words of each, and what to keep of it."""

    def build(self, question: Sequence[Piece], passages: Sequence[tuple[str, str]], draft: Sequence[Piece]) -> Canvas:
        """A fresh canvas: the chat of this family, question and marked sources in the user's turn, the draft in the assistant's.

        ValueError when there are more passages than one-token marks, or more tokens than the model has positions.
        """
        canvas = self._built(question, passages, draft)
        self._check(canvas)
        return canvas

    def fit(self, question: Sequence[Piece], passages: Sequence[tuple[str, str]], draft: Sequence[Piece]) -> int:
        """How many of `passages`, from the first, stand whole on one canvas of this model. ValueError when not even one does."""
        sizes = [self._size(text) for _, text in passages[: len(self._markers)]]
        others = len(self._built(question, passages[:1], draft)) - sum(sizes[:1])
        if others > self.positions:
            raise ValueError(
                f"question and draft of {others} tokens leave no room in this model's {self.positions}; ask a shorter question"
            )
        return whole(sizes, self.positions - others)

    def shorten(self, draft: Sequence[Piece]) -> list[Piece]:
        """The draft with words far from its slots left out, where it would not leave evidence its room.

        A form is read twice, in the question and in the draft; so each has a quarter of the positions.
        """
        end = len(self.tokenizer.control(self.tokenizer.template.after_assistant))
        return near_slots(draft, self.tokenizer, min(self.positions // 4, self.longest_draft) - end)

    def _check(self, canvas: Canvas) -> None:
        """ValueError for a canvas that this model cannot read."""
        size, draft = int(canvas.positions.max()) + 1, len(canvas) - draft_start(canvas)
        if size > self.positions:
            raise ValueError(
                f"a canvas of {size} tokens is longer than this model's {self.positions}; show fewer or shorter passages"
            )
        if draft > self.longest_draft:
            raise ValueError(
                f"a draft of {draft} tokens is longer than this model's canvas of {self.longest_draft}; shorten it"
            )

    def _size(self, text: str) -> int:
        """Tokens of a passage with its mark."""
        return 1 + sum(len(self.tokenizer.encode(part).ids) for part in (": ", text, "\n"))

    def _built(self, question: Sequence[Piece], passages: Sequence[tuple[str, str]], draft: Sequence[Piece]) -> Canvas:
        sheet = Sheet(self.marks)
        judged = all(not isinstance(p, SlotSpec) or p.kind is MaskKind.CHOICE for p in draft) and bool(passages)
        prose = any(isinstance(p, SlotSpec) and p.free for p in draft)
        words = "".join(p if isinstance(p, str) else "____" for p in question)
        task = JUDGING if judged else WRITING if prose else FILLING
        asked = words if prose and not passages else f"{task}\n\n" + (f"Question: {words}\n" if words else "")
        for token in [*self.tokenizer.control(self.tokenizer.template.before_user), *self.tokenizer.encode(asked).ids]:
            sheet.put(token)
        sheet.close(Role.QUESTION, words)
        marks = self._marks(len(passages))
        for (name, text), mark in zip(passages, marks, strict=True):
            self._passage(sheet, mark, name, text)
        for token in self.tokenizer.control(self.tokenizer.template.after_user):
            sheet.put(token)
        sheet.close(Role.QUESTION, "")
        self._draft(sheet, draft)
        return sheet.canvas()

    def _passage(self, sheet: Sheet, mark: int, name: str, text: str) -> None:
        sheet.put(mark)
        for token in self.tokenizer.encode(": ").ids:
            sheet.put(token)
        encoding = self.tokenizer.encode(text)
        for token, where in zip(encoding.ids, encoding.offsets, strict=True):
            sheet.put(token, where)
        for token in self.tokenizer.encode("\n").ids:
            sheet.put(token)
        sheet.close(Role.EVIDENCE, text, name)

    def _draft(self, sheet: Sheet, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            if isinstance(piece, str):
                for token in self.tokenizer.encode(piece).ids:
                    sheet.put(token)
            else:
                sheet.slot(piece)
        for token in self.tokenizer.control(self.tokenizer.template.after_assistant):
            sheet.put(token)
        sheet.close(Role.DRAFT, "".join(p for p in pieces if isinstance(p, str)))

    def _marks(self, count: int) -> list[int]:
        if count > len(self._markers):
            raise ValueError(f"a canvas of this model holds at most {len(self._markers)} passages; show fewer at once")
        return self._markers[:count]

    @torch.inference_mode()
    def guess(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache] | None = None, seeds: Sequence[int] | None = None
    ) -> tuple[list[Guess], list[Cache]]:
        scored, kept = self._score(canvases, caches or [NO_CACHE] * len(canvases), seeds or [0] * len(canvases))
        return [guess_of(c, s) for c, s in zip(canvases, scored, strict=True)], kept

    @torch.inference_mode()
    def rank(self, canvases: Sequence[Canvas], slot: int, k: int, seed: int = 0) -> list[list[Ranked]]:
        """For each canvas, the `k` likeliest spans of any length for a copying slot, and [NONE]; the likeliest first."""
        return [ranking(c, self._any_length(c, slot, SPAN_CACHE, seed), k) for c in canvases]

    @torch.inference_mode()
    def choices(self, canvases: Sequence[Canvas], slot: int, seed: int = 0) -> list[list[float]]:
        """For each canvas, the probabilities of the allowed answers of a CHOICE slot, in their order."""
        scored, _ = self._score(canvases, [NO_CACHE] * len(canvases), [seed] * len(canvases))
        return [s[slot].choice.exp().tolist() for s in scored]

    @torch.inference_mode()
    def resize(self, model: Model, canvas: Canvas, cache: Cache, step: int, seed: int) -> Canvas:
        """The resize rule of a model that cannot delete: before the first step, each copying slot gets the length that fits best."""
        if step:
            return canvas
        for number, slot in enumerate(canvas.slots):
            if _copies(slot.spec) and not canvas.is_settled(number):
                scored = self._any_length(canvas, number, cache, seed)
                assert scored.spans is not None
                best = int(scored.spans.flatten().argmax())
                none = float(scored.none) >= float(scored.spans.flatten()[best])
                canvas = canvas.resize(number, 1 if none else best % scored.spans.shape[1] + 1)
        return canvas

    def _any_length(self, canvas: Canvas, number: int, cache: Cache, seed: int) -> Scored:
        """The distribution over spans of every length up to the slot's, each scored on a canvas of its own, side by side."""
        longest = canvas.slots[number].spec.length
        lengths = [n for n in LENGTHS if n < longest] + [longest]
        kept = self._shared(canvas, cache, seed)
        variants = [canvas.resize(number, n) for n in lengths]
        scored, _ = self._score(variants, [kept] * len(lengths), [seed] * len(lengths))
        spans = torch.full((len(canvas), longest), -torch.inf)
        for n, slots in zip(lengths, scored, strict=True):
            one = slots[number].spans
            assert one is not None
            rows = canvas.slots[
                number
            ].start  # evidence stands before the draft, so its rows are the same on every canvas
            spans[:rows, n - 1] = one[:rows, n - 1] / n
        none = scored[0][number].none
        total = torch.cat([spans.flatten(), none[None]]).logsumexp(0)
        return Scored(spans=spans - total, none=none - total)

    def _shared(self, canvas: Canvas, cache: Cache, seed: int) -> Cache:
        """What the variants of a canvas go on from: it is computed once, and each recomputes only close around its slot."""
        if cache is None or cache.exact:
            return cache
        if cache.kept is None:
            cache = self._counted([canvas], [cache], [seed])[1][0]
        return cache and replace(cache, fringe=min(cache.fringe, VARIANT_FRINGE), bound=float("inf"))

    def _score(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache], seeds: Sequence[int]
    ) -> tuple[list[list[Scored]], list[Cache]]:
        for canvas in canvases:
            self._check(canvas)
        readers, kept = self._counted(canvases, caches, seeds)
        return [self._slots(c, read) for c, read in zip(canvases, readers, strict=True)], kept

    def _slots(self, canvas: Canvas, read: Reader) -> list[Scored]:
        limit = limits(canvas, len(canvas))
        scored = [self._slot(canvas, slot, read, limit) for slot in canvas.slots]
        for number, slot in enumerate(canvas.slots):
            if canvas.is_settled(number):
                scored[number] = replace(scored[number], quality=read.standing(torch.arange(slot.start, slot.end)))
        return scored

    def _slot(self, canvas: Canvas, slot: Slot, read: Reader, limit: Limits) -> Scored:
        """The distribution of one slot; a settled one whose rows were not computed keeps its standing."""
        places, spec = torch.arange(slot.start, slot.end), slot.spec
        if spec.free:
            return Scored(words=read.best(places, None) or _open_places(canvas, slot, read))
        if spec.kind is MaskKind.LOGIC:
            best = read.best(places, self.logic)
            return Scored(words=best.as_one() if best else _as_it_stands(canvas, slot))
        words = read.words(places)
        if words is None:
            return Scored(words=_as_it_stands(canvas, slot))
        if spec.kind is MaskKind.CHOICE:
            answers = self.answers(spec.allowed, len(words))
            return Scored(choice=answers.mean_score(words).log_softmax(-1), rows=answers.tokens)
        if spec.kind is MaskKind.CITE:
            return Scored(spans=_cited(canvas, words[0]))
        return self._copied(canvas, slot, words, limit)

    def _copied(self, canvas: Canvas, slot: Slot, words: Tensor, limit: Limits) -> Scored:
        """Log-probabilities of the legal spans of just the slot's length, and of leaving it empty."""
        length, size = slot.end - slot.start, len(canvas)
        starts = torch.arange(size)
        places = (starts[:, None] + torch.arange(length)).clamp_max(size - 1)  # [T, K]
        spoken = words[torch.arange(length), canvas.tokens[places]]  # [T, K]
        scores = torch.full((size, length), -torch.inf)
        one_passage = canvas.block[places[:, 0]] == canvas.block[places[:, -1]]
        inside = (canvas.roles == Role.EVIDENCE) & one_passage & (canvas.characters[places, 0] >= 0).all(-1)
        scores[:, -1] = torch.where(inside & (starts + length <= size), spoken.sum(-1), -torch.inf)
        none = torch.tensor(-torch.inf) if slot.spec.required else words[0, self.marks.none]
        return Scored(spans=legal(scores, limit, slot.spec.kind), none=none)

    def answers(self, allowed: Sequence[str], places: int) -> Sequences:
        """The answers as far as the slot's places reach, in their order. ValueError when that leaves two of them the same."""
        spoken = [self.tokenizer.encode(SPOKEN.get(a, a)).ids[:places] for a in allowed]
        if len({tuple(s) for s in spoken}) < len(spoken):
            raise ValueError(
                f"two of the choices {', '.join(allowed)} begin with the same {places} token(s); "
                "choose other words, or give the slot a larger max_length"
            )
        return Sequences.in_order(spoken)


def draft_start(canvas: Canvas) -> int:
    """The first row of the draft."""
    return next(s.start for s in canvas.segments if s.role is Role.DRAFT)


def _copies(spec: SlotSpec) -> bool:
    return not spec.free and spec.kind in (MaskKind.TEXT, MaskKind.ENTITY, MaskKind.NUMBER, MaskKind.OUTLINE)


def _cited(canvas: Canvas, words: Tensor) -> Tensor:
    """[T, 1] log-probabilities of citing each passage: of its mark at the slot's place."""
    openers = torch.tensor([s.start for s in canvas.segments if s.role is Role.EVIDENCE], dtype=torch.long)
    scores = torch.full((len(canvas), 1), -torch.inf)
    scores[openers, 0] = words[canvas.tokens[openers]].log_softmax(-1)
    return scores


def _open_places(canvas: Canvas, slot: Slot, read: Reader) -> Best:
    """A free slot whose first words were settled and not computed again, with what is kept of their blocks: they stand as they are."""
    stands = _as_it_stands(canvas, slot)
    still = canvas.open[slot.start : slot.end].nonzero()[:, 0]
    found = read.best(still + slot.start, None) if len(still) else None
    if found is None:
        return stands
    size = slot.end - slot.start
    every = Best(stands.tokens.clone(), stands.source.clone(), torch.ones(size), torch.zeros(size), torch.ones(size))
    for whole_slot, part in zip(every, found, strict=True):
        whole_slot[still] = part
    return every


def _as_it_stands(canvas: Canvas, slot: Slot) -> Best:
    where = slice(slot.start, slot.end)
    return Best(canvas.tokens[where], canvas.source[where], torch.tensor(1.0), torch.tensor(0.0), torch.tensor(1.0))
