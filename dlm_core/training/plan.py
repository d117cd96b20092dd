"""A training as a plan: phases with a mix of drawers each, read from plan.toml, and the batches that come of it."""

from __future__ import annotations

import random
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..canvas.canvas import Canvas
from ..canvas.tokenizer import Tokenizer
from ..models.embedded import Batch
from . import judgement, questions, reading, relevance
from .corruption import random_words
from .examples import Example
from .losses import Places, SlotBatch, slots_of
from .masking import Masking, Supervision, corrupted, maskings, realise, stale
from .material import Drawer, Material
from .schedule import batches_of

OLDER = (
    "question",
    "answer_stance",
    "repair",
    "statement",
    "outline",
    "logic",
    "contrast",
    "wiki_stance",
)  # drawers of Corpus
DRAWERS: dict[str, Drawer] = {
    **{f.__name__: f for f in (judgement.entailment, judgement.table, judgement.fever, judgement.feverous)},
    **{f.__name__: f for f in (judgement.attribution, judgement.checked, judgement.proof, judgement.argument)},
    **{f.__name__: f for f in (judgement.trial, judgement.polar, judgement.polar_hops, judgement.siblings)},
    **{f.__name__: f for f in (judgement.qualifier, judgement.clause, judgement.denied, judgement.quantity)},
    "elsewhere": judgement.elsewhere,
    **{f.__name__: f for f in (relevance.from_answers, relevance.from_sentences, relevance.from_hops)},
    **{f.__name__: f for f in (relevance.from_medicine, relevance.from_sections, relevance.from_abstracts)},
    **{f.__name__: f for f in (relevance.from_trials, relevance.from_opinions, relevance.from_tables)},
    **{f.__name__: f for f in (relevance.from_titles, reading.among, reading.phrase)},
    **{f.__name__: f for f in (questions.twin, questions.span, questions.hops, questions.dated, questions.cell)},
    **{f.__name__: f for f in (questions.column, questions.bridge, questions.steps, questions.kind)},
    **{f.__name__: f for f in (questions.scope, questions.heading, questions.long_draft)},
    **{name: questions.older(name) for name in OLDER},
}
PLAN = Path(__file__).with_name("plan.toml")
POOL = 2048  # examples drawn together, sorted by length and cut into batches
MOST_FAULTS = 1000  # draws in a row
WIDTHS = 16  # a batch is as wide as a multiple of this
FAULTS = (LookupError, ValueError, TypeError, AttributeError)  # of one row or one pool of examples, not of a training
FAILED: Counter[str] = Counter()  # what a drawer could not make of a row, by drawer and fault, in this process


@dataclass(frozen=True)
class Phase:
    """Until which share of the budget, the mix of drawers, and how often a batch holds slips to be mended."""

    name: str
    until: float
    mix: dict[str, float]
    slips: float = 0.0

    def draw(self, material: Material, rng: random.Random) -> Example:
        """One example; where a drawer happened on what does not lend itself, another of the same drawer.

        RuntimeError when nothing can be drawn: a training that sees the same batches again and again would not show it.
        """
        for _ in range(MOST_FAULTS):
            name = rng.choices(list(self.mix), list(self.mix.values()))[0]
            try:
                return self.of(DRAWERS[name], material, rng)
            except FAULTS as fault:  # a row of a shape that a drawer did not foresee: the others go on, and it is told
                FAILED[f"{name}: {fault!r}"] += 1
        raise RuntimeError(f"{MOST_FAULTS} draws of the phase {self.name} failed one after the other: {dict(FAILED)}")

    @staticmethod
    def of(drawer: Drawer, material: Material, rng: random.Random) -> Example:
        while True:
            if (made := drawer(material, rng)) is not None:
                return made


