"""The process that parses can crash, hang and swell without harm."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from palimpsest.retrieval.loaders import Limits, load
from palimpsest.retrieval.loaders.worker import WORKER, Worker
from palimpsest.retrieval.types import RetrievalError
from tests.retrieval.loaders.makers import docx_bytes, paragraph, write

LONG = 2_000_000


def test_one_process_reads_many_files(tmp_path: Path) -> None:
    load(write(tmp_path, "a.txt", "One."))
    first = WORKER._process
    load(write(tmp_path, "b.txt", "Two."))
    assert first is not None
    assert WORKER._process is first


def test_a_file_that_takes_too_long_is_named_and_the_next_is_read(tmp_path: Path) -> None:
    slow = write(tmp_path, "slow.docx", docx_bytes(paragraph("word ") * 60_000))
    begun = time.monotonic()
    with pytest.raises(RetrievalError, match=r"slow\.docx takes longer than 0\.5 s"):
        load(slow, limits=Limits(seconds=0.5))
    assert time.monotonic() - begun < 100, "it was killed, not waited for"
    assert load(write(tmp_path, "b.txt", "Two.")).text == "Two."


def test_a_file_that_needs_too_much_memory_is_named_and_the_next_is_read(tmp_path: Path) -> None:
    small = Limits(memory_bytes=220 * 2**20)
    with pytest.raises(RetrievalError, match=r"big\.md is damaged or needs more than 220 MB"):
        load(write(tmp_path, "big.md", "- word *and* `more`\n" * 200_000), limits=small)
    assert load(write(tmp_path, "b.txt", "Two."), limits=small).text == "Two."


def test_a_worker_that_was_killed_is_started_again(tmp_path: Path) -> None:
    path = str(write(tmp_path, "a.txt", "One."))
    worker = Worker()
    try:
        worker.read(path, Limits())
        assert worker._process
        worker._process.kill()
        worker._process.wait()
        assert b"One." in worker.read(path, Limits())
    finally:
        worker.close()


def test_threads_wait_for_each_other(tmp_path: Path) -> None:
    paths = [write(tmp_path, f"{number}.txt", f"Text {number}.") for number in range(12)]
    found: dict[Path, str] = {}
    threads = [threading.Thread(target=lambda p=path: found.update({p: load(p).text})) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[path] for path in paths] == [f"Text {number}." for number in range(12)]


LINES = {
    "letters.txt": "a" * LONG,
    "words.txt": "word " * (LONG // 5),
    "hashes.md": "# " * (LONG // 2),
    "heading.md": "# a" + " #" * (LONG // 2),
    "many-headings.md": "# # # #\n" * 20_000,
    "stars.md": "*" * LONG,
    "brackets.md": "[" * LONG,
    "ticks.md": "`a" * (LONG // 2),
    "blanks.md": "a" + " " * LONG + "b",
    "dashes.txt": "-" * LONG,
    "dots.txt": ". " * (LONG // 2),
    "colons.txt": "a: " * (LONG // 3),
    "commas.csv": "," * LONG,
    "quotes.csv": '"' * LONG,
    "semicolons.csv": "a;" * 5_000 + "\n" + "1;" * 5_000,
    "angles.html": "<" * LONG,
    "open.html": "<b>" * 200_000,
    "tags.html": "<p class=" + "a " * (LONG // 2) + ">text</p>",
    "styles.html": f"<p style='text-decoration{' ' * LONG}'>text</p>",
    "digits.txt": "1" * LONG,
    "dates.txt": "Notice " + "of June " * (LONG // 8),
    "marks.txt": "Ã" * (LONG // 2),
}


@pytest.mark.parametrize("name", LINES)
def test_two_megabytes_in_one_line_take_time_in_proportion(tmp_path: Path, name: str) -> None:
    """An expression that is quadratic in the length of a line would need hours for these; the limit is for slow machines."""
    assert "longer than" not in outcome(write(tmp_path, name, LINES[name]), Limits(seconds=100))


def outcome(path: Path, limits: Limits) -> str:
    try:
        return load(path, limits=limits).text
    except RetrievalError as error:
        return str(error)
