"""Pick micrographs with several workers, shard by shard; results go through files and make the file of one process."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryoglean.durable import read_json_lines
from cryoglean.engine.attempt import RETRIES
from cryoglean.engine.run import run_tasks
from cryoglean.engine.tasks import EngineChoice, Outcome, Task
from cryoglean.errors import CryogleanError, RunError, WorkersError
from cryoglean.io.picks import check_writable
from cryoglean.journal import Journal, is_of_file, journal_line
from cryoglean.learn.picker import Picker
from cryoglean.micrograph import micrograph_name
from cryoglean.picking import (
    Harvest,
    PixelSize,
    Tell,
    check_threshold,
    finish,
    journal_folder,
    load_picker,
    pick_each,
    picking_key,
    rehearse,
)
from cryoglean.run import Run

_MOST_PER_SHARD = 32
_SHARDS_PER_WORKER = 4
_PATIENCE_SECONDS = 60.0  # shared file systems show another machine's file only after a while


@dataclass(frozen=True, slots=True)
class Picking:
    """What picks, and how.

    Args:
        load: makes the picker, in each process once; picklable.
        threshold: picks with a lower score are left out.
        pixel_size_angstrom: overrides the headers; where it is by name, headers are trusted for other names.
    """

    load: Callable[[], Picker]
    threshold: float
    pixel_size_angstrom: PixelSize = None


def load_run_picker(run: Path, views: int | None = None) -> Picker:
    """The picker of a finished run; see `load_picker`."""
    return load_picker(Run(run), views=views)[0]


def pick_files_with_workers(
    picking: Picking,
    paths: Sequence[Path],
    out: Path,
    choice: EngineChoice,
    tell: Tell | None = None,
    say: Callable[[str], None] | None = None,
) -> Harvest:
    """Pick all micrographs with several workers and write one file, as `pick_files` does.

    Micrographs whose worker is lost are given to another; one whose worker is lost every time is skipped.

    Args:
        picking: what picks.
        paths: micrographs, each with another name, where the workers see them, too.
        out: the file to write, in a folder that the workers see, too.
        choice: how many workers, and where.
        tell: is told each finished micrograph.
        say: is told of lost workers and of waiting for a cluster.

    Raises:
        MicrographError: not one of the micrographs could be used.
        PicksError: no format for the suffix of `out`.
        SettingsError: the threshold is not in [0, 1], or the choice can't be meant.
        WorkersError: no worker could be started, or none can do the work.
    """
    check_threshold(picking.threshold)
    check_writable(out)
    choice.check()
    picker = picking.load()
    where = picker.hardware.describe(threads=1) if choice.cluster is None else f"workers of {choice.cluster}"
    key = picking_key(picker, picking.threshold, picking.pixel_size_angstrom, where)
    with Journal(journal_folder(out), key) as journal:
        rehearse(out, journal.folder, paths)
        gathering = _Gathering(journal, journal.folder.absolute() / f"shards-{key[:16]}", tell)
        gathering.take_leftovers()
        waiting = [path for path in paths if not journal.holds(path)]
        function = ShardPicker(picking, key, where, gathering.folder)
        size = max(1, min(_MOST_PER_SHARD, len(waiting) // (choice.workers * _SHARDS_PER_WORKER)))
        for each in (size, 1):  # alone, a micrograph that ends its worker takes no other with it
            left = [path for path in waiting if micrograph_name(path) not in gathering.ended]
            with contextlib.closing(run_tasks(_shards(left, each), function, choice, say)) as outcomes:
                for outcome in outcomes if left else ():
                    gathering.take(outcome)
        skipped = {name: gathering.skipped[name] for name in map(micrograph_name, paths) if name in gathering.skipped}
        for path in waiting:
            if (name := micrograph_name(path)) not in gathering.ended:
                skipped[name] = f"{path}: its worker was lost {RETRIES + 1} times (killed, or out of memory)."
        rows = finish(journal, paths, skipped, out)
    return Harvest(len(paths) - len(skipped), rows, skipped, picking.threshold, len(paths) - len(waiting))


@dataclass(frozen=True, slots=True)
class Shard:
    """Some micrographs that one worker picks.

    Args:
        number: of the shard, from 0.
        paths: where they are, from the root.
    """

    number: int
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class ShardPicker:
    """What a worker does with a shard: pick it, and write each finished micrograph to a file of this attempt's own.

    What earlier attempts at the same shard finished is taken over, so that a lost worker costs one micrograph.

    Args:
        picking: what picks.
        key: of the picks wanted; see `picking_key`.
        where: the hardware in words, as in the key.
        folder: for the files.
    """

    picking: Picking
    key: str
    where: str
    folder: Path

    def __call__(self, shard: Shard) -> tuple[str, int]:
        """The name of the file, and how many lines it has.

        Raises:
            RunError: the picker is another one than the key says.
        """
        picker = self._picker()
        found = {line["name"]: line for file in _files_of(self.folder, shard.number) for line in read_json_lines(file)}
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{shard.number:06d}-{uuid.uuid4().hex[:12]}.jsonl"
        with (self.folder / name).open("x", encoding="utf-8") as file:

            def keep(line: Mapping[str, Any]) -> None:
                file.write(json.dumps(line, allow_nan=False) + "\n")
                file.flush()

            left = []
            for path in shard.paths:
                line = found.get(micrograph_name(path))
                if line is not None and is_of_file(line, path):
                    keep(line)
                else:
                    left.append(path)
            for path, picks in pick_each(picker, left, self.picking.pixel_size_angstrom):
                if isinstance(picks, CryogleanError):
                    keep({"name": micrograph_name(path), "file": None, "skipped": str(picks)})
                else:
                    keep(journal_line(path, picks.above(self.picking.threshold)))
        return name, len(shard.paths)

    def _picker(self) -> Picker:
        if self.key not in _LOADED:
            _LOADED.clear()
            picker = self.picking.load()
            if picking_key(picker, self.picking.threshold, self.picking.pixel_size_angstrom, self.where) != self.key:
                raise RunError("the run is another one for the workers than it was at the start", fix="Pick again.")
            _LOADED[self.key] = picker
        return _LOADED[self.key]


_LOADED: dict[str, Picker] = {}
"""The last picker that this process made, under its key."""


class _Gathering:
    """Brings what workers wrote into the journal.

    Args:
        journal: open.
        folder: of the workers' files.
        tell: is told each finished micrograph.
    """

    def __init__(self, journal: Journal, folder: Path, tell: Tell | None) -> None:
        self.folder, self._journal, self._tell = folder, journal, tell
        self.ended: set[str] = set()
        self.skipped: dict[str, str] = {}

    def take_leftovers(self) -> None:
        """Keep what an interrupted call's workers had finished; forget what was picked in another way."""
        for folder in self._journal.folder.glob("shards-*"):
            for file in sorted(folder.glob("*.jsonl")) if folder.name == self.folder.name else ():
                for line in read_json_lines(file):
                    if "skipped" not in line:
                        self._journal.add_line(line)
            shutil.rmtree(folder, ignore_errors=True)

    def take(self, outcome: Outcome) -> None:
        """Keep what a shard gave, and remove its files.

        Raises:
            WorkersError: it is not done, for a reason that other shards share.
        """
        if outcome.state not in ("done", "lost"):
            raise WorkersError(outcome.error)
        files = list(_files_of(self.folder, int(outcome.key.rsplit(" ", 1)[-1])))
        if outcome.is_done:
            name, count = outcome.value
            lines = _wait_for_lines(self.folder / name, count)
        else:
            lines = [line for file in files for line in read_json_lines(file)]
        for line in lines:
            self._take_line(line)
        for file in files:
            file.unlink(missing_ok=True)

    def _take_line(self, line: Mapping[str, Any]) -> None:
        name = line["name"]
        if name in self.ended:
            return
        self.ended.add(name)
        if "skipped" in line:
            self.skipped[name] = line["skipped"]
            return
        self._journal.add_line(line)
        if self._tell is not None:
            self._tell(name, len(line["xy"]))


def _shards(paths: Sequence[Path], each: int) -> Iterator[Task]:
    for number, start in enumerate(range(0, len(paths), each)):
        shard = Shard(number, tuple(path.absolute() for path in paths[start : start + each]))
        yield Task(f"shard {number}", shard, may_be_doubled=True)


def _files_of(folder: Path, number: int) -> Iterator[Path]:
    return folder.glob(f"{number:06d}-*.jsonl")


def _wait_for_lines(file: Path, count: int) -> list[dict[str, Any]]:
    """The lines of a finished file, once all are to be seen.

    Raises:
        WorkersError: they don't appear.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while len(lines := list(read_json_lines(file))) < count:
        if time.monotonic() > deadline:
            raise WorkersError(
                f"a worker wrote it, but {len(lines)} of its {count} lines are to be seen here", where=file,
                fix="Workers must write to the same folder: give --out on a shared disk.",
            )  # fmt: skip
        time.sleep(0.2)
    return lines
