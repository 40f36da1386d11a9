"""Mix apoferritin at a chosen difficulty: z(single frame) + k z(average of 50 frames), same field, same labels.

    python benchmarks/make_apoferritin.py --k 0.05 --out /tmp/apoferritin_0.05

The smaller k, the harder. z is (picture - mean) / deviation. Data: EMPIAR-10146, see ../shared/data/README.md.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoglean.io.micrographs import find_micrographs, read_micrograph, write_micrograph
from cryoglean.micrograph import Micrograph

SOURCE = Path(__file__).resolve().parents[2] / "shared" / "data" / "apoferritin_10146"


def mix(k: float, out: Path, source: Path = SOURCE) -> Path:
    """Write the mixed micrographs and `coordinates.csv` to `out`, and give the folder back."""
    for suffix in ("", "_unlabelled"):
        for average in find_micrographs([source / f"micrographs{suffix}"]):
            steady = read_micrograph(average)
            noisy = read_micrograph(source / f"micrographs_single_frame{suffix}" / average.name)
            pixels = (_standardise(noisy.pixels) + k * _standardise(steady.pixels)).astype(np.float32)
            mixed = Micrograph(steady.name, pixels, steady.pixel_size_angstrom or 2.14)
            folder = out / "unlabelled" if suffix else out
            write_micrograph(mixed, folder / average.name)
    shutil.copy(source / "coordinates.csv", out / "coordinates.csv")
    return out


def _standardise(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((pixels - pixels.mean()) / pixels.std(), dtype=np.float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--k", type=float, default=0.05)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    print(mix(arguments.k, arguments.out))
