"""Average two weights and calibrate the mean.

`python -m palimpsest.dlm_core.training.average --one A --two B --data TRAIN --out FOLDER`

Two trainings that started from the same weights and heads lie in one basin, and their mean reads better than either. The quality head
is that of the first. Probabilities are fitted on titles that `training.gather` holds out and on `span_qa_newwiki`, which no training
reads.
"""

from __future__ import annotations

import argparse
import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ..decoding.sampler import in_batches
from ..denoisers import embedded_weights
from ..denoisers.embedded import Denoiser
from ..denoisers.slot_calibration import Calibration, KindCalibration, best_temperature, platt
from ..kinds import VERDICT_SLOT, MaskKind
from ..metrics import auroc, calibration, percent
from ..models.embedded import EmbeddedModel
from .calibrate_embedded import Read, Recorder, _copied, _gold, int8_loss, is_right
from .corpus import window
from .examples import Example, Row
from .gather import held_out, read_named
from .masking import masked
from .material import content_words
from .questions import PASSAGE_LETTERS, asked, cut

COPYING = (MaskKind.TEXT, MaskKind.ENTITY, MaskKind.NUMBER)
LABELS = {"entailment": 0, "supported": 0, "contradiction": 1}  # any other: nothing
Pair = tuple[str, str, int]  # claim, evidence, the verdict's place in VERDICTS


def mean(one: Denoiser, two: Denoiser, share: float) -> EmbeddedModel:
    """`share` of `two` and the rest of `one`; what only `one` has, its quality head, stays as it is."""
    first, second = one.model.state_dict(), two.model.state_dict()
    model = EmbeddedModel(one.model.config)
    model.load_state_dict({n: t.lerp(second[n], share) if n in second else t for n, t in first.items()})
    return model.eval()


def twins(rows: Sequence[Row], rng: random.Random) -> list[Example]:
    """Each row's question with its answer, and the one beside it that the paragraph does not answer, in the same draft."""
    examples = []
    for row in rows:
        answer = row["answers"][0] if isinstance(row["answers"][0], str) else row["answers"][0]["text"]
        at = max(row["context"].find(answer), 0)
        shown = [window(row["context"], at, at + len(answer), PASSAGE_LETTERS, rng)]
        right = asked(row["question"], shown, answer, "twin", rng)
        silent = asked(row["unanswerable_question"], shown, None, "twin", rng)
        if right and silent:
            examples += [right, replace(silent, draft=right.draft)]
    return examples


def elsewhere(rows: Sequence[Row], count: int, rng: random.Random, is_nearest: bool = False) -> list[Example]:
    """`count` questions with their paragraph, and each with another paragraph of its article that lacks the answer: any, or
    the one that shares most words with the question.
    """
    articles: dict[str, set[str]] = {}
    for row in rows:
        articles.setdefault(row["title"], set()).add(row["context"])
    examples: list[Example] = []
    for row in rng.sample(rows, len(rows)):
        answer = min(row["answers"], key=len)
        others = [c for c in sorted(articles[row["title"]]) if answer not in c]
        at = max(row["context"].find(answer), 0)
        shown = [window(row["context"], at, at + len(answer), PASSAGE_LETTERS, rng)]
        right = asked(row["question"], shown, answer, "elsewhere", rng)
        words = content_words(row["question"])
        other = (
            max(others, key=lambda c: len(words & content_words(c)), default="") if is_nearest else _any(others, rng)
        )
        silent = asked(row["question"], [cut(other, PASSAGE_LETTERS)], None, "elsewhere", rng) if other else None
        if right and silent:
            examples += [right, replace(silent, draft=right.draft)]
        if len(examples) >= 2 * count:
            break
    return examples


def _any(texts: Sequence[str], rng: random.Random) -> str:
    return rng.choice(texts) if texts else ""


