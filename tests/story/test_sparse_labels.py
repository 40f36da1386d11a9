"""A few clicks through the whole line: trained on, counted by, picked with, reported."""

import json
from pathlib import Path

import numpy as np
import pytest

from cryoglean.cli.main import run
from cryoglean.dataset import Dataset
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.picks import Picks
from cryoglean.pipeline import train
from cryoglean.run import Run
from cryoglean.settings import read_settings

SMALL = [
    "learn.steps=40", "learn.crop_pixels=96", "learn.validate_every=20", "learn.precision=float32", "pick.views=1"
]  # fmt: skip
CLICKS = 7


@pytest.fixture(scope="module")
def clicks(easy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the particles of the first two micrographs."""
    out = tmp_path_factory.mktemp("clicks") / "clicks.csv"
    table = read_picks(easy_data / "labels.csv")
    write_picks(table.rows(np.random.default_rng(0).permutation(len(table))[:CLICKS]), out)
    return out


def words(data: Path, clicks: Path, out: Path, *more: object) -> list[str]:
    said = ["train", data / "micrographs", "--picks", clicks, "--diameter-angstrom", 180, "--out", out]
    small = [word for one in SMALL for word in ("--set", one)]
    return [*map(str, said), "--labels", "sparse", *small, *map(str, more)]


@pytest.fixture(scope="module")
def counted(easy_data: Path, clicks: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trained on clicks and the word that a micrograph holds about 25 particles."""
    out = tmp_path_factory.mktemp("sparse") / "run"
    assert run(words(easy_data, clicks, out, "--per-micrograph", 25, "--quiet")) == 0
    return Run(out)


def test_clicks_and_a_number_are_enough(counted: Run) -> None:
    summary = counted.summary()

    assert summary["strategy"] == "pu_pseudo"
    assert summary["labels"] == "sparse"
    assert summary["expected"] == {"per_micrograph": 25, "source": "user"}
    assert summary["validation"] is None
    assert summary["threshold_rule"] == "count"
    assert summary["clicks"]["clicks"] == CLICKS
    assert 0 <= summary["clicks"]["clicks_found"] <= CLICKS
    assert abs(summary["clicks"]["picks"] - 25 * 6) <= 2
    assert [one["counts"] for one in summary["rounds"]] == [True]
    assert "gain" not in summary["rounds"][0]


def test_pseudo_labels_hold_the_clicks(counted: Run) -> None:
    with np.load(counted.pseudo_labels_file(1)) as arrays:
        names = {key.split("/")[0] for key in arrays.files}
        clicked = [name for name in names if len(counted_clicks(counted, name))]
        assert clicked
        for name in clicked:
            y = arrays[f"{name}/y"]
            assert (y == 255).sum() >= 20 * len(counted_clicks(counted, name))


def counted_clicks(run_: Run, name: str) -> np.ndarray:
    return read_picks(run_.labels_file).on(name).xy


def test_a_run_from_clicks_picks_and_is_reported(counted: Run, easy_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "picks.csv"

    assert run(["pick", str(counted.folder), str(easy_data / "micrographs"), "--out", str(out), "--quiet"]) == 0
    assert run(["report", str(counted.folder)]) == 0

    assert len(read_picks(out)) > 25
    page = next(counted.folder.glob("*.html")).read_text(encoding="utf-8")
    assert "clicks are among its" in page
    assert "nothing was held out" in page
    assert "Clicks found" in page
    assert "nobody knows how many picks are wrong" in page
    assert "Thin validation" not in page
    assert "supervised network" not in page


def test_a_resumed_run_from_clicks_is_the_same(counted: Run, easy_data: Path, clicks: Path) -> None:
    before = counted.summary_file.read_bytes()

    assert run(words(easy_data, clicks, counted.folder, "--per-micrograph", 25, "--quiet", "--resume")) == 0

    assert counted.summary_file.read_bytes() == before


def test_too_few_clicks_without_a_number_are_refused_before_anything_is_written(
    easy_data: Path, clicks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words(easy_data, clicks, tmp_path / "run")) != 0

    said = capsys.readouterr().err
    assert f"{CLICKS} clicks are too few" in said
    assert "--per-micrograph" in said
    assert "--validation" in said
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def many_clicks(easy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty of the particles of the first two micrographs."""
    out = tmp_path_factory.mktemp("many") / "clicks.csv"
    table = read_picks(easy_data / "labels.csv")
    write_picks(table.rows(np.random.default_rng(0).permutation(len(table))[:30]), out)
    return out


@pytest.fixture(scope="module")
def estimated(easy_data: Path, many_clicks: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trained on clicks alone: nobody said how many particles there are."""
    out = tmp_path_factory.mktemp("estimated") / "run"
    assert run(words(easy_data, many_clicks, out, "--quiet")) == 0
    return Run(out)


def test_clicks_alone_tell_how_many_particles_there_are(estimated: Run) -> None:
    """25 particles were put on each micrograph."""
    expected = estimated.summary()["expected"]

    assert expected["source"] == "best bin"
    assert expected["per_micrograph"] == pytest.approx(25, rel=0.35)
    low, high = expected["interval"]
    assert 0 < low <= expected["per_micrograph"] <= high
    assert "peaks a micrograph score like held-out labels" in expected["reason"]
    assert estimated.events("prior") == [{"event": "prior", **expected}]
    assert estimated.read_json(estimated.prior_file)["per_micrograph"] == expected["per_micrograph"]


def test_the_halves_are_trained_first_half_as_long_and_leave_nothing(estimated: Run) -> None:
    phases = {event["phase"]: event["steps"] for event in estimated.events("phase")}

    assert list(phases) == ["half 1 of the clicks", "half 2 of the clicks", "final", "final-round-1"]
    assert list(phases.values()) == [20, 20, 40, 40]
    assert not list(estimated.checkpoint_folder.glob("*"))


@pytest.mark.parametrize("phase", ["final", pytest.param("half 2 of the clicks", marks=pytest.mark.slow)])
def test_an_interrupted_estimate_goes_on_to_the_same_weights(
    phase: str, estimated: Run, easy_data: Path, many_clicks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"

    interrupt(estimated, out, phase)
    assert run(words(easy_data, many_clicks, out, "--quiet", "--resume")) == 0

    assert Run(out).weights_file.read_bytes() == estimated.weights_file.read_bytes()
    assert Run(out).summary()["expected"] == estimated.summary()["expected"]
    started = [event["phase"] for event in Run(out).events("phase")]
    assert started.count("half 1 of the clicks") == 1
    assert started.count("half 2 of the clicks") == (1 if phase == "final" else 2)


def interrupt(like: Run, out: Path, phase: str) -> None:
    """The same training, stopped at the first step of a phase."""

    def stop(event: dict[str, object]) -> None:
        if event["event"] == "step" and event["phase"] == phase:
            raise KeyboardInterrupt

    dataset = Dataset.from_json(like.read_json(like.dataset_file), read_picks(like.labels_file))
    with pytest.raises(KeyboardInterrupt):
        train(dataset, read_settings(like.settings_file), Run(out), tell=stop)


def test_clicks_that_tell_nothing_are_refused_and_the_folder_is_free_for_a_number(
    easy_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Clicks anywhere score like everything else, so that every peak might be one of them."""
    names = read_picks(easy_data / "labels.csv").micrographs
    anywhere = np.random.default_rng(1).uniform(60, 320, (40, 2))
    write_picks(Picks(np.repeat(names, 20), anywhere), tmp_path / "anywhere.csv")
    more = ("--strategy", "nnpu", "--quiet", "--set", "prepare.contrast=dark", "--set", "learn.steps=10")

    refused = run(words(easy_data, tmp_path / "anywhere.csv", tmp_path / "run", *more))
    said = capsys.readouterr().err
    is_free = not (tmp_path / "run").exists()
    told = run(words(easy_data, tmp_path / "anywhere.csv", tmp_path / "run", *more, "--per-micrograph", 25))

    assert refused == 1
    assert "at most about" in said
    assert "Not identifiable" in said
    assert "--per-micrograph" in said
    assert is_free
    assert told == 0


@pytest.mark.parametrize(
    ("more", "said"), [(("--strategy", "nnpu"), "--labels sparse"), (("--per-micrograph", "25"), "--per-micrograph")]
)
def test_wishes_for_sparse_labels_are_refused_where_labels_are_complete(
    more: tuple[str, str], said: str, easy_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["train", easy_data / "micrographs", "--picks", easy_data / "labels.csv", "--diameter-angstrom", 180]

    assert run([*map(str, base), "--out", str(tmp_path / "run"), *more]) != 0

    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_completely_labelled_validation_says_how_many_there_are_and_judges(
    easy_data: Path, clicks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = read_picks(easy_data / "truth.csv")
    write_picks(table.of(table.micrographs[:1]), tmp_path / "validation.csv")
    more = ("--validation", tmp_path / "validation.csv", "--strategy", "nnpu", "--json")

    assert run(words(easy_data, clicks, tmp_path / "run", *more)) == 0

    summary = json.loads(capsys.readouterr().out)
    assert summary["expected"]["source"] == "validation labels"
    assert summary["expected"]["per_micrograph"] == pytest.approx(25, rel=0.3)
    assert summary["validation"]["truth"] > 0
    assert "clicks" not in summary