@dataclass(frozen=True)
class Plan:
    """Peaks of the learning rates, weight decay, dropout, the decay of the averaged weights, and the phases in order."""

    body_rate: float
    head_rate: float
    decay: float
    dropout: float
    average: float
    phases: tuple[Phase, ...]

    @staticmethod
    def read(path: Path) -> Plan:
        """ValueError names a drawer that is not known or phases that do not reach the end."""
        settings = tomllib.loads(path.read_text())
        phases = tuple(Phase(**phase) for phase in settings.pop("phase"))
        unknown = sorted({name for phase in phases for name in phase.mix} - set(DRAWERS))
        if unknown:
            raise ValueError(f"{path} names drawers that are not there: {', '.join(unknown)}")
        if not phases or phases[-1].until < 1:
            raise ValueError(f"the last phase of {path} ends at {phases[-1].until if phases else 0}; let it end at 1.0")
        return Plan(**settings, phases=phases)

    def at(self, share: float) -> Phase:
        return next((p for p in self.phases if share < p.until), self.phases[-1])


def laid_batches(
    plan: Plan,
    material: Material,
    tokenizer: Tokenizer,
    share: float,
    seed: str,
    size: tuple[int, int],
    pool: int = POOL,
) -> Iterator[tuple[Batch, SlotBatch]]:
    """The batches of one pool of examples, at most `size` padded places and canvases each; the same seed and share give the same.

    Every batch counts alike in training, so it is canvases that should be equal, or short ones would count for less.
    """
    phase, rng = plan.at(share), random.Random(seed)
    for examples in batches_of([phase.draw(material, rng) for _ in range(pool)], size[0], rng, size[1]):
        seen = [v for e in examples for v in maskings(e, share, rng)]
        if rng.random() < phase.slips:
            seen = [slipped(v, rng) for v in seen]
        pairs = list(_realised(seen, tokenizer))
        if pairs:
            canvases = [c for c, _ in pairs]
            yield widened(Batch.of(canvases)), slots_of(canvases, [t for _, t in pairs])


def slipped(masking: Masking, rng: random.Random) -> Masking:
    """The masking with other words of its passages in half of its slots, or with what was true before."""
    if any(t.now for t in masking.example.targets) and rng.random() < 0.5:
        return stale(masking)
    return corrupted(masking, [w if rng.random() < 0.5 else None for w in random_words(masking, rng)])


def _realised(seen: Sequence[Masking], tokenizer: Tokenizer) -> Iterator[tuple[Canvas, list[Supervision]]]:
    for masking in seen:
        try:
            canvas, supervised = realise(masking, tokenizer, 16)
        except ValueError:  # more segments than a canvas holds: a long passage among many
            continue
        if supervised:
            yield canvas, supervised


def widened(batch: Batch) -> Batch:
    """The batch padded to a multiple of WIDTHS."""
    more = -batch.tokens.shape[1] % WIDTHS
    names = ("tokens", "positions", "roles", "kinds")
    tokens, positions, roles, kinds = (F.pad(getattr(batch, name), (0, more)) for name in names)
    return Batch(tokens, positions, roles, kinds, F.pad(batch.block, (0, more), value=-1), batch.joint)


Packed = dict[str, Any]


def packed(value: Any) -> Packed:
    """A batch as small arrays that a queue carries cheaply."""
    arrays: Packed = {}
    for f in fields(value):
        inner = getattr(value, f.name)
        if isinstance(inner, Tensor):
            arrays[f.name] = _small(inner)
        elif isinstance(inner, Places):
            arrays[f.name] = packed(inner)
        else:
            arrays[f.name] = inner
    return arrays


def _small(tensor: Tensor) -> np.ndarray[Any, Any]:
    if tensor.dtype == torch.long:
        tensor = tensor.to(torch.int16)  # token ids end at 30,522
    return tensor.numpy()


def unpacked(batch: Packed, slots: Packed, device: torch.device) -> tuple[Batch, SlotBatch]:
    """The batch on a device."""
    words, edits = (Places(**_tensors(slots[name], device)) for name in ("words", "edits"))
    rest = {name: value for name, value in slots.items() if name not in ("words", "edits")}
    return Batch(**_tensors(batch, device)), SlotBatch(**_tensors(rest, device), words=words, edits=edits)


def _tensors(arrays: Packed, device: torch.device) -> dict[str, Any]:
    return {name: _on(value, device) if isinstance(value, np.ndarray) else value for name, value in arrays.items()}


def _on(array: np.ndarray[Any, Any], device: torch.device) -> Tensor:
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        tensor = tensor.pin_memory().to(device, non_blocking=True)
    return tensor.long() if tensor.dtype == torch.int16 else tensor
