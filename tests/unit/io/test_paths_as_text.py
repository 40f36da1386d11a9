"""The public readers and writers take paths as text, as notebooks give them."""

from pathlib import Path

import numpy as np

import cryoglean
from cryoglean.io.micrographs import write_micrograph
from cryoglean.micrograph import Micrograph


def test_picks_are_written_and_read_by_text(tmp_path: Path) -> None:
    picks = cryoglean.Picks.of_one("a", np.array([[1.0, 2.0]]))

    cryoglean.write_picks(picks, str(tmp_path / "a.csv"))

    assert cryoglean.read_picks(str(tmp_path / "a.csv")).xy.tolist() == [[1.0, 2.0]]


def test_micrographs_are_read_by_text(tmp_path: Path) -> None:
    write_micrograph(Micrograph("a", np.ones((4, 5), np.float32), 2.0), tmp_path / "a.mrc")

    assert cryoglean.read_micrograph(str(tmp_path / "a.mrc")).shape == (4, 5)
