"""What every card in `io/formats` promises; a new card is tested by being there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoglean.errors import PicksError
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.micrograph import micrograph_name
from cryoglean.picks import Picks
from cryoglean.registry import card_names, load_card

GOLDEN = Path(__file__).parents[1] / "golden"
every_format = pytest.mark.parametrize("card", card_names("formats"))

coordinates = st.floats(min_value=-1e5, max_value=1e5, allow_nan=False)
scores = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(alphabet="abcXYZ019._- +()é#\"'[];,", min_size=1, max_size=20).map(micrograph_name).filter(bool)
rows = st.lists(st.tuples(names, coordinates, coordinates, scores), max_size=8)


@pytest.fixture
def three_picks() -> Picks:
    return Picks(
        np.array(["May08_03.05.02", "May08_03.05.02", "b-DW"]),
        np.array([[10.25, 20.5], [1 / 3, 4095.123456], [-2.0, 0.0]]),
        score=np.array([0.9, 1e-9, -6.5]),
        micrographs=("May08_03.05.02", "empty_one", "b-DW"),
    )


def path_of(folder: Path, module: ModuleType) -> Path:
    return folder / f"picks{module.SUFFIXES[0]}"


def round_trip(module: ModuleType, picks: Picks) -> Picks:
    with tempfile.TemporaryDirectory() as folder:
        path = path_of(Path(folder), module)
        module.write(picks, path)
        return module.read(path)


def by_micrograph(picks: Picks) -> Iterator[tuple[str, list[list[float]]]]:
    for name in sorted(picks.micrographs):
        yield name, picks.on(name).xy.tolist()


@every_format
def test_says_what_it_is(card: str) -> None:
    """A card has suffixes with a dot, a sentence about the origin, and a docstring."""
    module = load_card("formats", card)

    assert module.SUFFIXES
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in module.SUFFIXES)
    assert "(0, 0)" in module.ORIGIN
    assert module.__doc__


@every_format
def test_what_is_written_is_read_back(card: str, three_picks: Picks) -> None:
    """Coordinates come back to a millionth of a pixel, scores exactly, empty micrographs as empty."""
    back = round_trip(load_card("formats", card), three_picks)

    assert set(back.micrographs) == {"May08_03.05.02", "empty_one", "b-DW"}
    for name in three_picks.micrographs:
        np.testing.assert_allclose(back.on(name).xy, three_picks.on(name).xy, rtol=0, atol=5.1e-7)
        np.testing.assert_array_equal(back.on(name).score, three_picks.on(name).score)


@every_format
def test_zero_picks_come_back_as_zero_picks(card: str) -> None:
    back = round_trip(load_card("formats", card), Picks.empty(["mic1", "mic2"]))

    assert len(back) == 0
    assert back.micrographs == ("mic1", "mic2")


@every_format
def test_labels_without_scores_stay_without_scores(card: str) -> None:
    back = round_trip(load_card("formats", card), Picks.of_one("mic1", np.array([[1.0, 2.0]])))

    assert back.score is None
    assert back.xy.tolist() == [[1.0, 2.0]]


@every_format
def test_diameters_and_further_columns_survive(card: str) -> None:
    picks = Picks(
        np.array(["mic1", "mic1"]),
        np.array([[1.0, 2.0], [3.0, 4.0]]),
        diameter_pixels=np.array([40.5, 41.0]),
        extra={"label": np.array(["good", "bad"])},
    )

    back = round_trip(load_card("formats", card), picks)

    assert back.diameter_pixels is not None
    assert back.diameter_pixels.tolist() == [40.5, 41.0]
    assert back.extra["label"].tolist() == ["good", "bad"]


@every_format
@settings(max_examples=60, deadline=None)
@given(rows=rows, empty=st.lists(names, max_size=3))
def test_any_picks_come_back_or_are_refused(
    card: str, rows: list[tuple[str, float, float, float]], empty: list[str]
) -> None:
    """Names with dots, blanks and worse are either kept as they are, or the format refuses them by name."""
    picks = Picks(
        np.array([row[0] for row in rows], dtype=np.str_),
        np.array([row[1:3] for row in rows]).reshape(-1, 2),
        score=np.array([row[3] for row in rows]),
        micrographs=tuple(empty),
    )

    try:
        back = round_trip(load_card("formats", card), picks)
    except PicksError:
        assert any(sign in name for name in picks.micrographs for sign in " \"'#é")
        return

    assert set(back.micrographs) == set(picks.micrographs)
    assert len(back) == len(picks)
    for (name, xy), (name_back, xy_back) in zip(by_micrograph(picks), by_micrograph(back), strict=True):
        assert name_back == name
        np.testing.assert_allclose(xy_back, xy, rtol=0, atol=5.1e-7)


@every_format
def test_a_dotted_name_is_kept_whole(card: str) -> None:
    """Only picture suffixes are taken off a name; other dots stay."""
    picks = Picks.of_one("tomo.12.0", np.array([[1.0, 2.0]]))

    assert round_trip(load_card("formats", card), picks).micrographs == ("tomo.12.0",)


@every_format
def test_golden_file(card: str, three_picks: Picks, tmp_path: Path) -> None:
    """The bytes written today are those in tests/golden; a change of the format is a decision, not an accident."""
    path = path_of(tmp_path, load_card("formats", card))
    write_picks(three_picks, path)

    assert path.read_text(encoding="utf-8") == (GOLDEN / path.name).read_text(encoding="utf-8")


@every_format
def test_writing_twice_makes_the_same_bytes(card: str, three_picks: Picks, tmp_path: Path) -> None:
    path = path_of(tmp_path, load_card("formats", card))
    write_picks(three_picks, path)
    first = path.read_bytes()
    write_picks(read_picks(path), path)

    assert path.read_bytes() == first


@every_format
def test_its_file_is_known_by_suffix_and_by_content(card: str, three_picks: Picks, tmp_path: Path) -> None:
    module = load_card("formats", card)
    path = path_of(tmp_path, module)
    write_picks(three_picks, path)
    no_suffix = path.rename(tmp_path / "picks")

    assert [name for name in card_names("formats") if load_card("formats", name).sniff(no_suffix.read_bytes())] == [
        card
    ]
    assert len(read_picks(no_suffix)) == 3


@every_format
@pytest.mark.parametrize(
    "content", [b"", b"hello world\n", b"\x89PNG\r\n\x1a\n" + bytes(60), b"1 2 3\n4 5 6\n", b"{}{}", b"data_\n"]
)
def test_a_foreign_file_is_refused_in_one_line_that_names_it(card: str, content: bytes, tmp_path: Path) -> None:
    path = path_of(tmp_path, load_card("formats", card))
    path.write_bytes(content)

    with pytest.raises(PicksError) as caught:
        read_picks(path)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@every_format
def test_a_missing_file_and_a_folder_are_refused(card: str, tmp_path: Path) -> None:
    module = load_card("formats", card)
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(PicksError, match="can't be read"):
            module.read(path)


@every_format
@settings(max_examples=60, deadline=None)
@given(soup=st.binary(max_size=2048))
def test_any_bytes_give_picks_or_our_error(card: str, soup: bytes) -> None:
    """No file, however broken, raises anything but PicksError."""
    assert read_or_refuse(load_card("formats", card), soup)


@every_format
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_damaged_file_gives_picks_or_our_error(card: str, data: st.DataObject) -> None:
    """A good file with pieces overwritten, cut out or put in raises nothing but PicksError."""
    module = load_card("formats", card)
    content = bytearray((GOLDEN / f"picks{module.SUFFIXES[0]}").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 12))
        content[start : start + length] = data.draw(st.binary(max_size=12) | st.sampled_from(_TOKENS))

    assert read_or_refuse(module, bytes(content))


_TOKENS = [
    b"nan",
    b"1e999",
    b"_",
    b"\n",
    b'"',
    b"'",
    b",,",
    b"data_x",
    b"loop_",
    b"[",
    b"]",
    b"{",
    b"null",
    b"\t",
    b";",
]


def read_or_refuse(module: ModuleType, content: bytes) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = path_of(Path(folder), module)
        path.write_bytes(content)
        module.sniff(content[:1024])
        try:
            return isinstance(module.read(path), Picks)
        except PicksError as error:
            return "\n" not in str(error)
