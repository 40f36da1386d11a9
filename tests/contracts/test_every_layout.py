"""What every card in `io/layouts` promises; a new card needs a maker in `tests/story/layout_makers.py`."""

from __future__ import annotations

import sys
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryoglean.dataset import ParticleSize
from cryoglean.errors import SettingsError
from cryoglean.gather import gather_dataset
from cryoglean.io.folder_datasets import find_folder_dataset, layouts_of
from cryoglean.picks import Picks
from cryoglean.registry import card_names, card_summary

sys.path.insert(0, str(Path(__file__).parents[1] / "story"))
from layout_makers import DIAMETER_PIXELS, MAKERS, Made, make_lite

every_layout = pytest.mark.parametrize("name", card_names("layouts"))
NAMES = ("mic_a", "mic_b", "mic_c", "mic_d", "mic_e")
ROWS, COLUMNS = 60, 90


@pytest.fixture(scope="module")
def micrographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five small MRC files of noise."""
    folder = tmp_path_factory.mktemp("plain")
    rng = np.random.default_rng(0)
    for name in NAMES:
        with mrcfile.new(folder / f"{name}.mrc") as file:
            file.set_data(rng.normal(size=(ROWS, COLUMNS)).astype(np.float32))
            file.voxel_size = 4.0
    return folder


def labels() -> Picks:
    """Ten particles on each of the first two, in whole pixels."""
    rng = np.random.default_rng(1)
    xy = np.stack([rng.integers(5, COLUMNS - 5, 20), rng.integers(5, ROWS - 5, 20)], axis=1).astype(float)
    return Picks(np.repeat(NAMES[:2], 10), xy)


def check(made: Made, name: str) -> None:
    """It is recognised as what it is, and opens with the right micrographs, roles and labels."""
    dataset, missing = gather_dataset([made.folder], ParticleSize(100.0, 4.0), None)

    assert layouts_of(made.folder) == (name,)
    assert missing == {}
    assert dataset.roles == made.roles
    assert {path.stem for path in dataset.paths.values()} == set(NAMES)
    assert all(path.is_file() for path in dataset.paths.values())
    for micrograph in made.labels.micrographs:
        found, true = dataset.labels.on(micrograph).xy, made.labels.on(micrograph).xy
        assert np.abs(np.sort(found, axis=0) - np.sort(true, axis=0)).max() <= 1.0
    assert dataset.source is not None
    assert dataset.source.layout == name
    assert all(Path(file).exists() for file in dataset.source.files)


def test_each_layout_has_a_maker() -> None:
    assert sorted(MAKERS) == list(card_names("layouts"))


@every_layout
def test_it_says_what_it_is_and_the_page_shows_its_tree(name: str) -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "data-sets.md"

    assert len(card_summary("layouts", name)) > 20
    assert f"(`{name}`)" in page.read_text(encoding="utf-8")


@every_layout
def test_its_folder_is_its_alone_and_opens(micrographs: Path, tmp_path: Path, name: str) -> None:
    check(MAKERS[name](micrographs, labels(), tmp_path / "data"), name)


def test_pictures_of_cryoppp_lite_are_not_turned_over(micrographs: Path, tmp_path: Path) -> None:
    check(made := make_lite(micrographs, labels(), tmp_path / "data"), "cryoppp")

    source = gather_dataset([made.folder], ParticleSize(None, 4.0), None)[0].source
    assert source is not None
    assert not source.y_turned


@every_layout
def test_the_diameter_may_come_from_the_labels(micrographs: Path, tmp_path: Path, name: str) -> None:
    made = MAKERS[name](micrographs, labels(), tmp_path / "data")
    size = ParticleSize(None, None if made.says_pixel_size else 4.0)

    if name in ("cryoppp", "cryotransformer"):
        dataset, _ = gather_dataset([made.folder], size, None)
        assert dataset.diameter_angstrom == pytest.approx(4.0 * DIAMETER_PIXELS)
    else:
        with pytest.raises(SettingsError, match="--diameter-angstrom: it is needed: the labels have none"):
            gather_dataset([made.folder], size, None)


@every_layout
def test_it_opens_from_anywhere(micrographs: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = MAKERS[name](micrographs, labels(), tmp_path / "data")
    monkeypatch.chdir(made.folder.parent)
    here = gather_dataset([made.folder.name], ParticleSize(100.0, 4.0), None)[0]
    monkeypatch.chdir(made.folder)
    inside = gather_dataset(["."], ParticleSize(100.0, 4.0), None)[0]

    assert here.roles == inside.roles == made.roles
    assert np.array_equal(here.labels.xy, inside.labels.xy)


def test_plain_micrographs_are_no_layout(micrographs: Path, tmp_path: Path) -> None:
    assert layouts_of(micrographs) == ()
    assert layouts_of(tmp_path) == ()
    assert layouts_of(tmp_path / "missing") == ()
    assert find_folder_dataset([micrographs, micrographs]) is None
    with pytest.raises(SettingsError, match="cryoglean list layouts"):
        gather_dataset([micrographs], ParticleSize(100.0), None)
