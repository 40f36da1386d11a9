"""`cryoglean show patches`: the look that tells right labels from wrong ones, from a shell."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cryoglean.cli.main import run
from cryoglean.io.patches import Patches, write_npz_patches
from cryoglean.io.picks import read_picks, write_picks

Capture = pytest.CaptureFixture[str]
DIAMETER = ("--diameter-angstrom", "180")


def call(*words: object) -> int:
    return run([str(word) for word in words])


def refused(capsys: Capture, code: int, *words: object) -> str:
    capsys.readouterr()

    assert call("show", "patches", *words) == code

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    return said.err


def mean_pictures(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The two means as drawn, grey 0 to 255; the circles' colour is left out as nan.

    The figure is 11.72 patches wide, and a mean has the side of 3 patches and 2 gaps of 0.06.
    """
    with Image.open(path) as opened:
        picture = np.asarray(opened.convert("RGB"), dtype=float)
    unit = picture.shape[1] / 11.72
    coloured = np.ptp(picture, axis=2) > 0
    grey = np.where(coloured, np.nan, picture.mean(axis=2))
    block = 0.36 + 3 * 1.06 + 0.06
    tops = [round((place * block + 0.36) * unit) + 2 for place in (0, 1)]
    side, left = round(3.12 * unit) - 4, round(0.06 * unit) + 2
    first, second = (grey[top : top + side, left : left + side] for top in tops)
    return first, second


def middle_against_rim(mean: np.ndarray) -> float:
    """The mean grey of the middle (a quarter of the side) minus that of the outermost eighth."""
    y, x = np.mgrid[: mean.shape[0], : mean.shape[1]]
    away = np.maximum(np.abs(2 * y / mean.shape[0] - 1), np.abs(2 * x / mean.shape[1] - 1))
    return float(np.nanmean(mean[away < 0.25]) - np.nanmean(mean[away > 0.875]))


