"""`cryoglean train FOLDER`: a data set as a program or an archive leaves it is taken as it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
from conftest import FAST
from layout_makers import DIAMETER_PIXELS, MAKERS, NUMBER, make_cryoppp, make_relion, save_table

import cryoglean
from cryoglean.cli.main import run
from cryoglean.dataset import ParticleSize
from cryoglean.errors import CryogleanError, LabelsError
from cryoglean.gather import gather_dataset
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.picks import Picks
from cryoglean.run import Run

QUICK = [*FAST, "--set", "learn.steps=2"]
REAL = Path(__file__).parents[2] / "../shared/data"
REAL = REAL if REAL.exists() else Path("/work/shared/data")


def call(*words: object) -> int:
    return run([str(word) for word in words])


def kept(folder: Path) -> dict[str, Any]:
    return dict(Run(folder).read_json(Run(folder).dataset_file))


@pytest.mark.parametrize("name", MAKERS)
def test_a_folder_trains(name: str, easy_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = MAKERS[name](easy_data / "micrographs", read_picks(easy_data / "labels.csv"), tmp_path / "data")
    sizes = ["--diameter-angstrom=180", "--pixel-size-angstrom=4"]

    assert call("train", made.folder, *sizes, "--out", tmp_path / "run", *QUICK) == 0

    said, found = capsys.readouterr().err, kept(tmp_path / "run")
    assert f"data set ({name})" in said
    assert {micrograph: entry["role"] for micrograph, entry in found["micrographs"].items()} == made.roles
    assert found["source"]["layout"] == name
    assert found["source"]["y_turned"] is (name == "cryoppp")
    assert found["source"]["files"]
    assert all(note in said for note in found["source"]["notes"])


def test_python_takes_a_folder_and_its_diameter_too(easy_data: Path, tmp_path: Path) -> None:
    made = make_cryoppp(easy_data / "micrographs", read_picks(easy_data / "labels.csv"), tmp_path / "10017")
    settings = ["learn.steps=2", "learn.crop_pixels=96", "pick.views=1", "strategy=supervised"]

    cryoglean.train(tmp_path, None, None, tmp_path / "run", settings=settings)  # the only entry in it
    cryoglean.train(made.folder, None, None, tmp_path / "run", settings=settings)  # resumed: the same data

    pixel = gather_dataset([made.folder], ParticleSize(180), None)[0]
    assert kept(tmp_path / "run")["diameter_angstrom"] == pytest.approx(DIAMETER_PIXELS * 4.0, rel=0.01)
    assert pixel.diameter_angstrom == 180


def test_the_doctor_takes_a_folder(easy_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = make_cryoppp(easy_data / "micrographs", read_picks(easy_data / "labels.csv"), tmp_path / "10017")

    call("doctor", made.folder, "--quiet", "--json")
    sound = json.loads(capsys.readouterr().out)
    call("doctor", made.folder, "--no-flip-y", "--quiet", "--json")
    turned = json.loads(capsys.readouterr().out)

    assert "orientation" not in {one["check"] for one in sound}
    assert [one["labels"] for one in turned if one["check"] == "orientation"] == ["flip_y"]


def test_labels_that_the_format_turns_the_wrong_way_stop_the_training(
    easy_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """MRC files that were made of the JPEGs lie as those do, and CryoPPP's rule for MRC is wrong."""
    made = make_cryoppp(easy_data / "micrographs", read_picks(easy_data / "labels.csv"), tmp_path / "data")
    for path in (made.folder / "micrographs").glob("*.mrc"):
        with mrcfile.open(path, "r+") as file:
            file.set_data(file.data[::-1].copy())
    words = ["train", made.folder, "--out", tmp_path / "run", *QUICK]

    assert call(*words) == 1
    assert "the labels are upside down" in (said := capsys.readouterr().err)
    assert "--no-flip-y; or --flip-y" in said
    assert not (tmp_path / "run").exists()
    assert call(*words, "--no-flip-y") == 0
    assert kept(tmp_path / "run")["source"]["flip_y"] is False
    wrong = ["train", made.folder, "--out", tmp_path / "wrong", *QUICK, "--flip-y", "--set", "prepare.contrast=dark"]
    assert call(*wrong) == 0  # the user's word counts


