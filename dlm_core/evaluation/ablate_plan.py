"""What three parts of the training plan are worth, at equal cost: twins without their decisive words, relevance, longer drafts.

`python -m palimpsest.dlm_core.evaluation.ablate_plan train --data GATHERED --out FOLDER --seconds 40 --seeds 0 1`
`python -m palimpsest.dlm_core.evaluation.ablate_plan measure --apart APART --eval EVAL --out FOLDER` and `… table --out FOLDER`

An arm is the plan without the drawers of one part, the others drawn the more often for it; all arms train equally long from the same
start: equally many --seconds or, on a machine that others share, equally many --steps. `--weigh long_draft=0.15` draws a rare part so
often in every arm that has it, for a small cost would not show it otherwise. Measured are the drawers of each part on titles that no
arm saw, whole drafts, and evaluation files. An arm that is finished is not run again. Beside its int8 weights an arm leaves them as
trained: `measure --floats` measures these into floats.json, over the same draws and rows, so that the two files show what int8 costs.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from palimpsest.kernels import ops

from ..denoisers import embedded_weights
from ..training import run_plan
from ..training.material import Material
from ..training.minilm import package_folder
from . import drafts
from .by_drawer import figures, measured
from .evaluate_embedded import TESTS, Files

TWINS = ("siblings", "qualifier", "clause", "quantity", "denied", "elsewhere")
RELEVANCE = (
    "from_answers", "from_sentences", "from_hops", "from_medicine", "from_sections", "from_titles", "from_abstracts", "from_trials",
    "from_opinions", "from_tables",
)  # fmt: skip
DRAFTS = ("long_draft",)
ARMS: dict[str, tuple[str, ...]] = {
    "everything": (),
    "no twins": TWINS,
    "no relevance": RELEVANCE,
    "no longer drafts": DRAFTS,
}
OTHERS = ("question", "hops", "entailment", "table", "phrase", "statement")
SETS = ("squad 1.1 dev, 1 step", "stance, symmetric FEVER", "stance, FM2", "repair, wrong words given")
FLOATS = "floats.pt"
SHOWN = {  # the columns of the table: where a figure stands in the file of an arm
    "twins, accuracy": (TWINS, "accuracy"),
    "nli3": (("entailment",), "accuracy"),
    "tables": (("table",), "accuracy"),
    "relevance, AP": (RELEVANCE, "average_precision"),
    "longer drafts, holes": (DRAFTS, "exact"),
    "wrong words of drafts to 512, mended": (("drafts",), "mended_192_to_512"),
    "right ones kept": (("drafts",), "kept_192_to_512"),
    "told apart, AUROC": (("drafts",), "auroc_192_to_512"),
    "answers held out": (("question",), "exact"),
    "two hops held out": (("hops",), "exact"),
    "any words": (("phrase",), "exact"),
    "SQuAD 1.1 F1": (("squad 1.1 dev, 1 step",), "f1"),
    "symmetric FEVER, with silent pairs": (("stance, symmetric FEVER",), "three_way"),
    "both of a pair": (("stance, symmetric FEVER",), "pair_accuracy"),
    "FM2, two ways": (("stance, FM2",), "two_way"),
    "repair exact": (("repair, wrong words given",), "exact"),
}


def plan_without(drawers: Sequence[str], plan: Path, place: Path, weighed: Mapping[str, float] | None = None) -> Path:
    """Write the plan without some drawers to `place`, those in `weighed` with another weight in the phases that draw them; ValueError
    when nothing would be left of a phase.
    """
    settings = tomllib.loads(plan.read_text())
    lines = [f"{name} = {value}" for name, value in settings.items() if name != "phase"]
    for phase in settings["phase"]:
        mix = {name: (weighed or {}).get(name, weight) for name, weight in phase.pop("mix").items()}
        kept = {name: weight for name, weight in mix.items() if name not in drawers}
        if not kept:
            raise ValueError(f"the phase {phase['name']} of {plan} draws nothing but {', '.join(drawers)}")
        lines += ["[[phase]]", *(f"{name} = {json.dumps(value)}" for name, value in phase.items()), "[phase.mix]"]
        lines += [f"{name} = {weight}" for name, weight in kept.items()]
    place.write_text("\n".join(lines) + "\n")
    return place


def folder_of(out: Path, arm: str, seed: int | str) -> Path:
    return out / f"{arm.replace(' ', '-')}-{seed}"


def train(run: run_plan.Run, arm: str, material: Material, weighed: Mapping[str, float]) -> None:
    """Train one arm into its folder, in a process of its own: no process may be forked from one that touched a device."""
    run.out.mkdir(parents=True, exist_ok=True)
    plan = plan_without(ARMS[arm], run.plan, run.out / "plan.toml", weighed)
    settings = {**vars(run), "plan": plan}
    process = multiprocessing.get_context("fork").Process(target=_trained, args=(run_plan.Run(**settings), material))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"the arm {arm} of seed {run.seed} ended with {process.exitcode}; see what it said")


def _trained(run: run_plan.Run, material: Material) -> None:
    with (run.out / "metrics.jsonl").open("a") as lines, ops.prefer("reference"):
        model = run_plan.train(run, lambda row: print(json.dumps(row), file=lines, flush=True), material)
    torch.save(model.state_dict(), run.out / FLOATS)


def measure(folder: Path, apart: Path, evaluation: Path, count: int, limit: int, as_trained: bool) -> None:
    """Write the figures of an arm beside its weights: by drawer over `count` draws, by set over `limit` rows (0: all)."""
    denoiser, names = embedded_weights.load(folder / "weights"), (*TWINS, *RELEVANCE, *DRAFTS, *OTHERS)
    if as_trained:
        denoiser.model.load_state_dict(torch.load(folder / FLOATS, weights_only=True))
    material = Material.load(apart)
    said = {name: figures(rows) for name, rows in measured(denoiser, material, names, count, 0).items()}
    said["drafts"] = drafts.measured(denoiser, material, count, 0, by=embedded_weights.load().calibration)
    for name in SETS:
        said[name] = TESTS[name](denoiser, Files(evaluation, None, limit, 0)) or {}
    (folder / name_of(as_trained)).write_text(json.dumps(said, indent=2) + "\n")


def name_of(as_trained: bool) -> str:
    return "floats.json" if as_trained else "figures.json"


def shown(arm: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The columns of the table; a mean where several drawers make one."""
    found = {
        column: [arm[n][figure] for n in names if figure in arm.get(n, {})] for column, (names, figure) in SHOWN.items()
    }
    return {column: statistics.mean(values) for column, values in found.items() if values}


