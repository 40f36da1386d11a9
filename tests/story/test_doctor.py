"""The doctor as a user meets it: before a training, after one, what it writes, and its exit codes."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import train_words

from cryoglean.cli.main import run
from cryoglean.io.micrographs import read_micrograph_shape
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.picks import Picks
from cryoglean.run import Run

Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    def call(*words: object) -> tuple[int, str]:
        capsys.readouterr()
        code = run(["doctor", *map(str, words), "--quiet"])
        return code, capsys.readouterr().out

    return call


def data_words(data: Path, picks: Path) -> list[object]:
    return [data / "micrographs", "--picks", picks, "--diameter-angstrom", 180]


def upside_down(data: Path, out: Path) -> Picks:
    labels = read_picks(data / "labels.csv")
    rows, _ = read_micrograph_shape(next((data / "micrographs").glob("*.mrc")))
    xy = labels.xy * [1, -1] + [0, rows - 1]
    write_picks(Picks(labels.micrograph, xy, micrographs=labels.micrographs), out)
    return labels


def test_sound_micrographs_and_labels_are_healthy(easy_data: Path, ask: Ask) -> None:
    code, said = ask(*data_words(easy_data, easy_data / "labels.csv"))

    assert code == 0
    assert "error" not in said
    assert "warning" not in said


def test_labels_upside_down_are_found_shown_and_mended(easy_data: Path, tmp_path: Path, ask: Ask) -> None:
    truth = upside_down(easy_data, tmp_path / "wrong.csv")

    code, said = ask(
        *data_words(easy_data, tmp_path / "wrong.csv"),
        "--fix-picks",
        tmp_path / "right.csv",
        "--pictures",
        tmp_path / "p",
    )

    assert code == 3
    assert "error: the labels lie on particles only if they are moved: they are upside down" in said
    np.testing.assert_allclose(read_picks(tmp_path / "right.csv").xy, truth.xy, atol=1e-3)
    assert (tmp_path / "p" / "orientation.png").read_bytes().startswith(b"\x89PNG")


def test_labels_that_need_not_be_moved_are_not_written(easy_data: Path, tmp_path: Path, ask: Ask) -> None:
    code, said = ask(*data_words(easy_data, easy_data / "labels.csv"), "--fix-picks", tmp_path / "right.csv")

    assert code == 0
    assert "need not be moved" in said
    assert not (tmp_path / "right.csv").exists()


def test_a_run_is_examined_and_the_findings_are_kept(easy_run: Path, ask: Ask) -> None:
    code, said = ask(easy_run, "--json")

    found = json.loads(said)
    assert (code == 3) is any(one["severity"] != "note" for one in found)
    assert not [one for one in found if one["severity"] == "error"]
    assert json.loads(Run(easy_run).findings_file.read_text()) == found


@pytest.fixture(scope="module")
def sick_run(easy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learning rate a thousand times too low, as in the source notes."""
    out = tmp_path_factory.mktemp("sick") / "run"
    more = ["--set", "learn.learning_rate=5e-6", "--set", "learn.start=random", "--set", "monitor.every=10"]
    assert run([*train_words(easy_data, out), *more]) == 0
    return out


def test_training_finds_it_while_it_runs_and_says_so_at_the_end(sick_run: Path) -> None:
    findings = json.loads(Run(sick_run).findings_file.read_text())
    live = [event["check"] for event in Run(sick_run).events("finding")]

    assert "learning_rate" in live
    assert "learning_rate" in [one["check"] for one in findings]


