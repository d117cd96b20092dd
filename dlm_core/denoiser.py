"""The embedded model at work: canvases in, guesses, ranked spans and choices out. Words it copies come from legal places only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from . import layout
from .cache import NO_CACHE, Cache, Report, updated
from .canvas import Canvas, Piece, Role, Segment, Slot
from .kinds import MaskKind
from .losses import copyable
from .models.embedded import Batch, EmbeddedModel, KeyValues
from .sampler import Guess, Resize, same_length
from .scoring import Limits, Ranked, Scored, guess_of, legal, likeliest, limits, ranking
from .tokenizer import Tokenizer


@dataclass(frozen=True)
class Encoded:
    """One segment, encoded: hidden states [n, C], and keys and values of every layer [H, n, D]. Exact in any canvas."""

    hidden: Tensor
    past: list[tuple[Tensor, Tensor]]


Key = tuple[tuple[int, ...], ...]  # the tokens a segment's state depends on: the question's, and its own
Segments = dict[Key, Encoded]


class Denoiser:
    """The embedded model and its tokenizer; implements `sampler.Model`."""

    resize: Resize = staticmethod(same_length)  # a slot's length is settled with its words: what is surplus is deleted

    def __init__(self, model: EmbeddedModel, tokenizer: Tokenizer):
        self.model = model.eval()
        self.tokenizer = tokenizer

    def lay(self, question: Sequence[Piece], passages: Sequence[tuple[str, str]], draft: Sequence[Piece]) -> Canvas:
        """A fresh canvas in this model's layout; see `layout.lay`."""
        return layout.lay(self.tokenizer, question, passages, draft)

    @torch.inference_mode()
    def guess(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache] | None = None, seeds: Sequence[int] | None = None
    ) -> tuple[list[Guess], list[Cache]]:
        scored, kept = self._score(canvases, caches or [NO_CACHE] * len(canvases))
        return [guess_of(c, s) for c, s in zip(canvases, scored, strict=True)], kept

    @torch.inference_mode()
    def rank(self, canvases: Sequence[Canvas], slot: int, k: int) -> list[list[Ranked]]:
        """For each canvas, the `k` likeliest fillings of a copying slot that do not overlap, and [NONE], the likeliest first."""
        scored, _ = self._score(canvases, [NO_CACHE] * len(canvases))
        return [ranking(c, s[slot], k) for c, s in zip(canvases, scored, strict=True)]

    @torch.inference_mode()
    def choices(self, canvases: Sequence[Canvas], slot: int) -> list[list[float]]:
        """For each canvas, the probabilities of the allowed answers of a CHOICE slot, in their order."""
        scored, _ = self._score(canvases, [NO_CACHE] * len(canvases))
        return [s[slot].choice.exp().tolist() for s in scored]

    def _score(self, canvases: Sequence[Canvas], caches: Sequence[Cache]) -> tuple[list[list[Scored]], list[Cache]]:
        """The distribution of every slot of every canvas, and what is kept of each."""
        found: dict[int, tuple[list[Scored], Cache]] = {}
        plain = [i for i, c in enumerate(caches) if c is None or c.exact]
        for group, work in ((plain, self._plain), ([i for i in range(len(caches)) if i not in plain], self._cached)):
            if group:
                states, kept = work([canvases[i] for i in group], [caches[i] for i in group])
                for i, (evidence, draft), cache in zip(group, states, kept, strict=True):
                    found[i] = (self._slots(canvases[i], evidence, draft), cache)
        return [found[i][0] for i in range(len(canvases))], [found[i][1] for i in range(len(canvases))]

    def _plain(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache]
    ) -> tuple[list[tuple[Tensor, Tensor]], list[Cache]]:
        """Hidden states of question and evidence, and of the draft, from one pass over whole canvases."""
        hidden = self.model(Batch.of(canvases))
        rows = [(hidden[i, : draft_start(c)], hidden[i, draft_start(c) : len(c)]) for i, c in enumerate(canvases)]
        return rows, [c and updated(c, None, Report(len(v), len(v))) for c, v in zip(caches, canvases, strict=True)]

    def _cached(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache]
    ) -> tuple[list[tuple[Tensor, Tensor]], list[Cache]]:
        """The same from segments encoded once: evidence never looks at the draft, so its state is exact in every canvas."""
        wanted = [{_key(c, s): (c, s) for s in _context(c)} for c in canvases]
        have: Segments = {key: value for c in caches for key, value in (c.kept if c and c.kept else {}).items()}
        old = set(have)
        self._encode({key: place for w in wanted for key, place in w.items() if key not in have}, have)
        parts = [[have[_key(c, s)] for s in _context(c)] for c in canvases]
        heads = [torch.cat([p.hidden for p in ps]) for ps in parts]
        drafts = self.model.draft(Batch.of(canvases, [_draft(c) for c in canvases]), *_side_by_side(parts))
        rows, kept = [], []
        for i, (canvas, cache) in enumerate(zip(canvases, caches, strict=True)):
            size = len(canvas) - len(heads[i])
            fresh = sum(s.end - s.start for key, (_, s) in wanted[i].items() if key not in old)
            rows.append((heads[i], drafts[i, :size]))
            kept.append(cache and updated(cache, {k: have[k] for k in wanted[i]}, Report(size + fresh, len(canvas))))
        return rows, kept

    def _encode(self, missing: dict[Key, tuple[Canvas, Segment]], have: Segments) -> None:
        """Encode what is missing into `have`: the questions first, for the passages look at them."""
        for passages in (False, True):
            keys = [k for k in missing if (len(k) > 1) == passages]
            if not keys:
                continue
            batch = Batch.of([missing[k][0] for k in keys], [[missing[k][1]] for k in keys])
            hidden, own = self.model.rows(batch, *_side_by_side([[have[k[:1]]] if passages else [] for k in keys]))
            for i, key in enumerate(keys):
                size = len(key[-1])
                past = [(keys_[i, :, :size], values[i, :, :size]) for keys_, values in own]
                have[key] = Encoded(hidden[i, :size], past)

    def _slots(self, canvas: Canvas, evidence: Tensor, draft: Tensor) -> list[Scored]:
        limit = limits(canvas, len(evidence))
        return [self._slot(canvas, slot, evidence, draft, limit) for slot in canvas.slots]

    def _slot(self, canvas: Canvas, slot: Slot, evidence: Tensor, draft: Tensor, limit: Limits) -> Scored:
        offset = evidence.shape[0]
        states = draft[slot.start - offset : slot.end - offset]  # [K, C]
        kind = slot.spec.kind
        if slot.spec.free:
            raise ValueError("the embedded model writes no free prose; ask it for slots that are copied from evidence")
        if kind is MaskKind.CHOICE:
            rows = torch.tensor([self.tokenizer.row(a) for a in slot.spec.allowed])
            return Scored(choice=self.model.vocabulary(states[0])[rows].log_softmax(-1), rows=rows)
        if kind is MaskKind.LOGIC:
            return Scored(words=likeliest(self.model.vocabulary(states).log_softmax(-1), shared=True))
        cite = kind is MaskKind.CITE
        allowed = copyable(Batch.of([canvas], [_context(canvas)]), cite)  # [1, P]
        start, end = self.model.span_scores(states[:1], evidence[None])
        joint = self.model.joint(start, end, allowed, 1 if cite else slot.end - slot.start)[0]  # [P, L]
        if cite:
            return Scored(spans=joint.nan_to_num(nan=-torch.inf, neginf=-torch.inf))
        joint = legal(joint, limit, kind)
        gate = self.model.copy_share(states[:1])[0]
        none = torch.tensor(-torch.inf) if slot.spec.required else F.logsigmoid(-gate)
        spans = joint - joint.flatten().logsumexp(0) + F.logsigmoid(gate)
        return Scored(spans=spans.nan_to_num(nan=-torch.inf), none=none)


