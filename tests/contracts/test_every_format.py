"""What every card in `io/formats` promises; a new card is tested by being there."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoglean.errors import PicksError
from cryoglean.io.pick_cards import card_of_file
from cryoglean.io.picks_file import name_from_picks_file
from cryoglean.micrograph import micrograph_name
from cryoglean.picks import Picks
from cryoglean.registry import card_names, load_card

GOLDEN = Path(__file__).parents[1] / "golden"
every_format = pytest.mark.parametrize("card", card_names("formats"))

SHAPE = (4096, 4100)

coordinates = st.floats(min_value=-1e4, max_value=1e4, allow_nan=False)
scores = st.floats(allow_nan=False, allow_infinity=False, width=32)
names = st.text(alphabet="abcXYZ019._- +()é#\"'[];,", min_size=1, max_size=20).map(micrograph_name).filter(bool)
rows = st.lists(st.tuples(names, coordinates, coordinates, scores), max_size=8)


class AnyShape(dict[str, tuple[int, int]]):
    """Every micrograph is of one shape."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> tuple[int, int]:
        return SHAPE


@pytest.fixture
def three_picks() -> Picks:
    return Picks(
        np.array(["May08_03.05.02", "May08_03.05.02", "b-DW"]),
        np.array([[10.25, 20.5], [1 / 3, 4095.123456], [-2.0, 0.0]]),
        score=np.array([0.9, 1e-9, -6.5]),
        micrographs=("May08_03.05.02", "empty_one", "b-DW"),
    )


def path_of(folder: Path, card: str) -> Path:
    return folder / f"{card}{load_card('formats', card).SUFFIXES[0]}"


def golden_of(card: str) -> Path:
    module = load_card("formats", card)
    return GOLDEN / f"{card}_b-DW{module.FACTS.ending}" if module.FACTS.ending else path_of(GOLDEN, card)


def write_card(card: str, picks: Picks, path: Path) -> None:
    """What the card alone writes; the micrographs are of one shape and the boxes of one size."""
    module = load_card("formats", card)
    if "box" in module.FACTS.needs and picks.diameter_pixels is None:
        picks = replace(picks, extra={**picks.extra, "box_width_pixels": np.full(len(picks), 41.0)})
    if "shape" in module.FACTS.needs:
        module.write(picks, path, AnyShape())
    else:
        module.write(picks, path)


def round_trip(card: str, picks: Picks) -> Picks:
    """Written and read again, in a file or in one for each micrograph; without micrographs' own convention of y."""
    module = load_card("formats", card)
    with tempfile.TemporaryDirectory() as folder:
        if not module.FACTS.ending:
            path = path_of(Path(folder), card)
            write_card(card, picks, path)
            return module.read(path)
        if any("/" in name or name.startswith(".") for name in picks.micrographs):
            raise PicksError("no file's name")
        parts = []
        for name, part in picks.each():
            path = Path(folder) / f"{name}{module.FACTS.ending}"
            write_card(card, part, path)
            parts.append(module.read(path))
        return Picks.concatenate(parts)


def assert_same_picks(back: Picks, picks: Picks, card: str) -> None:
    facts = load_card("formats", card).FACTS
    with_picks = set(picks.micrograph.tolist())
    assert set(back.micrographs) == (set(picks.micrographs) if "empty" in facts.keeps else with_picks)
    assert len(back) == len(picks)
    for name in with_picks:
        here, there = picks.on(name), back.on(name)
        np.testing.assert_allclose(there.xy, here.xy, rtol=0, atol=facts.rounding_pixels + 1e-9)
        if here.score is not None and "score" in facts.keeps:
            np.testing.assert_allclose(
                there.score, here.score, rtol=facts.score_rounding, atol=1e-38 * (facts.score_rounding > 0)
            )


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
    """Coordinates come back to the stated precision, scores too, empty micrographs as empty."""
    assert_same_picks(round_trip(card, three_picks), three_picks, card)


@every_format
def test_zero_picks_come_back_as_zero_picks(card: str) -> None:
    back = round_trip(card, Picks.empty(["mic1", "mic2"]))

    assert len(back) == 0
    assert back.micrographs == (("mic1", "mic2") if "empty" in load_card("formats", card).FACTS.keeps else ())


