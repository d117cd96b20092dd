"""`python -m palimpsest.retrieval.web.measure FOLDER`: how well the text of saved pages is read, against gold texts.

The folder holds an INDEX.jsonl with file, gold and gold_kind ("text", "html", "text-prefix", "segments", or none for a page that is no
article), and url where it is known. `--gold FILE` holds lines of JSON with name, titles (each as good as the others) and dates (each
that a reader could name; none where the page states none). Prints a line a page, then the means.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lxml import html  # type: ignore[import-untyped]

from ..http import Page
from ..lexical import tokens
from ..outcomes import SourceError
from .html_page import check_article
from .opening import is_abstract, page_document
from .works import folded


@dataclass(frozen=True)
class Score:
    """Of one page: the F1 of its words (None without gold), its title and date as read, and what it was refused for."""

    name: str
    f1: float | None
    title: str
    date: str | None
    ending: str = ""
    is_title_right: bool | None = None  # None without gold
    is_date_right: bool | None = None


def score(folder: Path, row: dict[str, Any]) -> Score:
    """Read one page as a fetched page is read."""
    body = (folder / row["file"]).read_bytes()
    url = row.get("url") or f"https://page.example/{row['file']}"
    page = Page(url, url, 200, "text/html", body, datetime.now(UTC))
    try:
        check_article(page)
        document = page_document(page)
    except SourceError as exc:
        return Score(row["file"], 0.0 if row.get("gold") else None, "", None, f"{exc.kind}: {exc.cause}")
    ending = "abstract only" if is_abstract(page, document) else ""
    source = document.source
    return Score(row["file"], _f1(folder, row, document.text), source.title, source.date, ending)


def _f1(folder: Path, row: dict[str, Any], text: str) -> float | None:
    if not row.get("gold"):
        return None
    gold = (folder / row["gold"]).read_text(encoding="utf-8")
    if row["gold_kind"] == "segments":
        return _segments(json.loads(gold), text)
    gold = html.fromstring(gold).text_content() if row["gold_kind"] == "html" else gold
    if row["gold_kind"] == "text-prefix":
        text = text[: 2 * len(gold)] if gold else text
        return recall(tokens(text), tokens(gold))
    return f1(tokens(text), tokens(gold))


def _segments(gold: dict[str, Any], text: str) -> float | None:
    wanted, unwanted = gold.get("with"), gold.get("without", [])
    if not wanted:
        return None
    found = sum(piece in text for piece in wanted)
    leaked = sum(piece in text for piece in unwanted)
    return 2 * found / (len(wanted) + found + leaked) if found else 0.0


def f1(read: Sequence[str], gold: Sequence[str]) -> float:
    """The harmonic mean of precision and recall of two bags of words."""
    shared = (Counter(read) & Counter(gold)).total()
    return 2 * shared / (len(read) + len(gold)) if read and gold else float(not read and not gold)


def recall(read: Sequence[str], gold: Sequence[str]) -> float:
    return (Counter(read) & Counter(gold)).total() / len(gold) if gold else 1.0


def scores(folder: Path, gold: Path | None = None) -> list[Score]:
    """A score for each page; with `gold` its title and date are judged too."""
    rows = [json.loads(line) for line in (folder / "INDEX.jsonl").read_text(encoding="utf-8").splitlines()]
    found = [score(folder, row) for row in rows]
    known = (
        {} if gold is None else {r["name"]: r for r in map(json.loads, gold.read_text(encoding="utf-8").splitlines())}
    )
    return [
        _judged(one, known[row["name"]]) if row["name"] in known else one for one, row in zip(found, rows, strict=True)
    ]


def _judged(one: Score, gold: dict[str, Any]) -> Score:
    dates = gold["dates"] or [None]
    titles = {folded(title) for title in gold["titles"]}
    return replace(one, is_title_right=folded(one.title) in titles, is_date_right=one.date in dates)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.retrieval.web.measure", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gold", type=Path, help="titles and dates")
    asked = parser.parse_args()
    found = scores(asked.folder, asked.gold)
    for one in found:
        shown = "    " if one.f1 is None else f"{one.f1:.3f}"
        wrong = " ".join(
            name for name, right in (("TITLE", one.is_title_right), ("DATE", one.is_date_right)) if right is False
        )
        print(f"{one.name:45} {shown:5} {one.date or 'undated':10} {one.title[:60]!r} {one.ending} {wrong}".rstrip())
    graded = [one.f1 for one in found if one.f1 is not None]
    print(
        f"mean F1 {sum(graded) / max(len(graded), 1):.3f} over {len(graded)} pages, lowest {min(graded, default=0.0):.3f}"
    )
    for name, judged in (("titles", [o.is_title_right for o in found]), ("dates", [o.is_date_right for o in found])):
        if known := [right for right in judged if right is not None]:
            print(f"{name} right: {sum(known)} of {len(known)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
