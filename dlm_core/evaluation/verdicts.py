"""How well claims are judged by evidence: supported, contradicted, or neither."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

from ..decoding.sampler import in_batches
from ..denoisers.embedded import Denoiser
from ..denoisers.embedded_layout import build_canvas
from ..kinds import VERDICT_SLOT
from ..metrics import auroc, normalise, percent
from ..training.examples import Row


def stances(denoiser: Denoiser, pairs: Sequence[tuple[str, str]]) -> list[list[float]]:
    """Probabilities of [SUP], [REF], [NEI] for (claim, evidence) pairs."""
    canvases = [build_canvas(denoiser.tokenizer, [claim], [("e", text)], [VERDICT_SLOT]) for claim, text in pairs]
    return in_batches(canvases, lambda batch: denoiser.choices(batch, 0))


LABELS = {"SUPPORTS": 0, "REFUTES": 1}


def stance(denoiser: Denoiser, rows: Sequence[Row], seed: int = 0) -> dict[str, float]:
    """Contrastive pairs, judged three ways. "accuracy" counts [NEI] as wrong; "three_way" adds as many silent pairs: each
    claim once with the evidence of another claim that shares a word with it; "pair_accuracy": a claim right on both sides.
    """
    probabilities = stances(denoiser, [(r["claim"], r["evidence"]) for r in rows])
    guessed = [max(range(3), key=p.__getitem__) for p in probabilities]
    right = [g == LABELS[r["label"]] for g, r in zip(guessed, rows, strict=True)]
    silent = stances(denoiser, silent_pairs(rows, seed))
    quiet = [max(range(3), key=p.__getitem__) == 2 for p in silent]
    by_claim: dict[str, list[bool]] = {}
    for row, ok in zip(rows, right, strict=True):
        by_claim.setdefault(row["claim"], []).append(ok)
    pairs = [all(v) for v in by_claim.values() if len(v) > 1]
    binary = [(p[0] < p[1]) == LABELS[r["label"]] for p, r in zip(probabilities, rows, strict=True)]
    return {
        "accuracy": 100 * sum(right) / len(right),
        "two_way": 100 * sum(binary) / len(binary),
        "pair_accuracy": 100 * sum(pairs) / max(len(pairs), 1),
        "three_way": 100 * (sum(right) + sum(quiet)) / (len(right) + len(quiet)),
        "silent": 100 * sum(quiet) / len(quiet),
        "n": len(rows),
    }


def silent_pairs(rows: Sequence[Row], seed: int) -> list[tuple[str, str]]:
    """Each row's claim with evidence of another claim: half of the draws take the candidate sharing most words of 30."""
    rng, pairs = random.Random(seed), []
    for row in rows:
        words = set(normalise(row["claim"]).split())
        drawn = rng.sample(list(rows), min(30, len(rows)))
        rivals = [r for r in drawn if r["evidence"] != row["evidence"] and _base(r) != _base(row)]
        near = max(rivals, key=lambda r: len(words & set(normalise(r["evidence"]).split())))
        pairs.append((row["claim"], near["evidence"] if rng.random() < 0.5 else rng.choice(rivals)["evidence"]))
    return pairs


def _base(row: Row) -> str:
    """The FEVER id that the four members of a symmetric group share."""
    return str(row["id"]).removesuffix("0000003").removesuffix("0000001").removesuffix("0000002")