@pytest.mark.skipif(not REAL.exists(), reason="the real data are not there")
def test_real_labels_of_a_turned_picture_are_found(tmp_path: Path) -> None:
    name = "Falcon_2012_06_12-14_33_35_0"
    (tmp_path / "micrographs").mkdir()
    shutil.copy(REAL / f"bgal_10017/micrographs/{name}.mrc", tmp_path / "micrographs")
    picks = read_picks(REAL / f"formats/csv_json/{name}.csv", flip_y=False, scale=1536 / 4096)
    (tmp_path / "ground_truth" / "particle_coordinates").mkdir(parents=True)
    write_picks(picks, tmp_path / f"ground_truth/particle_coordinates/{name}.csv", "cryoppp", flip_y=False)

    with pytest.raises(LabelsError, match=r"upside down.* not turned, 1 is chance"):
        cryoglean.train(tmp_path, None, None, tmp_path / "run")


@pytest.fixture
def relion(easy_data: Path, tmp_path: Path) -> Path:
    return make_relion(easy_data / "micrographs", read_picks(easy_data / "labels.csv"), tmp_path / "project").folder


def source_of(folder: Path) -> dict[str, Any]:
    source = gather_dataset([folder], ParticleSize(180), None)[0].source
    assert source is not None
    return source.to_json()


def test_relions_last_job_that_did_not_fail_is_taken(relion: Path) -> None:
    assert source_of(relion)["files"] == [
        str(relion / "CtfFind/job011/micrographs_ctf.star"), str(relion / "Select/job010/particles.star")
    ]  # fmt: skip
    assert source_of(relion)["notes"] == [
        "other jobs with picks: Extract/job007, AutoPick/job006, ManualPick/job004; name one with --picks"
    ]
    for kind in ("CtfFind", "Select", "Extract"):
        shutil.rmtree(relion / kind)
    assert source_of(relion)["files"] == [
        str(relion / "MotionCorr/job020/corrected_micrographs.star"), str(relion / "AutoPick/job006/autopick.star")
    ]  # fmt: skip
    shutil.rmtree(relion / "AutoPick")
    assert source_of(relion)["files"][1:] == [str(relion / "ManualPick/job004/Micrographs")]


def test_relions_equally_good_picks_are_listed(relion: Path) -> None:
    job = relion / "Select/job010"
    for number in (1, 2):
        shutil.copy(job / "particles.star", job / f"particles_split{number}.star")
    (job / "particles.star").unlink()

    with pytest.raises(CryogleanError, match=r"2 files.*particles_split1.star, .*particles_split2.star.*--picks"):
        gather_dataset([relion], ParticleSize(180), None)


