"""The index is what its files say now: in any order of changes, and after a kill at any instant."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.retrieval import files as files_module
from palimpsest.retrieval import index as index_module
from palimpsest.retrieval.embed import HashEmbedder, Vectors
from palimpsest.retrieval.index import Index
from palimpsest.retrieval.loaders import Limits, load
from palimpsest.retrieval.types import Where

NOTES = {
    "a.md": "# Cats\n\nCats sleep all day. They dream of fish.\n\n## At night\n\nCats hunt at night.\n",
    "b.txt": "Dogs bark at night.\n",
    "c.md": "---\ntitle: Birds\ndate: 2024-05-01\nurl: https://example.org/birds\n---\nBirds sing at dawn.\n",
    "sub/d.txt": "Dogs bark at night.\n",
    "bad.txt": "\x01\x02\x03\x04",
}


class Counted:
    """The hashing toy, which remembers what it embedded, and how many texts at a time."""

    def __init__(self) -> None:
        self.inner = HashEmbedder(64)
        self.id, self.dim = self.inner.id, self.inner.dim
        self.history: list[str] = []
        self.sizes: list[int] = []

    def embed(self, texts: list[str]) -> Vectors:
        self.history += texts
        self.sizes.append(len(texts))
        return self.inner.embed(texts)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return lay(tmp_path / "files")


def lay(folder: Path) -> Path:
    for name, text in NOTES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def state(index: Index) -> object:
    """All that a reader can see: documents, passages, what is found, and what could not be read.

    Scores by word are left out: tantivy counts what was deleted until it merges its files.
    """
    sources = sorted(index.documents(), key=lambda source: source.id)
    queries = ("cats", "dogs bark at night", "birds", "changed")
    near = [(hit.passage, round(hit.score, 5)) for query in queries for hit in index.search_dense(query, 50)]
    by_word = [hit.passage for query in queries for hit in index.search_lexical(query, 50)]
    documents = [index.document(source.id) for source in sources]
    found = [sorted(near, key=lambda pair: (-pair[1], pair[0].id)), sorted(by_word, key=lambda passage: passage.id)]
    return documents, found, index.failures()


def synced(at: Path, folder: Path) -> object:
    with Index.open(at, HashEmbedder(64)) as index:
        index.sync([folder])
        assert index.check() == []
        return state(index)


def fresh(folder: Path) -> object:
    with tempfile.TemporaryDirectory() as at:
        return synced(Path(at) / "index", folder)


def count_loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    loaded: list[str] = []
    real = index_module.load

    def load(path: Path, **named: object) -> object:
        loaded.append(path.name)
        return real(path, **named)

    monkeypatch.setattr(index_module, "load", load)
    return loaded


def test_what_has_not_changed_is_neither_read_nor_embedded_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three hundred unchanged pages were parsed again by every run."""
    monkeypatch.setattr(files_module, "TRUSTED_AFTER_NS", -(10**12))
    embedder, loaded = Counted(), count_loads(monkeypatch)
    with Index.open(tmp_path / "index", embedder) as index:
        index.sync([folder])
        before, failures = state(index), index.failures()
        loaded.clear(), embedder.history.clear()
        monkeypatch.setattr(index_module, "sha256_of", lambda path, stamp: pytest.fail("its stamp is enough"))
        again = index.sync([folder])
        assert (len(again.unchanged), again.added, again.replaced, again.removed) == (4, (), (), ())
        assert (loaded, embedder.history) == ([], [])
        assert again.failures == failures != ()
        assert state(index) == before