def fitted(denoiser: Denoiser, examples: Sequence[Example], pairs: Sequence[Pair], old: Calibration) -> Calibration:
    """Temperatures and the gate's log-odds, one fit for all kinds that copy; steps, commit, doubt and lengths as they were."""
    recorder = Recorder(denoiser.model, denoiser.tokenizer)
    rows = [r for r in _copied(examples, recorder.read([masked(e) for e in examples])) if r[1] == 0]
    gates, answered = (
        torch.stack([r.gate for _, _, r in rows]),
        torch.tensor([bool(e.targets[0].spans) for e, _, _ in rows]),
    )
    slope, offset = platt(gates, answered)
    golds = [(r, _gold(denoiser, e, 0, r)) for e, _, r in rows if e.targets[0].spans]
    temperature = best_temperature([r.spans.flatten() for r, g in golds if g], [g for _, g in golds if g])
    sheets = [denoiser.build([claim], [("e", text)], [VERDICT_SLOT]) for claim, text, _ in pairs]
    probabilities = in_batches(sheets, lambda batch: recorder.choices(batch, 0))
    logits = [torch.tensor(p).clamp_min(1e-9).log() for p in probabilities]
    choice = best_temperature(logits, [[y] for _, _, y in pairs])
    kinds = {k: KindCalibration(temperature, slope, offset, old.of(k).length) for k in COPYING}
    kinds[MaskKind.CHOICE] = KindCalibration(choice, length=old.of(MaskKind.CHOICE).length)
    cooled = [torch.softmax(row / choice, 0).tolist() for row in logits]
    measured = {**_answers(rows, kinds[MaskKind.TEXT]), **_verdicts(cooled, [y for _, _, y in pairs])}
    stored = int8_loss(recorder, [e for e in examples if e.targets[0].spans])
    return replace(old, kinds=kinds, measured={**measured, **stored})


def _answers(rows: Sequence[tuple[Example, int, Read]], kind: KindCalibration) -> dict[str, float]:
    """How well the gate tells whether there is an answer, and the answer's probability whether it is right."""
    odds = [float(kind.answered(r.gate).sigmoid()) for _, _, r in rows]
    there = [float(bool(e.targets[0].spans)) for e, _, _ in rows]
    best = [p * float(kind.spans(r.spans).max().exp()) for p, (_, _, r) in zip(odds, rows, strict=True)]
    right = [float(is_right(e, n, r.words)) for e, n, r in rows]
    return {
        "answer_there_auroc": auroc(odds, there),
        "answer_there_ece": calibration(odds, there)["ece"],
        "answer_right_auroc": auroc(best, right),
        "answer_right_ece": calibration(best, right)["ece"],
        "answers": len(rows),
    }


def _verdicts(probabilities: Sequence[Sequence[float]], golds: Sequence[int]) -> dict[str, float]:
    right = [float(max(range(3), key=p.__getitem__) == y) for p, y in zip(probabilities, golds, strict=True)]
    surest = [max(p) for p in probabilities]
    return {
        "verdict_accuracy": percent(right),
        "verdict_auroc": auroc(surest, right),
        "verdict_ece": calibration(surest, right)["ece"],
        "verdicts": len(right),
    }


def cases(data: Path, count: int, seed: int) -> tuple[list[Example], list[Pair]]:
    """Questions and claims of titles and premises that no training of this plan saw."""
    rng = random.Random(f"average/{seed}")

    def some(name: str, key: str) -> list[Row]:
        rows = [r for r in read_named(data, name) if held_out(r[key])]
        return rng.sample(rows, min(count, len(rows)))

    examples = twins([r for r in some("unanswerable_pairs", "title") if r.get("context")], rng)
    examples += elsewhere(read_named(data, "span_qa_newwiki"), count, rng)
    pairs = [(r["hypothesis"], r["premise"], LABELS.get(r["label"], 2)) for r in some("nli3", "premise")]
    pairs += [(r["claim"], r["evidence"], LABELS.get(r["label"], 2)) for r in some("attribution", "evidence")]
    return examples, pairs


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.training.average", description=__doc__)
    for name in ("--one", "--two", "--data", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.5, help="of the second")
    parser.add_argument("--cases", type=int, default=200, help="of each of the four files")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    one, two = embedded_weights.load(args.one), embedded_weights.load(args.two)
    denoiser = Denoiser(mean(one, two, args.share), one.tokenizer)
    found = fitted(denoiser, *cases(args.data, args.cases, args.seed), one.calibration)
    config = {folder: embedded_weights.check(folder) for folder in (args.one, args.two)}
    facts: dict[str, object] = {name: config[args.one].get(name) for name in ("base", "licence")}
    facts["training"] = {
        "mean_of": [config[args.one].get("training"), config[args.two].get("training")],
        "share": args.share,
    }
    embedded_weights.save(denoiser.model, args.one / "tokenizer.json", args.out, facts, found)
    for name in ("agent.json", "selection.json", "records.json", "answers.json"):
        if (args.one / name).exists() and args.one != args.out:
            shutil.copy(args.one / name, args.out / name)
    print(found)


if __name__ == "__main__":
    main()
