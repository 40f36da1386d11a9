"""Names of micrographs, the micrograph, the run folder, the errors, the cards."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from cryoglean.durable import append_json_line
from cryoglean.errors import CryogleanError, MicrographError, RunError, SettingsError
from cryoglean.micrograph import Micrograph, micrograph_name
from cryoglean.registry import card_names, card_summary, kinds, load_card
from cryoglean.run import Run


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("MotionCorr/job002/May08_03.05.02.mrc", "May08_03.05.02"),
        ("May08_03.05.02", "May08_03.05.02"),
        ("C:\\data\\a b.TIFF", "a b"),
        ("a.mrc.gz", "a"),
        ("a.mrc.jpg", "a"),
        ("x/001_patch_aligned_doseweighted.mrc", "001_patch_aligned_doseweighted"),
        ("a.star", "a.star"),
    ],
)
def test_a_micrograph_is_known_by_its_name_without_folder_and_picture_suffix(path: str, name: str) -> None:
    assert micrograph_name(path) == name
    assert micrograph_name(name) == name


def test_a_stack_is_no_micrograph() -> None:
    with pytest.raises(MicrographError, match="not \\(y, x\\)"):
        Micrograph("a", np.zeros((3, 4, 5), dtype=np.float32))


@pytest.mark.parametrize("size", [0.0, -1.0, float("nan")])
def test_a_pixel_size_is_above_zero(size: float) -> None:
    with pytest.raises(MicrographError, match="pixel size"):
        Micrograph("a", np.zeros((4, 5), dtype=np.float32), size)


def test_an_error_says_what_where_and_what_to_do_on_one_line() -> None:
    error = CryogleanError("no particle in it.", where="a.csv", fix="Check\nit.")

    assert str(error) == "a.csv: no particle in it. Check it."


def test_errors_cross_process_borders() -> None:
    error = pickle.loads(pickle.dumps(MicrographError("torn", where="a.mrc", fix="Copy it again.")))

    assert isinstance(error, MicrographError)
    assert str(error) == "a.mrc: torn. Copy it again."


def test_a_step_made_twice_counts_once(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for loss in (3.0, 2.0):
        append_json_line(run.events_file, {"event": "step", "phase": "final", "step": 1, "loss": loss})
    append_json_line(run.events_file, {"event": "validation", "phase": "final", "step": 1})

    assert [event["loss"] for event in run.events("step")] == [2.0]
    assert len(run.events()) == 2


def test_a_run_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"summary\.json is missing"):
        Run(tmp_path).summary()
    assert "not finished" in Run(tmp_path)._repr_html_()


def test_a_broken_json_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{")

    with pytest.raises(RunError, match="not JSON"):
        Run(tmp_path).read_json(Run(tmp_path).model_file)


@pytest.mark.parametrize("kind", kinds())
def test_every_card_has_a_summary_of_one_line(kind: str) -> None:
    assert card_names(kind)
    for name in card_names(kind):
        assert 10 < len(card_summary(kind, name)) < 140


def test_an_unknown_card_proposes_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean focal"):
        load_card("losses", "focall")