def test_another_project_with_the_same_names_is_not_mistaken(
    relion: Path, easy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = read_picks(easy_data / "labels.csv")
    moved = Picks(labels.micrograph, labels.xy + 5, micrographs=labels.micrographs)
    other = make_relion(easy_data / "micrographs", moved, tmp_path / "other").folder
    for folder in (relion, other):
        shutil.rmtree(folder / "Select")
        shutil.rmtree(folder / "Extract")  # what is left is an index with paths from the project's folder
    monkeypatch.chdir(other)

    dataset, _ = gather_dataset([relion], ParticleSize(180), None)

    first = labels.micrographs[0]
    assert np.allclose(dataset.labels.on(first).xy, labels.on(first).xy, atol=0.01)
    assert all(path.is_relative_to(relion) for path in dataset.paths.values())


def test_missing_things_are_named(relion: Path, easy_data: Path, tmp_path: Path) -> None:
    picks = read_picks(easy_data / "labels.csv")
    for name in ("a", "b"):
        make_cryoppp(easy_data / "micrographs", picks, tmp_path / "many" / name)
    sparc = MAKERS["cryosparc"](easy_data / "micrographs", picks, tmp_path / "J7").folder
    shutil.copy(sparc / "J7_particles_selected.cs", sparc / "x_particles_selected.cs")
    shutil.rmtree(relion / "MotionCorr/job002")

    for folder, said in {
        tmp_path / "many": "2 data sets: a, b.*Give one of them",
        sparc: "J7_particles_selected.cs, x_particles_selected.cs are equally good",
        relion: "6 of its 6 micrographs are not there",
    }.items():
        with pytest.raises(CryogleanError, match=said):
            gather_dataset([folder], ParticleSize(180), None)


def test_diameters_of_several_particles_and_unknown_pixels_are_refused(easy_data: Path, tmp_path: Path) -> None:
    made = MAKERS["cryotransformer"](easy_data / "micrographs", read_picks(easy_data / "labels.csv"), tmp_path / "data")
    with pytest.raises(CryogleanError, match="--pixel-size-angstrom: it is needed: particles are 42 pixels across"):
        gather_dataset([made.folder], ParticleSize(None), None)
    table = next((made.folder / "particle_coordinates").glob("*.csv"))
    table.write_text(table.read_text().replace(",42\n", ",84\n"))
    with pytest.raises(CryogleanError, match="from 42 to 84 pixels, which are several particles"):
        gather_dataset([made.folder], ParticleSize(None, 4.0), None)


def test_cryosparcs_numbers_are_taken_off_only_where_they_must_be(
    easy_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = read_picks(easy_data / "labels.csv")
    numbered = Picks(np.array([f"{NUMBER}{name}" for name in labels.micrograph.tolist()]), labels.xy)
    write_picks(numbered, tmp_path / "numbered.star")
    words = ["train", easy_data / "micrographs", "--picks", tmp_path / "numbered.star", "--diameter-angstrom=180"]

    assert call(*words, "--out", tmp_path / "run", *QUICK) == 0

    assert "names were matched without cryoSPARC's leading number" in capsys.readouterr().err
    assert read_picks(Run(tmp_path / "run").labels_file).micrographs == labels.micrographs


def test_y_of_any_labels_can_be_said(easy_data: Path, tmp_path: Path) -> None:
    """Of more micrographs than are given, too."""
    labels = read_picks(easy_data / "labels.csv")
    xy = labels.xy.copy()
    xy[:, 1] = 383 - xy[:, 1]
    far = Picks.of_one("elsewhere", np.ones((1, 2)))
    write_picks(Picks.concatenate([Picks(labels.micrograph, xy), far]), tmp_path / "turned.csv")
    words = ["train", easy_data / "micrographs", "--picks", tmp_path / "turned.csv", "--diameter-angstrom=180"]

    assert call(*words, "--flip-y", "--out", tmp_path / "run", *QUICK) == 0

    assert np.abs(read_picks(Run(tmp_path / "run").labels_file).xy - labels.xy).max() < 0.01


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--validation=labels.csv"], "--validation: it is only for labels that --picks names"),
        (["--test=labels.csv"], "--test: it is only for labels that --picks names"),
    ],
)
def test_roles_come_from_the_folder_or_from_options(
    options: list[str], said: str, relion: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("train", relion, "--diameter-angstrom=180", *options, "--out", tmp_path / "run") == 2
    assert said in capsys.readouterr().err
    assert call("train", relion, "--out", tmp_path / "run") == 2
    assert "--diameter-angstrom: it is needed" in capsys.readouterr().err


def test_a_table_of_exposures_alone_is_no_data_set(tmp_path: Path) -> None:
    save_table(np.zeros(1, dtype=[("uid", "u8"), ("micrograph_blob/path", "S9")]), tmp_path / "exposures.cs")

    with pytest.raises(CryogleanError, match="--picks requires"):
        gather_dataset([tmp_path], ParticleSize(180), None)
