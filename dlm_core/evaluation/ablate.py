"""What each belief of the training is worth.

`python -m palimpsest.dlm_core.evaluation.ablate --data TRAIN --eval EVAL --out FOLDER --steps 400`

Every arm trains from MiniLM for the same number of steps over the same examples, with one belief switched off, and is measured in
the same way. Resumable: an arm that is finished is not run again.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from ..canvas.tokenizer import Tokenizer
from ..kinds import VERDICTS, MaskKind, SlotSpec
from ..metrics import f1
from ..models.embedded import EmbeddedConfig, EmbeddedModel
from ..training.calibrate_embedded import is_right, unseen
from ..training.corpus import CITE_SLOT, Corpus
from ..training.corruption import corrupted, fillings_of, is_copied
from ..training.examples import Example, Target, read_rows
from ..training.masking import Masking, masked, realise, without_outline
from ..training.minilm import package_folder
from ..training.recipe import Recipe
from ..training.schedule import ROWS_OF
from ..training.train_embedded import TrainConfig, train

ARMS = {
    "all": Recipe(),
    "one [MASK]": Recipe(typed=False),
    "independent masks": Recipe(complementary=False),
    "no outline": Recipe(outline=False),
    "random corruption": Recipe(corruption="random"),
    "joint attention": Recipe(block=False),
    "vocabulary only": Recipe(copy=False),
}
SIZE = 16  # maskings a batch


def measure(
    model: EmbeddedModel, tokenizer: Tokenizer, recipe: Recipe, corpus: Corpus, data: Path, limit: int
) -> dict[str, float]:
    """Percentages: F1 on SQuAD 1.1 dev; holes of unseen sentences filled right, alone and behind an outline; verdicts on contrastive
    pairs; and of drafts that hold the model's own words: wrong ones corrected, right ones kept.
    """
    rng = random.Random(0)
    squad = rng.sample(read_rows(data / "squad_v1_dev.jsonl.gz"), limit)
    asked = [_question(row["question"], row["context"], row["answers"]) for row in squad]
    answers = [w[0] or "" for w in _filled(model, tokenizer, [masked(e) for e in asked], recipe)]
    holes = [corpus.statement(rng) for _ in range(limit)]
    outlined = [corpus.outline(rng) for _ in range(limit)]
    if not recipe.outline:
        outlined = [without_outline(e) for e in outlined]
    return {
        "squad_f1": 100
        * statistics.mean(f1(w, [a["text"] for a in r["answers"]]) for w, r in zip(answers, squad, strict=True)),
        "holes": _share(model, tokenizer, [masked(e) for e in holes], recipe),
        "outlined": _share(model, tokenizer, [_behind(model, tokenizer, e, recipe) for e in outlined], recipe),
        "stance": stance(model, tokenizer, recipe, data, limit),
        **_corrections(model, tokenizer, holes, recipe),
    }


def _question(question: str, context: str, answers: Sequence[dict[str, str]]) -> Example:
    spans = ((0, 0, len(answers[0]["text"])),)  # where it lies does not matter: only the words are compared
    return Example(
        (question,), (context,), (SlotSpec(MaskKind.TEXT), " ", CITE_SLOT), (Target(spans), Target()), "question"
    )


def _filled(
    model: EmbeddedModel, tokenizer: Tokenizer, maskings: Sequence[Masking], recipe: Recipe
) -> list[list[str | None]]:
    return [
        w for n in range(0, len(maskings), SIZE) for w in fillings_of(model, tokenizer, maskings[n : n + SIZE], recipe)
    ]


def _behind(model: EmbeddedModel, tokenizer: Tokenizer, example: Example, recipe: Recipe) -> Masking:
    """The example with the model's own outline written, where it has one."""
    if example.slots[0].kind is not MaskKind.OUTLINE:
        return masked(example)
    words = fillings_of(model, tokenizer, [masked(example)], recipe)[0]
    return corrupted(masked(example), [words[0], *[None] * (len(words) - 1)])


def _share(model: EmbeddedModel, tokenizer: Tokenizer, maskings: Sequence[Masking], recipe: Recipe) -> float:
    """Percent of the open slots that copy whose words are right."""
    filled = _filled(model, tokenizer, maskings, recipe)
    right = [
        is_right(v.example, n, words[n] or "")
        for v, words in zip(maskings, filled, strict=True)
        for n in range(len(words))
        if v.shown[n] is None and is_copied(v, n)
    ]
    return 100 * statistics.mean(right)