def claim_only(train: Sequence[Row], rows: Sequence[Row]) -> float:
    """Accuracy of a logistic regression on the claim's words alone, fitted on training claims: what a leak would give."""
    vocabulary = {w: i for i, w in enumerate(sorted({w for r in train for w in normalise(r["claim"]).split()}))}

    def bag(row: Row) -> list[int]:
        return [vocabulary[w] for w in normalise(row["claim"]).split() if w in vocabulary]

    torch.manual_seed(0)
    layer = torch.nn.EmbeddingBag(len(vocabulary) + 1, 1, mode="sum")
    torch.nn.init.zeros_(layer.weight)
    optim = torch.optim.Adam(layer.parameters(), lr=0.02)
    bags = [torch.tensor([len(vocabulary), *bag(r)]) for r in train]
    target = torch.tensor([float(r["label"] != "entailment") for r in train])
    for _ in range(30):
        scores = layer(torch.cat(bags), torch.tensor([0, *[len(b) for b in bags[:-1]]]).cumsum(0))[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(scores, target) + 1e-3 * layer.weight.square().sum()
        optim.zero_grad()
        loss.backward()
        optim.step()
    with torch.inference_mode():
        guess = [float(layer(torch.tensor([[len(vocabulary), *bag(r)]]))[0, 0]) > 0 for r in rows]
    return 100 * sum(g == (r["label"] == "REFUTES") for g, r in zip(guess, rows, strict=True)) / len(rows)


def shared_words(train: Sequence[Row], rows: Sequence[Row]) -> float:
    """Accuracy of calling supported what shares enough words with its evidence; how many, is fitted on training claims."""
    known = sorted((_share(r), r["label"] == "entailment") for r in train)
    supported = sum(is_true for _, is_true in known)
    best, least, right = 0, 2.0, len(known) - supported  # nothing is called supported
    for share, is_true in reversed(known):
        right += 1 if is_true else -1
        if right > best:
            best, least = right, share
    return percent((_share(r) >= least) == (r["label"] == "SUPPORTS") for r in rows)


def _share(row: Row) -> float:
    """Of the words of a claim, those that its evidence holds."""
    words = normalise(row["claim"]).split()
    held = set(normalise(row["evidence"]).split())
    return sum(w in held for w in words) / max(len(words), 1)


def _guessed(probabilities: Sequence[Sequence[float]]) -> list[int]:
    return [max(range(3), key=p.__getitem__) for p in probabilities]


def fool_me_twice(denoiser: Denoiser, claims: Sequence[Row], corpus: Sequence[Row]) -> dict[str, float]:
    """FM2's claims beside their gold sentences, and beside as many retrieved ones of the same page that are not gold (silent)."""
    texts = {row["id"]: row["text"] for row in corpus}
    gold = [" ".join(texts[i] for i in row["gold_sentence_ids"]) for row in claims]
    others = [next((i for i in r["retrieved_sentence_ids"] if i not in r["gold_sentence_ids"]), None) for r in claims]
    probabilities = stances(denoiser, [(r["claim"], e) for r, e in zip(claims, gold, strict=True)])
    silent = stances(denoiser, [(r["claim"], texts[i]) for r, i in zip(claims, others, strict=True) if i])
    right = [g == LABELS[r["label"].upper()] for g, r in zip(_guessed(probabilities), claims, strict=True)]
    binary = [(p[0] < p[1]) == LABELS[r["label"].upper()] for p, r in zip(probabilities, claims, strict=True)]
    return {
        "accuracy": percent(right),
        "two_way": percent(binary),
        "silent": percent(g == 2 for g in _guessed(silent)),
        "n": len(claims),
    }


THREE = {"supports": 0, "refutes": 1, "nothing": 2}


def sentences(denoiser: Denoiser, claims: Sequence[Row], corpus: Sequence[Row]) -> dict[str, float]:
    """Climate-FEVER's (claim, sentence) pairs that all annotators judged alike, three ways; macro F1 beside accuracy."""
    texts = {row["id"]: row["text"] for row in corpus}
    pairs = [
        (r["claim"], texts[e["sentence_id"]], THREE[e["label"]])
        for r in claims
        for e in r["evidence"]
        if e["entropy"] == 0
    ]
    guessed = _guessed(stances(denoiser, [(c, t) for c, t, _ in pairs]))
    return {**_confusion(guessed, [y for _, _, y in pairs]), "n": len(pairs)}


def chunks(denoiser: Denoiser, rows: Sequence[Row]) -> dict[str, float]:
    """WiCE: is a claim supported by its chunk of evidence, wholly or not? By accuracy of [SUP], and AUROC of its probability."""
    probabilities = stances(denoiser, [(r["claim"], " ".join(r["evidence"])) for r in rows])
    wholly = [r["label"] == "supported" for r in rows]
    right = [(g == 0) == w for g, w in zip(_guessed(probabilities), wholly, strict=True)]
    return {
        "accuracy": percent(right),
        "auroc": auroc([p[0] for p in probabilities], [float(w) for w in wholly]),
        "majority": percent(not w for w in wholly),
        "n": len(rows),
    }


def abstracts(denoiser: Denoiser, rows: Sequence[Row]) -> dict[str, float]:
    """PubMedQA: the question taken for a claim, [SUP] for yes, [REF] for no and [NEI] for maybe, from the abstract without its end."""
    answers = {"yes": 0, "no": 1, "maybe": 2}
    guessed = _guessed(stances(denoiser, [(r["QUESTION"], " ".join(r["CONTEXTS"])) for r in rows]))
    return {**_confusion(guessed, [answers[r["final_decision"]] for r in rows]), "n": len(rows)}


def _confusion(guessed: Sequence[int], wanted: Sequence[int]) -> dict[str, float]:
    """Accuracy, macro F1 of the three, and the share of the commonest label."""
    f1s = []
    for label in range(3):
        hit = sum(g == y == label for g, y in zip(guessed, wanted, strict=True))
        f1s.append(2 * hit / max(guessed.count(label) + wanted.count(label), 1))
    most = max(wanted.count(label) for label in range(3))
    return {
        "accuracy": percent(g == y for g, y in zip(guessed, wanted, strict=True)),
        "macro_f1": 100 * sum(f1s) / 3,
        "majority": 100 * most / len(wanted),
    }
