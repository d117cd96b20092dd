"""The embedded model at work: canvases in, guesses, ranked spans and choices out. Words it copies come from legal places only."""

from __future__ import annotations

from collections.abc import Sequence
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
from ..models.embedded import Batch, EmbeddedModel, KeyValues, copyable
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
    past: list[tuple[Tensor, Tensor]]

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


@dataclass(frozen=True)
class Held:
    """What is kept of a canvas: its segments before the draft, each by its key and, in order, all in a row."""

    segments: dict[Key, Encoded]
    joined: Encoded


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
        old = [c.kept for c in caches if c and c.kept]
        have = {key: value for held in old for key, value in held.segments.items()} | self._alive(wanted)
        known = set(have)
        missing = {key: place for w in wanted for key, place in w.items() if key not in have}
        self._encode(missing, have)
        held = [_hold(w, have, c.kept if c else None) for w, c in zip(wanted, caches, strict=True)]
        drafts, read = self._drafts(canvases, held)
        rows: list[tuple[Tensor, Tensor]] = []
        kept: list[Cache] = []
        for i, (canvas, cache) in enumerate(zip(canvases, caches, strict=True)):
            fresh = sum(s.end - s.start for key, (_, s) in wanted[i].items() if key not in known)
            rows.append((held[i].joined.span_keys, drafts[i]))
            kept.append(cache and updated(cache, held[i], Report(read[i] + fresh, len(canvas))))
        if self.living:
            for key in missing:
                own = have[key].apart()
                self.living.keep(key, own, own.size)
            encoded = sum(s.end - s.start for _, s in missing.values())
            self.living.tally.add(encoded + sum(read), sum(map(len, canvases)))
        return rows, kept

    def _alive(self, wanted: Sequence[dict[Key, tuple[Canvas, Segment]]]) -> dict[Key, Encoded]:
        """What lives on of these segments."""
        keys = {key for w in wanted for key in w} if self.living else set()
        return {key: held for key in sorted(keys) if self.living and (held := self.living.get(key)) is not None}

    def _drafts(self, canvases: Sequence[Canvas], held: Sequence[Held]) -> tuple[list[Tensor], list[int]]:
        """Hidden states [D, C] of each draft, and how many rows of it were computed: none where it was read over the same before."""
        keys = [_draft_key(c, h) if self.living else (n,) for n, (c, h) in enumerate(zip(canvases, held, strict=True))]
        found = {k: s for k in dict.fromkeys(keys) if self.living and (s := self.living.get(k)) is not None}
        fresh = {key: n for n, key in reversed(list(enumerate(keys))) if key not in found}  # of equal ones the first
        numbers = sorted(fresh.values())
        if numbers:
            past, valid = _side_by_side([held[n].joined for n in numbers])
            batch = Batch.of([canvases[n] for n in numbers], [_draft(canvases[n]) for n in numbers])
            states = self.model.draft(batch, past, valid)
            for row, n in enumerate(numbers):
                found[keys[n]] = states[row, : len(canvases[n]) - draft_start(canvases[n])]
                if self.living:
                    own = found[keys[n]].clone()
                    self.living.keep(keys[n], own, own.nbytes)
        return [found[k] for k in keys], [len(found[k]) if n in numbers else 0 for n, k in enumerate(keys)]

    def _encode(self, missing: dict[Key, tuple[Canvas, Segment]], have: dict[Key, Encoded]) -> None:
        """Encode what is missing into `have`: the questions first, for the passages look at them."""
        for passages in (False, True):
            keys = [k for k in missing if (len(k) > 1) == passages]
            if not keys:
                continue
            batch = Batch.of([missing[k][0] for k in keys], [[missing[k][1]] for k in keys])
            past, valid = _side_by_side([have[k[:1]] for k in keys]) if passages else (None, None)
            hidden, own = self.model.rows(batch, past, valid)
            span_keys = self.model.span_keys(hidden)
            for i, key in enumerate(keys):
                size = len(key[-1])
                have[key] = Encoded(span_keys[i, :size], [(k[i, :, :size], v[i, :, :size]) for k, v in own])

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
            logits = self.model.vocabulary(states[0])[rows]
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


def _hold(wanted: dict[Key, tuple[Canvas, Segment]], have: dict[Key, Encoded], old: Held | None) -> Held:
    """The segments of a canvas in a row; the row that is already there when they are the same."""
    if old is not None and list(old.segments) == list(wanted):
        return old
    parts = [have[key] for key in wanted]
    past = [
        (torch.cat([p.past[n][0] for p in parts], 1), torch.cat([p.past[n][1] for p in parts], 1))
        for n in range(len(parts[0].past))
    ]
    return Held({key: have[key] for key in wanted}, Encoded(torch.cat([p.span_keys for p in parts]), past))


def _side_by_side(parts: Sequence[Encoded]) -> tuple[KeyValues, Tensor | None]:
    """Keys and values [B, H, P, D] of every layer of some canvases, padded, and [B, P] bool which are real; None for all."""
    if len(parts) == 1:
        return [(k[None], v[None]) for k, v in parts[0].past], None
    lengths = torch.tensor([len(p.span_keys) for p in parts])

    def padded(layer: int, which: int) -> Tensor:
        rows = [p.past[layer][which].transpose(0, 1) for p in parts]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).transpose(1, 2)

    layers = [(padded(n, 0), padded(n, 1)) for n in range(len(parts[0].past))]
    return layers, torch.arange(int(lengths.max())) < lengths[:, None]


def _has_several(canvas: Canvas) -> bool:
    """Whether passages of several names lie on a canvas."""
    return len({s.name for s in canvas.segments if s.role is Role.EVIDENCE}) > 1


def draft_start(canvas: Canvas) -> int:
    return _draft(canvas)[0].start


def _draft(canvas: Canvas) -> list[Segment]:
    return [s for s in canvas.segments if s.role is Role.DRAFT]


def _context(canvas: Canvas) -> list[Segment]:
    return [s for s in canvas.segments if s.role is not Role.DRAFT]


def _draft_key(canvas: Canvas, held: Held) -> tuple[object, ...]:
    """All that the rows of a draft depend on: its tokens and their kinds, how it is cut into blocks, and what it sees, in order."""
    start = draft_start(canvas)
    blocks = tuple(s.end - s.start for s in _draft(canvas))
    return (tuple(canvas.tokens[start:].tolist()), tuple(canvas.kinds[start:].tolist()), blocks, tuple(held.segments))


def _key(canvas: Canvas, segment: Segment) -> Key:
    question = next(s for s in canvas.segments if s.role is Role.QUESTION)
    tokens = [tuple(canvas.tokens[s.start : s.end].tolist()) for s in dict.fromkeys((question, segment))]
    return tuple(tokens)
