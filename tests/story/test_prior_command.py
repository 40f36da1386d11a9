"""`cryoglean prior`: everybody's opinion of how many particles a micrograph holds."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cryoglean.asking import Opinions
from cryoglean.cli.main import run
from cryoglean.cli.prior import say_opinions
from cryoglean.counting import Expected
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.prior.opinions import Opinion, user_opinion
from cryoglean.run import Run
from cryoglean.settings import LabelSettings, read_settings

TRUE = 25  # particles on each simulated micrograph
SMALL = ("learn.steps=80", "learn.crop_pixels=96", "learn.precision=float32", "pick.views=1")
ESTIMATED = Expected(1e-3, "best bin", 31.0, (20.0, 40.0), "Half of the peaks score like held-out labels.")


@pytest.fixture(scope="module")
def validated(easy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two micrographs to learn from, two held out altogether, two unlabelled ones."""
    folder = tmp_path_factory.mktemp("validated")
    table = read_picks(easy_data / "truth.csv")
    write_picks(table.of(table.micrographs[:2]), folder / "validation.csv")
    words = ["train", easy_data / "micrographs", "--picks", easy_data / "labels.csv", "--diameter-angstrom", 180]
    words += ["--out", folder / "run", "--validation", folder / "validation.csv", "--strategy", "supervised", "--quiet"]
    assert run([*map(str, words), *(word for one in SMALL for word in ("--set", one))]) == 0
    return folder / "run"


@pytest.fixture
def copied(easy_run: Path, tmp_path: Path) -> Run:
    """A run whose threshold was chosen on folds, to be changed."""
    shutil.copytree(easy_run, tmp_path / "run")
    return Run(tmp_path / "run")


def ask(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What `--json` says, the opinions by source."""
    assert run(["prior", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    return {**told, "opinions": {one["source"]: one for one in told["opinions"]}}


def test_every_source_that_can_tell_tells_about_the_truth(validated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = ask(validated, capsys)

    assert set(told["opinions"]) == {"validation labels", "labels", "best bin", "mean probability"}
    for source, one in told["opinions"].items():
        assert one["count"]["value"] == pytest.approx(TRUE, rel=0.5), source
        assert one["count"]["low"] <= one["count"]["value"] <= one["count"]["high"]
    assert told["opinions"]["validation labels"]["count"]["value"] == pytest.approx(TRUE, rel=0.15)


def test_each_count_has_the_pixel_prior_that_belongs_to_it(validated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A core has a radius of 0.3 diameters: 0.28 square diameters of a micrograph of about 385 pixels at 4 Å."""
    told = ask(validated, capsys)

    for one in told["opinions"].values():
        for end in ("value", "low", "high"):
            assert one["pixel_prior"][end] == pytest.approx(one["count"][end] * told["core_share"])
    content = json.loads((validated / "dataset.json").read_text())
    side = 384 * pixel_size(content)
    assert told["core_share"] == pytest.approx(3.14159 * (0.3 * 180) ** 2 / side**2, rel=0.1)


def pixel_size(content: dict[str, Any]) -> float:
    from cryoglean.io.micrographs import read_micrograph

    size = read_micrograph(Path(next(iter(content["micrographs"].values()))["path"])).pixel_size_angstrom
    assert size is not None
    return size


def test_who_says_nothing_says_why(copied: Run, capsys: pytest.CaptureFixture[str]) -> None:
    told = ask(copied.folder, capsys)

    assert set(told["opinions"]) == {"labels"}
    assert set(told["silent"]) == {"user", "validation labels", "best bin", "mean probability", "Elkan-Noto"}
    assert "held out" in told["silent"]["best bin"]
    assert "--per-micrograph" in told["silent"]["user"]


def test_the_estimate_of_the_training_and_the_user_are_asked(copied: Run, capsys: pytest.CaptureFixture[str]) -> None:
    copied.write_json(copied.prior_file, ESTIMATED.to_kept())
    settings = read_settings(copied.settings_file)
    said = settings.model_copy(update={"labels": LabelSettings(kind="sparse", per_micrograph=200)})
    copied.settings_file.write_text(said.to_yaml())

    told = ask(copied.folder, capsys)

    assert told["opinions"]["user"]["count"] == {"value": 200, "low": 100, "high": 400}
    assert told["opinions"]["best bin"]["count"] == {"value": 31, "low": 20, "high": 40}
    assert told["silent"]["labels"] == "only some particles are labelled."
    assert told["disagreements"] == [
        "user says more (200 particles a micrograph) than best bin (31 particles a micrograph), beyond their intervals."
    ]


def test_the_table_has_a_row_for_each_source_and_a_reason(validated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prior", str(validated)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["source", "says", "95", "%", "interval", "pixel", "prior"]
    rows = [line for line in lines[1:5] if "particles a micrograph" in line and "of the pixels" in line]
    assert len(rows) == 4
    assert any(line.startswith("best bin: ") and "peaks a micrograph" in line for line in lines)
    assert any(line.startswith("not asked: Elkan-Noto: ") for line in lines)


def test_not_identifiable_is_said_instead_of_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    unknown = Opinion("best bin", "count", None, 0.0, 300.0, "Not identifiable: the scores overlap.")

    say_opinions(Opinions((unknown,), 0.001, {}))

    said = capsys.readouterr().out
    assert "not identifiable, at most 300 particles a micrograph" in said
    assert "No source can tell" in said
    assert Opinions((unknown, user_opinion(50)), 0.001, {}).to_json()["opinions"][0]["count"]["value"] is None


def test_nobody_can_tell_where_nobody_says_anything(capsys: pytest.CaptureFixture[str]) -> None:
    say_opinions(Opinions((), 0.001, {"user": "you did not say."}))

    assert capsys.readouterr().out.splitlines() == ["not asked: user: you did not say.", "Nobody can tell."]


def test_a_run_that_is_not_finished_is_refused(copied: Run, capsys: pytest.CaptureFixture[str]) -> None:
    copied.summary_file.unlink()

    assert run(["prior", str(copied.folder)]) == 1

    assert "summary.json is missing" in capsys.readouterr().err


def test_micrographs_that_are_gone_are_named(copied: Run, capsys: pytest.CaptureFixture[str]) -> None:
    content = copied.read_json(copied.dataset_file)
    name = next(iter(content["micrographs"]))
    content["micrographs"][name]["path"] = "/nowhere/gone.mrc"
    copied.write_json(copied.dataset_file, content)

    assert run(["prior", str(copied.folder)]) == 1

    assert "/nowhere/gone.mrc" in capsys.readouterr().err


def test_a_broken_estimate_is_refused(copied: Run, capsys: pytest.CaptureFixture[str]) -> None:
    kept = replace(ESTIMATED, interval=None).to_kept()
    copied.write_json(copied.prior_file, kept)

    assert run(["prior", str(copied.folder)]) == 1

    assert "prior.json: it lacks" in capsys.readouterr().err
