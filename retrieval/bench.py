"""How long indexing and searching take here: python -m palimpsest.retrieval.bench [ROW ...] [--toy] [--out FILE], a line a row.

Every row makes its files in a folder of its own and runs in this process, with the real embedder unless `--toy` says
to leave meaning out. `memory` is the most that the process has held so far. Measure on an idle machine; `load` says
how many processes wanted its processors when the row was done, `cpu` the seconds of processor that this process had.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .embed import Embedder, HashEmbedder, MiniLMEmbedder
from .index import Index
from .library import HybridSearcher
from .loaders import document

WORDS = """barge lake harbour crate salt oak morning calm winter ferry wind rope keel captain guest market stone bridge
river tower letter ledger record season summer storm repair timber canal pier lantern engine village paper glass""".split()
QUERY = "which barge carried salt in the winter of the storm"


@dataclass(frozen=True)
class Measured:
    """`goal` in the unit of `value`: at most, or at least where `is_rate`."""

    name: str
    value: float
    unit: str
    goal: float
    is_rate: bool = False
    cpu_s: float = 0.0  # without the process that parses
    memory_mb: float = field(default_factory=lambda: _megabytes())
    load: float = field(default_factory=lambda: os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0)

    @property
    def is_met(self) -> bool:
        return self.value >= self.goal if self.is_rate else self.value <= self.goal

    def line(self) -> str:
        mark = "met" if self.is_met else "missed"
        memory = f"cpu {self.cpu_s:.1f} s, memory {self.memory_mb:.0f} MB, load {self.load:.1f}"
        return f"{self.name:46} {self.value:9.2f} {self.unit:4} goal {self.goal:g} {mark:6} {memory}"

    def row(self) -> dict[str, object]:
        return asdict(self) | {"is_met": self.is_met}


def _megabytes() -> float:
    """The most that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def prose(seed: int, num_words: int = 60) -> str:
    """Sentences of ten words, the same for the same seed."""
    chosen = random.Random(seed)
    words = [chosen.choice(WORDS) for _ in range(num_words)]
    lines = [" ".join(words[at : at + 10]).capitalize() for at in range(0, num_words, 10)]
    return ". ".join(lines) + f". Entry {seed}."


def notes(at: Path, embedder: Embedder) -> list[Measured]:
    folder = _files(at, {f"{number}.txt": prose(number) for number in range(2000)})
    first = _timed("2,000 notes indexed", 40, lambda: _sync(at, folder, embedder))
    return [first, _timed("a later question over them", 3, lambda: _ask(at, folder, embedder))]


def table(at: Path, embedder: Embedder) -> list[Measured]:
    rows = [f"{n},Worker {n},{WORDS[n % 30]},{n * 7 % 997},{2000 + n % 25}" for n in range(5000)]
    folder = _files(at, {"table.csv": "\n".join(["Number,Name,Trade,Pay,Year", *rows])})
    return [_timed("a CSV of 5,000 rows", 15, lambda: _sync(at, folder, embedder))]


def line(at: Path, embedder: Embedder) -> list[Measured]:
    folder = _files(at, {"line.txt": " ".join(prose(number % 50) for number in range(2500))[:1_000_000]})
    return [_timed("1 MB in one line", 5, lambda: _sync(at, folder, embedder))]


def pages(at: Path, embedder: Embedder) -> list[Measured]:
    at.mkdir(parents=True)
    (at / "files").mkdir()
    (at / "files" / "pages.pdf").write_bytes(pdf([prose(number, 200) for number in range(300)]))
    return [_timed("a PDF of 300 pages", 15, lambda: _sync(at, at / "files", embedder))]


def search(at: Path, embedder: Embedder) -> list[Measured]:
    """Ten thousand documents; they are embedded by the toy, so that only the query meets the real model."""
    toy = HashEmbedder(embedder.dim)
    toy.id = embedder.id
    with Index.open(at, toy) as index:
        index.add_documents(document(prose(n, 120), uri=f"bench:{n}") for n in range(10_000))
    with Index.open(at, embedder) as index:
        searcher = HybridSearcher(index)
        searcher.search(QUERY, 8)
        tries = [_timed("10,000 documents searched", 0.2, lambda: searcher.search(QUERY, 8)) for _ in range(5)]
    return [min(tries, key=lambda one: one.value)]


def unchanged(at: Path, embedder: Embedder) -> list[Measured]:
    toy = HashEmbedder(embedder.dim)
    toy.id = embedder.id
    folder = _files(at, {f"{number}.md": f"# Note {number}\n\n{prose(number, 30)}" for number in range(8000)})
    _sync(at, folder, toy)
    time.sleep(2.5)  # a file changed within the last two seconds is looked at twice
    _sync(at, folder, toy)
    embedder.embed([QUERY])  # loading the model is the model's own time
    return [_timed("a question over 8,000 unchanged files", 2, lambda: _ask(at, folder, embedder))]


def rate(at: Path, embedder: Embedder) -> list[Measured]:
    texts = [prose(number, 80) for number in range(256)]
    embedder.embed(texts[:32])
    name = "passages of 80 words embedded"
    best = min((_timed(name, 60, lambda: embedder.embed(texts)) for _ in range(3)), key=lambda one: one.value)
    return [Measured(name, len(texts) / best.value, "/s", 60, is_rate=True, cpu_s=best.cpu_s)]


ROWS: dict[str, Callable[[Path, Embedder], list[Measured]]] = {
    "rate": rate,
    "notes": notes,
    "table": table,
    "line": line,
    "pages": pages,
    "search": search,
    "unchanged": unchanged,
}


def pdf(texts: list[str]) -> bytes:
    """A plain PDF, a page for each text, in lines of ninety letters."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for text in texts:
        lines = [text[at : at + 90] for at in range(0, len(text), 90)]
        shown = b"BT /F1 10 Tf 50 750 Td 14 TL " + b" ".join(f"({one}) ' ".encode() for one in lines) + b"ET"
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(shown), shown))
        page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>"
        objects.append(page % len(objects))
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(kids))
    return _numbered(objects)


def _numbered(objects: list[bytes]) -> bytes:
    made, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    head = b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    return made + head + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(made))


def _files(at: Path, texts: dict[str, str]) -> Path:
    folder = at / "files"
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
    return folder


def _sync(at: Path, folder: Path, embedder: Embedder) -> None:
    with Index.open(at / "index", embedder) as index:
        index.sync([folder])


def _ask(at: Path, folder: Path, embedder: Embedder) -> None:
    with Index.open(at / "index", embedder) as index:
        index.sync([folder])
        assert HybridSearcher(index).search(QUERY, 8)


def _timed(name: str, goal: float, work: Callable[[], object]) -> Measured:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return Measured(name, time.perf_counter() - wall, "s", goal, cpu_s=time.process_time() - processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(ROWS)}; all where none is named")
    parser.add_argument("--out", type=Path, help="file for the table as JSON")
    parser.add_argument("--toy", action="store_true", help="embed with the hashing toy: all but the model's time")
    chosen = parser.parse_args()
    if unknown := set(chosen.rows) - ROWS.keys():
        parser.error(f"there is no row {', '.join(sorted(unknown))}; the rows are {', '.join(ROWS)}")
    embedder: Embedder = HashEmbedder(384) if chosen.toy else MiniLMEmbedder()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for name in chosen.rows or ROWS:
            for measured in ROWS[name](Path(temporary) / name, embedder):
                print(measured.line(), flush=True)
                rows.append(measured.row())
                if chosen.out:  # after every row: a long bench may be stopped
                    chosen.out.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