@every_format
def test_labels_without_scores_stay_without_scores(card: str) -> None:
    back = round_trip(card, Picks.of_one("mic1", np.array([[1.0, 2.0]])))

    assert back.score is None
    np.testing.assert_allclose(back.xy, [[1.0, 2.0]], atol=load_card("formats", card).FACTS.rounding_pixels)


@every_format
def test_diameters_and_further_columns_survive_where_the_card_says_so(card: str) -> None:
    picks = Picks(
        np.array(["mic1", "mic1"]),
        np.array([[1.0, 2.0], [3.0, 4.0]]),
        diameter_pixels=np.array([40.5, 41.0]),
        extra={"label": np.array(["good", "bad"])},
    )

    back = round_trip(card, picks)

    keeps = load_card("formats", card).FACTS.keeps
    assert (back.diameter_pixels is not None) == ("diameter" in keeps)
    assert ("label" in back.extra) == ("extra" in keeps)
    if back.diameter_pixels is not None:
        assert back.diameter_pixels.tolist() == [40.5, 41.0]
    if "label" in back.extra:
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
    if any(name_from_picks_file(Path(f"{name}.x")) != name for name in picks.micrographs):
        return  # a file called mic_picks.box belongs to mic

    try:
        back = round_trip(card, picks)
    except PicksError:
        assert any(sign in name for name in picks.micrographs for sign in " \"'#é.")
        return

    assert_same_picks(back, picks, card)


@every_format
def test_a_dotted_name_is_kept_whole(card: str) -> None:
    """Only picture suffixes are taken off a name; other dots stay."""
    picks = Picks.of_one("tomo.12.0", np.array([[1.0, 2.0]]))

    assert round_trip(card, picks).micrographs == ("tomo.12.0",)


@every_format
def test_golden_file(card: str, three_picks: Picks, tmp_path: Path) -> None:
    """The bytes written today are those in tests/golden; a change of the format is a decision, not an accident."""
    golden = golden_of(card)
    picks = three_picks.on("b-DW") if load_card("formats", card).FACTS.ending else three_picks
    write_card(card, picks, tmp_path / golden.name)

    assert (tmp_path / golden.name).read_bytes() == golden.read_bytes()


@every_format
def test_writing_twice_makes_the_same_bytes(card: str, tmp_path: Path) -> None:
    path = tmp_path / golden_of(card).name
    shutil.copy(golden_of(card), path)
    write_card(card, load_card("formats", card).read(path), path)

    assert path.read_bytes() == golden_of(card).read_bytes()


@every_format
def test_its_file_is_known_by_suffix_and_by_content(card: str, tmp_path: Path) -> None:
    golden = golden_of(card)
    with_suffix, without = tmp_path / golden.name, tmp_path / "picks"
    shutil.copy(golden, with_suffix)
    shutil.copy(golden, without)

    for path in (with_suffix, without):
        found = card_of_file(path)
        assert found is not None
        assert found.__name__.endswith(f".{card}")


@every_format
@pytest.mark.parametrize(
    "content", [b"", b"hello world\n", b"\x89PNG\r\n\x1a\n" + bytes(60), b"1 2 3\n4 5 6\n", b"{}{}", b"data_\n"]
)
def test_a_foreign_file_is_refused_in_one_line_that_names_it(card: str, content: bytes, tmp_path: Path) -> None:
    if card == "box" and not content:
        pytest.skip("an empty .box is a micrograph without particles")
    path = path_of(tmp_path, card)
    path.write_bytes(content)

    with pytest.raises(PicksError) as caught:
        load_card("formats", card).read(path)

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
    assert read_or_refuse(card, soup)


@every_format
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_damaged_file_gives_picks_or_our_error(card: str, data: st.DataObject) -> None:
    """A good file with pieces overwritten, cut out or put in raises nothing but PicksError."""
    content = bytearray(golden_of(card).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 12))
        content[start : start + length] = data.draw(st.binary(max_size=12) | st.sampled_from(_TOKENS))

    assert read_or_refuse(card, bytes(content))


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


def read_or_refuse(card: str, content: bytes) -> bool:
    module = load_card("formats", card)
    with tempfile.TemporaryDirectory() as folder:
        path = path_of(Path(folder), card)
        path.write_bytes(content)
        module.sniff(content[:1024])
        try:
            return isinstance(module.read(path), Picks)
        except PicksError as error:
            return "\n" not in str(error)