def test_fix_writes_settings_that_train_and_say_why(sick_run: Path, easy_data: Path, tmp_path: Path, ask: Ask) -> None:
    mended = tmp_path / "mended.yaml"
    code, said = ask(sick_run, "--fix", mended)
    text = mended.read_text()

    assert code == 3
    assert f"cryoglean train ... --settings {mended}" in said
    line = next(line for line in text.splitlines() if "learning_rate:" in line)
    assert line.startswith("  learning_rate: 0.005  # was 5e-06; learning_rate: 60 steps can move the weights by")
    assert yaml.safe_load(text)["learn"]["learning_rate"] == 0.005
    words = [str(word) for word in data_words(easy_data, easy_data / "labels.csv")]
    again = ["train", *words, "--out", str(tmp_path / "again"), "--settings", str(mended), "--quiet"]
    assert run(again) == 0
    assert Run(tmp_path / "again").summary()["validation"]["average_precision"] > 0.5


def test_the_report_shows_the_findings(sick_run: Path) -> None:
    assert run(["report", str(sick_run)]) == 0

    page = Run(sick_run).report_file.read_text(encoding="utf-8")
    assert "Findings" in page
    assert "hardly anything is learned" in page
    assert "--fix mended.yaml" in page


def test_an_interrupted_run_is_examined_too(sick_run: Path, tmp_path: Path, ask: Ask) -> None:
    for name in ("settings.yaml", "dataset.json", "labels.csv", "events.jsonl", "environment.json"):
        (tmp_path / name).write_bytes((sick_run / name).read_bytes())

    code, said = ask(tmp_path)

    assert code == 3
    assert "[learning_rate]" in said


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nowhere"], 1, "no training was begun in it"),
        (["one", "two"], 2, "2 places were given"),
        ([], 2, "0 places were given"),
        (["x", "--picks", "y.csv"], 2, "--diameter-angstrom"),
        (["x", "--diameter-angstrom", "180"], 2, "--picks"),
    ],
)
def test_what_cannot_be_examined_is_refused_in_a_line(
    words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor", *words, "--quiet"]) == code
    assert message in capsys.readouterr().err


def test_options_go_over_a_settings_file(easy_data: Path, tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("seed: 7\nlearn: {steps: 3}\n", encoding="utf-8")
    words = train_words(easy_data, tmp_path / "run")
    words = [word for word in words if word != "learn.steps=60"]
    words = [
        word
        for place, word in enumerate(words)
        if not (word == "--set" and words[place + 1 : place + 2] in ([], ["--set"]))
    ]

    assert run([*words, "--settings", str(file), "--set", "learn.batch=2"]) == 0
    used = yaml.safe_load(Run(tmp_path / "run").settings_file.read_text())
    assert (used["seed"], used["learn"]["steps"], used["learn"]["batch"]) == (7, 3, 2)


def test_options_for_micrographs_are_refused_with_a_run(easy_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", str(easy_run), "--labels", "sparse"]) == 2
    assert "--labels: it is for micrographs, and a run knows its own" in capsys.readouterr().err


def test_a_settings_file_decides_what_labels_mean(easy_data: Path, tmp_path: Path, ask: Ask) -> None:
    file, fixed = tmp_path / "s.yaml", tmp_path / "fixed.yaml"
    file.write_text("labels: {kind: sparse, per_micrograph: 25}\nstrategy: nnpu\n", encoding="utf-8")

    ask(*data_words(easy_data, easy_data / "labels.csv"), "--settings", file, "--fix", fixed)

    assert yaml.safe_load(fixed.read_text())["labels"] == {"kind": "sparse", "per_micrograph": 25.0}


def test_training_again_to_the_same_end_keeps_what_the_doctor_found(easy_data: Path, easy_run: Path, ask: Ask) -> None:
    ask(easy_run)
    kept = [{"check": "duplicates", **json.loads(json.dumps(FOUND))}]
    Run(easy_run).write_json(Run(easy_run).findings_file, kept)

    assert run([*train_words(easy_data, easy_run), "--resume"]) == 0

    assert [one["check"] for one in json.loads(Run(easy_run).findings_file.read_text())] == ["duplicates"]


FOUND = {
    "severity": "note", "symptom": "two are one", "evidence": {"pairs": 1}, "cause": "a copy",
    "remedy": "Leave one out.", "source": "here", "patch": {}, "options": {}, "labels": "",
}  # fmt: skip
