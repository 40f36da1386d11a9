"""`cryoglean show patches`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryoglean.errors import LabelsError, SettingsError

if TYPE_CHECKING:
    from numpy.random import Generator

    from cryoglean.dataset import ParticleSize
    from cryoglean.io.patches import Patches
    from cryoglean.picks import Picks
    from cryoglean.prepare.normalize import Preparation, Prepared

_SIDE_DIAMETERS = 2.4
_FEWEST_UNLABELLED = 200  # in all; the mean of fewer is mostly noise


@dataclass(frozen=True, slots=True)
class PatchesWish:
    """What is to be drawn.

    Args:
        picks: labels; None where a file of patches is given.
        threshold: picks with a lower score are left out.
        diameter_angstrom: of the particle, with picks.
        diameter_pixels: of the particle in a file of patches, for the circle.
        pixel_size_angstrom: overrides the headers of the micrographs.
        contrast: of particles on the stored micrographs, `dark` or `light`; None is dark.
        seed: of the unlabelled places, and of what is shown.
    """

    picks: Path | None
    threshold: float | None
    diameter_angstrom: float | None
    diameter_pixels: float | None
    pixel_size_angstrom: float | None
    contrast: str | None
    seed: int

    def draw(self, files: Sequence[str]) -> tuple[bytes, str]:
        """The picture as PNG, and a line that says what is on it.

        Raises:
            CryogleanError: options that don't fit the files, or files that can't be used.
        """
        from cryoglean.learn.patches_file import is_patches_file
        from cryoglean.report.figures.drawing import to_png
        from cryoglean.report.figures.patches import draw_patches, patch_groups

        if self.seed < 0:
            raise SettingsError(f"it is {self.seed}", where="--seed", fix="Give 0 or more.")
        is_file = any(is_patches_file(file) for file in files)
        patches, left_out = self._read(files) if is_file else self._cut(files)
        diameter = self.diameter_pixels if is_file else _particle_pixels()
        groups = patch_groups(patches.positive, patches.unlabelled)
        said = f"{len(patches.positive)} positive and {len(patches.unlabelled)} unlabelled patches of "
        said += f"{patches.side_pixels} x {patches.side_pixels} pixels"
        said += f"; {left_out} particles are too near to an edge" if left_out else ""
        return to_png(draw_patches(groups, self.seed, diameter)), said

    def _read(self, files: Sequence[str]) -> tuple[Patches, int]:
        from cryoglean.learn.patches_file import read_patches

        if len(files) > 1:
            raise SettingsError(f"{len(files)} files were given", where=files[1], fix="Give one file of patches.")
        for option, value in self._options("picks", "threshold", "diameter_angstrom", "pixel_size_angstrom",
                                           "contrast"):  # fmt: skip
            if value is not None:
                raise SettingsError("it is for micrographs", where=option, fix=f"{files[0]} holds the patches itself.")
        return read_patches(Path(files[0])), 0

    def _cut(self, files: Sequence[str]) -> tuple[Patches, int]:
        """Patches around the picks and anywhere, one micrograph in memory at a time, and how many were left out."""
        from cryoglean.io.folders import match_labels, with_names_of_files
        from cryoglean.io.micrographs import find_micrographs, micrographs_by_name
        from cryoglean.io.picks import read_picks

        picks, size = self._check()
        paths = find_micrographs(files)
        table = read_picks(picks)
        table = table if self.threshold is None else table.above(self.threshold)
        table = with_names_of_files(table, micrographs_by_name(paths))
        table = table.of(match_labels(paths, table).labelled)
        if not len(table):
            raise LabelsError("no particle is on the micrographs given", where=picks)
        return _cut_all(paths, table, size, is_dark=self.contrast != "light", seed=self.seed)

    def _check(self) -> tuple[Path, ParticleSize]:
        from cryoglean.dataset import ParticleSize

        if self.diameter_pixels is not None:
            raise SettingsError(
                "it is for files of patches", where="--diameter-pixels", fix="Give --diameter-angstrom."
            )
        if self.picks is None or self.diameter_angstrom is None:
            missing = "--picks" if self.picks is None else "--diameter-angstrom"
            raise SettingsError("it is missing", where=missing, fix="Micrographs need both, a file of patches neither.")
        size = ParticleSize(self.diameter_angstrom, self.pixel_size_angstrom)
        size.check()
        return self.picks, size

    def _options(self, *names: str) -> list[tuple[str, Any]]:
        return [("--" + name.replace("_", "-"), getattr(self, name)) for name in names]


def _cut_all(
    paths: Sequence[Path], table: Picks, size: ParticleSize, *, is_dark: bool, seed: int
) -> tuple[Patches, int]:
    import numpy as np

    from cryoglean.io.micrographs import read_micrograph
    from cryoglean.io.patches import Patches
    from cryoglean.prepare.patches import cut_patches

    preparation = _preparation(size.diameter(), is_dark=is_dark)
    side = round(_SIDE_DIAMETERS * preparation.particle_pixels)
    generator = np.random.default_rng(seed)
    wanted = -(-max(len(table), _FEWEST_UNLABELLED) // len(paths))
    positive, unlabelled, left_out = [], [], 0
    for path in paths:
        prepared = preparation.apply(read_micrograph(path, size.pixel_size_angstrom))
        cut = cut_patches(prepared, prepared.scale.to_rescaled(table.on(prepared.name).xy), side)
        positive.append(cut.pixels)
        unlabelled.append(_cut_anywhere(prepared, wanted, side, generator))
        left_out += cut.left_out
    patches = Patches(np.concatenate(positive), np.concatenate(unlabelled))
    if not len(patches.positive):
        raise LabelsError(
            f"all {left_out} particles lie outside the micrographs or near to an edge", where="--picks",
            fix="Check that they are in pixels (x, y) of these very files, not of binned ones.",
        )  # fmt: skip
    if not len(patches.unlabelled):
        raise LabelsError("nowhere on the micrographs is something to be seen", where=str(paths[0]))
    return patches, left_out


def _cut_anywhere(prepared: Prepared, count: int, side_pixels: int, generator: Generator) -> Any:
    from cryoglean.prepare.patches import cut_patches, draw_centres

    return cut_patches(prepared, draw_centres(prepared, count, side_pixels, generator), side_pixels).pixels


def _preparation(diameter_angstrom: float, *, is_dark: bool) -> Preparation:
    """As a training makes it; the contrast is not asked of the labels, so that wrong labels are shown, not refused."""
    from cryoglean.prepare.normalize import Preparation
    from cryoglean.settings import PrepareSettings

    choice = PrepareSettings()
    return Preparation(
        diameter_angstrom, choice.particle_pixels, choice.high_pass_diameters, choice.clip, particles_are_dark=is_dark
    )


def _particle_pixels() -> float:
    from cryoglean.settings import PrepareSettings

    return PrepareSettings().particle_pixels
