"""`cryoglean relion` in a project of RELION, called as RELION calls an external job."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from gemmi import cif

from cryoglean.cli.main import run
from cryoglean.io.picks import read_picks
from cryoglean.picks import Picks

ENVIRONMENT = {**os.environ, "CRYOGLEAN_THREADS": "1", "OMP_NUM_THREADS": "1"}
FAST = [
    *("--set", "learn.steps=12", "--set", "learn.crop_pixels=96", "--set", "learn.precision=float32"),
    *("--set", "pick.views=1", "--set", "learn.checkpoint_every_seconds=0", "--strategy", "supervised"),
]
MICROGRAPHS = ("--in_mics", "CtfFind/job003/micrographs_ctf.star")
LABELS = ("--in_parts", "Select/job010/particles.star")
STARTED: list[int] = []


@pytest.fixture(autouse=True)
def nothing_goes_on() -> Iterator[None]:
    """What a failing test started ends with it."""
    yield
    for process in STARTED:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    STARTED.clear()


@pytest.fixture(autouse=True)
def project(easy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with six micrographs and the particles of two of them, their pixel size only in the optics table."""
    movies = tmp_path / "MotionCorr" / "job002" / "Movies"
    movies.mkdir(parents=True)
    for path in (easy_data / "micrographs").glob("*.mrc"):
        content = bytearray(path.read_bytes())
        content[40:52] = bytes(12)  # no cell, no pixel size
        (movies / path.name).write_bytes(content)
    names = sorted(path.name for path in movies.iterdir())
    write(
        tmp_path / "CtfFind/job003/micrographs_ctf.star",
        "data_optics\n\nloop_\n_rlnOpticsGroupName #1\n_rlnOpticsGroup #2\n_rlnMicrographPixelSize #3\n"
        "opticsGroup1 1 4.0\n\ndata_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n",
        [f"MotionCorr/job002/Movies/{name} 1" for name in names],
    )
    labels = read_picks(easy_data / "labels.csv")
    write(
        tmp_path / "Select/job010/particles.star",
        "data_optics\n\nloop_\n_rlnOpticsGroupName #1\n_rlnOpticsGroup #2\n_rlnImagePixelSize #3\n"
        "opticsGroup1 1 4.0\n\ndata_particles\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n"
        "_rlnMicrographName #3\n_rlnOpticsGroup #4\n",
        [
            f"{x:.3f} {y:.3f} MotionCorr/job002/Movies/{name}.mrc 1"
            for name, (x, y) in zip(labels.micrograph.tolist(), labels.xy.tolist(), strict=True)
        ],
    )
    monkeypatch.chdir(tmp_path)


def write(path: Path, head: str, rows: list[str]) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(head + "\n".join(rows) + "\n")


def call(*words: str) -> int:
    return run(["relion", *words])


def start(job: str, *words: str) -> int:
    """As RELION does it: by `sh` in the project's folder, in the background, where SIGINT is ignored.

    Returns:
        The number of the process.
    """
    Path(job).mkdir(parents=True, exist_ok=True)
    line = shlex.join([sys.executable, "-m", "cryoglean", "relion", "--o", job, *words])
    shell = ["sh", "-c", f"{line} >> {job}run.out 2>> {job}run.err & echo $!"]
    STARTED.append(int(subprocess.run(shell, env=ENVIRONMENT, capture_output=True, check=True).stdout))
    return STARTED[-1]


def marks(folder: str) -> set[str]:
    return {path.name for path in Path(folder).glob("RELION_JOB_*")}


