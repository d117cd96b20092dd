"""What is installed: wheel and sdist hold every module, the library, the weights and the licence, and the command works from them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("agent", "dlm_core", "kernels", "retrieval", "ui", "workflows")
PAPERS = ("pyproject.toml", "README.md", "LICENSE")
BUILD = "import sys; from setuptools import build_meta as b; print(getattr(b, 'build_' + sys.argv[1])(sys.argv[2]))"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the package is made of, so that building leaves nothing in the checkout."""
    copy = tmp_path_factory.mktemp("source")
    for name in (*ROOMS, "palimpsest"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in PAPERS:
        shutil.copy(ROOT / name, copy / name)
    return copy


def built(kind: str, source: Path, into: Path) -> Path:
    """A wheel or sdist made by the build backend that pyproject.toml names."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, kind, str(into)],
        cwd=source,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return into / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("wheel", source, tmp_path_factory.mktemp("wheel"))


def files_of(source: Path) -> set[str]:
    """Every file of the package by its name in it."""
    found = {"palimpsest/__init__.py", "palimpsest/py.typed"}
    for room in ROOMS:
        paths = (p for p in (source / room).rglob("*") if p.is_file())
        found |= {f"palimpsest/{p.relative_to(source).as_posix()}" for p in paths}
    return found


def test_the_wheel_is_whole(source: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        held = set(opened.namelist())
    package = files_of(source)
    assert sum(name.endswith(".safetensors") for name in package) > 0
    assert package - held == set()
    rest = {name.split("/", 1)[1] for name in held - package}
    assert rest == {"licenses/LICENSE", "METADATA", "WHEEL", "RECORD", "entry_points.txt", "top_level.txt"}


def test_the_sdist_is_whole(source: Path, wheel: Path, tmp_path: Path) -> None:
    """And a wheel that is made of it is the same wheel."""
    archive = built("sdist", source, tmp_path)
    with tarfile.open(archive) as opened:
        held = {name.split("/", 1)[1] for name in opened.getnames() if "/" in name}
        opened.extractall(tmp_path / "unpacked", filter="data")
    assert (files_of(source) | set(PAPERS)) - held == set()
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    (tmp_path / "again").mkdir()
    again = built("wheel", unpacked, tmp_path / "again")
    with zipfile.ZipFile(again) as one, zipfile.ZipFile(wheel) as other:
        assert {i.filename: i.CRC for i in one.infolist() if "dist-info" not in i.filename} == {
            i.filename: i.CRC for i in other.infolist() if "dist-info" not in i.filename
        }


def test_the_installed_command_answers(wheel: Path, tmp_path: Path) -> None:
    """Unpacked where nothing else of the checkout is in reach, with the libraries of this environment."""
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(tmp_path / "site")
    (tmp_path / "work" / "notes").mkdir(parents=True)
    (tmp_path / "work" / "notes" / "ferry.md").write_text("The harbour ferry from Kelso to Brandt takes 70 minutes.\n")
    paths = [
        str(tmp_path / "site"),
        sysconfig.get_path("purelib"),
        *(p for p in sys.path if p.endswith("site-packages")),
    ]
    command = ["run", "How long does the harbour ferry from Kelso to Brandt take?", "--docs", "notes", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-S", "-c", "from palimpsest.ui.cli import main; main()", *command],
        cwd=tmp_path / "work",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "RESEARCH_INDEX": str(tmp_path / "index")},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "70 minutes" in done.stdout
    assert len(list((tmp_path / "work" / "runs").glob("*/report.md"))) == 1
