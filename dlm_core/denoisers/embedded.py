"""The embedded model at work: canvases in, guesses, ranked spans and choices out. Words it copies come from legal places only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..cache.living import Living
from ..cache.span_cache import NO_CACHE, Cache, Report, updated
from ..canvas.canvas import Canvas, Piece, Role, Segment, Slot
from ..canvas.tokenizer import Tokenizer
from ..decoding.sampler import Guess, Resize, same_length
from ..decoding.slot_scores import (
    Limits,
    Ranked,
    Scored,
    guess_of,
    legal,
    likeliest,
    limits,
    mass_of,
    ranking,
    readings,
)
from ..kinds import MaskKind
from ..models.embedded import Batch, EmbeddedModel, KeyValues, Strip, copyable
from ..models.quality import features, standing
from . import embedded_layout
from .fitting import near_slots
from .slot_calibration import UNMEASURED, Calibration


@dataclass(frozen=True)
class Encoded:
    """One segment, encoded, or several in a row: what slots are compared with [n, 2, C], keys and values of every layer [H, n, D].

    Exact in any canvas.
    """

    span_keys: Tensor
    past: KeyValues

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(t.nbytes for t in (self.span_keys, *(t for layer in self.past for t in layer)))

    def apart(self) -> Encoded:
        """The same in memory of its own: a slice of a batch would keep the whole batch."""
        return Encoded(self.span_keys.clone(), [(k.clone(), v.clone()) for k, v in self.past])


LIFT = "lift"  # the sign of a calibration that asks for the lift by evidence
Key = tuple[tuple[int, ...], ...]  # the tokens a segment's state depends on: the question's, and its own


class Believed(NamedTuple):
    """What a slot would be filled with ("" where that is nothing); the probability of its span, of its words, and that it is right."""

    words: str
    probability: float
    mass: float
    right: float


Held = dict[Key, Encoded]  # what is kept of a canvas: its segments ahead of the draft, in order


class Denoiser:
    """The embedded model and its tokenizer; implements `sampler.Model`."""

    writes_prose = False
    resize: Resize = staticmethod(same_length)  # a slot's length is settled with its words: what is surplus is deleted

    def __init__(self, model: EmbeddedModel, tokenizer: Tokenizer, calibration: Calibration = UNMEASURED):
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.calibration = calibration
        self.living: Living | None = None

    def alive(self, living: Living) -> Denoiser:
        """The same model, with canvases that live on in `living` from one call to the next; only what is new is computed."""
        other = copy(self)
        other.living = living
        return other

    def told_by(self, sign: str) -> Denoiser:
        """The same model that tells right words from wrong ones by another sign: the "quality" head, or the "lift"."""
        other = copy(self)
        other.calibration = replace(self.calibration, sign=sign)
        return other

    def build(self, question: Sequence[Piece], passages: Sequence[tuple[str, str]], draft: Sequence[Piece]) -> Canvas:
        """A fresh canvas in this model's layout; see `embedded_layout.build_canvas`."""
        return embedded_layout.build_canvas(self.tokenizer, question, passages, draft)

    def fit(self, question: Sequence[Piece], passages: Sequence[tuple[str, str]], draft: Sequence[Piece]) -> int:
        """How many of `passages`, from the first, stand whole on one canvas. ValueError when not even one does."""
        return embedded_layout.fit(self.tokenizer, passages)

    def shorten(self, draft: Sequence[Piece]) -> list[Piece]:
        """The draft in one block: words far from its slots are left out. A draft of several blocks is for documents."""
        return near_slots(draft, self.tokenizer, embedded_layout.BLOCK_TOKENS)

    @torch.inference_mode()
    def guess(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache] | None = None, seeds: Sequence[int] | None = None
    ) -> tuple[list[Guess], list[Cache]]:
        scored, kept = self._score(canvases, caches or [NO_CACHE] * len(canvases))
        return [guess_of(c, s) for c, s in zip(canvases, scored, strict=True)], kept

    @torch.inference_mode()
    def rank(self, canvases: Sequence[Canvas], slot: int, k: int, seed: int = 0) -> list[list[Ranked]]:
        """For each canvas, the `k` likeliest fillings of a copying slot that do not overlap, and [NONE], the likeliest first.

        Nothing is drawn here, so the seed changes nothing.
        """
        scored, _ = self._score(canvases, [NO_CACHE] * len(canvases))
        return [ranking(c, s[slot], k) for c, s in zip(canvases, scored, strict=True)]

    @torch.inference_mode()
    def believed(self, canvases: Sequence[Canvas], slot: int) -> list[Believed]:
        """For each canvas, what a copying slot would be filled with and the probability that this is right."""
        scored, _ = self._score(canvases, [NO_CACHE] * len(canvases))
        found = []
        for canvas, scores in zip(canvases, scored, strict=True):
            best = next((r for r in ranking(canvas, scores[slot], 1) if r.fill), None)
            words = best.fill.text if best and best.fill else ""
            mass = mass_of(canvas, scores[slot], words) if words else 0.0
            is_given = best is not None and best.probability >= float(scores[slot].none.exp())
            right = self.calibration.rightness(mass, bool(_has_several(canvas)))
            found.append(Believed(words if is_given else "", best.probability if best else 0.0, mass, right))
        return found

    @torch.inference_mode()
    def readings(self, canvas: Canvas, slot: int) -> tuple[list[Ranked], float]:
        """All fillings of a copying slot that are not quite unlikely, overlapping ones too, and the probability of [NONE].

        All are shares of one distribution, so what different words are given can be compared, and added up.
        """
        scored, _ = self._score([canvas], [NO_CACHE])
        return readings(canvas, scored[0][slot])

    @torch.inference_mode()
    def choices(self, canvases: Sequence[Canvas], slot: int, seed: int = 0) -> list[list[float]]:
        """For each canvas, the probabilities of the allowed answers of a CHOICE slot, in their order."""
        scored, _ = self._score(canvases, [NO_CACHE] * len(canvases))
        return [s[slot].choice.exp().tolist() for s in scored]

    @torch.inference_mode()
    def all_choices(self, canvases: Sequence[Canvas]) -> list[list[list[float]]]:
        """For each canvas, the probabilities of the allowed answers of every slot, all of them CHOICE, in their order."""
        scored, _ = self._score(canvases, [NO_CACHE] * len(canvases))
        return [[slot.choice.exp().tolist() for slot in slots] for slots in scored]

    def _score(self, canvases: Sequence[Canvas], caches: Sequence[Cache]) -> tuple[list[list[Scored]], list[Cache]]:
        """The distribution of every slot of every canvas, and what is kept of each."""
        found: dict[int, tuple[list[Scored], Cache]] = {}
        plain = [i for i, c in enumerate(caches) if (c is None and self.living is None) or (c and c.exact)]
        for group, work in ((plain, self._plain), ([i for i in range(len(caches)) if i not in plain], self._cached)):
            if group:
                states, kept = work([canvases[i] for i in group], [caches[i] for i in group])
                for i, (evidence, draft), cache in zip(group, states, kept, strict=True):
                    found[i] = (self._slots(canvases[i], evidence, draft), cache)
        return [found[i][0] for i in range(len(canvases))], [found[i][1] for i in range(len(canvases))]

    def _plain(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache]
    ) -> tuple[list[tuple[Tensor, Tensor]], list[Cache]]:
        """Span keys of question and evidence, and hidden states of the draft, from one pass over whole canvases."""
        hidden = self.model(Batch.of(canvases))
        if self.living:
            self.living.tally.add(sum(map(len, canvases)), sum(map(len, canvases)))
        cuts = [draft_start(c) for c in canvases]
        rows = [
            (self.model.span_keys(hidden[i, :cut]), hidden[i, cut : len(c)])
            for i, (c, cut) in enumerate(zip(canvases, cuts, strict=True))
        ]
        return rows, [c and updated(c, None, Report(len(v), len(v))) for c, v in zip(caches, canvases, strict=True)]

    def _cached(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache]
    ) -> tuple[list[tuple[Tensor, Tensor]], list[Cache]]:
        """The same from segments encoded once: evidence never looks at the draft, so its state is exact in every canvas."""
        wanted = [{_key(c, s): (c, s) for s in _context(c)} for c in canvases]
        have = {key: value for c in caches if c and c.kept for key, value in c.kept.items()} | self._alive(wanted)
        missing = {key: place for w in wanted for key, place in w.items() if key not in have}
        keys = [
            _draft_key(c, w) if self.living else (n,) for n, (c, w) in enumerate(zip(canvases, wanted, strict=True))
        ]
        found = {k: s for k in dict.fromkeys(keys) if self.living and (s := self.living.get(k)) is not None}
        fresh = {key: n for n, key in reversed(list(enumerate(keys))) if key not in found}  # of equal ones the first
        numbers = sorted(fresh.values())
        states = self._computed(missing, have, [(canvases[n], list(wanted[n])) for n in numbers])
        found |= {keys[n]: state for n, state in zip(numbers, states, strict=True)}
        rows: list[tuple[Tensor, Tensor]] = []
        kept: list[Cache] = []
        computed = 0
        for n, (canvas, cache, key) in enumerate(zip(canvases, caches, keys, strict=True)):
            held: Held = {k: have[k] for k in wanted[n]}
            rows.append((torch.cat([part.span_keys for part in held.values()]), found[key]))
            read = len(found[key]) if n in numbers else 0
            computed += read
            encoded = sum(s.end - s.start for k, (_, s) in wanted[n].items() if k in missing)
            kept.append(cache and updated(cache, held, Report(read + encoded, len(canvas))))
        if self.living:
            self._let_live({key: have[key] for key in missing}, {keys[n]: found[keys[n]] for n in numbers})
            encoded = sum(s.end - s.start for _, s in missing.values())
            self.living.tally.add(encoded + computed, sum(map(len, canvases)))
        return rows, kept

    def _alive(self, wanted: Sequence[dict[Key, tuple[Canvas, Segment]]]) -> dict[Key, Encoded]:
        """What lives on of these segments."""
        keys = {key for w in wanted for key in w} if self.living else set()
        return {key: held for key in sorted(keys) if self.living and (held := self.living.get(key)) is not None}

    def _let_live(self, encoded: Held, drafts: dict[tuple[object, ...], Tensor]) -> None:
        """Keep what was computed, in memory of its own."""
        assert self.living is not None, "asked only where canvases live"
        for state_key, state in drafts.items():
            self.living.keep(state_key, state.clone(), state.nbytes)
        for key, part in encoded.items():
            self.living.keep(key, part.apart(), part.size)

    def _computed(
        self, missing: dict[Key, tuple[Canvas, Segment]], have: Held, drafts: Sequence[tuple[Canvas, Sequence[Key]]]
    ) -> list[Tensor]:
        """Encode what is `missing` into `have`; in the same pass, hidden states [D, C] of drafts, which look at segments by key."""
        parts = [*((c, [s]) for c, s in missing.values()), *((c, _draft(c)) for c, _ in drafts)]
        if not parts:
            return []
        numbers = {key: n for n, key in enumerate(missing)}
        ahead = [
            *([k[:1]] * (len(k) > 1) for k in missing),
            *(keys for _, keys in drafts),
        ]  # a passage looks at its question
        seen = [[have[k].past if k in have else numbers[k] for k in keys] for keys in ahead]
        strip = Strip.of(parts)
        hidden, past = self.model.rows(strip, seen)
        states = hidden.split(strip.sizes)
        spans = self.model.span_keys(hidden[: sum(strip.sizes[: len(missing)])]).split(strip.sizes[: len(missing)])
        have.update({k: Encoded(s, kv) for k, s, kv in zip(missing, spans, past, strict=False)})
        return list(states[len(missing) :])

    def _slots(self, canvas: Canvas, evidence: Tensor, draft: Tensor) -> list[Scored]:
        limit, context = limits(canvas, len(evidence)), Batch.of([canvas], [_context(canvas)])
        allowed = [copyable(context, markers) for markers in (False, True)]  # [1, P] each
        return [self._slot(canvas, slot, evidence, draft, limit, allowed) for slot in canvas.slots]

    def _slot(
        self, canvas: Canvas, slot: Slot, evidence: Tensor, draft: Tensor, limit: Limits, allowed: Sequence[Tensor]
    ) -> Scored:
        offset = evidence.shape[0]
        states = draft[slot.start - offset : slot.end - offset]  # [K, C]
        kind = slot.spec.kind
        if slot.spec.free:
            raise ValueError("the embedded model writes no free prose; ask it for slots that are copied from evidence")
        if kind is MaskKind.CHOICE:
            rows = torch.tensor([self.tokenizer.row(a) for a in slot.spec.allowed])
            logits = self.model.chosen(states[0], rows)
            return Scored(choice=self.calibration.choice(slot.spec.allowed).chosen(logits), rows=rows[:, None])
        if kind is MaskKind.LOGIC:
            return Scored(words=likeliest(self.model.vocabulary(states).log_softmax(-1)).as_one())
        cite = kind is MaskKind.CITE
        start, end = self.model.span_scores_of(states[:1], evidence[None])
        joint = self.model.joint(start, end, allowed[cite], 1 if cite else slot.end - slot.start)[0]  # [P, L]
        if cite:
            return Scored(spans=joint.nan_to_num(nan=-torch.inf, neginf=-torch.inf))
        joint = legal(joint, limit, kind)
        calibrated, gate = self.calibration.of(kind), self.model.copy_share(states[:1])[0]
        answered = calibrated.answered(gate) + self.calibration.several * _has_several(canvas)
        none = torch.tensor(-torch.inf) if slot.spec.required else F.logsigmoid(-answered)
        spans = (calibrated.spans(joint) + F.logsigmoid(answered)).nan_to_num(nan=-torch.inf)
        quality = self._quality(canvas, slot, states[0], evidence, spans, none, gate)
        return Scored(spans=spans, none=none, quality=quality)

    def _quality(
        self, canvas: Canvas, slot: Slot, state: Tensor, evidence: Tensor, spans: Tensor, none: Tensor, gate: Tensor
    ) -> Tensor | None:
        """The probability that what stands in a slot that copies is right, or, of an open one, what would be written."""
        if self.calibration.sign == LIFT:
            slope, offset = self.calibration.lift
            return (slope * lift(canvas, slot, spans, none) + offset).sigmoid()
        if self.model.quality is None:
            return None
        inputs = quality_inputs(canvas, slot, state, evidence, spans, none, gate)
        log_odds: Tensor = self.model.quality(*(t[None] for t in inputs))[0]
        return log_odds.sigmoid()


