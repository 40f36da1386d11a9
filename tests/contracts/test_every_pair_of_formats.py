"""From every format to every other and back: what both can hold is still there, rows turned over where they must be."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.micrographs import micrographs_by_name
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.picks import Picks
from cryoglean.registry import card_names, load_card

FORMATS = card_names("formats")
SHAPES = {"May08_03.05.02": (301, 400), "b-DW": (256, 257), "FoilHole_20_Data.1": (200, 333), "tile_7": (123, 77)}
PICTURES = ("FoilHole_20_Data.1", "tile_7")  # PNG, the others are MRC
SIDE = 42.0

rows = st.tuples(
    st.sampled_from(sorted(SHAPES)),
    st.floats(min_value=-50, max_value=450, allow_nan=False),
    st.floats(min_value=-50, max_value=450, allow_nan=False),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.floats(min_value=0.5, max_value=500),
)


@pytest.fixture(scope="module")
def micrographs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("micrographs")
    paths = []
    for name, (height, width) in SHAPES.items():
        if name in PICTURES:
            paths.append(folder / f"{name}.png")
            Image.new("L", (width, height)).save(paths[-1])
        else:
            paths.append(folder / f"{name}.mrc")
            with mrcfile.new(paths[-1]) as file:
                file.set_data(np.zeros((height, width), dtype=np.int8))
    return micrographs_by_name(paths)


def facts_of(card: str) -> FormatFacts:
    facts: FormatFacts = load_card("formats", card).FACTS
    return facts


def there_and_back(picks: Picks, card: str, micrographs: dict[str, Path]) -> Picks:
    """Written and read as a user would; COCO has to be told which way y counts, and every row is turned over."""
    facts, suffix = facts_of(card), load_card("formats", card).SUFFIXES[0]
    flip_y = True if facts.y_axis == "unsaid_for_mrc" else None
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    path = folder / "picks" if facts.ending else folder / f"picks{suffix}"
    try:
        write_picks(picks, path, card, micrographs=micrographs, flip_y=flip_y, box_pixels=SIDE)
        return read_picks(path, card, micrographs=micrographs, flip_y=flip_y)
    finally:
        shutil.rmtree(folder)


def kept(*cards: str) -> set[str]:
    """What all of these formats keep."""
    return set.intersection(*(set(facts_of(card).keeps) for card in cards))


def expect_the_same(back: Picks, picks: Picks, first: str, second: str) -> None:
    keeps = kept(first, second)
    with_picks = set(picks.micrograph.tolist())
    assert set(back.micrographs) == (set(picks.micrographs) if "empty" in keeps else with_picks)
    pixels = 2 * facts_of(first).rounding_pixels + facts_of(second).rounding_pixels
    share = 2 * facts_of(first).score_rounding + facts_of(second).score_rounding
    for name in with_picks:
        here, there = picks.on(name), back.on(name)
        np.testing.assert_allclose(there.xy, here.xy, rtol=0, atol=pixels + 1e-9)
        if "score" in keeps and here.score is not None:
            assert there.score is not None
            np.testing.assert_allclose(there.score, here.score, rtol=share, atol=1e-38 if share else 0)
        if "diameter" in keeps and here.diameter_pixels is not None:
            assert there.diameter_pixels is not None
            assert there.diameter_pixels.tolist() == here.diameter_pixels.tolist()
        if "extra" in keeps:
            assert there.extra["label"].tolist() == here.extra["label"].tolist()


@st.composite
def tables(draw: st.DrawFn) -> Picks:
    """A few particles on one to four micrographs, some without any; scores and diameters or not."""
    chosen = draw(st.lists(rows, min_size=1, max_size=5))
    count = len(chosen)
    return Picks(
        np.array([row[0] for row in chosen]),
        np.array([row[1:3] for row in chosen]),
        score=np.array([row[3] for row in chosen]) if draw(st.booleans()) else None,
        diameter_pixels=np.array([row[4] for row in chosen]) if draw(st.booleans()) else None,
        extra={"label": np.array([f"class_{place}" for place in range(count)])},
        micrographs=tuple(draw(st.lists(st.sampled_from(sorted(SHAPES)), max_size=3))),
    )


@pytest.mark.parametrize("second", FORMATS)
@pytest.mark.parametrize("first", FORMATS)
@settings(max_examples=12, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(picks=tables())
def test_from_one_format_to_another_and_back(
    first: str, second: str, picks: Picks, micrographs: dict[str, Path]
) -> None:
    back = picks
    for card in (first, second, first):
        back = there_and_back(back, card, micrographs)

    expect_the_same(back, picks, first, second)


@pytest.mark.parametrize("card", [card for card in FORMATS if facts_of(card).y_axis != "stored"])
def test_rows_are_turned_over_in_the_file(card: str, micrographs: dict[str, Path], tmp_path: Path) -> None:
    """Of an MRC file, y in the file counts from the other edge; so the identity above is no accident."""
    picks = Picks.of_one("b-DW", np.array([[10.0, 20.0]]))
    path = tmp_path / f"b-DW{load_card('formats', card).SUFFIXES[0]}"

    write_picks(picks, path, card, micrographs=micrographs, flip_y=True, box_pixels=SIDE)

    last = 256 if card == "cryoppp" else 255
    assert read_picks(path, card, flip_y=False).xy.tolist() == [[10.0, last - 20.0]]
    assert read_picks(path, card, micrographs=micrographs, flip_y=True).xy.tolist() == [[10.0, 20.0]]
