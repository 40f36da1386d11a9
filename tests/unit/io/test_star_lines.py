"""The quick way through plain STAR files gives what gemmi's full parser gives, or nothing."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoglean.io import star_lines
from cryoglean.io.star_lines import read_plain_tables
from cryoglean.io.star_tables import parse_star_tables

GOLDEN = Path(__file__).parents[2] / "golden"
FILES = sorted([*GOLDEN.glob("*.star"), *GOLDEN.glob("*.cbox")])
PIECES = [
    *(b"\n", b"\r\n", b"\r", b"\t", b"\x0b", b"\0", b" ", b"\xc3\xa9", b"\xff", b"'", b'"', b"#", b";", b"\n;x\n;\n"),
    *(b"?", b".", b"$a", b"[", b"_a", b"\n_a 1\n", b"\n# c\n", b"_b #1\n", b"data_", b"\ndata_x\n", b"DATA_y"),
    *(b"data_1.mrc", b"loop_", b"\nloop_\n", b"LOOP_", b"save_", b"stop_", b"global_", b"1_0", b"nan", b"1e5"),
]
TABLE = b"data_\n\nloop_\n_a #1\n_b #2\n"


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(star_lines, "_PIECE_BYTES", 64)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_written_files_are_read_the_quick_way(path: Path) -> None:
    content = path.read_bytes()
    tables = read_plain_tables(io.BytesIO(content))

    if tables is None:  # tables without a row are left to gemmi
        assert not all(all(table.values()) for table in parse_star_tables(content).values())
    else:
        assert tables == parse_star_tables(content)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
@pytest.mark.usefixtures("small_pieces")
def test_damaged_files_are_read_as_gemmi_reads_them_or_left_to_it(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(FILES)).read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        start, length = data.draw(st.integers(0, len(content))), data.draw(st.sampled_from([0, 0, 1, 5]))
        content[start : start + length] = data.draw(st.sampled_from(PIECES))

    tables = read_plain_tables(io.BytesIO(bytes(content)))

    assert tables is None or tables == parse_star_tables(bytes(content))


@pytest.mark.parametrize(
    "rows",
    [b"1 'a b'\n", b'1 "x"\n', b"1 ?\n", b"1 .\n", b"1\n", b"1 2\n# why\n3 4\n5\n", b"1\n;\ntext\n;\n", b"1 data_x\n"],
)
def test_what_needs_a_full_parser_is_left_to_it(rows: bytes) -> None:
    assert read_plain_tables(io.BytesIO(TABLE + rows)) is None


def test_comments_between_tables_and_windows_ends_of_line_are_plain() -> None:
    content = b"# version 30001\r\n\r\ndata_a\r\n\r\n_x 1\r\n# version 30001\r\ndata_b\r\nloop_\r\n_y #1\r\n2\r\n3\r\n"

    assert read_plain_tables(io.BytesIO(content)) == {"a": {"x": ["1"]}, "b": {"y": ["2", "3"]}}


def test_numbers_come_as_numbers_where_they_are_asked_for() -> None:
    tables = read_plain_tables(io.BytesIO(TABLE + b"1 2\n0.1 nan\n-1e-3 x\n"), numbers=("a",))

    assert tables is not None
    assert tables[""]["a"].tolist() == [1, 0.1, -1e-3]
    assert tables[""]["b"] == ["2", "nan", "x"]
    assert read_plain_tables(io.BytesIO(TABLE + b"1_0 2\n"), numbers=("a",)) is None


def test_a_text_that_comes_often_is_in_memory_once() -> None:
    tables = read_plain_tables(io.BytesIO(TABLE + b"".join(b"%d mic1.mrc\n" % row for row in range(1000))))

    assert tables is not None
    assert len({id(text) for text in tables[""]["b"]}) == 1
    assert np.array(tables[""]["a"], dtype=int).tolist() == list(range(1000))
