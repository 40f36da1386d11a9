"""Molecules from files: atoms (PDB, mmCIF) and maps (MRC, CCP4)."""

from __future__ import annotations

from pathlib import Path

import gemmi
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter, label

from cryoglean.errors import MicrographError, SettingsError
from cryoglean.simulate.ice import ICE_VOLTS
from cryoglean.simulate.volume import (
    PROTEIN_OVER_ICE_VOLTS,
    Volume,
    centre_of_mass,
    diameter_of,
    odd_side,
    volume_of_points,
)

_ATOM_SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif")
_MAP_SUFFIXES = (".mrc", ".map", ".ccp4")
_VOLTS_PER_SCATTERING = 47.878
"""h² / (2 π m e), V Å²: turns a scattering factor in Å into a potential (Kirkland 2010,
doi:10.1007/978-1-4419-6533-2)."""
_ANGSTROM3_PER_DALTON = 1.21
"""Volume of protein (Harpaz et al. 1994, doi:10.1016/s0969-2126(00)00065-4)."""
_ATOM_SIGMA_ANGSTROM = 1.5
_LARGEST_SIDE = 640


def read_structure(path: Path, voxel_size_angstrom: float, threshold: float | None = None) -> Volume:
    """The density of a molecule from a file, centred, in volts over the ice.

    Atoms become Gaussian balls with the integral of their scattering factor (Peng 1996, doi:10.1107/S0108767395014371)
    less that of the water they displace; the first biological assembly is taken if the file describes one. A map, whose
    values have no unit, is scaled so that the mean within its threshold is that of protein.

    Args:
        path: `.pdb`, `.ent`, `.cif`, `.mmcif` (also `.gz`), `.mrc`, `.map` or `.ccp4`.
        voxel_size_angstrom: side of a voxel of the result, above 0.
        threshold: of a map, in its own unit; what is below is taken off. None chooses one.

    Raises:
        SettingsError: the file is missing, or of an unknown kind.
        MicrographError: it can't be read, is empty, or is no single molecule in a cell with right angles.
    """
    name = path.name.lower().removesuffix(".gz")
    if not name.endswith(_ATOM_SUFFIXES + _MAP_SUFFIXES):
        known = ", ".join(_ATOM_SUFFIXES + _MAP_SUFFIXES)
        raise SettingsError("it is not a kind of structure that we know", where=path, fix=f"Known are: {known}.")
    if not path.is_file():
        raise SettingsError("there is no such structure file", where=path, fix="Check the path.")
    if path.stat().st_size == 0:
        raise MicrographError("the structure file is empty", where=path, fix="Fetch it again.")
    if name.endswith(_ATOM_SUFFIXES):
        return _read_atoms(path, voxel_size_angstrom)
    return _read_map(path, voxel_size_angstrom, threshold)


def _read_atoms(path: Path, voxel_size_angstrom: float) -> Volume:
    try:
        structure = gemmi.read_structure(str(path))
        structure.remove_waters()
        model = _assembled(structure)
    except (RuntimeError, ValueError, IndexError, UnicodeDecodeError, OSError) as error:
        raise MicrographError(f"its atoms can't be read ({error})", where=path, fix="Check the file.") from error
    atoms = [site.atom for site in model.all()] if model is not None else []
    if not atoms:
        raise MicrographError("there is no atom in it", where=path, fix="Check the file.")
    points = np.array([atom.pos.tolist() for atom in atoms], dtype=np.float64)
    integrals = np.array([atom.occ * _integral(atom.element) for atom in atoms])
    if not np.isfinite(points).all() or not integrals.sum() > 0:
        raise MicrographError("its atoms have no usable places or occupancies", where=path, fix="Check the file.")
    _check_size(float(np.ptp(points, axis=0).max()), voxel_size_angstrom, path)
    return volume_of_points(points, integrals, _ATOM_SIGMA_ANGSTROM, voxel_size_angstrom)


def _assembled(structure: gemmi.Structure) -> gemmi.Model | None:
    if not len(structure):
        return None
    if not len(structure.assemblies):
        return structure[0]
    return gemmi.make_assembly(structure.assemblies[0], structure[0], gemmi.HowToNameCopiedChain.AddNumber)


def _integral(element: gemmi.Element) -> float:
    """Volts times cubic angstrom of an atom and the hydrogen it is likely to carry, over the water it displaces."""
    # coordinates mostly lack hydrogen: 1.01 for each heavy atom of an average protein residue (7.8 : 7.75)
    hydrogens = 0.0 if element.is_hydrogen else 1.0
    scattering = _forward_scattering(element) + hydrogens * _forward_scattering(gemmi.Element("H"))
    displaced = (element.weight + hydrogens * 1.008) * _ANGSTROM3_PER_DALTON * ICE_VOLTS
    return float(scattering * _VOLTS_PER_SCATTERING - displaced)