def quality_inputs(
    canvas: Canvas, slot: Slot, state: Tensor, evidence: Tensor, spans: Tensor, none: Tensor, gate: Tensor
) -> tuple[Tensor, Tensor]:
    """States [2C] and features [8] for the quality head, of a slot that copies; `evidence` [P, 2, C] are the span keys."""
    where = slice(slot.start, slot.end)
    stands = not bool(canvas.open[where].any())
    words = canvas.tokens[where][canvas.tokens[where] != canvas.marks.delete]
    is_none = words.numel() > 0 and int(words[0]) == canvas.marks.none
    now = standing(spans, none, canvas.tokens[: len(spans)], words, is_none) if stands else none
    best, width = int(spans.argmax()), spans.shape[1]
    first, last = best // width, best // width + best % width
    pointed = evidence[first, 0] + evidence[min(last, len(evidence) - 1), 1]
    return torch.cat([state, pointed]), features(spans, none, now, gate, stands)


def lift(canvas: Canvas, slot: Slot, spans: Tensor, none: Tensor) -> Tensor:
    """How much likelier the words that stand in a slot are by the evidence than the best others: nats, at most 0; of an open one 0."""
    where = slice(slot.start, slot.end)
    if bool(canvas.open[where].any()):
        return torch.zeros(())
    words = canvas.tokens[where][canvas.tokens[where] != canvas.marks.delete]
    is_none = words.numel() > 0 and int(words[0]) == canvas.marks.none
    now = standing(spans, none, canvas.tokens[: len(spans)], words, is_none)
    return (now - torch.maximum(spans.max(), none)).clamp(-30.0, 0.0)


