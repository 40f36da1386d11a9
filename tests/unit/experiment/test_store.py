"""The folder of an experiment: what is asked of it while cells wait, run, fail and end."""

import json
from pathlib import Path

import numpy as np
import pytest

from cryoglean.durable import write_json_atomically
from cryoglean.errors import RunError, SettingsError
from cryoglean.experiment.cell import Cell, Truth, plan_cells
from cryoglean.experiment.grid import Data, Grid, make_grid
from cryoglean.experiment.store import CELL_FILE, ERROR_FILE, RESULT_FILE, Store, as_records
from cryoglean.picks import Picks

NAMES = [f"mic_{number:02d}" for number in range(10)]
DATA = {"micrographs": "mics", "labels": "truth.csv", "diameter_angstrom": 180}


@pytest.fixture
def grid() -> Grid:
    return make_grid({"data": {"sim": DATA}, "seeds": 1, "ratios": [0.2], "lines": ["recommended", "pseudo_label"]})


@pytest.fixture
def cells(tmp_path: Path, grid: Grid) -> list[Cell]:
    """Supervised, recommended, pseudo_label, oracle."""
    paths = {name: tmp_path / f"{name}.mrc" for name in NAMES}
    for path in paths.values():
        path.touch()
    labels = Picks.concatenate([Picks.of_one(name, np.array([[3.0, 4.0]])) for name in NAMES])
    return list(plan_cells(grid, {"sim": Truth(Data.model_validate(DATA), paths, labels, None)}))


@pytest.fixture
def store(tmp_path: Path, grid: Grid, cells: list[Cell]) -> Store:
    """One cell finished, one failed, one begun, one waiting."""
    store = Store(tmp_path / "out")
    store.keep_grid(grid)
    folders = [store.keep_cell(cell) for cell in cells]
    write_json_atomically(folders[0] / RESULT_FILE, result(cells[0]))
    (folders[0] / "run").mkdir()
    write_json_atomically(folders[1] / ERROR_FILE, {"error": "mic_03: it is broken."})
    (folders[1] / "run").mkdir()
    (folders[2] / "run").mkdir()
    return store


def result(cell: Cell) -> dict[str, object]:
    return {
        "key": cell.key, "data": cell.data, "ratio": cell.ratio, "seed": cell.seed, "line": cell.line, "f1": 0.75,
        "validation": {"f1": 0.5, "average_precision": 0.25}, "steps": 8,
        "rounds": [{"round": 1, "counts": True, "gain": 0.1}, {"round": 2, "counts": False}],
        "per_micrograph": [
            {"micrograph": "mic_00", "true_positives": 3, "picks": 4, "truth": 4},
            {"micrograph": "mic_01", "true_positives": 0, "picks": 0, "truth": 0},
        ],
    }  # fmt: skip


def test_statuses(store: Store) -> None:
    names, rows = store.ask("SELECT line, status, error, f1 FROM cells ORDER BY line")
    assert list(as_records(names, rows)) == [
        {"line": "oracle", "status": "waiting", "error": None, "f1": None},
        {"line": "pseudo_label", "status": "begun", "error": None, "f1": None},
        {"line": "recommended", "status": "failed", "error": "mic_03: it is broken.", "f1": None},
        {"line": "supervised", "status": "finished", "error": None, "f1": 0.75},
    ]


def test_tables(store: Store, cells: list[Cell]) -> None:
    told = "validation_f1, validation_average_precision, rounds_tried, rounds_counted, steps, strategy, labelled"
    assert store.ask(f"SELECT {told} FROM cells WHERE status = 'finished'")[1] == [
        (0.5, 0.25, 2, 1, 8, "supervised", 1)
    ]
    assert store.ask("SELECT key, micrograph, f1 FROM micrographs")[1] == [
        (cells[0].key, "mic_00", 0.75), (cells[0].key, "mic_01", None),
    ]  # fmt: skip
    assert store.ask("SELECT round, counts, gain FROM rounds")[1] == [(1, 1, 0.1), (2, 0, None)]
    joined = "SELECT count(*) FROM cells JOIN micrographs USING (key) WHERE line = 'supervised'"
    assert store.ask(joined)[1] == [(2,)]


