"""Real micrographs: a few seconds of learning find real particles, and odd pictures do no harm.

Apoferritin is EMPIAR-10146, averages of 50 frames (easy); the odd pictures are empty ice, broken ice, contamination
and whole grid squares. See `shared/data/README.md`.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import cryoglean
from cryoglean.cli.main import run
from cryoglean.evaluate.score import Rules
from cryoglean.io.micrographs import find_micrographs, read_micrograph_shape
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.run import Run

DATA = Path(__file__).parents[3] / "shared" / "data"
APOFERRITIN = DATA / "apoferritin_10146"
UNLABELLED = DATA / "unlabelled"
LABELLED, OTHER = "May08_03.05.02", "May08_06.30.43"
DIAMETER_ANGSTROM, PIXEL_SIZE_ANGSTROM = 111.0, 2.14

pytestmark = pytest.mark.skipif(not APOFERRITIN.exists(), reason=f"the real micrographs are not at {APOFERRITIN}")


@pytest.fixture(scope="module")
def apoferritin_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Learned from one micrograph, in a tenth of the default's time."""
    folder = tmp_path_factory.mktemp("apoferritin")
    write_picks(read_picks(APOFERRITIN / "coordinates.csv").of([LABELLED]), folder / "labels.csv")
    words = ["train", APOFERRITIN / "micrographs", "--picks", folder / "labels.csv", "--out", folder / "run"]
    settings = ["learn.steps=60", "learn.crop_pixels=128", "pick.views=1", "learn.precision=float32"]
    more = [word for setting in settings for word in ("--set", setting)]
    assert run([*map(str, words), "--diameter-angstrom", str(DIAMETER_ANGSTROM), "--quiet", *more]) == 0
    return folder / "run"


def test_one_labelled_micrograph_teaches_to_pick_another(apoferritin_run: Path, tmp_path: Path) -> None:
    """The rings of apoferritin: a blob filter reaches F1 0.26 on single frames, this far more than half."""
    path = APOFERRITIN / "micrographs" / f"{OTHER}.mrc"
    truth = read_picks(APOFERRITIN / "coordinates.csv").on(OTHER)
    diameter = DIAMETER_ANGSTROM / PIXEL_SIZE_ANGSTROM
    rules = Rules(diameter_pixels=diameter, border_pixels=diameter / 2, shapes={OTHER: read_micrograph_shape(path)})

    picks = cryoglean.pick(apoferritin_run, path, tmp_path / "picks.star")
    found = cryoglean.evaluate(picks, truth, rules)

    assert found.total.f1 is not None
    assert found.total.f1 > 0.8
    assert found.orientation.best == "as_given"
    assert Run(apoferritin_run).summary()["particles_are_dark"]


@pytest.fixture(scope="module")
def odd_pictures() -> list[Path]:
    if not UNLABELLED.exists():
        pytest.skip(f"the odd pictures are not at {UNLABELLED}")
    return find_micrographs([str(UNLABELLED / "**" / "*.*")])


def test_every_odd_picture_is_picked_or_refused_in_a_line(
    apoferritin_run: Path, odd_pictures: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody knows their pixel size, so it is given; empty, cracked and crystalline ones bring no nan."""
    capsys.readouterr()

    words = ["pick", apoferritin_run, *odd_pictures, "--out", tmp_path / "picks.csv", "--json"]
    code = run([*map(str, words), "--pixel-size-angstrom", str(PIXEL_SIZE_ANGSTROM)])

    said = json.loads(capsys.readouterr().out)
    picks = read_picks(tmp_path / "picks.csv")
    assert code == 0
    assert said["micrographs"] + len(said["skipped"]) == len(odd_pictures) == 37
    assert all("\n" not in reason and "Traceback" not in reason for reason in said["skipped"].values())
    assert not [path for path in odd_pictures if path.suffix == ".png" and path.stem in said["skipped"]]
    assert np.isfinite(picks.xy).all()
    for path in odd_pictures:
        rows, columns = read_micrograph_shape(path)
        xy = picks.on(path.stem.removesuffix(".mrc")).xy
        assert (xy >= -0.5).all()
        assert (xy <= (columns - 0.5, rows - 0.5)).all()


def test_maps_of_a_whole_grid_are_refused_or_picked_by_their_own_header(
    apoferritin_run: Path, odd_pictures: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At low magnification a particle is less than a pixel: whatever comes, it is one line and no crash."""
    low = [path for path in odd_pictures if path.parent.name == "leginon_lowmag"]
    for path in low:
        code = run(["pick", str(apoferritin_run), str(path), "--out", str(tmp_path / "picks.csv"), "--quiet"])

        said = capsys.readouterr().err
        assert code in (0, 1)
        assert "Traceback" not in said
        assert code == 0 or (said.startswith("error: ") and path.name in said)
