"""A few clicks through the whole line: trained on, counted by, picked with, reported."""

import json
from pathlib import Path

import numpy as np
import pytest

from cryoglean.cli.main import run
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.run import Run

SMALL = [
    "learn.steps=40", "learn.crop_pixels=96", "learn.validate_every=20", "learn.precision=float32", "pick.views=1"
]  # fmt: skip
CLICKS = 7


@pytest.fixture(scope="module")
def clicks(easy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the particles of the first two micrographs."""
    out = tmp_path_factory.mktemp("clicks") / "clicks.csv"
    table = read_picks(easy_data / "labels.csv")
    write_picks(table.rows(np.random.default_rng(0).permutation(len(table))[:CLICKS]), out)
    return out


def words(data: Path, clicks: Path, out: Path, *more: object) -> list[str]:
    said = ["train", data / "micrographs", "--picks", clicks, "--diameter-angstrom", 180, "--out", out]
    small = [word for one in SMALL for word in ("--set", one)]
    return [*map(str, said), "--labels", "sparse", *small, *map(str, more)]


@pytest.fixture(scope="module")
def counted(easy_data: Path, clicks: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trained on clicks and the word that a micrograph holds about 25 particles."""
    out = tmp_path_factory.mktemp("sparse") / "run"
    assert run(words(easy_data, clicks, out, "--per-micrograph", 25, "--quiet")) == 0
    return Run(out)


def test_clicks_and_a_number_are_enough(counted: Run) -> None:
    summary = counted.summary()

    assert summary["strategy"] == "pu_pseudo"
    assert summary["labels"] == "sparse"
    assert summary["expected"] == {"per_micrograph": 25, "source": "user"}
    assert summary["validation"] is None
    assert summary["threshold_rule"] == "count"
    assert summary["clicks"]["clicks"] == CLICKS
    assert 0 <= summary["clicks"]["clicks_found"] <= CLICKS
    assert abs(summary["clicks"]["picks"] - 25 * 6) <= 2
    assert [one["counts"] for one in summary["rounds"]] == [True]
    assert "gain" not in summary["rounds"][0]


def test_pseudo_labels_hold_the_clicks(counted: Run) -> None:
    with np.load(counted.pseudo_labels_file(1)) as arrays:
        names = {key.split("/")[0] for key in arrays.files}
        clicked = [name for name in names if len(counted_clicks(counted, name))]
        assert clicked
        for name in clicked:
            y = arrays[f"{name}/y"]
            assert (y == 255).sum() >= 20 * len(counted_clicks(counted, name))


def counted_clicks(run_: Run, name: str) -> np.ndarray:
    return read_picks(run_.labels_file).on(name).xy


def test_a_run_from_clicks_picks_and_is_reported(counted: Run, easy_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "picks.csv"

    assert run(["pick", str(counted.folder), str(easy_data / "micrographs"), "--out", str(out), "--quiet"]) == 0
    assert run(["report", str(counted.folder)]) == 0

    assert len(read_picks(out)) > 25
    page = next(counted.folder.glob("*.html")).read_text(encoding="utf-8")
    assert "clicks are among its" in page
    assert "nothing was held out" in page


def test_a_resumed_run_from_clicks_is_the_same(counted: Run, easy_data: Path, clicks: Path) -> None:
    before = counted.summary_file.read_bytes()

    assert run(words(easy_data, clicks, counted.folder, "--per-micrograph", 25, "--quiet", "--resume")) == 0

    assert counted.summary_file.read_bytes() == before


def test_without_a_number_or_complete_labels_it_is_refused_before_anything_is_written(
    easy_data: Path, clicks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words(easy_data, clicks, tmp_path / "run")) != 0

    said = capsys.readouterr().err
    assert "--per-micrograph" in said
    assert "--validation" in said
    assert not (tmp_path / "run").exists()


def test_completely_labelled_validation_says_how_many_there_are_and_judges(
    easy_data: Path, clicks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = read_picks(easy_data / "truth.csv")
    write_picks(table.of(table.micrographs[:1]), tmp_path / "validation.csv")
    more = ("--validation", tmp_path / "validation.csv", "--strategy", "nnpu", "--json")

    assert run(words(easy_data, clicks, tmp_path / "run", *more)) == 0

    summary = json.loads(capsys.readouterr().out)
    assert summary["expected"]["source"] == "validation labels"
    assert summary["expected"]["per_micrograph"] == pytest.approx(25, rel=0.3)
    assert summary["validation"]["truth"] > 0
    assert "clicks" not in summary
