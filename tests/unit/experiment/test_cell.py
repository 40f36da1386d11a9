"""Which cells an experiment has, what makes two of them different, and which build on which."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cryoglean.errors import CryogleanError, LabelsError, RunError, SettingsError
from cryoglean.experiment.cell import Cell, Truth, plan_cells
from cryoglean.experiment.grid import Data, Grid, make_grid
from cryoglean.picks import Picks

NAMES = [f"mic_{number:02d}" for number in range(20)]
DATA = {"micrographs": "mics", "labels": "truth.csv", "diameter_angstrom": 180}


@pytest.fixture
def truth(tmp_path: Path) -> Truth:
    """20 micrographs, of which the last is not annotated."""
    paths = {name: tmp_path / f"{name}.mrc" for name in NAMES}
    for path in paths.values():
        path.write_bytes(b"x" * 100)
    return Truth(Data.model_validate(DATA), paths, picks(NAMES[:-1]), None)


def picks(names: list[str]) -> Picks:
    return Picks.concatenate([Picks.of_one(name, np.array([[3.0, 4.0], [30.0, 40.0]])) for name in names])


def grid_of(**content: Any) -> Grid:
    return make_grid({"data": {"sim": DATA}, "seeds": 2, "ratios": [0.1, 0.3], **content})


def cells_of(truth: Truth, **content: Any) -> list[Cell]:
    return list(plan_cells(grid_of(**content), {"sim": truth}))


def test_cells_of_a_grid(truth: Truth) -> None:
    cells = cells_of(truth, lines=["recommended"])
    said = [(cell.seed, cell.ratio, cell.line) for cell in cells]
    assert said == [
        (0, 0.1, "supervised"), (0, 0.1, "recommended"),
        (0, 0.3, "supervised"), (0, 0.3, "recommended"), (0, 0.3, "oracle"),
        (1, 0.1, "supervised"), (1, 0.1, "recommended"),
        (1, 0.3, "supervised"), (1, 0.3, "recommended"), (1, 0.3, "oracle"),
    ]  # fmt: skip
    assert len({cell.key for cell in cells}) == len({cell.folder for cell in cells}) == len(cells)
    assert all(cell.settings.seed == cell.seed for cell in cells)


def test_other_lines_build_on_the_supervised_cell_of_the_same_draw(truth: Truth) -> None:
    cells = cells_of(truth, lines=["recommended", "ensemble"])
    supervised = {(cell.seed, cell.ratio): cell.key for cell in cells if cell.line == "supervised"}
    for cell in cells:
        has_base = cell.line in ("recommended", "ensemble")
        assert cell.base == (supervised[cell.seed, cell.ratio] if has_base else "")


@pytest.mark.parametrize("strategy", ["nnpu", "pu_pseudo", "fixmatch_pu", "ge_binomial", "pretrain_denoise"])
def test_a_training_that_begins_otherwise_has_no_base(truth: Truth, strategy: str) -> None:
    """Those for sparse labels begin with another loss, those that pretrain with other weights."""
    assert {cell.base for cell in cells_of(truth, lines=[strategy])} == {""}


@pytest.mark.parametrize(
    "setting", ["learn.steps=7", "model.widths=[8, 16]", "loss.terms=[bce]", "augment.copy_paste=0.3"]
)
def test_other_settings_have_no_base(truth: Truth, setting: str) -> None:
    lines = {"a": {"strategy": "recommended", "settings": [setting]}}
    assert {cell.base for cell in cells_of(truth, lines=lines) if cell.line == "a"} == {""}


def test_settings_of_unlabelled_data_alone_keep_the_base(truth: Truth) -> None:
    lines = {"a": {"strategy": "recommended", "settings": ["unlabelled.weight=0.5"]}}
    assert all(cell.base for cell in cells_of(truth, lines=lines) if cell.line == "a")


def test_lines_that_are_the_same_are_refused(truth: Truth) -> None:
    same = {"a": {"strategy": "recommended"}, "b": {"strategy": "recommended"}}
    with pytest.raises(SettingsError, match="'b' is the same as 'a'"):
        cells_of(truth, lines=same)


def with_ignored(truth: Truth) -> Truth:
    return replace(truth, ignore=picks(NAMES[:1]))


CHANGES: dict[str, tuple[Callable[[Truth], Truth], dict[str, Any]]] = {
    "another setting": (lambda truth: truth, {"settings": ["learn.steps=9"]}),
    "another effort": (lambda truth: truth, {"effort": "quick"}),
    "another test": (lambda truth: truth, {"test_share": 0.4}),
    "more validation": (lambda truth: truth, {"validation": 4}),
    "a label moved": (lambda truth: replace(truth, labels=replace(truth.labels, xy=truth.labels.xy + 1)), {}),
    "a label less": (lambda truth: replace(truth, labels=picks(NAMES[:-2])), {}),
    "a micrograph less": (lambda truth: replace(truth, paths=dict(list(truth.paths.items())[:-1])), {}),
    "another diameter": (
        lambda truth: replace(truth, data=truth.data.model_copy(update={"diameter_angstrom": 99.0})), {},
    ),
    "a border": (lambda truth: replace(truth, data=truth.data.model_copy(update={"border_pixels": 9.0})), {}),
    "ignored points": (with_ignored, {}),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_keys_change_with_what_matters(truth: Truth, change: str) -> None:
    turn, content = CHANGES[change]
    before, after = cells_of(truth), cells_of(turn(truth), **content)
    assert not {cell.key for cell in before} & {cell.key for cell in after}


def test_ignored_points_that_move_change_keys(truth: Truth) -> None:
    ignored = with_ignored(truth)
    assert ignored.ignore is not None
    moved = replace(ignored, ignore=replace(ignored.ignore, xy=ignored.ignore.xy + 2))
    assert cells_of(ignored)[0].key != cells_of(moved)[0].key


def test_a_micrograph_that_was_written_anew_changes_keys(truth: Truth) -> None:
    before = cells_of(truth)[0].key
    truth.paths[NAMES[4]].write_bytes(b"x" * 101)
    assert cells_of(truth)[0].key != before


def test_keys_do_not_change_with_what_does_not_matter(truth: Truth) -> None:
    few = {cell.key for cell in cells_of(truth, lines=["recommended"])}
    more = cells_of(truth, lines=["pseudo_label", "recommended"], seeds=[5, 1, 0], ratios=[0.3, 0.2, 0.1])
    assert few <= {cell.key for cell in more}
    moved = replace(truth, data=truth.data.model_copy(update={"labels": Path("elsewhere.csv"), "micrographs": ("b",)}))
    assert few == {cell.key for cell in cells_of(moved, lines=["recommended"])}


def test_a_cell_comes_back_from_its_json(truth: Truth) -> None:
    for cell in cells_of(truth, lines={"a": {"strategy": "pseudo_label", "options": {"variant": "notes"}}}):
        again = Cell.from_json(cell.to_json())
        assert (again.key, again.folder, again.base) == (cell.key, cell.folder, cell.base)
        assert (again.settings, again.division) == (cell.settings, cell.division)


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", 9), ("digest", "0"), ("is_oracle", True), ("division", {}), ("division", None), ("settings", {}),
     ("settings", None), ("key", "0")],
)  # fmt: skip
def test_a_changed_cell_is_refused(truth: Truth, name: str, value: Any) -> None:
    content = cells_of(truth)[0].to_json()
    with pytest.raises(RunError):
        Cell.from_json({**content, name: value})
    with pytest.raises((RunError, SettingsError)):
        Cell.from_json({key: old for key, old in content.items() if key != name})


def test_a_setting_that_is_not_known_any_more_is_told(truth: Truth) -> None:
    content = cells_of(truth)[0].to_json()
    with pytest.raises(CryogleanError, match="stepss"):
        Cell.from_json({**content, "settings": {**content["settings"], "learn": {"stepss": 1}}})


def test_hidden_labels_stay_hidden(truth: Truth) -> None:
    for cell in cells_of(truth, lines=["recommended"]):
        dataset = cell.dataset(truth)
        learned = {*cell.division.labelled, *(cell.division.unlabelled if cell.is_oracle else ())} - {NAMES[-1]}
        assert set(dataset.labels.micrograph.tolist()) == learned | set(cell.division.validation)
        assert dataset.roles[NAMES[-1]] == "unlabelled"
        assert {name for name, role in dataset.roles.items() if role == "test"} == set(cell.division.test)


def test_a_data_set_that_can_not_be_divided_is_named(truth: Truth) -> None:
    with pytest.raises(LabelsError, match="data set sim"):
        cells_of(truth, validation=19)