@pytest.fixture(scope="module")
def drawn(easy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("drawn") / "patches.png"
    words = [easy_data / "micrographs", "--picks", easy_data / "labels.csv", *DIAMETER, "--out", out]
    assert call("show", "patches", *words) == 0
    return out


def test_positive_patches_have_a_bright_middle_and_unlabelled_ones_have_not(drawn: Path) -> None:
    positive, unlabelled = mean_pictures(drawn)

    assert middle_against_rim(positive) > 40
    assert abs(middle_against_rim(unlabelled)) < 10


def test_it_says_how_many_and_how_many_were_too_near_to_an_edge(
    easy_data: Path, tmp_path: Path, capsys: Capture
) -> None:
    """20 pixels are a diameter of 180 angstrom, so 48 pixels are 432 angstrom."""
    picks = read_picks(easy_data / "one.csv")
    folder = easy_data / "micrographs"

    assert call("show", "patches", folder / "simulated_0000.mrc", "--picks", easy_data / "one.csv", *DIAMETER,
                "--out", tmp_path / "a.png") == 0  # fmt: skip

    said = capsys.readouterr().out.split()
    assert said[1:9] == ["positive", "and", "200", "unlabelled", "patches", "of", "48", "x"]
    assert int(said[0]) + int(said[11]) == len(picks)
    assert 0 < int(said[0]) < len(picks)
    assert said[-1] == str(tmp_path / "a.png")


@pytest.mark.parametrize("how", ["swapped", "flipped", "shifted"])
def test_wrong_coordinates_show_in_the_mean(how: str, easy_data: Path, drawn: Path, tmp_path: Path) -> None:
    """384 x 384 micrographs: x and y exchanged, y upside down, or all 40 % of a diameter to the side."""
    picks = read_picks(easy_data / "labels.csv")
    x, y = picks.xy.T
    diameter = float(np.median(picks.diameter_pixels))
    wrong = {"swapped": (y, x), "flipped": (x, 383 - y), "shifted": (x + 0.4 * diameter, y)}[how]
    write_picks(replace(picks, xy=np.stack(wrong, axis=1)), tmp_path / "wrong.csv")

    assert call("show", "patches", easy_data / "micrographs", "--picks", tmp_path / "wrong.csv", *DIAMETER,
                "--out", tmp_path / "wrong.png") == 0  # fmt: skip

    mean, _ = mean_pictures(tmp_path / "wrong.png")
    assert middle_against_rim(mean) < 0.7 * middle_against_rim(mean_pictures(drawn)[0])


def test_light_particles_are_turned_bright_too(easy_data: Path, tmp_path: Path) -> None:
    """Said to be light where they are dark, they come out dark."""
    words = [easy_data / "micrographs", "--picks", easy_data / "labels.csv", *DIAMETER, "--contrast", "light"]

    assert call("show", "patches", *words, "--out", tmp_path / "a.png") == 0

    assert middle_against_rim(mean_pictures(tmp_path / "a.png")[0]) < -40


def test_the_same_call_draws_the_same_and_another_seed_something_else(
    easy_data: Path, drawn: Path, tmp_path: Path
) -> None:
    words = [easy_data / "micrographs", "--picks", easy_data / "labels.csv", *DIAMETER]

    assert call("show", "patches", *words, "--seed", 0, "--out", tmp_path / "again.png") == 0
    assert call("show", "patches", *words, "--seed", 1, "--out", tmp_path / "other.png") == 0

    assert (tmp_path / "again.png").read_bytes() == drawn.read_bytes()
    assert (tmp_path / "other.png").read_bytes() != drawn.read_bytes()


@pytest.mark.parametrize("suffix", [".pt", ".npz"])
def test_a_file_of_patches_is_drawn(suffix: str, tmp_path: Path, capsys: Capture) -> None:
    """With `.pt` as the notes have it; the particle is 8 pixels right of and below the middle, and so it is drawn."""
    random = np.random.default_rng(0)
    positive, unlabelled = random.normal(size=(2, 60, 40, 40)).astype(np.float32)
    positive[:, 25:32, 25:32] += 3
    path = tmp_path / f"patches{suffix}"
    if suffix == ".npz":
        write_npz_patches(Patches(positive, unlabelled[:30]), path)
    else:
        tensors = {"positive": torch.from_numpy(positive)[:, None], "unlabeled": torch.from_numpy(unlabelled[:30])}
        torch.save({"patches": tensors}, path)

    assert call("show", "patches", path, "--diameter-pixels", 17, "--out", tmp_path / "a.png") == 0

    out = capsys.readouterr().out
    assert out == f"60 positive and 30 unlabelled patches of 40 x 40 pixels: {tmp_path / 'a.png'}\n"
    mean, _ = mean_pictures(tmp_path / "a.png")
    y, x = (float(np.mean(place)) * 40 / mean.shape[0] for place in np.nonzero(np.nan_to_num(mean) > 200))
    assert (y, x) == pytest.approx((28.5, 28.5), abs=1.0)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["mics"], "--picks: it is missing. Micrographs need both, a file of patches neither."),
        (["mics", "--picks=labels.csv"], "--diameter-angstrom: it is missing."),
        (["mics", "--picks=labels.csv", "--diameter-angstrom=0"], "--diameter-angstrom: it is 0.0"),
        (["mics", "--picks=labels.csv", *DIAMETER, "--seed=-1"], "--seed: it is -1. Give 0 or more."),
        (["mics", "--picks=labels.csv", *DIAMETER, "--diameter-pixels=20"], "Give --diameter-angstrom."),
        (["mics", "--picks=labels.csv", *DIAMETER, "--truth=labels.csv"], "--truth: it changes nothing for patches."),
        (["a.npz", "b.npz"], "b.npz: 2 files were given. Give one file of patches."),
        (["a.npz", "--picks=labels.csv"], "--picks: it is for micrographs. a.npz holds the patches itself."),
        (["a.npz", "--pixel-size-angstrom=1"], "--pixel-size-angstrom: it is for micrographs."),
        (["a.npz", "--out=a.jpg"], "Call it .png."),
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(words: list[str], says: str, capsys: Capture) -> None:
    out = [] if any(word.startswith("--out") for word in words) else ["--out=a.png"]

    assert says in refused(capsys, 2, *words, *out)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["show", "micrograph", "a.mrc", "--seed=1", "--out=a.png"], "--seed: it changes nothing for micrograph."),
        (["show", "micrograph", "a.mrc", "--contrast=dark", "--out=a.png"], "--contrast: it changes nothing"),
        (["show", "micrograph", "a.mrc", "b.mrc", "--out=a.png"], "2 micrographs were given. Give one."),
        (["show", "micrograph", "--out=a.png"], "0 micrographs were given. Give one."),
        (["show", "patchs", "a.mrc", "--out=a.png"], "patchs"),
    ],
)
def test_options_of_patches_change_nothing_on_a_micrograph(words: list[str], says: str, capsys: Capture) -> None:
    assert call(*words) == 2
    assert says in capsys.readouterr().err


def test_files_that_can_not_be_used_are_clear_errors(easy_data: Path, tmp_path: Path, capsys: Capture) -> None:
    folder, labels = easy_data / "micrographs", easy_data / "labels.csv"
    picks = read_picks(labels)
    far = replace(picks, xy=picks.xy + 5000)
    write_picks(far, tmp_path / "far.csv")
    np.savez(tmp_path / "wrong.npz", positive=np.zeros((2, 9, 9)), negative=np.zeros((2, 9, 9)))
    out = ("--out", tmp_path / "a.png")

    assert "no label matches" in refused(capsys, 1, folder / "simulated_0003.mrc", "--picks", labels, *DIAMETER, *out)
    assert "lie outside" in refused(capsys, 1, folder, "--picks", tmp_path / "far.csv", *DIAMETER, *out)
    assert "'positive', 'negative'" in refused(capsys, 1, tmp_path / "wrong.npz", *out)
    assert "no such file" in refused(capsys, 1, tmp_path / "none.pt", *out)
    assert not (tmp_path / "a.png").exists()


def test_picks_below_a_threshold_are_left_out(easy_data: Path, tmp_path: Path, capsys: Capture) -> None:
    picks = read_picks(easy_data / "labels.csv")
    write_picks(replace(picks, score=np.linspace(0, 1, len(picks))), tmp_path / "scored.csv")
    words = [easy_data / "micrographs", "--picks", tmp_path / "scored.csv", *DIAMETER, "--threshold"]
    counts = []
    for threshold in (0, 0.5):
        assert call("show", "patches", *words, threshold, "--out", tmp_path / "a.png") == 0
        counts.append(int(capsys.readouterr().out.split()[0]))

    assert counts[1] < 0.75 * counts[0]
    assert "no particle" in refused(capsys, 1, *words, 1.5, "--out", tmp_path / "b.png")