def test_labels_in_and_coordinates_for_extract_out(capsys: pytest.CaptureFixture[str]) -> None:
    """The node file, the index and the coordinates are read back by gemmi, and are the run's own picks."""
    job = "External/job011/"
    Path(job).mkdir(parents=True)
    Path(job, "RELION_JOB_EXIT_FAILURE").touch()  # of the time before

    code = call(
        *MICROGRAPHS, *LABELS, "--o", job, "--diameter_angstrom", "180", "--j", "1", *FAST,
        "--pipeline_control", job, "--my_label", "5",
    )  # fmt: skip

    assert code == 0
    assert marks(job) == {"RELION_JOB_EXIT_SUCCESS"}
    said = capsys.readouterr()
    assert "--my_label is not known here" in said.err
    assert "proposed minimum figure of merit" in said.out

    nodes = cif.read_string(Path(job, "RELION_OUTPUT_NODES.star").read_text()).find_block("output_nodes")
    assert [tuple(row) for row in nodes.find(["_rlnPipeLineNodeName", "_rlnPipeLineNodeTypeLabel"])] == [
        ("External/job011/autopick.star", "MicrographCoordsGroup.star.relion.autopick"),
        ("External/job011/logfile.pdf", "LogFile.pdf.relion.autopick"),
    ]
    assert b"/Count 5 >>" in Path(job, "logfile.pdf").read_bytes()  # pages: counts, merits, three micrographs
    index = cif.read_string(Path(job, "autopick.star").read_text()).find_block("coordinate_files")
    rows = [tuple(row) for row in index.find(["_rlnMicrographName", "_rlnMicrographCoordinates"])]
    assert rows[0] == (
        "MotionCorr/job002/Movies/simulated_0000.mrc", "External/job011/Movies/simulated_0000_autopick.star"
    )  # fmt: skip
    assert len(rows) == 6
    assert run(["pick", f"{job}run", MICROGRAPHS[1], "--threshold", "0", "--out", "own.csv", "--quiet"]) == 0
    own = read_picks("own.csv")
    for micrograph, file in rows:
        table = cif.read_string(Path(file).read_text()).sole_block()
        xy = np.array([[float(value) for value in row] for row in table.find(["_rlnCoordinateX", "_rlnCoordinateY"])])
        np.testing.assert_array_equal(xy.reshape(-1, 2), own.on(Path(micrograph).stem).xy)
        assert len(table.find(["_rlnAutopickFigureOfMerit"])) == len(xy)
    assert Path(job, "run/report.html").exists()
    assert '"proposed_minimum_figure_of_merit"' in Path(job, "cryoglean.json").read_text()


def test_starfile_reads_what_a_job_leaves(easy_run: Path) -> None:
    starfile = pytest.importorskip("starfile")
    job = "External/job020/"
    assert call(*MICROGRAPHS, "--o", job, "--run", str(easy_run)) == 0

    nodes = starfile.read(f"{job}RELION_OUTPUT_NODES.star")
    index = starfile.read(f"{job}autopick.star")

    assert nodes["rlnPipeLineNodeName"].tolist() == [f"{job}autopick.star", f"{job}logfile.pdf"]
    micrographs = starfile.read(MICROGRAPHS[1])["micrographs"]
    assert index["rlnMicrographName"].tolist() == micrographs["rlnMicrographName"].tolist()
    ours = read_picks(f"{job}autopick.star")
    for micrograph, file in zip(index["rlnMicrographName"], index["rlnMicrographCoordinates"], strict=True):
        table = starfile.read(file)
        assert list(table)[:3] == ["rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit"]
        np.testing.assert_allclose(table.iloc[:, :2], ours.on(Path(micrograph).stem).xy, rtol=0, atol=1e-6)


def manual_picks(easy_data: Path) -> str:
    """As RELION 4 and 5 write them: an index, files without names of micrographs, -999 for what is not known."""
    labels = read_picks(easy_data / "labels.csv")
    index = (
        "\n# version 30001\n\ndata_coordinate_files\n\nloop_ \n_rlnMicrographName #1 \n_rlnMicrographCoordinates #2 \n"
    )
    head = (
        "\n# version 30001\n\ndata_\n\nloop_ \n_rlnCoordinateX #1 \n_rlnCoordinateY #2 \n_rlnClassNumber #3 \n"
        "_rlnAnglePsi #4 \n_rlnAutopickFigureOfMerit #5 \n"
    )
    rows = []
    for name in labels.micrographs:
        file = f"ManualPick/job004/Movies/{name}_manualpick.star"
        xy = labels.on(name).xy.tolist()
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(head + "".join(f"{x:12.6f} {y:12.6f} -999 -999.0 -999.0 \n" for x, y in xy) + " \n")
        rows.append(f"MotionCorr/job002/Movies/{name}.mrc {file} ")
    Path("ManualPick/job004/manualpick.star").write_text(index + "\n".join(rows) + "\n \n")
    return "ManualPick/job004/manualpick.star"


