"""An index can be killed, damaged and reopened; what it held it still finds."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest

from palimpsest.retrieval import folder as folder_module
from palimpsest.retrieval import index as index_module
from palimpsest.retrieval.embed import HashEmbedder
from palimpsest.retrieval.index import Index, Progress
from palimpsest.retrieval.loaders import document
from palimpsest.retrieval.types import Document, RetrievalError
from palimpsest.retrieval.vectors import dense_exact

EMBEDDER = HashEmbedder(64)
CATS, DOGS, BIRDS = "Cats sleep all day.", "Dogs bark at night.", "Birds sing at dawn."


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "cats.txt").write_text(CATS)
    (folder / "dogs.md").write_text(DOGS)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


def open_index(folder: Path) -> Index:
    return Index.open(folder, EMBEDDER)


def docs(*texts: str) -> list[Document]:
    return [document(text, uri=f"test:{text}") for text in texts]


def make(folder: Path, *texts: str) -> None:
    with open_index(folder) as index:
        index.add_documents(docs(*texts))


def found(index: Index, query: str) -> tuple[str, str]:
    """The best passage by meaning and the best by word."""
    return index.search_dense(query, 1)[0].passage.text, index.search_lexical(query, 1)[0].passage.text


def held(folder: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(folder / "index.sqlite") as connection:
        rows = connection.execute("SELECT * FROM facts").fetchall()
        rows += connection.execute("SELECT * FROM documents").fetchall()
        rows += connection.execute("SELECT * FROM passages").fetchall()
    connection.close()
    return rows


def assert_whole(index: Index) -> None:
    assert index.check() == []
    assert found(index, "cats") == (CATS, CATS)
    assert found(index, "dogs bark") == (DOGS, DOGS)


def test_files_are_found_again_after_reopening(files: Path, folder: Path) -> None:
    with open_index(folder) as index:
        added = index.add([files])
        assert [source.title for source in added.added] == ["cats", "dogs"]
        assert_whole(index)
    with open_index(folder) as index:
        assert index.repaired == []
        assert_whole(index)
        hit = index.search_dense("cats", 1)[0]
        assert index.passage(hit.passage.id) == hit.passage
        assert index.document(hit.passage.source.id).text == CATS
        assert (index.info().num_documents, index.info().num_passages) == (2, 2)


def test_adding_twice_changes_nothing(files: Path, folder: Path) -> None:
    with open_index(folder) as index:
        index.add([files])
        before = held(folder)
        hits = index.search_dense("cats", 5)
        again = index.add([files, files / "cats.txt"])
        assert (len(again.unchanged), again.added, again.replaced) == (2, (), ())
        assert held(folder) == before
        assert index.search_dense("cats", 5) == hits


def test_the_same_text_under_another_name_is_held_once(folder: Path) -> None:
    with open_index(folder) as index:
        outcome = index.add_documents([document(CATS, uri="a"), document(CATS, uri="b")])
        assert (len(outcome.added), len(outcome.unchanged), len(index.documents())) == (1, 1, 1)


def test_a_changed_file_replaces_what_it_said(files: Path, folder: Path) -> None:
    with open_index(folder) as index:
        index.add([files])
        (files / "cats.txt").write_text(BIRDS)
        outcome = index.add([files])
        assert [source.title for source in outcome.replaced] == ["cats"]
        assert [source.title for source in outcome.unchanged] == ["dogs"]
        assert found(index, "birds") == (BIRDS, BIRDS)
        assert index.search_lexical("sleep", 5) == []
        assert index.check() == []


def test_files_that_swap_their_names_are_all_kept(files: Path, folder: Path) -> None:
    with open_index(folder) as index:
        index.add([files])
        (files / "elephants.txt").write_text(CATS)
        (files / "cats.txt").write_text(BIRDS)
        index.add([files])
        assert sorted(index.document(source.id).text for source in index.documents()) == [BIRDS, CATS, DOGS]
        assert index.check() == []


def test_a_bad_file_is_a_failure_beside_the_others(files: Path, folder: Path) -> None:
    (files / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    (files / "bad.txt").write_bytes(bytes(range(200)))
    with open_index(folder) as index:
        outcome = index.add([files])
        assert [Path(failure.name).name for failure in outcome.failures] == ["bad.pdf", "bad.txt"]
        assert len(outcome.added) == 2
        with pytest.raises(RetrievalError, match="does not exist"):
            index.add([files / "missing"])


def test_remove(folder: Path) -> None:
    with open_index(folder) as index:
        index.add_documents(docs(CATS, DOGS))
        index.remove([index.documents()[0].id, "unknown"])
        assert index.search_lexical("cats", 1) == []
        assert [index.document(source.id).text for source in index.documents()] == [DOGS]
        assert index.check() == []
        with pytest.raises(RetrievalError, match="no passage"):
            index.passage("000000000000-0")
        with pytest.raises(RetrievalError, match="no document"):
            index.document("000000000000")


def test_faiss_agrees_with_the_plain_dot_product(folder: Path) -> None:
    words = np.random.default_rng(0).choice(list("abcdefghijklmnopqrstuvwxyz"), size=(60, 12))
    documents = docs(*(" ".join(row) for row in words))
    with open_index(folder) as index:
        index.add_documents(documents)
        index.remove([documents[3].source.id])
        kept = [item for item in documents if item is not documents[3]]
        vectors = EMBEDDER.embed([f"{item.source.title}\n{item.text}" for item in kept])
        query = "a b c test: z"
        exact = dense_exact(vectors, EMBEDDER.embed([query])[0], 10)
        hits = index.search_dense(query, 10)
    scores = vectors[exact] @ EMBEDDER.embed([query])[0]
    assert [hit.score for hit in hits] == pytest.approx(scores.tolist())
    assert len({hit.passage.text for hit in hits} ^ {kept[row].text for row in exact}) <= 2  # equal scores at the cut


def test_an_empty_index_and_an_empty_query_find_nothing(folder: Path) -> None:
    with open_index(folder) as index:
        assert index.search_dense("cats", 3) == index.search_lexical("cats", 3) == []
        index.add_documents(docs(CATS))
        assert index.search_dense(" ", 3) == index.search_lexical("", 3) == index.search_dense("cats", 0) == []
        assert len(index.search_dense("cats", 99)) == 1


class Killed(BaseException):
    """Nothing in the program may catch it: the process is gone."""


@pytest.mark.parametrize("stage", ["_follow", "_write_manifest", "replace"])
def test_a_kill_between_the_stages_loses_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    make(folder, CATS)

    def die(*arguments: object, **named: object) -> None:
        raise Killed

    def die_at(path: Path, data: bytes) -> None:
        path.with_name(path.name + ".new").write_bytes(data[: len(data) // 2])
        raise Killed

    index = open_index(folder)
    with monkeypatch.context() as patch:
        if stage == "replace":
            patch.setattr(folder_module, "replace", die_at)
        else:
            patch.setattr(Index, stage, die)
        with pytest.raises(Killed):
            index.add_documents(docs(DOGS))
    index.close()
    with open_index(folder) as reopened:
        assert len(reopened.repaired) == 1
        assert_whole(reopened)
    with open_index(folder) as again:
        assert again.repaired == []


def test_a_kill_before_the_truth_is_written_leaves_the_old(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(folder, CATS, DOGS)
    before = held(folder)
    index = open_index(folder)

    def die(*arguments: object) -> int:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("palimpsest.retrieval.store.Store._insert_passage", die)
        with pytest.raises(Killed):
            index.add_documents(docs(BIRDS))
    assert_whole(index)
    index.close()
    assert held(folder) == before


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = b"\xff" * (len(data) - len(data) // 2)
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [spoil, Path.unlink, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("name", ["manifest.json", "lexical/meta.json"])
def test_damaged_derived_files_are_rebuilt(folder: Path, name: str, damage: object) -> None:
    make(folder, CATS, DOGS)
    damage(folder / name)
    with open_index(folder) as index:
        assert name.split("/")[0] in index.repaired[0]
        assert_whole(index)


def test_repair_mends_damage_done_while_open(folder: Path) -> None:
    make(folder, CATS, DOGS)
    with open_index(folder) as index:
        segment = next((folder / "lexical").glob("*.term"))
        (folder / "spoilt").write_bytes(b"\xff" * segment.stat().st_size)
        os.replace(folder / "spoilt", segment)  # cut short in place, a mapped file would end the process
        assert "lexical" in index.check()[0]
        assert "lexical" in index.repair()[0]
        assert_whole(index)


def test_repair_makes_spoilt_passages_anew_and_drops_spoilt_texts(folder: Path) -> None:
    make(folder, CATS, DOGS, BIRDS)
    with sqlite3.connect(folder / "index.sqlite") as connection:
        of_cats = "(SELECT key FROM passages WHERE text = ?)"
        connection.execute(f"UPDATE vectors SET vector = x'00' WHERE key = {of_cats}", (CATS,))
        connection.execute("UPDATE documents SET text = 'Other.' WHERE text = ?", (BIRDS,))
    connection.close()
    with open_index(folder) as index:
        assert len(index.check()) >= 2
        done = " ".join(index.repair())
        assert "made anew" in done
        assert "add test:Birds sing at dawn. again" in done
        assert_whole(index)
        assert len(index.documents()) == 2


def spoil_store(folder: Path) -> None:
    (folder / "index.sqlite").write_bytes(b"this is no database, " * 100)


@pytest.mark.parametrize("damage", [spoil_store, lambda folder: (folder / "index.sqlite").unlink()])
def test_a_damaged_truth_is_set_aside_and_its_files_read_again(files: Path, folder: Path, damage: object) -> None:
    with open_index(folder) as index:
        index.add([files])
        index.add_documents(docs(BIRDS))
    damage(folder)
    with open_index(folder) as index:
        assert "index.sqlite.damaged-1; 2 of its files were read again" in index.repaired[0]
        assert index.repaired[1].startswith("1 documents could not be read again")
        assert_whole(index)


def test_a_damaged_truth_without_files_says_how_to_mend_it(folder: Path) -> None:
    make(folder, CATS)
    spoil_store(folder)
    with pytest.raises(RetrievalError, match=r"damaged.*add the documents again"):
        open_index(folder)
    assert (folder / "index.sqlite").read_bytes().startswith(b"this is no database")


def test_another_embedder_is_refused(folder: Path) -> None:
    make(folder, CATS)
    with pytest.raises(RetrievalError, match=r"made with the embedder hash-64 .*, not with hash-32"):
        Index.open(folder, HashEmbedder(32))


def test_folders_that_are_no_index(files: Path, folder: Path) -> None:
    with pytest.raises(RetrievalError, match="other things"):
        open_index(files)
    with pytest.raises(RetrievalError, match="no index"):
        Index.open(folder, EMBEDDER, create=False)
    with pytest.raises(RetrievalError, match="cannot be used"):
        open_index(files / "cats.txt")


def test_two_openers_see_each_others_documents(folder: Path) -> None:
    with open_index(folder) as one, open_index(folder) as two:
        one.add_documents(docs(CATS))
        assert found(two, "cats") == (CATS, CATS)
        two.add_documents(docs(DOGS))
        assert_whole(one)
        assert one.repaired == two.repaired == []


def test_threads_may_add_and_search_at_once(folder: Path) -> None:
    texts = [f"The animal number {number} sleeps." for number in range(12)]
    with open_index(folder) as index:
        threads = [threading.Thread(target=index.add_documents, args=(docs(text),)) for text in texts]
        for thread in threads:
            thread.start()
            index.search_dense("animal", 3)
        for thread in threads:
            thread.join()
        assert len(index.search_lexical("animal", 20)) == 12
        assert index.check() == []


def test_a_killed_process_leaves_no_lock(folder: Path) -> None:
    make(folder, CATS, DOGS)
    child = os.fork()
    if child == 0:
        with folder_module.write_lock(folder):
            os._exit(9)
    assert os.waitpid(child, 0)[1] >> 8 == 9
    with open_index(folder) as index:
        index.add_documents(docs(BIRDS))
        assert_whole(index)


def test_a_busy_index_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "WAIT_SECONDS", 0.01)
    with open_index(folder) as index, folder_module.write_lock(folder):
        with pytest.raises(RetrievalError, match="another program") as caught:
            index.add_documents(docs(CATS))
        assert caught.value.retryable


def test_a_spoilt_lock_file_says_so(folder: Path) -> None:
    make(folder, CATS)
    (folder / "write.lock").write_bytes(b"no lock " * 100)
    with pytest.raises(RetrievalError, match=r"write\.lock cannot be used"):
        open_index(folder)


def test_progress_and_batches(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "BATCH_PASSAGES", 2)
    seen: list[Progress] = []
    with open_index(folder) as index:
        index.add_documents(docs(CATS, DOGS, BIRDS), seen.append)
        assert_whole(index)
    assert (seen[0].done, seen[0].total) == (0, 3)
    assert sorted({p.done for p in seen}) == [0, 2, 3]
    assert seen[0].seconds_left is None
    assert (seen[-1].num_passages, seen[-1].seconds_left, seen[-1].title) == (3, 0.0, f"test:{BIRDS}")


def test_a_new_date_on_the_same_words_is_taken_over(tmp_path: Path, folder: Path) -> None:
    """Which of two sources is newer decides a revision, so a corrected date may not hide behind an unchanged text."""
    page = tmp_path / "page.md"
    for date in ("2024", "2026"):
        page.write_text(f"---\ntitle: Cats\ndate: {date}\n---\n{CATS}\n")
        with open_index(folder) as index:
            index.add([page])
            assert [source.date for source in index.documents()] == [date]
            assert index.search_lexical("cats", 1)[0].passage.source.date == date
            assert index.check() == []


def test_reading_ends_where_it_is_enough_and_goes_on_another_time(folder: Path, files: Path) -> None:
    """What was read is held and searched, what is held is not forgotten, and the next time reads only the rest."""
    times = iter([True, False])
    with open_index(folder) as index:
        assert len(index.sync([files], more=lambda: next(times)).added) == 1
        assert index.search_lexical("cats", 1)[0].passage.text == CATS
        assert not index.search_lexical("dogs", 1)
        late = index.sync([files], more=lambda: False)
        assert (late.added, late.removed, len(late.unchanged)) == ((), (), 1)
        rest = index.sync([files])
        assert (len(rest.added), len(rest.unchanged)) == (1, 1)
        assert found(index, "dogs bark")[1] == DOGS
