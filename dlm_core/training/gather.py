"""Gather what may be trained on: `python -m palimpsest.dlm_core.training.gather --data TRAIN --never EVAL --never OPEN --out FOLDER`.

Every file of a training folder, thinned to the fields that drawers read, without what stands in an evaluation file (whole texts and
sentences of them are compared by hash), without rows whose terms forbid shipping, and without a fiftieth that is held out by title for
calibration and figures. The folder is a training folder like the one it came from, small enough to travel; `card.md` in it counts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .examples import Row, read_rows
from .held_out import LEAST_LETTERS, Held

HELD_OUT_OF = 50  # one title of so many is held out
GATHERED = "gathered.json"  # what a gathered folder is: rows and a hash of the lines of each file, and a hash of what was kept out
Thin = Callable[[Row], Row | None]


def read_named(folder: Path, name: str, limit: int | None = None) -> list[Row]:
    """The rows of `name`.jsonl.gz or .jsonl.xz; FileNotFoundError where neither is there."""
    found = next((p for e in ("xz", "gz") if (p := folder / f"{name}.jsonl.{e}").exists()), None)
    if found is None:
        raise FileNotFoundError(f"{folder} has no {name}.jsonl.gz or .jsonl.xz; name a folder of training files")
    return read_rows(found, limit)


def held_out(key: str) -> bool:
    """Whether a title (table, premise, page) is of the part that no training sees."""
    return int(hashlib.blake2b(key.strip().lower().encode(), digest_size=4).hexdigest(), 16) % HELD_OUT_OF == 0


@dataclass(frozen=True)
class Source:
    """How a file is thinned, and which field says whether a row is held out."""

    thin: Thin
    key: str
    licence: str
    most: int = 10**9


def _only(*names: str) -> Thin:
    return lambda row: {n: row[n] for n in names if n in row}


def _question(row: Row) -> Row | None:
    answers = [a if isinstance(a, str) else a["text"] for a in row["answers"]][:1]
    return {"title": row["title"], "question": row["question"], "context": row["context"], "answers": answers}


def _twin(row: Row) -> Row:
    kept = _only("title", "question", "answers", "unanswerable_question")(row)
    return {**(kept or {}), "opening": row["context"][:48]}


def _span(row: Row) -> Row | None:
    if row["source"].startswith("ropes"):  # the answers follow from a story, they are not read off
        return None
    answers = [a if isinstance(a, str) else a["text"] for a in row["answers"]]
    at = max(row["context"].find(answers[0]) if answers else 0, 0)
    first = max(0, at - 500)
    kept = {"title": row.get("title", ""), "question": row["question"], "answers": answers[:1]}
    return {**kept, "context": row["context"][first : first + 1100], "answerable": bool(row["answerable"])}


def _page(row: Row) -> Row | None:
    kept = [[heading, text] for heading, text in row["paragraphs"] if 120 < len(text) < 900][:8]
    return {"title": row["title"], "paragraphs": kept} if len(kept) > 2 else None


def _entailment(row: Row) -> Row | None:
    if row["source"] == "conjnli_auto" and int(hashlib.md5(row["premise"].encode()).hexdigest(), 16) % 5:
        return None
    return _only("premise", "hypothesis", "label", "source")(row)


def _hops(row: Row) -> Row | None:
    facts: dict[int, list[int]] = {}
    for fact in row.get("supporting_facts") or ():
        facts.setdefault(fact[0], []).append(fact[1])
    gold = [n for n, p in enumerate(row["paragraphs"]) if p.get("gold") or n in facts]
    others = [n for n in range(len(row["paragraphs"])) if n not in gold][:4]
    if not gold:
        return None
    shown = [
        {"title": p.get("title", ""), "sentences": [s[:400] for s in p["sentences"]][:8], "facts": facts.get(n, [])}
        | {"gold": n in gold}
        for n, p in enumerate(row["paragraphs"])
        if n in gold or n in others
    ]
    kept = _only("question", "answer", "source", "type", "gold_complete")(row)
    return {**(kept or {}), "paragraphs": shown}


def _steps(row: Row) -> Row | None:
    if row["source"] not in ("2wiki_dev", "musique_dev"):
        return None
    return {"question": row["question"], "steps": [s["question"] for s in row["steps"]], "type": row.get("type", "")}


def _medical(row: Row) -> Row | None:
    return {**(_only("focus", "question", "qtype")(row) or {}), "answer": row["answer"][:700]}


def _abstract(row: Row) -> Row | None:
    text = row["abstract"] if isinstance(row["abstract"], str) else " ".join(map(str, row["abstract"]))
    return {"id": row.get("pmcid", ""), "title": row["title"], "abstract": text[:2200]} if len(text) > 300 else None


def _checked(row: Row) -> Row | None:
    picked = sorted({n for group in row["supporting_sentences"] for n in group})
    evidence = [row["evidence"][n] for n in picked if n < len(row["evidence"])]
    return {"claim": row["claim"], "label": row["label"], "evidence": " ".join(evidence)[:900]} if evidence else None


SOURCES: dict[str, Source] = {
    "squad_train": Source(_question, "title", "SQuAD 1.1, CC BY-SA 4.0"),
    "qed_train": Source(_question, "title", "QED (Natural Questions), CC BY-SA 3.0"),
    "unanswerable_pairs": Source(_twin, "title", "SQuAD 2.0, CC BY-SA 4.0"),
    "span_qa": Source(
        _span, "context", "COVID-QA Apache-2.0; NQ-open CC BY-SA 3.0; QuAC CC BY-SA 4.0; contrast sets CC BY 4.0"
    ),
    "fever_pairs": Source(_only("claim", "evidence", "label"), "evidence", "FEVER, CC BY-SA 3.0"),
    "feverous_pairs": Source(_only("claim", "label", "evidence"), "claim", "FEVEROUS, MIT; sentences CC BY-SA 3.0"),
    "wikipedia_pages": Source(_page, "title", "English Wikipedia of July 2019, CC BY-SA 3.0", 8000),
    "nli3": Source(
        _entailment, "premise", "SNLI, MNLI, ConjNLI, MED, FOLIO, SciTail: CC BY-SA 4.0, OANC, MIT, Apache-2.0"
    ),
    "table_nli": Source(
        _only("title", "rows", "hypothesis", "label", "table"), "table", "InfoTabS Apache-2.0; SciTab MIT"
    ),
    "multihop_qa": Source(_hops, "question", "HotpotQA CC BY-SA 4.0; 2Wiki Apache-2.0; MuSiQue CC BY 4.0"),
    "decomposition": Source(_steps, "question", "2Wiki Apache-2.0; MuSiQue CC BY 4.0"),
    "boolean_qa": Source(
        _only("question", "title", "passage", "answer"), "title", "BoolQ CC BY-SA 3.0; StrategyQA MIT"
    ),
    "time_qa": Source(_only("page", "paragraphs", "questions"), "page", "TimeQA BSD-3-Clause; CC BY-SA 3.0"),
    "attribution": Source(_only("evidence", "claim", "label"), "evidence", "BEGIN, CC BY 4.0; CDLA-Sharing"),
    "entailment_trees": Source(
        _only("hypothesis", "sentences", "proof"), "hypothesis", "EntailmentBank, QASC Apache-2.0"
    ),
    "answer_sentences": Source(
        _only("question", "title", "heading", "sentences", "answer_sentences"), "title", "SelQA, Apache-2.0"
    ),
    "medquad": Source(_medical, "focus", "MedQuAD, CC BY 4.0"),
    "stance_pairs": Source(_only("claim", "perspectives", "stance"), "claim", "Perspectrum, CC BY-SA 4.0"),
    "vitaminc_small": Source(_only("claim", "evidence", "label"), "claim", "VitaminC, CC BY-SA 3.0"),
    "hover_claims": Source(_only("claim", "label", "evidence"), "claim", "HoVer, MIT"),
    "evidence_inference": Source(
        _only("pmcid", "intervention", "comparator", "outcome", "label", "evidence"), "pmcid", "Evidence Inference, MIT"
    ),
    "pmc_articles": Source(_abstract, "title", "PMC articles, CC BY, CC BY-SA, CC0", 2600),
    "arxiv_abstracts": Source(_abstract, "title", "arXiv metadata, any use", 2500),
    "wice_unsupported_tokens": Source(_checked, "claim", "WiCE, ODC-BY, CC BY-SA 4.0"),
}
LEFT_OUT = {
    "question_types": "some of its questions are from sets for research only; kept to measure kinds of questions by",
    "span_qa_newwiki": "its licence is not stated where it lies",
    "iterater_sentences_train": "edits of style teach nothing about evidence",
}


def texts_of(value: Any) -> Iterator[str]:
    """Every string of a row that is long enough to be a sign of it."""
    if isinstance(value, str):
        if len(value) >= LEAST_LETTERS:
            yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_of(inner)


def without_held_paragraphs(row: Row, held: Callable[[str], bool]) -> Row | None:
    """The row without paragraphs that are held back; None where one that it needs is, or another of its texts."""
    if not isinstance(row.get("paragraphs"), list):
        return None if any(map(held, texts_of(row))) else row
    kept = [p for p in row["paragraphs"] if not any(map(held, texts_of(p)))]
    rest = {name: value for name, value in row.items() if name != "paragraphs"}
    gone = [p for p in row["paragraphs"] if p not in kept]
    needed = any(isinstance(p, dict) and p.get("gold") for p in gone) or ("questions" in row and gone) or len(kept) < 2
    return None if needed or any(map(held, texts_of(rest))) else {**row, "paragraphs": kept}


@dataclass
class Count:
    read: int = 0
    clashing: int = 0
    held_out: int = 0
    kept: int = 0


def gathered(
    rows: Iterable[Row], source: Source, held: Callable[[str], bool], count: Count, apart: bool = False
) -> Iterator[Row]:
    """The rows that may be trained on, counted as they go by; with `apart` those of titles held out, which no training reads."""
    for row in rows:
        if count.kept >= source.most:
            return
        count.read += 1
        thin = source.thin(row)
        if thin is None:
            continue
        if held_out(str(row[source.key])) != apart:
            count.held_out += 1
        elif (kept := without_held_paragraphs(thin, held)) is None:
            count.clashing += 1
        else:
            count.kept += 1
            yield kept


def gather(data: Path, never: list[Path], out: Path, apart: bool = False) -> dict[str, Count]:
    """Write the folder; counts by file. With `apart` a folder of what this one's training does not see, to measure by."""
    held = Held(frozenset().union(*(Held.of(folder, sentences=True).hashes for folder in never)))
    out.mkdir(parents=True, exist_ok=True)
    counts = {name: Count() for name in SOURCES}
    files: dict[str, dict[str, object]] = {}
    for name, source in SOURCES.items():
        digest = hashlib.sha256()
        with lzma.open(out / f"{name}.jsonl.xz", "wt", encoding="utf-8", preset=9) as lines:
            for row in gathered(read_named(data, name), source, held, counts[name], apart):
                line = json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"
                digest.update(line.encode())
                lines.write(line)
        count = counts[name]
        files[name] = {"rows": count.kept, "dropped": count.clashing, "sha256": digest.hexdigest()}
    (out / "card.md").write_text(card(counts))
    (out / GATHERED).write_text(json.dumps({"never": seal(held), "files": files}, indent=2) + "\n")
    return counts


def seal(held: Held) -> dict[str, object]:
    """How many evaluation texts and sentences no row may hold, and one hash of all their fingerprints."""
    texts = sorted(held.hashes)
    return {"texts": len(texts), "sha256": hashlib.sha256("".join(texts).encode()).hexdigest()}


def card(counts: dict[str, Count]) -> str:
    rows = "\n".join(
        f"| {name} | {c.kept} | {c.clashing} | {c.held_out} | {SOURCES[name].licence} |" for name, c in counts.items()
    )
    left = "\n".join(f"- {name}: {why}" for name, why in LEFT_OUT.items())
    return f"""# What was trained on

| file | rows | dropped: a text or sentence stands in an evaluation file | held out by title | licence |
|---|---|---|---|---|
{rows}

Left out:

{left}
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.training.gather", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of training files")
    parser.add_argument("--never", type=Path, required=True, action="append", help="a folder of evaluation files")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    parser.add_argument("--apart", action="store_true", help="the titles held out instead, to measure and calibrate by")
    args = parser.parse_args()
    gather(args.data, args.never, args.out, args.apart)
    print((args.out / "card.md").read_text())


if __name__ == "__main__":
    main()
