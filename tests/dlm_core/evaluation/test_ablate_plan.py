"""Arms of the training plan, and the table of what they are worth."""

import json
from pathlib import Path

import pytest

from palimpsest.dlm_core.evaluation.ablate_plan import (
    ARMS,
    DRAFTS,
    RELEVANCE,
    TWINS,
    folder_of,
    main,
    plan_without,
    table,
)
from palimpsest.dlm_core.training.plan import PLAN, Plan


def test_an_arm_is_the_plan_without_the_drawers_of_one_part(tmp_path: Path) -> None:
    whole = Plan.read(PLAN)
    for left_out in (TWINS, RELEVANCE, DRAFTS):
        arm = Plan.read(plan_without(left_out, PLAN, tmp_path / "plan.toml"))
        for mine, theirs in zip(arm.phases, whole.phases, strict=True):
            assert mine.mix == {name: weight for name, weight in theirs.mix.items() if name not in left_out}
            assert (mine.name, mine.until, mine.slips) == (theirs.name, theirs.until, theirs.slips)
        assert any(set(left_out) & set(phase.mix) for phase in whole.phases), "the plan draws none of them"


def test_a_phase_of_which_nothing_is_left_is_named(tmp_path: Path) -> None:
    lines = ["body_rate = 1e-4", "[[phase]]", 'name = "twins only"', "until = 1.0", "[phase.mix]", "siblings = 1.0"]
    (tmp_path / "small.toml").write_text("\n".join(lines))
    with pytest.raises(ValueError, match="twins only"):
        plan_without(TWINS, tmp_path / "small.toml", tmp_path / "plan.toml")


def test_the_table_has_means_over_seeds_and_how_far_they_lie_apart(tmp_path: Path) -> None:
    for seed, accuracy in ((0, 60.0), (1, 64.0)):
        folder = folder_of(tmp_path, "no twins", seed)
        folder.mkdir()
        (folder / "figures.json").write_text(
            json.dumps({"entailment": {"accuracy": accuracy}, "from_titles": {"average_precision": 0.5}})
        )
    rows = table(tmp_path).splitlines()
    assert len(rows) == 3, "arms without figures have no row"
    assert rows[2].startswith("| no twins | – | 62.0 ± 2.0 |")
    assert "0.50 ± 0.00" in rows[2]


def test_what_a_command_lacks_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for what, wanted in (("train", "--data"), ("measure", "--apart")):
        with pytest.raises(SystemExit) as ended:
            main([what, "--out", str(tmp_path)])
        assert ended.value.code == 2
        assert wanted in capsys.readouterr().err
    assert set(ARMS["everything"]) == set()
