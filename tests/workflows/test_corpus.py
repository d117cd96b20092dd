"""What a run searches: kept up to date, bad files by name, nothing opened before it is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.retrieval.chunks import passages
from palimpsest.retrieval.embed import HashEmbedder
from palimpsest.retrieval.loaders import load
from palimpsest.workflows import corpus
from palimpsest.workflows.config import Config
from palimpsest.workflows.errors import ResearchError
from tests.workflows import scripted


def uris(config: Config) -> set[str]:
    index, _ = corpus.open_index(config)
    with index:
        return {Path(s.uri).name for s in index.documents()}


def test_an_index_follows_its_folder(config: Config) -> None:
    assert uris(config) == set(scripted.DOCS)
    (config.docs[0] / "kitchen.md").unlink()
    scripted.lay_documents(config.docs[0], {"rival.md": scripted.RIVAL})
    assert uris(config) == {"barges.md", "harbour.md", "rival.md"}


def test_a_withdrawn_page_with_an_address_is_forgotten_with_its_file(config: Config) -> None:
    """A document that named its own address stayed citable for ever once its file was deleted."""
    page = config.docs[0] / "withdrawn.md"
    page.write_text("---\ntitle: Withdrawn\nurl: https://example.org/a\n---\nThe Marisa reaches 99 knots.\n")
    assert uris(config) == {*scripted.DOCS, "a"}
    page.unlink()
    assert uris(config) == set(scripted.DOCS)


def test_a_renamed_file_is_found_at_once(config: Config) -> None:
    """Its text was known from the old name and went with it: for one run the answer was gone."""
    (config.docs[0] / "kitchen.md").rename(config.docs[0] / "bread.md")
    assert uris(config) == {"barges.md", "harbour.md", "bread.md"}


def test_indexing_says_how_far_it_is(config: Config) -> None:
    said: list[str] = []
    corpus.open_index(config, corpus.pace(said.append, every=0.0))[0].close()
    assert said[0] == "0 of 3 files, 0 new passages"
    assert said[-1] == "3 of 3 files, 3 new passages, about 0 s left"


def test_a_bad_file_is_a_failure_beside_the_others(config: Config) -> None:
    (config.docs[0] / "broken.pdf").write_bytes(b"no pdf at all")
    with (config.docs[0] / "huge.txt").open("wb") as out:
        out.truncate(200 * 1024 * 1024)
    held = corpus.Corpus(config)
    found = held.search(["barge"], 4)
    held.close()
    assert {Path(f.name).name for f in found.failures} == {"broken.pdf", "huge.txt"}
    assert found.hits


def test_documents_of_which_none_can_be_read_are_refused(config: Config) -> None:
    only = config.out.parent / "only"
    only.mkdir()
    (only / "broken.pdf").write_bytes(b"no pdf at all")
    with pytest.raises(ResearchError, match=r"none of the documents could be read.*broken\.pdf") as error:
        corpus.open_index(config.model_copy(update={"docs": (only,)}))
    assert error.value.code == 2


def test_the_same_paths_share_a_folder_and_others_do_not(config: Config, tmp_path: Path) -> None:
    folder = corpus.index_folder(config, "e")
    turned = config.model_copy(update={"docs": (tmp_path / "docs" / ".." / "docs",)})
    assert corpus.index_folder(turned, "e") == folder
    assert corpus.index_folder(config, "other") != folder
    assert corpus.index_folder(config.model_copy(update={"docs": ()}), "e") != folder


def test_an_index_is_opened_by_the_first_query() -> None:
    opened = []

    def opener(config: Config) -> tuple[corpus.Index, tuple[corpus.Failure, ...]]:
        opened.append(config)
        raise ResearchError("opened")

    held = corpus.Corpus(Config(), opener)
    held.close()
    assert not opened
    with pytest.raises(ResearchError, match="opened"):
        held.search(["barge"], 4)


def test_no_more_passages_than_asked_for(config: Config) -> None:
    held = corpus.Corpus(config)
    hits = held.search(["fastest barge on Lake Orta", "harbour"], 2).hits
    document = held.document(hits[0].passage)
    held.close()
    assert len(hits) == 2
    assert document.text[hits[0].passage.start : hits[0].passage.end] == hits[0].passage.text


def test_the_library_is_named_alike_wherever_it_lies(config: Config) -> None:
    index, failures = corpus.open_index(config.model_copy(update={"docs": ()}))
    with index:
        found = index.documents()
    assert len(found) >= 40
    assert failures == ()
    assert all(source.uri == f"library:{Path(source.uri.removeprefix('library:')).name}" for source in found)
    assert all(source.date for source in found), "belief is revised by date"


def test_a_damaged_index_is_an_error_with_a_mend(config: Config) -> None:
    folder = corpus.index_folder(config, HashEmbedder().id)
    folder.mkdir(parents=True)
    (folder / "novel.txt").write_text("not an index")
    with pytest.raises(ResearchError) as error:
        corpus.open_index(config)
    assert error.value.code == 1
    assert str(folder) in str(error.value)
    assert (folder / "novel.txt").read_text() == "not an index"


def test_a_missing_model_is_an_error_with_a_mend(tmp_path: Path) -> None:
    with pytest.raises(ResearchError) as error:
        corpus.open_writer(Config(model=str(tmp_path / "weights")))
    assert error.value.code == 1
    assert "weights" in str(error.value)


def test_a_budget_that_opening_spends_leaves_documents_unread_and_says_so(config: Config) -> None:
    hurried = config.model_copy(update={"budget": 1e-9})
    index, failures = corpus.open_index(hurried)
    with index:
        assert len(index.documents()) == 1, "one is read whatever the budget"
    assert failures == (corpus.UNREAD,)
    index, failures = corpus.open_index(config.model_copy(update={"budget": 1000.0}))
    with index:
        assert len(index.documents()) == len(scripted.DOCS)
    assert failures == ()


def test_there_is_time_for_documents_until_three_quarters_of_a_budget() -> None:
    time = [50.0]
    hurry = corpus.Hurry(8.0, lambda: time[0])
    time[0] = 60.0
    assert [hurry(), hurry.is_late] == [True, False], "the first is always read"
    time[0] = 55.9
    assert [hurry(), hurry.is_late] == [True, False]
    time[0] = 56.0
    assert [hurry(), hurry.is_late] == [False, True]


def test_a_table_that_the_index_does_not_hold_is_read_where_it_is_whole(config: Config, tmp_path: Path) -> None:
    """A person brings such a document, or its file went while the run was stopped."""
    brought = tmp_path / "fares.csv"
    brought.write_text("name,fare\n" + "".join(f"boat {n},{n}\n" for n in range(400)))
    pieces = passages(load(brought))
    assert len(pieces) > 2
    held = corpus.Corpus(config, lambda config: corpus.open_index(config))
    try:
        (table,) = held.tables(pieces)
        assert len(table.rows) == 400
        assert held.tables(pieces[1:]) == [], "nothing is computed over a part of it"
    finally:
        held.close()


def test_a_run_that_is_stopped_while_documents_are_read_has_those_that_were(config: Config) -> None:
    index, failures = corpus.open_index(config, stop=lambda: True)
    with index:
        assert index.info().num_documents == 1
    assert failures == (corpus.UNREAD,)
    with corpus.open_index(config)[0] as whole:
        assert whole.info().num_documents == 3