def test_an_experiment_that_still_runs_is_told_as_it_is_now(store: Store, cells: list[Cell]) -> None:
    finished = "SELECT count(*) FROM cells WHERE status = 'finished'"
    assert store.ask(finished)[1] == [(1,)]
    write_json_atomically(store.folder / cells[2].folder / RESULT_FILE, result(cells[2]))
    assert store.ask(finished)[1] == [(2,)]


@pytest.mark.parametrize(
    "sql",
    ["DELETE FROM cells", "DROP TABLE cells", "UPDATE cells SET f1 = 1", "CREATE TABLE x (y)", "SELECT 1; SELECT 2",
     "SELECT nothing FROM cells", "nonsense", "SELECT * FROM runs"],
)  # fmt: skip
def test_queries_change_nothing_and_mistakes_are_told(store: Store, sql: str) -> None:
    with pytest.raises(SettingsError, match="--sql"):
        store.ask(sql)
    assert store.ask("SELECT count(*) FROM cells")[1] == [(4,)]


@pytest.mark.parametrize("sql", ["ATTACH DATABASE '{}' AS other", "VACUUM INTO '{}'"])
def test_a_query_can_not_make_files(store: Store, tmp_path: Path, sql: str) -> None:
    with pytest.raises(SettingsError):
        store.ask(sql.format(tmp_path / "new.sqlite"))
    assert not (tmp_path / "new.sqlite").exists()


def test_results_by_key(store: Store, cells: list[Cell]) -> None:
    assert [row["key"] for row in store.rows()] == [cells[0].key]
    assert store.rows([cells[1].key]) == []
    assert store.result_of(cells[1]) is None
    assert store.result_of(cells[0]) == result(cells[0])


@pytest.mark.parametrize("text", ["{", "", "\xff", '{"f1": '])
def test_a_broken_result_is_told_with_its_file(store: Store, cells: list[Cell], text: str) -> None:
    file = store.folder / cells[0].folder / RESULT_FILE
    file.write_text(text, encoding="latin-1")
    for asked in (store.make_index, store.rows, lambda: store.result_of(cells[0])):
        with pytest.raises(RunError) as caught:
            asked()
        assert str(file) in str(caught.value)
        assert "its cell runs again" in str(caught.value)


def test_a_renamed_line_leaves_the_old_cell_beside_the_new_one(store: Store, cells: list[Cell]) -> None:
    """They have the same key, being the same training."""
    again = Cell.from_json({**cells[1].to_json(), "line": "renamed"})
    assert again.key == cells[1].key
    store.keep_cell(again)
    assert store.ask("SELECT line FROM cells WHERE key = (SELECT key FROM cells WHERE line = 'renamed')")[1] == [
        ("recommended",), ("renamed",),
    ]  # fmt: skip


def test_cells_and_grids_that_stand_there_are_left_alone(store: Store, cells: list[Cell]) -> None:
    kept = store.folder / cells[0].folder / CELL_FILE
    store.keep_grid(store.grid())
    before = [file.stat().st_mtime_ns for file in (kept, store.grid_file)]
    store.keep_cell(cells[0])
    store.keep_grid(store.grid())
    assert [file.stat().st_mtime_ns for file in (kept, store.grid_file)] == before
    assert json.loads(kept.read_text())["key"] == cells[0].key


def test_a_folder_that_is_no_experiment(tmp_path: Path) -> None:
    for asked in (Store(tmp_path).make_index, Store(tmp_path / "missing").grid):
        with pytest.raises(RunError, match="no experiment"):
            asked()
    assert not (tmp_path / "missing").exists()
    assert not list(tmp_path.iterdir())
