"""The whole program measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import ConfigFile
from ..saying import configured, say

if TYPE_CHECKING:
    from palimpsest.workflows.config import Config


def evaluate(
    suite: Annotated[str, typer.Argument(help="wikipedia, hotpotqa, incomplete or open")],
    data: Annotated[Path, typer.Option(help="folder with the suite's files")],
    pages: Annotated[Path | None, typer.Option(help="wikipedia: a file of pages as a haystack")] = None,
    collection: Annotated[str, typer.Option(help="open: one collection of the folder [default: all]")] = "",
    limit: Annotated[int, typer.Option(min=0, help="questions, 0 for all")] = 100,
    effort: Annotated[int | None, typer.Option(help="1 (quick) to 5 (thorough) [default: 3]")] = None,
    seed: Annotated[int | None, typer.Option(help="draws the questions [default: 0]")] = None,
    rows: Annotated[
        Path | None,
        typer.Option("--out", help="open: file for one row a question; a run that was stopped goes on from it"),
    ] = None,
    to: Annotated[Path | None, typer.Option("--json", help="file for settings, figures and every row")] = None,
    lift: Annotated[
        bool, typer.Option("--lift", help="open: what each reason to reopen is worth, by runs without it")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Measure the whole program: index a suite's documents, ask its questions, score the reports.

    research eval wikipedia --data eval/ --pages train/wikipedia_pages.jsonl.xz --limit 100

    research eval open --data open/ --out rows.jsonl

    research eval open --data open/ --lift --limit 12
    """
    from palimpsest.workflows.errors import USAGE, ResearchError
    from palimpsest.workflows.evaluation import suites as measure

    chosen = configured(config, effort=effort, seed=seed)
    if lift:
        if suite != "open":
            raise ResearchError("--lift is measured on the suite open", USAGE)
        _evaluate_lift(chosen, data, collection, limit)
    elif suite == "open":
        if pages or rows is None:
            raise ResearchError(
                "the suite open takes no --pages, and wants a file for its rows: --out rows.jsonl", USAGE
            )
        _evaluate_open(chosen, data, collection, limit, rows, to)
    elif suite not in measure.SUITES:
        raise ResearchError(f"there is no suite {suite!r}; the suites are {', '.join(measure.SUITES)} and open", USAGE)
    elif collection or rows:
        raise ResearchError(f"--collection and --out belong to the suite open; leave them out for {suite}", USAGE)
    else:
        _evaluate_suite(chosen, suite, data, pages, limit, to)


def _evaluate_suite(config: Config, suite: str, data: Path, pages: Path | None, limit: int, to: Path | None) -> None:
    from palimpsest.workflows.calibration import numbers_of
    from palimpsest.workflows.corpus import default_folder, open_embedder, open_writer
    from palimpsest.workflows.evaluation import suites as measure
    from palimpsest.workflows.runs import write

    folder = (
        config.index or default_folder()
    ) / f"eval-{measure.SUITES[suite].shelf or suite}-{'pages' if pages else 'plain'}"
    rows: list[measure.Row] = []
    for item in measure.evaluate(
        measure.SUITES[suite], data, folder, writer=open_writer(config), embedder=open_embedder(),
        limit=limit, seed=config.seed, budget=config.limits, pages=pages, numbers=numbers_of(config.model),
    ):  # fmt: skip
        if isinstance(item, measure.Progress):
            say(f"indexed {item.done} of {item.total} documents")
        else:
            rows.append(item)
            say(f"{len(rows):4} f1 {item.f1:.2f}  {item.question}  →  {item.answer or 'not established'}")
    for name, value in measure.summary(rows).items():
        print(f"{name:20} {value:8.2f}")
    if to:
        settings = {"suite": suite, "limit": limit, "seed": config.seed, "effort": config.effort, "pages": bool(pages)}
        write(to, measure.to_json(rows, settings))


def _evaluate_open(config: Config, data: Path, collection: str, limit: int, out: Path, to: Path | None) -> None:
    from palimpsest.workflows.calibration import numbers_of
    from palimpsest.workflows.corpus import default_folder, open_embedder, open_writer
    from palimpsest.workflows.evaluation import open_questions as measure
    from palimpsest.workflows.evaluation.lift import summed_revisions
    from palimpsest.workflows.evaluation.open_score import by_group
    from palimpsest.workflows.evaluation.suites import Progress
    from palimpsest.workflows.runs import write

    scope = {"data": str(data.resolve()), "collection": collection, "limit": limit}
    settings = {**scope, "seed": config.seed, "effort": config.effort, "model": config.model}
    read = measure.read_data(data, collection)
    rows = []
    for item in measure.evaluate_open(
        read, config.index or default_folder(), out, settings,
        writer=open_writer(config), embedder=open_embedder(), budget=config.limits, numbers=numbers_of(config.model),
    ):  # fmt: skip
        if isinstance(item, Progress):
            say(f"indexed {item.done} of {item.total} documents")
        else:
            question, row = item
            rows.append(row)
            say(f"{len(rows):4} {len(row.citations):3} citations {row.seconds:6.1f} s  {question.question}")
    scored = measure.scored(read, rows)
    for group, figures in by_group(scored).items():
        print(f"{group}: {sum(r.collection == group or group == 'all' for r in scored)} questions")
        for name, figure in figures.items():
            print(f"  {name:22} {figure.mean:9.3f}  [{figure.low:.3f}, {figure.high:.3f}]  of {figure.n}")
    opened = summed_revisions(row.revisions for row in rows)
    print("revisions: " + ", ".join(f"{reason} {count}" for reason, count in opened.items()))
    if to:
        write(to, measure.to_json(scored, settings))


def _evaluate_lift(config: Config, data: Path, collection: str, limit: int) -> None:
    from palimpsest.workflows.calibration import numbers_of
    from palimpsest.workflows.corpus import default_folder, open_embedder, open_writer
    from palimpsest.workflows.evaluation import lift
    from palimpsest.workflows.evaluation import open_questions as measure
    from palimpsest.workflows.evaluation.suites import Progress

    rows = []
    for item in measure.lift_open(
        measure.read_data(data, collection), config.index or default_folder(), limit, config.seed,
        writer=open_writer(config), embedder=open_embedder(), budget=config.limits, numbers=numbers_of(config.model),
    ):  # fmt: skip
        if isinstance(item, Progress):
            say(f"indexed {item.done} of {item.total} documents")
        else:
            rows.append(item)
            say(f"{item.variant}: {item.worth:.3f}")
    print(lift.table(rows, "vital recall"))
