"""Pick a stream of micrographs: one at a time in memory, resumable, nothing lost silently."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cryoglean.dataset import ParticleSize
from cryoglean.errors import CryogleanError, MicrographError, PicksError, SettingsError
from cryoglean.io.micrographs import micrographs_by_name, read_micrograph
from cryoglean.io.picks import check_writable, write_picks_from
from cryoglean.journal import Journal, with_path
from cryoglean.learn.checkpoint import load_tensors
from cryoglean.learn.hardware import find_hardware
from cryoglean.learn.picker import Picker
from cryoglean.micrograph import micrograph_name
from cryoglean.picks import Picks
from cryoglean.prepare.normalize import Prepared
from cryoglean.run import Run

Tell = Callable[[str, int], None]
"""(micrograph, number of picks) for each finished micrograph."""

PixelSize = float | Mapping[str, float] | None
"""In angstrom: of all micrographs, of each by name, or as the headers say."""

_READ_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Harvest:
    """What came of picking.

    Args:
        micrographs: how many were picked.
        picks: how many particles were written.
        skipped: name -> one-line reason, of those that could not be used.
        threshold: the lowest score written.
        resumed: how many had been picked by an earlier, interrupted call.
    """

    micrographs: int
    picks: int
    skipped: dict[str, str]
    threshold: float
    resumed: int


def load_picker(run: Run, precision: str = "auto", views: int | None = None) -> tuple[Picker, float]:
    """The trained picker of a finished run, and its threshold.

    Args:
        run: the run folder.
        precision: see `find_hardware`.
        views: overrides the number of views the run was validated with.

    Raises:
        RunError: not a finished run, or broken.
    """
    content = run.read_json(run.model_file)
    weights, _ = load_tensors(run.weights_file)
    picker = Picker.from_json(content, weights, find_hardware(precision))  # type: ignore[arg-type]
    if views is not None:
        picker = replace(picker, settings=picker.settings.model_copy(update={"views": views}))
    return picker, float(content["threshold"])


def choose_pixel_size(run: Run, asked: float | None) -> float | None:
    """The pixel size to read micrographs with: the one asked for, else that of the training, else None (the header's).

    Args:
        run: a finished run.
        asked: in angstrom.

    Raises:
        SettingsError: `asked` is not above 0.
    """
    known = run.read_json(run.dataset_file)
    ParticleSize(known["diameter_angstrom"], asked).check()
    return known["pixel_size_angstrom"] if asked is None else asked


def check_threshold(threshold: float) -> float:
    """The threshold, if scores can reach it.

    Raises:
        SettingsError: it is not in [0, 1].
    """
    if not 0 <= threshold <= 1:
        raise SettingsError(f"it is {threshold}", where="--threshold", fix="Give a score from 0 to 1.")
    return threshold


def pick_files(
    picker: Picker,
    paths: Sequence[Path],
    out: Path,
    threshold: float,
    *,
    pixel_size_angstrom: PixelSize = None,
    tell: Tell | None = None,
) -> Harvest:
    """Pick all micrographs and write one file, whose format its suffix says.

    While it works, finished micrographs are kept in `.<out>.partial` beside the file; the same call after an
    interruption goes on from there and ends with the same file as an unbroken one.

    Args:
        picker: trained.
        paths: micrographs, each with another name.
        out: the file to write.
        threshold: picks with a lower score are left out.
        pixel_size_angstrom: overrides the headers; where it is by name, headers are trusted for other names.
        tell: is told each finished micrograph.

    Raises:
        MicrographError: not one of the micrographs could be used.
        PicksError: no format for the suffix of `out`.
        SettingsError: the threshold is not in [0, 1].
    """
    check_threshold(threshold)
    check_writable(out)
    folder = journal_folder(out)
    skipped: dict[str, str] = {}
    with Journal(folder, picking_key(picker, threshold, pixel_size_angstrom)) as journal:
        rehearse(out, folder, paths)
        waiting = [path for path in paths if not journal.holds(path)]
        for path, found in pick_each(picker, waiting, pixel_size_angstrom):
            name = micrograph_name(path)
            if isinstance(found, CryogleanError):
                skipped[name] = str(found)
                continue
            picks = found.above(threshold)
            journal.add(path, picks)
            if tell is not None:
                tell(name, len(picks))
        rows = finish(journal, paths, skipped, out)
    return Harvest(len(paths) - len(skipped), rows, skipped, threshold, len(paths) - len(waiting))


def journal_folder(out: Path) -> Path:
    """Where finished micrographs are kept until all are done."""
    return out.with_name(f".{out.name}.partial")


def finish(journal: Journal, paths: Sequence[Path], skipped: Mapping[str, str], out: Path) -> int:
    """Write the file from a journal that holds every micrograph but the skipped ones, remove it, and count the picks.

    Raises:
        MicrographError: not one of the micrographs could be used.
    """
    picked = [path for path in paths if micrograph_name(path) not in skipped]
    if not picked:
        journal.remove()
        reason = next(iter(skipped.values()), "none was given")
        raise MicrographError(f"none of the {len(paths)} micrographs could be picked; the first: {reason}")
    rows = write_picks_from(journal.replay(picked), out, micrographs_by_name(picked))
    journal.remove()
    return rows


def rehearse(out: Path, folder: Path, paths: Sequence[Path]) -> None:
    """Write a file with one pick for each micrograph and delete it: what can't be written is known before the work.

    Raises:
        PicksError: the format can't hold one of the names, or the folder can't be written.
    """
    trial = folder / f"rehearsal{out.suffix}"
    one = np.zeros((1, 2)), np.ones(1)
    try:
        write_picks_from((with_path(Picks.of_one(micrograph_name(path), *one), path) for path in paths), trial)
    except PicksError as error:
        raise PicksError(error.what, where=out, fix=error.fix) from error
    finally:
        trial.unlink(missing_ok=True)


def pick_each(
    picker: Picker, paths: Sequence[Path], pixel_size_angstrom: PixelSize
) -> Iterator[tuple[Path, Picks | CryogleanError]]:
    """The picks of each micrograph, or why it can't be used; the next is read while the network works on this one."""

    def prepare(path: Path) -> Prepared:
        said = pixel_size_angstrom
        size = said.get(micrograph_name(path)) if isinstance(said, Mapping) else said
        return picker.preparation.apply(read_micrograph(path, size))

    rest = iter(paths)
    with ThreadPoolExecutor(max_workers=1) as reader:
        queue = [(path, reader.submit(prepare, path)) for path in itertools.islice(rest, _READ_AHEAD)]
        while queue:
            path, future = queue.pop(0)
            following = next(rest, None)
            if following is not None:
                queue.append((following, reader.submit(prepare, following)))
            try:
                picks = picker.pick(future.result())
            except CryogleanError as error:
                yield path, error
            else:
                yield path, picks


def picking_key(picker: Picker, threshold: float, pixel_size_angstrom: PixelSize, where: str | None = None) -> str:
    """Changes with anything that changes the picks of a micrograph, but the micrograph.

    Args:
        picker: trained.
        threshold: see `pick_files`.
        pixel_size_angstrom: see `pick_files`.
        where: the hardware in words; None is that of the picker.
    """
    sizes = dict(pixel_size_angstrom) if isinstance(pixel_size_angstrom, Mapping) else pixel_size_angstrom
    facts = [picker.to_json(), threshold, sizes, where or picker.hardware.describe()]
    digest = hashlib.sha256(json.dumps(facts).encode())
    for name, tensor in sorted(picker.network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()