def _has_several(canvas: Canvas) -> bool:
    """Whether passages of several names lie on a canvas."""
    return len({s.name for s in canvas.segments if s.role is Role.EVIDENCE}) > 1


def draft_start(canvas: Canvas) -> int:
    return _draft(canvas)[0].start


def _draft(canvas: Canvas) -> list[Segment]:
    return [s for s in canvas.segments if s.role is Role.DRAFT]


def _context(canvas: Canvas) -> list[Segment]:
    return [s for s in canvas.segments if s.role is not Role.DRAFT]


def _draft_key(canvas: Canvas, seen: Iterable[Key]) -> tuple[object, ...]:
    """All that the rows of a draft depend on: its tokens and their kinds, how it is cut into blocks, and what it sees, in order."""
    start = draft_start(canvas)
    blocks = tuple(s.end - s.start for s in _draft(canvas))
    return (tuple(canvas.tokens[start:].tolist()), tuple(canvas.kinds[start:].tolist()), blocks, tuple(seen))


def _key(canvas: Canvas, segment: Segment) -> Key:
    question = next(s for s in canvas.segments if s.role is Role.QUESTION)
    tokens = [tuple(canvas.tokens[s.start : s.end].tolist()) for s in dict.fromkeys((question, segment))]
    return tuple(tokens)
