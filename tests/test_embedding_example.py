"""The README's Python example runs as it stands, with the real model."""

from __future__ import annotations

import contextlib
import io
import os
import re
from pathlib import Path

import pytest

from palimpsest.workflows.audit import verify
from palimpsest.workflows.runs import Run

README = Path(__file__).parents[1] / "README.md"


def test_the_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "tower.md").write_text(
        "---\ntitle: The tower\ndate: 2020-01-01\n---\n"
        "The Eiffel Tower in Paris was designed by Stephen Sauvestre and Maurice Koechlin. It was opened in 1889.\n",
        encoding="utf-8",
    )
    for name in [n for n in os.environ if n.startswith("RESEARCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(example, str(README), "exec"), {"__name__": "__main__"})
    lines = output.getvalue().splitlines()
    assert lines[0] == "planned Who designed the Eiffel Tower?"
    assert lines[-1].startswith("finished ")
    run = Run.find("last", Path("runs"))
    assert run.record().model.startswith("embedded")
    assert [p.source.title for p in run.state(1).evidence] == ["The tower"]
    assert verify(run) == []
