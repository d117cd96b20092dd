"""Build a file of training examples.

`python -m palimpsest.dlm_core.training.build_examples --data TRAIN --never EVAL --out canvases.jsonl.gz`

Plain text and labelled sets become drafts with typed holes over passages (`dlm_core.training.examples`),
which any backbone reads. Nothing that stands in an evaluation file is used: rows and paragraphs are compared by hash. A card with
counts, licences and what was held out lies beside.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from .corpus import Corpus
from .examples import Example, write_examples
from .held_out import LICENCES, Held


def build(corpus: Corpus, count: int, seed: int) -> Iterator[Example]:
    """`count` examples; the same seed gives the same ones."""
    rng = random.Random(f"build/{seed}")
    for _ in range(count):
        yield corpus.draw(rng)


def counted(examples: Iterable[Example], tally: Counter[tuple[str, str]], slots: Counter[str]) -> Iterator[Example]:
    """The examples, counted by task and source and their slots by kind as they go by."""
    for example in examples:
        tally[example.task, example.source] += 1
        slots.update(spec.kind.name for spec in example.slots)
        yield example


def card(
    name: str, tally: Counter[tuple[str, str]], slots: Counter[str], dropped: dict[str, int], held: int, settings: str
) -> str:
    """What the file is, as markdown."""
    rows = "\n".join(f"| {task} | {source} | {n} |" for (task, source), n in sorted(tally.items()))
    sources = sorted({source for _, source in tally})
    licences = "\n".join(f"- {source}: {LICENCES.get(source, 'licence unknown: do not publish')}" for source in sources)
    kinds = ", ".join(f"{name} {n}" for name, n in sorted(slots.items()))
    gone = ", ".join(f"{n} {what}" for what, n in dropped.items())
    return f"""# Data card: {name}

{sum(tally.values())} examples, made by `python -m palimpsest.dlm_core.training.build_examples {settings}`.
Each is a draft with typed holes over passages, in words; a line of the file is one example
(`palimpsest.dlm_core.training.examples`). The same command over the same files makes the same lines.

| task | from | examples |
|---|---|---|
{rows}

Slots: {kinds}.

## Licences

{licences}

A file built from these carries their share-alike terms.

## Held out

- The questions of {held} whole titles are not in it; calibration and tests use them.
- Nothing that stands in the evaluation folder is in it: every text of its rows was hashed (letters and figures only) and what has the
  same hash was dropped before anything was drawn: {gone}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.training.build_examples", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of training files")
    parser.add_argument(
        "--never", type=Path, required=True, help="folder of evaluation files, none of whose texts may be used"
    )
    parser.add_argument("--out", type=Path, required=True, help="the file to write: .jsonl or .jsonl.gz")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pages", type=int, default=6000)
    parser.add_argument("--held-out", type=int, default=20, help="titles whose questions are left out")
    args = parser.parse_args()
    whole = Corpus.load(args.data, args.pages)
    corpus = whole.without(Held.of(args.never))
    dropped = {name: whole.sizes[name] - corpus.sizes[name] for name in whole.sizes}
    corpus.hold_out(args.held_out)
    tally, slots = Counter[tuple[str, str]](), Counter[str]()
    write_examples(args.out, counted(build(corpus, args.count, args.seed), tally, slots))
    settings = f"--count {args.count} --seed {args.seed} --pages {args.pages} --held-out {args.held_out}"
    text = card(args.out.name, tally, slots, dropped, args.held_out, settings)
    args.out.with_name(args.out.name.split(".")[0] + ".card.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
