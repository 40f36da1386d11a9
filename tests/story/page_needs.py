"""What lies in the folder in which a page's blocks run, under the names that the pages use.

Every page finds what `prepare` makes. What else it needs it says itself (`<!-- needs: run -->`): each function in
`NEEDS` adds that to the page's folder.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from layout_makers import MAKERS
from notes_data import make_notes_data
from page_runner import ROOT, Runner
from public_data import address_of, publish, serve

from cryoglean.io.picks import read_picks, write_picks
from cryoglean.picks import Picks
from cryoglean.simulate.settings import SimulationSettings
from cryoglean.simulation import simulate_folder

SMALL = {
    "molecule": "tetramer", "shape_pixels": (224, 224), "particles_per_micrograph": 14, "fragments": 3, "views": 16,
    "dose_electrons_per_angstrom2": 40, "aggregates": 0, "ice_crystals": 0, "carbon_edge": 0,
    "defocus_micrometers": (1.5, 2.0),
}  # fmt: skip


def prepare(folder: Path) -> None:
    """Micrographs and labels: what a reader has of their own."""
    made = simulate_folder(folder / "MICROGRAPHS", 6, 0, SimulationSettings.model_validate(SMALL))
    (folder / "MICROGRAPHS" / f"{made.micrographs[0]}.mrc").rename(folder / "MICROGRAPHS" / "one.mrc")
    names = np.where(made.micrograph == made.micrographs[0], "one", made.micrograph)
    picks = Picks(names, made.xy, micrographs=("one", *made.micrographs[1:]))
    shutil.copy(folder / "MICROGRAPHS" / "one.mrc", folder)
    (folder / "micrographs").symlink_to("MICROGRAPHS")
    labels, clicks = picks.of(picks.micrographs[:4]), picks.of(picks.micrographs[:4]).rows(np.arange(0, 40, 2))
    for suffix in (".star", ".csv"):
        write_picks(labels, folder / f"labels{suffix}")
        write_picks(clicks, folder / f"clicks{suffix}")
        write_picks(picks.of(picks.micrographs[4:]), folder / f"truth{suffix}")


def make(folder: Path, needs: Sequence[str], runner: Runner) -> Path:
    """A folder for a page."""
    shutil.copytree(runner.work / "base", folder, symlinks=True)
    for need in needs:
        if ":" not in need:
            NEEDS[need](folder, runner)
    return folder


def need_run(folder: Path, runner: Runner) -> None:
    """`run`: a finished training."""
    made = runner.work / "run"
    if not made.exists():
        words = "train MICROGRAPHS/ --picks labels.star --diameter-angstrom 150 --strategy supervised --quiet --out"
        runner.shell(shlex.join(["cryoglean", *words.split(), str(made)]), runner.work / "base")
    shutil.copytree(made, folder / "run")


def need_picks(folder: Path, _: Runner) -> None:
    """`picks.star`: scored picks of the micrographs without labels."""
    truth = read_picks(folder / "truth.star")
    score = np.linspace(0.2, 0.9, len(truth.xy))
    write_picks(Picks(truth.micrograph, truth.xy + 2, score, micrographs=truth.micrographs), folder / "picks.star")


def need_patches(folder: Path, _: Runner) -> None:
    """`patches.npz`: positive and unlabelled patches, made up."""
    random = np.random.default_rng(0)
    dark = -3 * np.exp(-((np.indices((77, 77)) - 38) ** 2).sum(0) / (2 * 12**2))
    unlabelled = random.normal(0, 1, (60, 77, 77))
    positive = random.normal(0, 1, (30, 77, 77)) + dark
    np.savez(folder / "patches.npz", positive=positive.astype("f4"), unlabelled=unlabelled.astype("f4"))


def need_relion_project(folder: Path, _: Runner) -> None:
    """A RELION project: MotionCorr/job002, CtfFind/job003, Select/job010."""
    names = sorted(path.name for path in (folder / "MICROGRAPHS").glob("*.mrc"))
    (folder / "MotionCorr" / "job002").mkdir(parents=True)
    (folder / "MotionCorr" / "job002" / "Micrographs").symlink_to(folder / "MICROGRAPHS")
    rows = "".join(f"MotionCorr/job002/Micrographs/{name} 1 10000\n" for name in names)
    (folder / "CtfFind" / "job003").mkdir(parents=True)
    (folder / "CtfFind" / "job003" / "micrographs_ctf.star").write_text(
        "data_optics\n\nloop_\n_rlnOpticsGroupName #1\n_rlnOpticsGroup #2\n_rlnMicrographPixelSize #3\n"
        "_rlnVoltage #4\n_rlnSphericalAberration #5\n_rlnAmplitudeContrast #6\n"
        "opticsGroup1 1 4.0 300.0 2.7 0.07\n\n"
        "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n_rlnDefocusU #3\n"
        f"{rows}\n"
    )
    (folder / "Select" / "job010").mkdir(parents=True)
    shutil.copy(folder / "labels.star", folder / "Select" / "job010" / "particles.star")


def need_public_data(folder: Path, runner: Runner) -> None:
    """CryoPPP's and EMPIAR's servers, made of the micrographs."""
    publish(folder / "MICROGRAPHS", read_picks(folder / "labels.star"), folder / "served")
    url = address_of(serve(folder / "served"))
    runner.environment |= {"CRYOGLEAN_CRYOPPP_URL": url, "CRYOGLEAN_EMPIAR_URL": url, "NO_PROXY": "127.0.0.1"}


def need_notes_data(folder: Path, _: Runner) -> None:
    """What the source notes learn from: data/cryotransformer, train_val_test_data."""
    make_notes_data(folder / "data")
    (folder / "data" / "train_val_test_data").rename(folder / "train_val_test_data")


def need_exposures(folder: Path, _: Runner) -> None:
    """`exposures.cs`: cryoSPARC's, of the micrographs; and `cryosparc_external_job.py`."""
    shutil.copy(ROOT / "examples" / "cryosparc_external_job.py", folder)
    names = sorted(path.name for path in (folder / "MICROGRAPHS").glob("*.mrc"))
    table = np.zeros(
        len(names), dtype=[("uid", "<u8"), ("micrograph_blob/path", "S80"), ("micrograph_blob/shape", "<u4", (2,))]
    )
    table["uid"] = np.arange(1, len(names) + 1)
    table["micrograph_blob/path"] = [f"J1/imported/{name}".encode() for name in names]
    table["micrograph_blob/shape"] = SMALL["shape_pixels"]
    with (folder / "exposures.cs").open("wb") as file:
        np.save(file, table)