def test_a_touched_file_is_known_by_its_bytes(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = count_loads(monkeypatch)
    with Index.open(tmp_path / "index", HashEmbedder(64)) as index:
        index.sync([folder])
        loaded.clear()
        os.utime(folder / "a.md", (1, 1))
        index.sync([folder])
        assert loaded == []


def test_a_change_within_one_tick_of_the_clock_is_seen(folder: Path, tmp_path: Path) -> None:
    """Same size, same time: a file that was written just before it was read may be written once more in the same tick."""
    with Index.open(tmp_path / "index", HashEmbedder(64)) as index:
        index.sync([folder])
        status = (folder / "b.txt").stat()
        (folder / "b.txt").write_text("Hogs bark at night.\n")
        os.utime(folder / "b.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
        index.sync([folder])
        assert index.search_lexical("hogs", 1)


def test_one_changed_paragraph_is_all_that_is_embedded(folder: Path, tmp_path: Path) -> None:
    embedder = Counted()
    with Index.open(tmp_path / "index", embedder) as index:
        index.sync([folder])
        embedder.history.clear()
        (folder / "a.md").write_text(NOTES["a.md"].replace("hunt", "prowl"))
        outcome = index.sync([folder])
        assert [source.title for source in outcome.replaced] == ["Cats"]
        assert [text.split("\n")[-1] for text in embedder.history] == ["Cats prowl at night."]
        assert index.search_lexical("hunt", 3) == []
        assert index.check() == []


def test_the_passages_of_many_files_are_embedded_together(folder: Path, tmp_path: Path) -> None:
    """One paragraph at a time, a note costs several times what it costs in company."""
    embedder = Counted()
    with Index.open(tmp_path / "index", embedder) as index:
        index.sync([folder])
    assert embedder.sizes == [4]


def test_a_document_of_two_files_lives_as_long_as_one_of_them(folder: Path, tmp_path: Path) -> None:
    with Index.open(tmp_path / "index", HashEmbedder(64)) as index:
        index.sync([folder])
        assert index.search_lexical("dogs", 1)[0].passage.source.title == "b"
        (folder / "b.txt").unlink()
        index.sync([folder])
        assert index.search_lexical("dogs", 1)[0].passage.source.title == "d"
        assert index.search_lexical("dogs", 1)[0].passage.source.uri == str(folder / "sub" / "d.txt")
        (folder / "sub" / "d.txt").unlink()
        outcome = index.sync([folder])
        assert [source.title for source in outcome.removed] == ["d"]
        assert index.search_lexical("dogs", 1) == []


def test_given_documents_stay_when_files_go(folder: Path, tmp_path: Path) -> None:
    with Index.open(tmp_path / "index", HashEmbedder(64)) as index:
        index.sync([folder])
        (given,) = [index.document(source.id) for source in index.documents() if source.title == "Birds"]
        index.add_documents([given.model_copy(update={"source": given.source.model_copy(update={"uri": "test:x"})})])
        (folder / "c.md").unlink()
        index.sync([folder])
        assert [source.uri for source in index.documents() if source.title == "Birds"] == ["test:x"]


def test_what_could_not_be_read_is_kept_and_goes_with_its_file(folder: Path, tmp_path: Path) -> None:
    at = tmp_path / "index"
    with Index.open(at, HashEmbedder(64)) as index:
        index.sync([folder])
    with Index.open(at, HashEmbedder(64)) as index:
        assert [Path(failure.name).name for failure in index.failures()] == ["bad.txt"]
        assert (index.info().num_unread, index.info().unread) == (1, index.failures())
        (folder / "bad.txt").write_text("Readable now.")
        index.sync([folder])
        assert index.failures() == ()
        (folder / "bad.txt").write_text(NOTES["bad.txt"])
        index.sync([folder])
        assert index.search_lexical("readable", 1) == []
        (folder / "bad.txt").unlink()
        index.sync([folder])
        assert index.failures() == ()


def test_other_limits_read_again_what_was_not_read_whole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "long.txt").write_text("First part.\n\nSecond part.\n")
    read = count_loads(monkeypatch)
    with Index.open(tmp_path / "index", Counted()) as index:
        tight = Limits(characters=20)
        assert any("reading.characters" in failure.message for failure in index.sync([folder], limits=tight).failures)
        read.clear()
        index.sync([folder], limits=tight)
        assert read == [], "within the same limits nothing new would be found"
        index.sync([folder])
        assert set(read) == {"a.md", "bad.txt", "long.txt"}, "those that were not whole"
        assert [failure.name for failure in index.failures()] == [str(folder / "bad.txt")]


def test_better_readers_read_every_file_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Index.open(tmp_path / "index", HashEmbedder(64)) as index:
        index.sync([folder])
        loaded = count_loads(monkeypatch)
        monkeypatch.setattr(index_module, "readers", lambda: "better")
        real = index_module.load
        monkeypatch.setattr(
            index_module, "load", lambda path, **named: real(path, **named).model_copy(update={"blocks": ()})
        )
        index.sync([folder])
        assert all(index.document(source.id).blocks == () for source in index.documents())
        assert index.check() == []
        assert len(loaded) == len(NOTES)
        loaded.clear()
        index.sync([folder])
        assert loaded == []


NAMES = ["a.md", "b.txt", "c.md", "sub/d.txt", "e.txt", "sub/f.md"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "move", "copy", "delete", "touch", "spoil", "sync"]),
        st.sampled_from(NAMES),
        st.sampled_from(NAMES),
        st.sampled_from(sorted(NOTES)),
    ),
    min_size=1,
    max_size=12,
)