def _forward_scattering(element: gemmi.Element) -> float:
    """Scattering factor for electrons at angle 0, in angstrom."""
    return float(sum(element.c4322.a)) if element.atomic_number > 0 else 0.0


def _read_map(path: Path, voxel_size_angstrom: float, threshold: float | None) -> Volume:
    values, spacing = _map_values(path)
    low = float(np.median(values))
    cut = _threshold(values, low) if threshold is None else threshold
    inside = _largest_piece(values > cut)
    if not inside.any():
        raise MicrographError(f"nothing in it is above the threshold {cut:.3g}", where=path, fix="Give a lower one.")
    # a soft edge, so that the outline carries no ringing
    kept = np.where(inside, values - low, 0.0)
    soft = gaussian_filter(inside.astype(np.float32), 1.0)
    kept = np.where(inside, kept, soft * np.clip(values - low, 0.0, None)).astype(np.float32)
    kept *= np.float32(PROTEIN_OVER_ICE_VOLTS / kept[inside].mean())
    extent = float(np.max(np.ptp(np.argwhere(inside), axis=0) * spacing))
    _check_size(extent, voxel_size_angstrom, path)
    density = _resampled(kept, spacing, voxel_size_angstrom)
    return Volume(density, voxel_size_angstrom, diameter_of(density, voxel_size_angstrom))


def _map_values(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """(z, y, x) values and (3,) spacing in angstrom."""
    try:
        stored = gemmi.read_ccp4_map(str(path))
        stored.setup(float("nan"), gemmi.MapSetup.ReorderOnly)
        values = np.array(stored.grid.array, dtype=np.float32).transpose(2, 1, 0)
    except (RuntimeError, ValueError, OSError, MemoryError) as error:
        raise MicrographError(f"the map can't be read ({error})", where=path, fix="Check the file.") from error
    cell = stored.grid.unit_cell
    if not np.allclose([cell.alpha, cell.beta, cell.gamma], 90.0, atol=0.1):
        raise MicrographError("its cell has no right angles", where=path, fix="Give a map in an orthogonal box.")
    lengths = np.array([cell.c, cell.b, cell.a]) / np.array(values.shape)
    if not (lengths > 0).all() or min(values.shape) < 2:
        raise MicrographError("it has no voxel size or is not 3D", where=path, fix="Write the cell into its header.")
    if not np.isfinite(values).all() or not values.max() > values.min():
        raise MicrographError("its values are all the same or not numbers", where=path, fix="Check the file.")
    return values, lengths


def _threshold(values: NDArray[np.float32], background: float) -> float:
    """Where molecule and surroundings part best (Otsu 1979, doi:10.1109/TSMC.1979.4310076), above the background."""
    top = float(np.percentile(values, 99.95))
    counts, edges = np.histogram(np.clip(values, background, top), bins=128)
    centres = (edges[:-1] + edges[1:]) / 2.0
    below = np.cumsum(counts).astype(np.float64)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1 + int(np.nanargmax(between[:-1]))])


def _largest_piece(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The flags without the specks: pieces of less than 2 % of the largest one."""
    pieces, count = label(inside)
    if count < 2:
        return inside
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= 0.02 * sizes.max())[pieces], dtype=np.bool_)


def _resampled(values: NDArray[np.float32], spacing: NDArray[np.float64], voxel: float) -> NDArray[np.float32]:
    """On a new grid with the centre of mass in the middle; blurred first where the new voxels are larger."""
    ratio = voxel / spacing
    sigma = 0.5 * np.sqrt(np.maximum(ratio**2 - 1.0, 0.0))
    smooth = gaussian_filter(values, sigma, mode="constant")
    centre = centre_of_mass(smooth)
    corners = np.argwhere(smooth > 1e-3 * smooth.max())
    reach = float(np.linalg.norm((corners - centre) * spacing, axis=1).max()) / voxel
    side = odd_side(2.0 * (reach + 2.0))
    density = np.zeros((side, side, side), np.float32)
    for _ in range(3):  # the middle is found again on the new grid, because its voxels see it a little differently
        density = affine_transform(
            smooth, ratio, offset=centre - ratio * (side // 2), output_shape=(side,) * 3, order=3, mode="constant"
        )
        density = np.maximum(density, 0.0)
        centre = centre + (centre_of_mass(density) - side // 2) * ratio
    return np.asarray(density, dtype=np.float32)


def _check_size(extent_angstrom: float, voxel_size_angstrom: float, path: Path) -> None:
    side = extent_angstrom / voxel_size_angstrom
    if side > _LARGEST_SIDE:
        raise MicrographError(
            f"its {extent_angstrom:.0f} Å would be {side:.0f} voxels wide, more than {_LARGEST_SIDE}",
            where=path,
            fix="Take a larger pixel_size_angstrom.",
        )
