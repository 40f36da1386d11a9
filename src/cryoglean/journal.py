"""What an interrupted picking had finished: a line for each micrograph, kept beside the output until that is whole."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np

from cryoglean.durable import append_json_line, has_locked, write_json_atomically
from cryoglean.errors import RunError
from cryoglean.micrograph import micrograph_name
from cryoglean.picks import Picks


class Journal:
    """Use it in a `with`: inside, no other process has it.

    Args:
        folder: where it is kept; made if needed.
        key: changes with everything that changes the picks of a micrograph; a journal with another key starts anew.

    Raises:
        RunError: the folder can't be written, or another process is at work in it.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self._key = folder, key
        self._file = folder / "picks.jsonl"
        self._places: dict[str, int] = {}
        self._lock: TextIO | None = None

    def __enter__(self) -> Journal:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / "lock").open("w", encoding="utf-8")
        except OSError as error:
            raise RunError(f"its folder can't be written ({error.strerror})", where=self.folder.parent) from error
        if not has_locked(self._lock):
            self._lock.close()
            raise RunError(
                "another process is picking to the same file",
                where=self.folder,
                fix="Wait for it, or give another --out.",
            )
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.close()

    def holds(self, path: Path) -> bool:
        """Whether this very file was finished: same place, same size, same time of writing."""
        line = self._read(micrograph_name(path))
        return line is not None and is_of_file(line, path)

    def add(self, path: Path, picks: Picks) -> None:
        """Keep the picks of a finished micrograph."""
        self.add_line(journal_line(path, picks))

    def add_line(self, line: Mapping[str, Any]) -> None:
        """Keep a finished micrograph, as another process said it with `journal_line`."""
        self._places[line["name"]] = append_json_line(self._file, line)

    def replay(self, paths: Sequence[Path]) -> Iterator[Picks]:
        """The picks of finished micrographs, in order, one at a time, with their paths.

        Args:
            paths: each was held or has been added; the file may be gone since, its picks are not.

        Raises:
            RunError: one of them was never finished.
        """
        for path in paths:
            name = micrograph_name(path)
            line = self._read(name)
            if line is None:
                raise RunError(f"{name} has no line in it", where=self._file, fix="Pick again.")
            picks = Picks.of_one(name, np.array(line["xy"], dtype=np.float64), np.array(line["score"]))
            yield with_path(picks, path)

    def remove(self) -> None:
        """Delete it: the output is whole."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        """Find the lines of an earlier process with the same key, or clear the folder."""
        key_file = self.folder / "key.json"
        kept = None
        with contextlib.suppress(OSError, json.JSONDecodeError):
            kept = json.loads(key_file.read_text(encoding="utf-8"))
        if kept != self._key:
            self._file.unlink(missing_ok=True)
            write_json_atomically(key_file, self._key)
            return
        place = 0
        if self._file.exists():
            with self._file.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        self._places[json.loads(line)["name"]] = place
                    place += len(line)

    def _read(self, name: str) -> dict[str, Any] | None:
        place = self._places.get(name)
        if place is None:
            return None
        with self._file.open("rb") as file:
            file.seek(place)
            line: dict[str, Any] = json.loads(file.readline())
        return line


def journal_line(path: Path, picks: Picks) -> dict[str, Any]:
    """What a journal keeps of a finished micrograph."""
    score = [] if picks.score is None else picks.score.tolist()
    return {"name": micrograph_name(path), "file": _identify(path), "xy": picks.xy.tolist(), "score": score}


def is_of_file(line: Mapping[str, Any], path: Path) -> bool:
    """Whether a journal's line is of this very file: same place, same size, same time of writing."""
    return bool(line["file"] == _identify(path))


def with_path(picks: Picks, path: Path) -> Picks:
    """The picks of one micrograph with its path in every row, as STAR files want it."""
    column = np.full(len(picks), str(path))
    return Picks(
        picks.micrograph, picks.xy, picks.score, extra={"micrograph_path": column}, micrographs=picks.micrographs
    )


def _identify(path: Path) -> list[object]:
    """Where a file is, how large, and when it was written; nothing of that if it is gone."""
    try:
        facts = path.stat()
    except OSError:
        return [str(path.absolute()), 0, 0]
    return [str(path.absolute()), facts.st_size, facts.st_mtime_ns]
