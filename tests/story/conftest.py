"""Small simulated micrographs that are easy to pick, and a picker trained on two of them."""

from pathlib import Path

import pytest

from cryoglean.cli.main import run
from cryoglean.io.picks import write_picks
from cryoglean.simulate.settings import SimulationSettings
from cryoglean.simulation import simulate_folder

EASY = {
    "molecule": "tetramer", "shape_pixels": (384, 384), "particles_per_micrograph": 25, "fragments": 3,
    "dose_electrons_per_angstrom2": 40, "aggregates": 0, "ice_crystals": 0, "carbon_edge": 0,
    "defocus_micrometers": (1.5, 2.0),
}  # fmt: skip
FAST = [
    *("--set", "learn.steps=60", "--set", "learn.crop_pixels=96", "--set", "learn.precision=float32"),
    *("--set", "pick.views=1", "--strategy", "supervised", "--quiet"),
]


@pytest.fixture(scope="session")
def easy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`micrographs/` with 6 files; labels.csv of the first two, one.csv of the first, truth.csv of the others."""
    folder = tmp_path_factory.mktemp("easy")
    picks = simulate_folder(folder / "micrographs", 6, 0, SimulationSettings.model_validate(EASY))
    write_picks(picks.of(picks.micrographs[:2]), folder / "labels.csv")
    write_picks(picks.of(picks.micrographs[:1]), folder / "one.csv")
    write_picks(picks.of(picks.micrographs[2:]), folder / "truth.csv")
    return folder


def train_words(data: Path, out: Path, labels: str = "labels.csv") -> list[str]:
    """The words of a fast training."""
    words = ["train", data / "micrographs", "--picks", data / labels, "--diameter-angstrom", 180, "--out", out]
    return [*map(str, words), *FAST]


@pytest.fixture(scope="session")
def easy_run(easy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run trained on the two labelled micrographs."""
    out = tmp_path_factory.mktemp("easy_run") / "run"
    assert run(train_words(easy_data, out)) == 0
    return out


@pytest.fixture(scope="session")
def easy_picks(easy_data: Path, easy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its picks on the other four micrographs."""
    out = tmp_path_factory.mktemp("easy_picks") / "picks.csv"
    unseen = sorted((easy_data / "micrographs").glob("*.mrc"))[2:]
    assert run(["pick", str(easy_run), *map(str, unseen), "--out", str(out), "--quiet"]) == 0
    return out