def need_scipion_export(folder: Path, _: Runner) -> None:
    """`Runs/000123_ProtRelionExportCoordinates/Export`: labels as Scipion's plugin of RELION writes them."""
    labels, out = read_picks(folder / "labels.star"), folder / "Runs/000123_ProtRelionExportCoordinates/Export"
    out.mkdir(parents=True)
    for name in labels.micrographs:
        rows = "".join(f"{int(x)} {int(y)} \n" for x, y in labels.on(name).xy.tolist())
        (out / f"{name}_coords.star").write_text("\ndata_\n\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n" + rows)


def need_sessions(folder: Path, _: Runner) -> None:
    """Snakemake's example: `Snakefile`, `labelled/`, `sessions/monday` and `sessions/tuesday`."""
    names = sorted(path.name for path in (folder / "MICROGRAPHS").glob("*.mrc"))
    for part, chosen in (("labelled", names[:4]), ("sessions/monday", names[4:5]), ("sessions/tuesday", names[5:])):
        (folder / part).mkdir(parents=True)
        for name in chosen:
            shutil.copy(folder / "MICROGRAPHS" / name, folder / part)
    shutil.copy(ROOT / "examples" / "Snakefile", folder)


def need_data_sets(folder: Path, _: Runner) -> None:
    """Data sets as folders, as docs/how-to/data-sets.md names them."""
    labels = read_picks(folder / "labels.star")
    for name, place in {
        "cryoppp": "data/10017", "cryotransformer": "train_val_test_data", "notes": "cryotransformer",
        "relion": "project", "cryosparc": "CS-project/J7",
    }.items():  # fmt: skip
        (folder / place).parent.mkdir(exist_ok=True)
        MAKERS[name](folder / "MICROGRAPHS", labels, folder / place)


def need_experiment(folder: Path, _: Runner) -> None:
    """`data/`: micrographs, and the particles of all of them in `coordinates.csv`."""
    tables = [read_picks(folder / name) for name in ("labels.csv", "truth.csv")]
    (folder / "data").mkdir()
    for path in (folder / "MICROGRAPHS").glob("*.mrc"):
        shutil.copy(path, folder / "data")
    name, xy = (np.concatenate([getattr(table, part) for table in tables]) for part in ("micrograph", "xy"))
    write_picks(Picks(name, xy), folder / "data" / "coordinates.csv")


NEEDS: dict[str, Callable[[Path, Runner], None]] = {
    "run": need_run, "picks": need_picks, "patches": need_patches, "relion-project": need_relion_project,
    "notes-data": need_notes_data, "exposures": need_exposures, "scipion-export": need_scipion_export,
    "sessions": need_sessions,
    "public-data": need_public_data, "data-sets": need_data_sets,
    "experiment": need_experiment,
}  # fmt: skip
