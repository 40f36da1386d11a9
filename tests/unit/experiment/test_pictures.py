"""Pictures of the worst test micrographs show what the scores counted, and a page without them says why."""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from cryoglean.experiment.cell import Truth, folder_of
from cryoglean.experiment.grid import read_grid
from cryoglean.experiment.page import pictures
from cryoglean.experiment.page.report import write_report
from cryoglean.experiment.running import plan
from cryoglean.experiment.store import Store
from cryoglean.experiment.working import judge_test
from cryoglean.io.micrographs import write_micrograph
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.micrograph import Micrograph
from cryoglean.picks import Picks
from cryoglean.report.figures.drawing import GREEN, SKY, VERMILLION
from cryoglean.report.figures.micrograph import Marks, draw_micrograph, make_view
from cryoglean.report.judged import judge_picks

SIDE, THRESHOLD = 140, 0.5
LINES = ("supervised", "mean_teacher", "fixmatch_pu", "oracle")
SENTENCE = re.compile(r"<strong>Note</strong> ([^<]*)</p>")


def scatter(random: np.random.Generator, name: str, number: int) -> Picks:
    return Picks.of_one(name, random.uniform(0, SIDE - 1, (number, 2)), random.uniform(0, 1, number))


def pick(random: np.random.Generator, truth: Picks) -> Picks:
    """Most particles, some of them off or with a low score, and as many others."""
    near = truth.xy[random.random(len(truth)) < 0.8]
    near = np.clip(near + random.normal(0, 3, near.shape), 0, SIDE - 1)
    xy = np.concatenate([near, random.uniform(0, SIDE - 1, (12, 2))])
    return Picks.of_one(truth.micrographs[0], xy, random.uniform(0.2, 1, len(xy)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, and an experiment whose cells have picks and results but no training; the first two lines pick alike."""
    folder, random = tmp_path_factory.mktemp("made"), np.random.default_rng(5)
    (folder / "mics").mkdir()
    names = [f"mic_{number}" for number in range(10)]
    for name in names:
        pixels = random.normal(0, 1, (SIDE, SIDE)).astype(np.float32)
        write_micrograph(Micrograph(name, pixels, 10.0), folder / "mics" / f"{name}.mrc")
    write_picks(Picks.concatenate(scatter(random, name, 25) for name in names), folder / "truth.csv")
    write_picks(Picks.concatenate(scatter(random, name, 30) for name in names), folder / "ignore.csv")
    data = {
        "micrographs": "mics", "labels": "truth.csv", "ignore": "ignore.csv", "diameter_angstrom": 120,
        "border_pixels": 15,
    }  # fmt: skip
    content = {
        "data": {"sim": data}, "ratios": [0.2, 0.5], "seeds": 2, "lines": list(LINES[1:3]), "validation": 1,
        "test_share": 0.3,
    }  # fmt: skip
    (folder / "grid.yaml").write_text(yaml.safe_dump(content))
    fill(Store(folder / "out"), folder / "grid.yaml")
    return folder


def fill(store: Store, grid_file: Path) -> None:
    grid = read_grid(grid_file)
    store.keep_grid(grid)
    truth = Truth.read(grid.data["sim"])
    for cell in plan(grid):
        place = store.keep_cell(cell)
        like = LINES.index("supervised" if cell.line == "mean_teacher" else cell.line)
        random = np.random.default_rng([like, cell.seed, round(100 * cell.ratio)])
        picks = Picks.concatenate(pick(random, truth.labels.on(name)) for name in cell.division.test)
        write_picks(picks, place / "test.csv")
        result = {
            "key": cell.key, "data": cell.data, "ratio": cell.ratio, "seed": cell.seed, "line": cell.line,
            "labelled": len(cell.division.labelled), **judge_test(cell, truth, place / "test.csv", THRESHOLD),
            "train_cpu_seconds": 1.0, "validation": {}, "rounds": [],
        }  # fmt: skip
        (place / "result.json").write_text(json.dumps(result))


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """Data and experiment, to be broken."""
    shutil.copytree(made, tmp_path / "copy")
    grid = (made / "out" / "grid.yaml").read_text().replace(str(made), str(tmp_path / "copy"))
    (tmp_path / "copy" / "out" / "grid.yaml").write_text(grid)
    return tmp_path / "copy"


def f1_of(rows: Sequence[dict[str, Any]]) -> float:
    hits, picks, truth = (sum(row[name] for row in rows) for name in ("true_positives", "picks", "truth"))
    return 2 * hits / (picks + truth)


def expected_of(rows: list[dict[str, Any]], line: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The worst training of a line on its worst micrograph, and its counts there: straight from the results."""
    counts = [(row, one) for row in rows if row["line"] == line for one in row["per_micrograph"]]
    names = sorted({one["micrograph"] for _, one in counts})
    worst = min(names, key=lambda name: f1_of([one for _, one in counts if one["micrograph"] == name]))
    return min((pair for pair in counts if pair[1]["micrograph"] == worst), key=lambda pair: f1_of([pair[1]]))


def test_pictures_show_what_the_results_counted(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[int]] = []

    def draw(view: Any, marks: Sequence[Marks], **asked: Any) -> Any:
        drawn.append([len(one.xy) for one in marks])
        return draw_micrograph(view, marks, **asked)

    monkeypatch.setattr(pictures, "draw_micrograph", draw)
    page = write_report(Store(made / "out")).read_text()
    captions = [one for one in re.findall(r"<figcaption>([^<]*)</figcaption>", page) if "found" in one]
    rows = Store(made / "out").rows()

    assert len(captions) == len(drawn) == 3
    for line in LINES:
        row, one = expected_of(rows, line)
        hits = one["true_positives"]
        counts = [hits, one["picks"] - hits, one["truth"] - hits]
        place = next(place for place, caption in enumerate(captions) if line in caption)
        assert drawn[place] == counts
        labelled = "all labels" if line == "oracle" else f"{100 * row['ratio']:g}\u00a0% labelled"
        assert f"({labelled}, seed {row['seed']}) on sim, {one['micrograph']}: " in captions[place]
        assert "{} found, {} false, {} missed; F1 ".format(*counts) + f"{f1_of([one]):.3f}." in captions[place]
    assert captions[0].startswith("supervised and mean_teacher alike (")
    assert page.count('<div class="gallery small">') == 1


@pytest.mark.parametrize("lacks", ["border", "ignore", "threshold"])
def test_border_ignored_points_and_threshold_all_matter_here(lacks: str, made: Path) -> None:
    """So the test above would fail if the pictures left one of them out."""
    truth = Truth.read(read_grid(made / "grid.yaml").data["sim"])
    changed = []

    for line in LINES:
        row, one = expected_of(Store(made / "out").rows(), line)
        name, rules = one["micrograph"], truth.rules([one["micrograph"]])
        judged = judge_picks(
            read_picks(made / "out" / folder_of(row) / "test.csv").on(name), truth.labels.on(name),
            replace(rules, border_pixels=0) if lacks == "border" else rules,
            None if lacks == "threshold" else THRESHOLD, {}, None if lacks == "ignore" else truth.ignore.on(name),
        )  # fmt: skip
        tally = judged.verdicts[0].score.tally
        changed.append((tally.true_positives, tally.picks) != (one["true_positives"], one["picks"]))

    assert any(changed)


def move_labels(folder: Path) -> None:
    picks = read_picks(folder / "truth.csv")
    write_picks(Picks(picks.micrograph, picks.xy + 1, micrographs=picks.micrographs), folder / "truth.csv")


def remove_data(folder: Path) -> None:
    shutil.rmtree(folder / "mics")


def remove_picks(folder: Path) -> None:
    for file in folder.glob("out/cells/*/*/*/oracle-*/test.csv"):
        file.unlink()


def change_picks(folder: Path) -> None:
    for file in folder.glob("out/cells/*/*/*/oracle-*/test.csv"):
        write_picks(Picks.empty(read_picks(file).micrographs), file)


@pytest.mark.parametrize(
    ("harm", "said", "left"),
    [
        (move_labels, "No pictures of sim: its micrographs or labels have changed since the test.", 0),
        (remove_data, "No pictures of sim: ", 0),
        (remove_picks, "No pictures of sim, oracle: ", 2),
        (change_picks, "No pictures of sim, oracle: its picks are not those that were counted (", 2),
    ],
)  # fmt: skip
def test_a_page_without_pictures_says_why_in_one_sentence(harm: Any, said: str, left: int, copy: Path) -> None:
    keys = {row["key"] for row in Store(copy / "out").rows()}
    harm(copy)

    page = write_report(Store(copy / "out"), keys).read_text()

    notes = SENTENCE.findall(page)
    assert len(notes) == 1
    assert notes[0].startswith(said)
    assert len(re.findall(" found, [0-9]+ false, [0-9]+ missed; F1 [^<]*</figcaption>", page)) == left
    assert "sim: F1, over all ratios and seeds" in page


def test_the_legend_of_a_small_picture_leaves_room_for_the_scale_bar() -> None:
    view = make_view(Micrograph("m", np.zeros((40, 40), np.float32), 10.0), 4.0)
    marks = [
        Marks(label, np.zeros((1234, 2)), shape, colour)
        for label, shape, colour in (
            ("found", "circle", GREEN), ("false", "triangle", VERMILLION), ("missed", "square", SKY),
        )
    ]  # fmt: skip

    figure = draw_micrograph(view, marks, is_small=True)

    figure.draw_without_rendering()
    legend, (scale,) = figure.legends[0].get_window_extent(), figure.texts
    assert figure.bbox.width == 600
    assert legend.x0 >= 0
    assert legend.x1 < scale.get_window_extent().x0
    middles = [(box.y0 + box.y1) / 2 for box in (legend, scale.get_window_extent())]
    assert middles[0] == pytest.approx(middles[1], abs=3)