def _corrections(
    model: EmbeddedModel, tokenizer: Tokenizer, examples: Sequence[Example], recipe: Recipe
) -> dict[str, float]:
    """Drafts whose every slot holds the model's first words, read once more."""
    first = _filled(model, tokenizer, [masked(e) for e in examples], recipe)
    again = _filled(model, tokenizer, [corrupted(masked(e), w) for e, w in zip(examples, first, strict=True)], recipe)
    kept, mended = list[bool](), list[bool]()
    for example, one, two in zip(examples, first, again, strict=True):
        for n, words in enumerate(one):
            if words is not None:
                (kept if is_right(example, n, words) else mended).append(is_right(example, n, two[n] or ""))
    return {"kept": 100 * statistics.mean(kept or [0]), "mended": 100 * statistics.mean(mended or [0])}


@torch.no_grad()
def stance(model: EmbeddedModel, tokenizer: Tokenizer, recipe: Recipe, data: Path, limit: int) -> float:
    """Percent of right three-way verdicts on contrastive pairs."""
    rows = random.Random(0).sample(read_rows(data / "fever_symmetric_claims_dev.jsonl.gz"), limit)
    wanted = {"SUPPORTS": 0, "REFUTES": 1}
    right = []
    for n in range(0, len(rows), SIZE):
        part = rows[n : n + SIZE]
        examples = [
            Example(
                (r["claim"],), (r["evidence"],), (SlotSpec(MaskKind.CHOICE, allowed=VERDICTS),), (Target(),), "stance"
            )
            for r in part
        ]
        canvases = [realise(masked(e), tokenizer, 1)[0] for e in examples]
        hidden = model(recipe.batch(canvases))
        states = torch.stack([hidden[i, c.slots[0].start] for i, c in enumerate(canvases)])
        verdicts = model.vocabulary(states)[:, [ROWS_OF[v] for v in VERDICTS]].argmax(1).tolist()
        right += [guess == wanted[r["label"]] for guess, r in zip(verdicts, part, strict=True)]
    return 100 * statistics.mean(right)


def run_arm(name: str, config: TrainConfig, corpus: Corpus, data: Path, limit: int) -> dict[str, float]:
    """Train an arm to the end of its steps, unless that is done, and measure it."""
    spent = list(train(config))
    model = EmbeddedModel(EmbeddedConfig())
    model.load_state_dict(torch.load(config.out / "checkpoint.pt", weights_only=True)["model"])
    tokenizer = Tokenizer(package_folder() / "tokenizer.json")
    figures = measure(model.eval(), tokenizer, config.recipe, corpus, data, limit)
    density = statistics.median(row["supervised"] for row in spent) if spent else 0.0
    return {**figures, "supervised_per_token": density, "steps": config.steps}


def table(figures: dict[str, dict[str, float]]) -> str:
    """A row an arm, as markdown."""
    columns = ("squad_f1", "holes", "outlined", "stance", "kept", "mended")
    head = "| arm | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 1)
    rows = [f"| {name} | " + " | ".join(f"{row[c]:.1f}" for c in columns) + " |" for name, row in figures.items()]
    return "\n".join([head, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.evaluation.ablate", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of training files")
    parser.add_argument("--eval", type=Path, required=True, help="the folder of evaluation files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--tokens", type=int, default=4000)
    parser.add_argument("--pages", type=int, default=3000)
    parser.add_argument("--held-out", type=int, default=20, help="titles that no arm is trained on")
    parser.add_argument("--limit", type=int, default=500, help="rows of each test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    args = parser.parse_args()
    corpus = unseen(args.data, args.held_out, 6000)
    figures = {}
    for name in args.arms:
        folder = args.out / f"{name.replace(' ', '_')}-{args.seed}"
        measured = folder / "figures.json"
        if not measured.exists():
            config = TrainConfig(args.data, folder, minutes=1e9, tokens=args.tokens, steps=args.steps, seed=args.seed)
            config = replace(config, pages=args.pages, held_out=args.held_out, recipe=ARMS[name], body_rate=1.5e-4)
            found = run_arm(name, config, corpus, args.eval, args.limit)
            measured.write_text(json.dumps({"recipe": asdict(ARMS[name]), **found}, indent=2) + "\n")
        figures[name] = json.loads(measured.read_text())
        print(table({name: figures[name]}), flush=True)
    (args.out / f"ablations-{args.seed}.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(table(figures))


if __name__ == "__main__":
    main()
