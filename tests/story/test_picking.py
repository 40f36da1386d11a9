"""Picking streams of files: paths kept, faults known before the work, nobody else at the same file."""

import fcntl
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cryoglean.durable import append_json_line, read_json_lines
from cryoglean.errors import PicksError, RunError
from cryoglean.io.micrographs import write_micrograph
from cryoglean.io.picks import read_picks
from cryoglean.journal import Journal
from cryoglean.learn.hardware import Hardware
from cryoglean.learn.picker import Picker, build_network
from cryoglean.micrograph import Micrograph
from cryoglean.picking import pick_files
from cryoglean.picks import Picks
from cryoglean.prepare.normalize import Preparation
from cryoglean.settings import ModelSettings, PickSettings


@pytest.fixture(scope="module")
def picker() -> Picker:
    """An untrained picker that finds something everywhere."""
    preparation = Preparation(100.0, 20.0, 1.5, 5.0, particles_are_dark=False)
    model = ModelSettings(name="lean", widths=(8, 8, 8))
    settings = PickSettings(views=1, floor=0.0)
    network = build_network(model).eval()
    return Picker(network, model, preparation, settings, Hardware(torch.device("cpu"), half=False))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three micrographs of noise."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / "Motion" / "job002" / f"m{number}.mrc" for number in range(3)]
    for path in paths:
        write_micrograph(Micrograph(path.stem, rng.normal(size=(160, 160)).astype(np.float32), 2.5), path)
    return paths


def test_the_star_file_has_the_whole_paths(picker: Picker, files: list[Path], tmp_path: Path) -> None:
    """RELION finds micrographs by the path in _rlnMicrographName."""
    pick_files(picker, files, tmp_path / "picks.star", 0.0)

    text = (tmp_path / "picks.star").read_text()

    assert all(str(path) in text for path in files)
    assert set(read_picks(tmp_path / "picks.star").extra["micrograph_path"]) == {str(path) for path in files}


def test_a_name_that_the_format_can_not_hold_is_refused_before_the_work(
    picker: Picker, files: list[Path], tmp_path: Path
) -> None:
    spaced = files[0].with_name("my micrograph.mrc")
    files[0].rename(spaced)
    told: list[str] = []

    with pytest.raises(PicksError, match="my micrograph"):
        pick_files(picker, [spaced, *files[1:]], tmp_path / "p.star", 0.0, tell=lambda name, _: told.append(name))

    assert told == []
    assert pick_files(picker, [spaced, *files[1:]], tmp_path / "p.csv", 0.0).micrographs == 3


@pytest.mark.parametrize("name", ["picks.box", "a_folder.star"])
def test_an_output_that_can_not_be_is_refused_before_the_work(
    picker: Picker, files: list[Path], tmp_path: Path, name: str
) -> None:
    (tmp_path / "a_folder.star").mkdir()

    with pytest.raises(PicksError, match=r"no format|is a folder|cryoglean convert"):
        pick_files(picker, files, tmp_path / name, 0.0, tell=lambda *_: pytest.fail("it worked"))


def test_two_pickings_to_one_file_do_not_meet(picker: Picker, files: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / ".picks.csv.partial"
    folder.mkdir()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RunError, match="another process"):
            pick_files(picker, files, tmp_path / "picks.csv", 0.0)

    assert pick_files(picker, files, tmp_path / "picks.csv", 0.0).micrographs == 3


def interrupt_after_one(picker: Picker, files: list[Path], out: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pick_files(picker, files, out, 0.0, tell=stop)


def test_an_interrupted_picking_goes_on(picker: Picker, files: list[Path], tmp_path: Path) -> None:
    interrupt_after_one(picker, files, tmp_path / "picks.csv")

    harvest = pick_files(picker, files, tmp_path / "picks.csv", 0.0)

    assert harvest.resumed == 1
    assert harvest.micrographs == 3


def test_a_micrograph_that_was_replaced_meanwhile_is_picked_again(
    picker: Picker, files: list[Path], tmp_path: Path
) -> None:
    interrupt_after_one(picker, files, tmp_path / "picks.csv")
    pixels = np.random.default_rng(9).normal(size=(170, 160)).astype(np.float32)
    write_micrograph(Micrograph("m0", pixels, 2.5), files[0])

    resumed = pick_files(picker, files, tmp_path / "picks.csv", 0.0)
    fresh = pick_files(picker, files, tmp_path / "fresh.csv", 0.0)

    assert resumed.resumed == 0
    assert fresh.picks == resumed.picks
    assert (tmp_path / "picks.csv").read_bytes() == (tmp_path / "fresh.csv").read_bytes()


def test_another_network_starts_anew(picker: Picker, files: list[Path], tmp_path: Path) -> None:
    interrupt_after_one(picker, files, tmp_path / "picks.csv")
    other = replace(picker, network=build_network(picker.model, seed=5).eval())

    assert pick_files(other, files, tmp_path / "picks.csv", 0.0).resumed == 0


def test_a_torn_line_of_a_journal_costs_that_micrograph_only(files: list[Path], tmp_path: Path) -> None:
    with Journal(tmp_path / "j", "key") as journal:
        for path in files:
            journal.add(path, Picks.of_one(path.stem, np.ones((2, 2)), np.ones(2)))
    journal_file = tmp_path / "j" / "picks.jsonl"
    journal_file.write_bytes(journal_file.read_bytes()[:-1])  # whole but for its end of line

    with Journal(tmp_path / "j", "key") as journal:
        held = [journal.holds(path) for path in files]
        journal.add(files[2], Picks.of_one("m2", np.zeros((1, 2)), np.ones(1)))
        replayed = list(journal.replay(files))

    assert held == [True, True, False]
    assert [len(picks) for picks in replayed] == [2, 2, 1]


def test_lines_after_a_torn_one_are_whole(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    append_json_line(file, {"a": 1})
    file.write_bytes(file.read_bytes() + b'{"a": 2')

    append_json_line(file, {"a": 3})

    assert list(read_json_lines(file)) == [{"a": 1}, {"a": 3}]


def test_a_micrograph_that_vanishes_after_it_was_picked_keeps_its_picks(
    picker: Picker, files: list[Path], tmp_path: Path
) -> None:
    """Its picks were made; losing them silently while counting the micrograph would be the worst of both."""
    whole = pick_files(picker, files, tmp_path / "whole.csv", 0.0)

    harvest = pick_files(picker, files, tmp_path / "picks.csv", 0.0, tell=lambda *_: files[0].unlink(missing_ok=True))

    assert harvest.micrographs == 3
    assert harvest.picks == whole.picks
    assert len(read_picks(tmp_path / "picks.csv").on("m0")) > 0