def table(out: Path) -> str:
    """Markdown, a row an arm: each figure the mean over the seeds, and how far it is from either."""
    lines = ["| plan | " + " | ".join(SHOWN) + " |", "|" + "---|" * (len(SHOWN) + 1)]
    for arm in ARMS:
        files = sorted(out.glob(f"{folder_of(out, arm, '*').name}/figures.json"))
        rows = [shown(json.loads(file.read_text())) for file in files]
        if rows:
            lines.append(f"| {arm} | " + " | ".join(_cell([r[c] for r in rows if c in r]) for c in SHOWN) + " |")
    return "\n".join(lines)


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "–"
    middle, digits = statistics.mean(values), 2 if max(values) <= 1 else 1
    return f"{middle:.{digits}f} ± {max(values) - middle:.{digits}f}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.evaluation.ablate_plan", description=__doc__)
    parser.add_argument("what", choices=("train", "measure", "table"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="train: a folder that training.gather wrote")
    parser.add_argument("--start", type=Path, help="train: a folder with MiniLM's files; default: its package")
    parser.add_argument("--init", type=Path, help="train: a folder of weights to go on from instead of MiniLM")
    parser.add_argument("--apart", type=Path, help="measure: a folder that training.gather --apart wrote")
    parser.add_argument("--eval", type=Path, help="measure: the folder of evaluation files")
    parser.add_argument("--floats", action="store_true", help="measure: the weights as trained, before int8")
    parser.add_argument("--seconds", type=float, default=40.0, help="of training, each arm")
    parser.add_argument("--steps", type=int, default=0, help="of training, each arm, where that comes before --seconds")
    parser.add_argument("--weigh", nargs="+", default=[], metavar="DRAWER=WEIGHT", help="other weights than the plan's")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--workers", type=int, default=15)
    parser.add_argument("--tokens", type=int, default=131072)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--limit", type=int, default=1000)
    asked = parser.parse_args(argv)
    places = [(arm, seed, folder_of(asked.out, arm, seed)) for seed in asked.seeds for arm in asked.arms]
    if asked.what == "train":
        if asked.data is None:
            parser.error("train needs --data, a folder that training.gather wrote")
        material = Material.load(asked.data)
        weighed = {name: float(weight) for name, weight in (one.split("=") for one in asked.weigh)}
        sizes = {
            "steps": asked.steps,
            "tokens": asked.tokens,
            "canvases": max(28, asked.tokens // 455),
            "workers": asked.workers,
        }
        for arm, seed, folder in places:
            if not (folder / "weights").exists():
                start = asked.start or package_folder()
                train(
                    run_plan.Run(
                        asked.data, folder, asked.seconds, start, asked.device, init=asked.init, seed=seed, **sizes
                    ),
                    arm,
                    material,
                    weighed,
                )
                print(f"{folder.name}: trained", flush=True)
    elif asked.what == "measure":
        if asked.apart is None or asked.eval is None:
            parser.error("measure needs --apart and --eval, the folders of held-out titles and of evaluation files")
        for _, _, folder in places:
            if (folder / "weights").exists() and not (folder / name_of(asked.floats)).exists():
                measure(folder, asked.apart, asked.eval, asked.count, asked.limit, asked.floats)
                print(f"{folder.name}: measured", flush=True)
    print(table(asked.out))


if __name__ == "__main__":
    main()
