"""The whole line on small data: it learns, chooses a threshold on what it has not seen, and keeps its promises."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import FAST, train_words

import cryoglean
from cryoglean.cli.main import run
from cryoglean.dataset import LabelFiles, ParticleSize
from cryoglean.evaluate.score import Rules
from cryoglean.gather import gather_dataset
from cryoglean.io.micrographs import read_micrograph, write_micrograph
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.picking import load_picker
from cryoglean.pipeline import train
from cryoglean.run import Run
from cryoglean.settings import choose_settings

DIAMETER_PIXELS = 45.0
TINY = [
    "strategy=supervised",
    "learn.steps=8",
    "learn.crop_pixels=64",
    "learn.validate_every=4",
    "pick.views=1",
    "learn.precision=float32",
]


def call(*words: object) -> int:
    return run([str(word) for word in words])


def weights(folder: Path) -> str:
    return hashlib.sha256(Run(folder).weights_file.read_bytes()).hexdigest()


def rules(data: Path) -> Rules:
    """The border is left out, as particles at the edge can't be told."""
    shapes = {path.stem: (384, 384) for path in (data / "micrographs").glob("*.mrc")}
    return Rules(diameter_pixels=DIAMETER_PIXELS, border_pixels=22.5, shapes=shapes, bootstrap_draws=0)


def score(data: Path, picks: Path) -> float:
    found = cryoglean.evaluate(picks, data / "truth.csv", rules(data))
    assert found.total.f1 is not None
    return found.total.f1


def random_score(data: Path, picks: Path) -> float:
    """As many picks, anywhere."""
    table, rng = read_picks(picks), np.random.default_rng(0)
    anywhere = replace(table, xy=rng.uniform(0, 384, table.xy.shape))
    return cryoglean.evaluate(anywhere, data / "truth.csv", rules(data)).total.f1 or 0.0


def test_it_learns_from_two_micrographs_and_picks_the_others(easy_data: Path, easy_run: Path, easy_picks: Path) -> None:
    """One fold for each labelled micrograph; the threshold comes from picks on what the fold had not seen."""
    summary = Run(easy_run).summary()

    assert score(easy_data, easy_picks) > 0.7 > random_score(easy_data, easy_picks) + 0.2
    assert summary["is_cross_validated"]
    assert summary["train"] == summary["validation_on"] == ["simulated_0000", "simulated_0001"]
    assert set(read_picks(Run(easy_run).validation_picks_file).micrographs) == set(summary["train"])


def test_the_run_folder_is_complete_and_clean(easy_run: Path) -> None:
    folder = Run(easy_run)
    summary, model = folder.summary(), folder.read_json(folder.model_file)

    assert folder.is_finished
    assert not list(folder.checkpoint_folder.glob("*.safetensors"))
    assert 0.0 < summary["threshold"] == model["threshold"] < 1.0
    assert summary["threshold_rule"] == "count"  # fewer than 60 particles
    assert str(summary["validation"]["truth"]) in summary["threshold_reason"]
    assert summary["best_step"] == 60
    assert summary["particles_are_dark"]
    assert {event["phase"] for event in folder.events("phase")} == {"fold-1", "fold-2", "final"}
    assert len(folder.events("step")) == 3 * 60
    environment = folder.read_json(folder.environment_file)
    assert {"command", "packages", "hardware", "started"} <= set(environment)


def test_the_threshold_does_what_its_rule_says(easy_run: Path) -> None:
    """`count`: as many picks as labels, counted where the edge is left out."""
    validation = Run(easy_run).summary()["validation"]

    assert abs(validation["picks"] - validation["truth"]) <= 1
    assert validation["f1"] <= validation["best_f1"]


def test_one_labelled_micrograph_is_cut_in_quadrants(easy_data: Path, tmp_path: Path) -> None:
    assert call(*train_words(easy_data, tmp_path / "run", labels="one.csv")) == 0
    unseen = sorted((easy_data / "micrographs").glob("*.mrc"))[2:]
    assert call("pick", tmp_path / "run", *unseen, "--out", tmp_path / "picks.csv", "--quiet") == 0

    summary = Run(tmp_path / "run").summary()
    assert summary["is_cross_validated"]
    assert summary["train"] == ["simulated_0000"]
    assert score(easy_data, tmp_path / "picks.csv") > 0.6


