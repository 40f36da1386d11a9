"""Molecules from files, and one-line errors for files that are none."""

from __future__ import annotations

from pathlib import Path

import gemmi
import mrcfile
import numpy as np
import pytest

from cryoglean.errors import CryogleanError, MicrographError, SettingsError
from cryoglean.simulate.structure import read_structure
from cryoglean.simulate.volume import PROTEIN_OVER_ICE_VOLTS, centre_of_mass

_TWOFOLD = """\
REMARK 350 BIOMOLECULE: 1
REMARK 350 AUTHOR DETERMINED BIOLOGICAL UNIT: DIMERIC
REMARK 350 APPLY THE FOLLOWING TO CHAINS: A
REMARK 350   BIOMT1   1  1.000000  0.000000  0.000000        0.00000
REMARK 350   BIOMT2   1  0.000000  1.000000  0.000000        0.00000
REMARK 350   BIOMT3   1  0.000000  0.000000  1.000000        0.00000
REMARK 350   BIOMT1   2 -1.000000  0.000000  0.000000        0.00000
REMARK 350   BIOMT2   2  0.000000 -1.000000  0.000000        0.00000
REMARK 350   BIOMT3   2  0.000000  0.000000  1.000000        0.00000
"""


def _write_atoms(path: Path, points: np.ndarray, elements: str = "C") -> Path:
    structure = gemmi.Structure()
    structure.cell = gemmi.UnitCell(200, 200, 200, 90, 90, 90)
    model, chain = gemmi.Model(1), gemmi.Chain("A")
    for number, point in enumerate(points):
        residue = gemmi.Residue()
        residue.name, residue.seqid = "ALA", gemmi.SeqId(str(number % 9999 + 1))
        atom = gemmi.Atom()
        atom.name, atom.element = "CA", gemmi.Element(elements[number % len(elements)])
        atom.pos, atom.b_iso, atom.occ = gemmi.Position(*point), 20.0, 1.0
        residue.add_atom(atom)
        chain.add_residue(residue)
    model.add_chain(chain)
    structure.add_model(model)
    structure.setup_entities()
    if path.suffix == ".pdb":
        structure.write_pdb(str(path))
    else:
        structure.make_mmcif_document().write_file(str(path))
    return path


def _write_map(path: Path, values: np.ndarray, voxel: float) -> Path:
    with mrcfile.new(path) as file:
        file.set_data(values.astype(np.float32))
        file.voxel_size = voxel
    return path


def _ball(radius: float, shape: tuple[int, int, int], centre: tuple[float, float, float]) -> np.ndarray:
    grid = np.indices(shape) - np.array(centre)[:, None, None, None]
    return 1.0 / (1.0 + np.exp(2.0 * (np.sqrt((grid**2).sum(axis=0)) - radius)))