def _side_by_side(parts: Sequence[Sequence[Encoded]]) -> tuple[KeyValues | None, Tensor | None]:
    """Each canvas's segments in a row, padded: keys and values [B, H, P, D] of every layer, and [B, P] bool which are real."""
    if not parts[0]:
        return None, None
    lengths = torch.tensor([sum(len(p.hidden) for p in ps) for ps in parts])
    valid = torch.arange(int(lengths.max())) < lengths[:, None]

    def padded(layer: int, which: int) -> Tensor:
        rows = [torch.cat([p.past[layer][which] for p in ps], 1).transpose(0, 1) for ps in parts]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).transpose(1, 2)

    return [(padded(n, 0), padded(n, 1)) for n in range(len(parts[0][0].past))], valid


def draft_start(canvas: Canvas) -> int:
    return _draft(canvas)[0].start


def _draft(canvas: Canvas) -> list[Segment]:
    return [s for s in canvas.segments if s.role is Role.DRAFT]


def _context(canvas: Canvas) -> list[Segment]:
    return [s for s in canvas.segments if s.role is not Role.DRAFT]


def _key(canvas: Canvas, segment: Segment) -> Key:
    question = next(s for s in canvas.segments if s.role is Role.QUESTION)
    tokens = [tuple(canvas.tokens[s.start : s.end].tolist()) for s in dict.fromkeys((question, segment))]
    return tuple(tokens)