def test_held_out_micrographs_choose_the_best_step_and_the_threshold(easy_data: Path, tmp_path: Path) -> None:
    table = read_picks(easy_data / "truth.csv")
    write_picks(table.of(table.micrographs[:2]), tmp_path / "validation.csv")

    code = call(*train_words(easy_data, tmp_path / "run"), "--validation", tmp_path / "validation.csv",
                "--set", "learn.validate_every=20")  # fmt: skip

    folder = Run(tmp_path / "run")
    summary = folder.summary()
    assert code == 0
    assert not summary["is_cross_validated"]
    assert summary["train"] == ["simulated_0000", "simulated_0001"]
    assert summary["validation_on"] == list(table.micrographs[:2])
    told = {event["step"]: event["average_precision"] for event in folder.events("validation")}
    assert max(told, key=lambda step: told[step]) == summary["best_step"]
    assert summary["validation"]["f1"] > 0.6


def test_four_labelled_micrographs_hold_one_out(easy_data: Path, tmp_path: Path) -> None:
    table = read_picks(easy_data / "micrographs" / "coordinates.csv")
    write_picks(table.of(table.micrographs[:4]), tmp_path / "labels.csv")

    finished = cryoglean.train(easy_data / "micrographs", tmp_path / "labels.csv", 180, tmp_path / "run", settings=TINY)

    summary = finished.summary()
    assert not summary["is_cross_validated"]
    assert len(summary["train"]) == 3
    assert not set(summary["train"]) & set(summary["validation_on"])


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(easy_data: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        settings = [*TINY, f"seed={seed}"]
        cryoglean.train(easy_data / "micrographs", easy_data / "one.csv", 180, tmp_path / name, settings=settings)

    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")


def test_test_and_unlabelled_micrographs_are_never_opened(easy_data: Path, tmp_path: Path) -> None:
    """They are rubbish here, and the weights are those of a training without them."""
    folder = tmp_path / "micrographs"
    folder.mkdir()
    for path in sorted((easy_data / "micrographs").glob("*.mrc")):
        is_labelled = path.stem in ("simulated_0000", "simulated_0001")
        (folder / path.name).write_bytes(path.read_bytes() if is_labelled else b"not a micrograph")
    labels = LabelFiles(easy_data / "labels.csv", test=easy_data / "truth.csv")
    alone = sorted(folder.glob("*.mrc"))[:2]

    cryoglean.train([*folder.glob("*.mrc")], labels, 180, tmp_path / "a", settings=TINY)
    cryoglean.train(alone, easy_data / "labels.csv", 180, tmp_path / "b", settings=TINY)

    assert weights(tmp_path / "a") == weights(tmp_path / "b")


@pytest.mark.parametrize("filling", [np.nan, np.inf, 0.0])
def test_nothing_is_picked_where_nothing_was_seen(filling: float, easy_data: Path, easy_run: Path) -> None:
    """A third of the micrograph is missing; the rest is picked as before."""
    micrograph = read_micrograph(easy_data / "micrographs" / "simulated_0003.mrc")
    pixels = micrograph.pixels.copy()
    pixels[:, :128] = filling
    picker, threshold = load_picker(Run(easy_run))

    whole = picker.pick_micrograph(micrograph).above(threshold).xy
    broken = picker.pick_micrograph(replace(micrograph, pixels=pixels)).above(threshold).xy

    assert (broken[:, 0] > 128 - DIAMETER_PIXELS / 2).all()
    far = whole[whole[:, 0] > 128 + DIAMETER_PIXELS]
    distance = np.hypot(*(far[:, None] - broken[None]).transpose(2, 0, 1)).min(axis=1)
    assert len(far) >= 8
    assert (distance < DIAMETER_PIXELS / 4).mean() > 0.7


def test_training_bears_micrographs_with_holes(easy_data: Path, tmp_path: Path) -> None:
    for path in sorted((easy_data / "micrographs").glob("*.mrc"))[:2]:
        micrograph = read_micrograph(path)
        micrograph.pixels[:60] = np.nan
        write_micrograph(micrograph, tmp_path / path.name)
    labels = read_picks(easy_data / "labels.csv")
    write_picks(labels.rows(labels.xy[:, 1] > 80), tmp_path / "labels.csv")

    finished = cryoglean.train(tmp_path, tmp_path / "labels.csv", 180, tmp_path / "run", settings=TINY)

    assert all(np.isfinite(event["loss"]) for event in finished.events("step"))


def test_bfloat16_learns_what_float32_learns(easy_data: Path, easy_picks: Path, tmp_path: Path) -> None:
    """Not the same weights, but the same scores, within rounding grown over 60 steps."""
    words = [word.replace("float32", "bfloat16") for word in train_words(easy_data, tmp_path / "run")]
    unseen = sorted((easy_data / "micrographs").glob("*.mrc"))[2:]

    assert call(*words) == 0
    assert call("pick", tmp_path / "run", *unseen, "--out", tmp_path / "picks.csv", "--quiet") == 0

    assert "bfloat16" in Run(tmp_path / "run").read_json(Run(tmp_path / "run").environment_file)["hardware"]
    assert score(easy_data, tmp_path / "picks.csv") == pytest.approx(score(easy_data, easy_picks), abs=0.1)


def test_a_picker_gives_the_same_scores_in_bfloat16(easy_data: Path, easy_run: Path) -> None:
    micrograph = read_micrograph(easy_data / "micrographs" / "simulated_0003.mrc")
    maps = []
    for precision in ("float32", "bfloat16"):
        picker, _ = load_picker(Run(easy_run), precision=precision)
        maps.append(picker.map(picker.preparation.apply(micrograph)).float().numpy())

    assert np.abs(maps[0] - maps[1]).max() < 0.05


def test_the_notes_baseline_preset_runs(easy_data: Path, tmp_path: Path) -> None:
    """With the notes' loss, weights and targets; only its size is made smaller."""
    settings = choose_settings(
        preset="seed_5_percent",
        assignments=[*TINY, "prepare.particle_pixels=24", "learn.steps=4"],
    )
    dataset, _ = gather_dataset([easy_data / "micrographs"], ParticleSize(180), LabelFiles(easy_data / "one.csv"))

    finished = train(dataset, settings, Run(tmp_path / "run"))

    assert settings.loss.terms == ("focal", "dice")
    assert settings.loss.positive_weight == 5.0
    assert finished.is_finished
    told: list[dict[str, Any]] = finished.events("step")
    assert all(np.isfinite(event["loss"]) for event in told)


def test_python_and_the_command_line_give_the_same_picks(easy_data: Path, easy_run: Path, easy_picks: Path) -> None:
    unseen = sorted((easy_data / "micrographs").glob("*.mrc"))[2:]

    picks = cryoglean.pick(easy_run, unseen)

    written = read_picks(easy_picks)
    assert picks.micrograph.tolist() == written.micrograph.tolist()
    np.testing.assert_allclose(picks.xy, written.xy, atol=1e-5)
    assert picks.score is not None
    np.testing.assert_allclose(picks.score, written.score, atol=1e-6)


def test_python_trains_to_the_weights_of_the_command_line(easy_data: Path, easy_run: Path, tmp_path: Path) -> None:
    settings = [*(word for word in FAST if "=" in word), "strategy=supervised"]

    finished = cryoglean.train(
        easy_data / "micrographs", easy_data / "labels.csv", 180, tmp_path / "run", settings=settings
    )

    assert weights(finished.folder) == weights(easy_run)


def test_python_refuses_what_the_command_line_refuses(easy_data: Path, easy_run: Path, tmp_path: Path) -> None:
    from cryoglean.errors import SettingsError

    with pytest.raises(SettingsError, match="Did you mean ferritin"):
        cryoglean.simulate(tmp_path, 1, molecule="feritin")
    with pytest.raises(SettingsError, match="it is 0"):
        cryoglean.simulate(tmp_path, 0)
    with pytest.raises(SettingsError, match="it is nan"):
        cryoglean.pick(easy_run, easy_data / "micrographs", threshold=float("nan"))
    with pytest.raises(SettingsError, match="it is 0"):
        cryoglean.pick(easy_run, easy_data / "micrographs", pixel_size_angstrom=0)


def test_a_report_and_a_notebook_show_the_result(easy_run: Path) -> None:
    before = Run(easy_run)._repr_html_()

    page = cryoglean.report(easy_run)

    text = page.read_text(encoding="utf-8")
    f1 = Run(easy_run).summary()["validation"]["f1"]
    assert f"f1 {f1:.3f}" in before
    assert "data:image/png;base64," in Run(easy_run)._repr_html_()
    assert f"{f1:.3f}" in text
    assert "http://" not in text.replace("http://www.w3.org", "")


def test_an_unfinished_run_says_so(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(json.dumps({"event": "phase", "phase": "final", "steps": 3}) + "\n")

    assert "not finished, 1 events" in Run(tmp_path)._repr_html_()


def test_an_empty_labelled_micrograph_is_learned_from_and_never_judged_by(easy_data: Path, tmp_path: Path) -> None:
    """Folds on it alone would choose a threshold from a network that has never seen a particle."""
    truth = read_picks(easy_data / "labels.csv")
    names = truth.micrographs
    one_empty = replace(truth.rows(truth.micrograph == names[0]), micrographs=names)
    write_picks(one_empty, tmp_path / "labels.csv")
    dataset, _ = gather_dataset([easy_data / "micrographs"], ParticleSize(180), LabelFiles(tmp_path / "labels.csv"))

    made = train(dataset, choose_settings(assignments=TINY), Run(tmp_path / "run"))

    assert made.summary()["train"] == sorted(names)
    picked_on = set(read_picks(made.validation_picks_file).micrograph.tolist())
    assert picked_on <= {names[0]}


def test_micrographs_may_differ_in_pixel_size(easy_data: Path, tmp_path: Path) -> None:
    """The same micrograph at half the pixel size, twice the pixels: its particles are twice as far apart."""
    names = sorted(path.stem for path in (easy_data / "micrographs").glob("*.mrc"))[:2]
    truth = read_picks(easy_data / "labels.csv")
    first, second = (read_micrograph(easy_data / "micrographs" / f"{name}.mrc") for name in names)
    fine = np.kron(second.pixels, np.ones((2, 2), dtype=np.float32))
    assert second.pixel_size_angstrom is not None
    write_micrograph(first, tmp_path / "m" / f"{names[0]}.mrc")
    write_micrograph(replace(second, pixels=fine, pixel_size_angstrom=second.pixel_size_angstrom / 2),
                     tmp_path / "m" / f"{names[1]}.mrc")  # fmt: skip
    stretched = truth.xy * np.where(truth.micrograph == names[1], 2.0, 1.0)[:, None]
    table = replace(truth, xy=stretched, diameter_pixels=None)
    write_picks(table.of(names[:1]), tmp_path / "train.csv")
    write_picks(table.of(names[1:]), tmp_path / "validation.csv")
    files = LabelFiles(tmp_path / "train.csv", tmp_path / "validation.csv")
    dataset, _ = gather_dataset([tmp_path / "m"], ParticleSize(180), files)

    made = train(dataset, choose_settings(assignments=TINY), Run(tmp_path / "run"))

    assert made.summary()["validation"]["tolerance_pixels"] == pytest.approx(DIAMETER_PIXELS, rel=0.02)


def test_labels_with_many_decimals_can_be_resumed(easy_data: Path, tmp_path: Path) -> None:
    """Files keep a millionth of a pixel."""
    truth = read_picks(easy_data / "one.csv")
    dataset, _ = gather_dataset([easy_data / "micrographs"], ParticleSize(180), LabelFiles(easy_data / "one.csv"))
    odd = replace(dataset, labels=replace(truth, xy=truth.xy + 1e-7 / 3))
    settings = choose_settings(assignments=TINY)

    first = train(odd, settings, Run(tmp_path / "run"))
    again = train(odd, settings, Run(tmp_path / "run"), resumes=True)

    assert weights(first.folder) == weights(again.folder)