@pytest.mark.parametrize("suffix", [".pdb", ".cif"])
def test_atoms_are_put_in_the_middle_in_their_arrangement(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-30.0, 30.0, (400, 3)) + np.array([50.0, 10.0, 0.0])
    points = np.concatenate([points, points[:1] * 0 + [100.0, 10.0, 0.0]])
    volume = read_structure(_write_atoms(tmp_path / f"atoms{suffix}", points), 3.0)

    side = volume.density.shape[0]
    np.testing.assert_allclose(centre_of_mass(volume.density), side // 2, atol=0.05)
    x, y, z = np.round((points[-1] - points.mean(axis=0)) / 3.0).astype(int) + side // 2
    assert volume.density[z, y, x] > 0.15 * volume.density.max()
    assert volume.density[z, y, 2 * (side // 2) - x] < 0.05 * volume.density.max()


def test_the_first_biological_assembly_is_taken(tmp_path: Path) -> None:
    """Two copies, 80 Å apart by the file's own matrices, are as far apart and weigh twice as much as one."""
    points = np.random.default_rng(2).normal(0.0, 6.0, (60, 3)) + np.array([40.0, 0.0, 0.0])
    alone = _write_atoms(tmp_path / "alone.pdb", points)
    both = tmp_path / "both.pdb"
    both.write_text(_TWOFOLD + alone.read_text())

    one, two = read_structure(alone, 4.0), read_structure(both, 4.0)

    assert two.density.sum() == pytest.approx(2.0 * one.density.sum(), rel=1e-3)
    assert two.diameter_angstrom == pytest.approx(80.0 + one.diameter_angstrom, abs=12.0)


def test_protein_atoms_weigh_as_much_as_protein(tmp_path: Path) -> None:
    """A ball packed with the mean residue (C 4.9, N 1.35, O 1.5) at 1.35 g/cm³ has protein's potential over ice."""
    rng = np.random.default_rng(1)
    radius, dalton = 30.0, 0.813  # dalton per cubic angstrom at 1.35 g/cm³
    heavy = int(4.0 / 3.0 * np.pi * radius**3 * dalton / (110.0 / 7.75))
    points = rng.normal(size=(heavy, 3))
    points *= radius * rng.random((heavy, 1)) ** (1 / 3) / np.linalg.norm(points, axis=1, keepdims=True)
    elements = "C" * 98 + "N" * 27 + "O" * 30

    volume = read_structure(_write_atoms(tmp_path / "ball.pdb", points, elements), 3.0)

    mean = volume.density.sum() * 27.0 / (4.0 / 3.0 * np.pi * radius**3)
    assert mean == pytest.approx(PROTEIN_OVER_ICE_VOLTS, rel=0.12)
    assert 2.0 * radius <= volume.diameter_angstrom <= 2.0 * radius + 4.0 * 2.1  # blurred by 0.7 voxels


@pytest.mark.parametrize("voxel", [2.0, 3.3, 6.0])
def test_a_map_is_centred_resampled_and_scaled(tmp_path: Path, voxel: float) -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.03, (60, 50, 56))
    path = _write_map(tmp_path / "ball.mrc", 7.0 * (_ball(15.0, (60, 50, 56), (33.3, 22.0, 27.0)) + noise), 3.3)

    volume = read_structure(path, voxel)

    assert volume.diameter_angstrom == pytest.approx(99.0, abs=2.0 * voxel + 3.0)
    np.testing.assert_allclose(centre_of_mass(volume.density), volume.density.shape[0] // 2, atol=0.1)
    mass = volume.density.sum() * voxel**3
    assert mass == pytest.approx(PROTEIN_OVER_ICE_VOLTS * 4.0 / 3.0 * np.pi * 49.5**3, rel=0.15)


def test_the_axes_of_a_map_keep_their_order(tmp_path: Path) -> None:
    values = _ball(5.0, (40, 40, 40), (20, 20, 20)) + _ball(5.0, (40, 40, 40), (20, 20, 29))

    density = read_structure(_write_map(tmp_path / "rod.map", values, 4.0), 4.0).density

    lengths = [np.ptp(np.flatnonzero(density.max(axis=axes) > 1.0)) for axes in ((1, 2), (0, 2), (0, 1))]
    assert lengths[2] > 1.5 * lengths[0]
    assert lengths[0] == lengths[1]


def test_a_given_threshold_is_used(tmp_path: Path) -> None:
    path = _write_map(tmp_path / "ball.mrc", _ball(10.0, (40, 40, 40), (20, 20, 20)), 4.0)

    with pytest.raises(MicrographError, match="threshold"):
        read_structure(path, 4.0, threshold=2.0)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("missing.pdb", None, SettingsError),
        ("molecule.txt", b"hello", SettingsError),
        ("empty.pdb", b"", MicrographError),
        ("no_atom.pdb", b"HEADER    NOTHING\nEND\n", MicrographError),
        ("broken.cif", b"data_x\nloop_\n_atom_site.id\n'unclosed", MicrographError),
        ("no_atom.cif", b"data_x\n_cell.length_a 10\n", MicrographError),
        ("broken.mrc", b"not a map at all" * 100, MicrographError),
        ("cut_off.mrc", np.zeros(300, np.float32).tobytes(), MicrographError),
    ],
)
def test_a_broken_file_gives_a_one_line_error(
    tmp_path: Path, name: str, content: bytes | None, kind: type[CryogleanError]
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(kind) as caught:
        read_structure(path, 3.0)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((20, 20, 20)), "all the same"),
        (np.full((20, 20, 20), np.nan), "not numbers"),
        (np.eye(20)[None].repeat(1, axis=0), "not 3D"),
    ],
)
def test_a_map_without_a_molecule_is_refused(tmp_path: Path, values: np.ndarray, message: str) -> None:
    with pytest.raises(MicrographError, match=message):
        read_structure(_write_map(tmp_path / "odd.mrc", values, 3.0), 3.0)


def test_a_molecule_too_large_for_its_voxels_is_refused(tmp_path: Path) -> None:
    path = _write_atoms(tmp_path / "far.pdb", np.array([[0.0, 0.0, 0.0], [900.0, 0.0, 0.0]]))

    with pytest.raises(MicrographError, match="larger pixel_size_angstrom"):
        read_structure(path, 1.0)