def change(folder: Path, step: str, name: str, other: str, text: str) -> None:
    path, target = folder / name, folder / other
    if step == "write":
        path.write_text(NOTES[text] + "Changed.\n" * (name < other))
    elif step == "spoil":
        path.write_bytes(b"\x00\x01\x02" * 5)
    elif path.exists():
        deeds: dict[str, Callable[[], object]] = {
            "move": lambda: path.rename(target),
            "copy": lambda: target == path or shutil.copy2(path, target),
            "delete": path.unlink,
            "touch": path.touch,
        }
        deeds[step]()


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_any_order_of_changes_ends_in_the_state_of_the_files(steps: list[tuple[str, str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder, at = lay(Path(temporary) / "files"), Path(temporary) / "index"
        for step in (*steps, ("write", "e.txt", "a.md", "b.txt"), ("sync", "", "", "")):
            if step[0] == "sync":
                synced(at, folder)
            else:
                change(folder, *step)
        assert synced(at, folder) == fresh(folder)


CHILD = """
import os, sys
from pathlib import Path
from palimpsest.retrieval.embed import HashEmbedder
from palimpsest.retrieval.index import Index

at, folder, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
ROOMS = ("index.py", "store.py", "folder.py", "lexical.py", "vectors.py", "files.py", "chunks.py")
seen = 0

def count(frame, event, argument):
    global seen
    if event in ("call", "return") and frame.f_code.co_filename.endswith(ROOMS):
        seen += 1
        if seen == last:
            os._exit(9)

sys.setprofile(count)
with Index.open(at, HashEmbedder(64)) as index:
    index.sync([folder])
sys.setprofile(None)
print(seen)
"""


def child(at: Path, folder: Path, last: int) -> subprocess.CompletedProcess[str]:
    """Bring the index up to date in a process that dies at its `last` call or return inside the index, if it has as many."""
    return subprocess.run(
        [sys.executable, "-c", CHILD, at, folder, str(last)], capture_output=True, text=True, timeout=120, check=False
    )


def test_a_kill_at_any_instant_costs_nothing_but_the_time(folder: Path, tmp_path: Path) -> None:
    """Killed at twelve instants spread over a sync with every kind of change, on top of what the kills before left."""
    start = tmp_path / "start"
    synced(start, folder)
    (folder / "a.md").rename(folder / "z.md")
    (folder / "b.txt").unlink()
    (folder / "c.md").write_text(NOTES["c.md"].replace("dawn", "dusk"))
    (folder / "sub" / "e.md").write_text("# New\n\nCows graze.\n")
    wanted = fresh(folder)
    shutil.copytree(start, tmp_path / "whole")
    total = int(child(tmp_path / "whole", folder, 0).stdout)
    assert total > 200
    for number in range(12):
        at = tmp_path / f"killed{number}"
        shutil.copytree(start, at)
        assert child(at, folder, 1 + total * (2 * number + 1) // 24).returncode == 9
        child(at, folder, total // 3)
        assert synced(at, folder) == wanted


def test_an_interrupt_keeps_what_was_done(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C between two batches: what was counted is there, and nothing of it is embedded again."""
    monkeypatch.setattr(index_module, "BATCH_PASSAGES", 2)

    def interrupt(progress: index_module.Progress) -> None:
        if progress.num_passages >= 2 and progress.done:
            raise KeyboardInterrupt

    embedder = Counted()
    with Index.open(tmp_path / "index", embedder) as index:
        with pytest.raises(KeyboardInterrupt):
            index.sync([folder], interrupt)
        assert [source.title for source in index.documents()] == ["Cats"]
        before = set(embedder.history)
        embedder.history.clear()
        index.sync([folder])
        assert not before & set(embedder.history)
    assert synced(tmp_path / "index", folder) == fresh(folder)


def test_only_documents_that_are_asked_for_are_searched(folder: Path, tmp_path: Path) -> None:
    (folder / "old.md").write_text("---\ndate: 2019\n---\nBirds sang at dawn.\n")
    (folder / "data.csv").write_text("bird,song\nrobin,dawn\n")
    with Index.open(tmp_path / "index", HashEmbedder(64)) as index:
        index.sync([folder])

        def titles(**where: str) -> set[str]:
            wanted = Where(**where)
            found = index.search_dense("birds dawn", 9, wanted) + index.search_lexical("birds dawn dogs", 9, wanted)
            return {hit.passage.source.title for hit in found}

        assert titles(since="2024") == {"Birds"}
        assert titles(since="2019-06") == {"Birds", "old"}  # 2019 may be any day of it
        assert titles(type="csv") == {"data"}
        assert titles(path="sub/") == titles(path="*/sub/*.txt") == {"b"}
        assert titles(path="example.org", since="2024", type="md") == {"Birds"}
        assert titles(since="2030") == set()


def test_an_index_of_the_first_format_is_taken_over(folder: Path, tmp_path: Path) -> None:
    import sqlite3

    from palimpsest.retrieval.loaders import load

    at = tmp_path / "index"
    at.mkdir()
    with sqlite3.connect(at / "index.sqlite") as connection:
        connection.executescript(
            "CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
            "CREATE TABLE documents (number INTEGER PRIMARY KEY, id TEXT, origin TEXT, source TEXT, text TEXT);"
            "INSERT INTO facts VALUES ('generation', '3');PRAGMA user_version = 1;"
        )
        for number, name in enumerate(("a.md", "c.md")):
            document = load(folder / name)
            row = (number, document.source.id, str(folder / name), document.source.model_dump_json(), document.text)
            connection.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?)", row)
    connection.close()
    (at / "manifest.json").write_text('{"format": 1, "generation": 3}')
    (at / "vectors.faiss").write_bytes(b"old")
    with Index.open(at, HashEmbedder(64)) as index:
        assert "2 documents were taken over" in index.repaired[-1]
        assert {source.title for source in index.documents()} == {"Cats", "Birds"}
        assert index.search_lexical("birds", 1)
    assert sorted(path.name for path in at.iterdir() if path.suffix != ".lock") == [
        "index.sqlite", "lexical", "manifest.json", "origins.jsonl"]  # fmt: skip
    assert synced(at, folder) == fresh(folder)


def test_a_document_that_was_given_under_a_files_name_gives_way_to_the_file(folder: Path, tmp_path: Path) -> None:
    """Indexes of the first format held the bundled library as given documents: each source would be cited twice."""
    file = folder / "a.md"
    with Index.open(tmp_path / "index", Counted()) as index:
        file.write_text(NOTES["a.md"].replace("Cats", "All cats"))
        index.add_documents([load(file, uri="library:a.md")])
        file.write_text(NOTES["a.md"])
        index.add_documents([load(folder / "b.txt", uri="mine:b")])
        index.sync([file], naming=lambda path: f"library:{path.name}")
        assert sorted(source.uri for source in index.documents()) == ["library:a.md", "mine:b"]
        assert not any("All cats" in hit.passage.text for hit in index.search_dense("cats", 50))