def test_manual_picks_teach_and_a_session_goes_on(easy_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The job continued picks the micrographs that came since, with the network of before; other labels are refused."""
    job, some = "External/job018/", "CtfFind/job003/some.star"
    lines = Path(MICROGRAPHS[1]).read_text().splitlines(keepends=True)
    Path(some).write_text("".join(lines[:-2]))
    words = ["--in_coords", manual_picks(easy_data), "--o", job, "--diameter_angstrom", "180", *FAST]
    assert call("--in_mics", some, *words) == 0
    before = read_picks(f"{job}autopick.star")
    weights = Path(job, "run/model.safetensors").read_bytes()
    capsys.readouterr()

    assert call(*MICROGRAPHS, *words) == 0
    assert "note: 2 micrographs came since" in capsys.readouterr().err

    after = read_picks(f"{job}autopick.star")
    assert (len(before.micrographs), len(after.micrographs)) == (4, 6)
    assert_same(after.of(before.micrographs), before)
    assert Path(job, "run/model.safetensors").read_bytes() == weights
    assert call(*MICROGRAPHS, *LABELS, "--o", job, "--diameter_angstrom", "170", *FAST) == 1
    assert "Start a new External job" in capsys.readouterr().err
    assert marks(job) == {"RELION_JOB_EXIT_FAILURE"}


def test_a_run_of_before_and_the_general_network_need_no_labels(easy_run: Path) -> None:
    for job, more in (
        ("External/job012/", ["--run", str(easy_run)]),
        ("External/job013/", ["--diameter-angstrom=180"]),
    ):
        assert call(*MICROGRAPHS, "--o", job, *more) == 0
        assert marks(job) == {"RELION_JOB_EXIT_SUCCESS"}
        assert len(read_picks(f"{job}autopick.star")) > 60
        assert len(read_picks(f"{job}autopick.star").micrographs) == 6


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ((*MICROGRAPHS, "--in_parts", "missing.star", "--diameter_angstrom", "180"), "missing.star: it can't be read"),
        ((*MICROGRAPHS, *LABELS), "--diameter_angstrom: it is missing"),
        (MICROGRAPHS, "neither labels nor a run"),
        ((*MICROGRAPHS, *LABELS, "--run", "run", "--diameter_angstrom", "180"), "there are labels and a run"),
        ((*MICROGRAPHS, "--diameter_angstrom", "wide"), "wide"),
        (("--in_mics", "missing.star", "--diameter_angstrom", "180"), "missing.star"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_and_marked(words: tuple[str, ...], fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    """RELION waits for a mark, also where the options were not understood."""
    assert call(*words, "--o", "External/job014/") in (1, 2)

    assert marks("External/job014/") == {"RELION_JOB_EXIT_FAILURE"}
    assert fault in capsys.readouterr().err


@pytest.mark.parametrize("by", ["RELION", "queue"])
def test_abort_in_the_middle(by: str) -> None:
    """RELION's wish, or SIGTERM by which a queue takes the machine back, ends the job with its mark."""
    job = "External/job015/"
    process = start(job, *MICROGRAPHS, *LABELS, "--diameter_angstrom", "180", *FAST, "--set", "learn.steps=4000")
    wait_for(lambda: has_learned(job, 3))

    if by == "RELION":
        Path(job, "RELION_JOB_ABORT_NOW").touch()
    else:
        os.kill(process, signal.SIGTERM)

    wait_for(lambda: marks(job) == {"RELION_JOB_EXIT_ABORTED"})
    wait_for(lambda: "interrupted" in Path(job, "run.err").read_text())


def test_killed_and_continued() -> None:
    """A killed job leaves no mark that says how it ended; continued, it makes the coordinates of an unbroken one."""
    whole, broken = "External/job016/", "External/job017/"
    words = [*MICROGRAPHS, *LABELS, "--diameter_angstrom", "180", *FAST]
    assert call(*words, "--o", whole) == 0
    process = start(broken, *words)
    wait_for(lambda: has_learned(broken, 5))
    os.kill(process, signal.SIGKILL)
    assert not marks(broken)

    assert call(*words, "--o", broken) == 0

    assert marks(broken) == {"RELION_JOB_EXIT_SUCCESS"}
    assert_same(read_picks(f"{broken}autopick.star"), read_picks(f"{whole}autopick.star"))


def has_learned(job: str, steps: int) -> bool:
    events = Path(job, "run/events.jsonl")
    return events.exists() and events.read_text().count('"step", ') > steps


def assert_same(one: Picks, other: Picks) -> None:
    assert len(one) > 20
    np.testing.assert_array_equal(one.xy, other.xy)
    np.testing.assert_array_equal(one.score, other.score)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()
