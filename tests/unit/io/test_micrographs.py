"""Which files a user means, and reading them whatever they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cryoglean.errors import MicrographError
from cryoglean.io.micrographs import find_micrographs, read_micrograph, read_micrograph_shape, write_micrograph
from cryoglean.micrograph import Micrograph

PIXELS = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A RELION project with three micrographs, run from its folder."""
    for name in ("b.mrc", "a.mrc", "c d.mrc"):
        write_micrograph(Micrograph("x", PIXELS, 1.5), tmp_path / "Motion" / "job002" / name)
    (tmp_path / "Motion" / "job002" / "README.txt").write_text("hello", encoding="utf-8")
    (tmp_path / "Motion" / "job002" / "._a.mrc").write_bytes(b"resource fork")
    (tmp_path / "Motion" / "micrographs.star").write_text(
        "data_micrographs\nloop_\n_rlnMicrographName\nMotion/job002/b.mrc\nMotion/job002/a.mrc\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["Motion/job002/b.mrc", "Motion/job002/a.mrc"], ["b.mrc", "a.mrc"]),
        (["Motion/job002"], ["a.mrc", "b.mrc", "c d.mrc"]),
        (["Motion/job002/?.mrc"], ["a.mrc", "b.mrc"]),
        (["Motion/job002/*"], ["a.mrc", "b.mrc", "c d.mrc"]),
        (["Motion/**/b.mrc"], ["b.mrc"]),
        (["Motion/micrographs.star"], ["b.mrc", "a.mrc"]),
        (["Motion/job002/b.mrc", "Motion/job002"], ["b.mrc", "a.mrc", "c d.mrc"]),
        (["Motion/job002/README.txt"], ["README.txt"]),
    ],
)
@pytest.mark.usefixtures("project")
def test_files_folders_patterns_and_star_files_are_found(arguments: list[str | Path], expected: list[str]) -> None:
    """In the order said; folders and patterns sorted; the same file once; hidden and foreign files left out."""
    assert names(find_micrographs(arguments)) == expected


def test_the_same_file_under_two_paths_counts_once_and_the_first_stands(project: Path) -> None:
    first, second = Path("Motion/job002/b.mrc"), project / "Motion" / "job002" / "b.mrc"

    assert find_micrographs([first, second]) == [first]


def test_a_star_file_works_from_another_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths in it count from the project's folder, which is a parent of the STAR file."""
    monkeypatch.chdir(project.parent)

    assert names(find_micrographs([project / "Motion" / "micrographs.star"])) == ["b.mrc", "a.mrc"]


def test_the_old_star_files_of_relion_work_too(project: Path) -> None:
    star = project / "old.star"
    star.write_text("data_\n\nloop_ \n_rlnMicrographName #1 \nMotion/job002/a.mrc \n \n", encoding="utf-8")

    assert names(find_micrographs([star])) == ["a.mrc"]


def test_two_files_of_one_name_are_refused(project: Path) -> None:
    """Picks go by name; a preview beside its micrograph would be taken for it."""
    (project / "Motion" / "job002" / "a.png").write_bytes(b"preview")

    with pytest.raises(MicrographError, match=r"two files are the micrograph 'a'.*a\.mrc.*a\.png"):
        find_micrographs(["Motion/job002"])


@pytest.mark.parametrize(
    ("argument", "fault"),
    [
        ("nowhere", "no such file"),
        ("nowhere/*.mrc", "no file matches"),
        ("Motion", "holds no micrograph.*are not searched"),
        ("missing.star", "no such file"),
        ("absent.star", "1 of its 2 micrographs are not there, gone.mrc"),
        ("other.star", "no _rlnMicrographName"),
        ("broken.star", "not STAR"),
        ("\0", "can't be opened|no such file"),
        ("x" * 5000, "can't be opened|no such file"),
    ],
)
def test_what_gives_nothing_is_refused(argument: str, fault: str, project: Path) -> None:
    (project / "absent.star").write_text(
        "data_\nloop_\n_rlnMicrographName\nMotion/job002/a.mrc\ngone.mrc\n", encoding="utf-8"
    )
    (project / "other.star").write_text("data_\n_a 1\n", encoding="utf-8")
    (project / "broken.star").write_text("hello", encoding="utf-8")

    with pytest.raises(MicrographError, match=fault):
        find_micrographs([argument])


def test_no_argument_is_refused() -> None:
    with pytest.raises(MicrographError, match="no micrograph was given"):
        find_micrographs([])


def test_a_given_pixel_size_overrides_the_header(project: Path) -> None:
    path = project / "Motion" / "job002" / "a.mrc"

    assert read_micrograph(path).pixel_size_angstrom == 1.5
    assert read_micrograph(path, 2.25).pixel_size_angstrom == 2.25
    with pytest.raises(MicrographError, match="pixel size"):
        read_micrograph(path, -1.0)


def test_content_counts_more_than_the_suffix(project: Path) -> None:
    """An MRC file called .tif is read as MRC."""
    path = (project / "Motion" / "job002" / "a.mrc").rename(project / "a.tif")

    np.testing.assert_array_equal(read_micrograph(path).pixels, PIXELS)
    assert read_micrograph_shape(path) == (3, 4)


def test_what_is_no_picture_is_refused(project: Path) -> None:
    with pytest.raises(MicrographError, match=r"README.txt: it is none of MRC, TIFF, PNG and JPEG"):
        read_micrograph(project / "Motion" / "job002" / "README.txt")
    with pytest.raises(MicrographError, match="can't be opened"):
        read_micrograph(project / "missing.mrc")


def test_a_micrograph_survives_the_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mic.v2.mrc"
    write_micrograph(Micrograph("mic", PIXELS, 1.77), path)

    back = read_micrograph(path)

    np.testing.assert_array_equal(back.pixels, PIXELS)
    assert (back.name, back.pixel_size_angstrom, back.path) == ("mic.v2", 1.77, path)
    assert list(path.parent.iterdir()) == [path]


def test_only_mrc_is_written(tmp_path: Path) -> None:
    with pytest.raises(MicrographError, match=r"Call it \.mrc"):
        write_micrograph(Micrograph("mic", PIXELS), tmp_path / "mic.png")
