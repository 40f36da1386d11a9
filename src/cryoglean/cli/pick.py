"""`cryoglean pick`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rich.console import Console


def pick_command(
    run: Path,
    *micrographs: str,
    out: Path,
    threshold: float | None = None,
    pixel_size_angstrom: float | None = None,
    views: Literal[1, 2, 4, 8] | None = None,
    quiet: bool = False,
    json: bool = False,
) -> int:
    """Pick micrographs with a trained run. The same call after an interruption goes on where it stopped.

    Args:
        run: the folder of a finished `cryoglean train`.
        micrographs: files, folders, quoted globs or a STAR file.
        out: the picks file to write; its suffix says the format (.csv, .star, .json).
        threshold: lowest score written, 0 to 1; by default the one chosen on validation.
        pixel_size_angstrom: pixel size in angstrom; by default that used in training, else that of the header.
        views: rotated and mirrored views that are averaged; by default as in validation.
        quiet: no progress.
        json: no progress, and a JSON summary on standard output.
    """
    from cryoglean.cli.main import print_json
    from cryoglean.cli.progress import counting
    from cryoglean.io.micrographs import find_micrographs
    from cryoglean.io.picks import check_writable
    from cryoglean.picking import choose_pixel_size, load_picker, pick_files
    from cryoglean.run import Run

    check_writable(out)
    paths = find_micrographs(micrographs)
    folder = Run(run)
    picker, chosen = load_picker(folder, views=views)
    size = choose_pixel_size(folder, pixel_size_angstrom)
    cut = chosen if threshold is None else threshold
    with counting(quiet=quiet or json) as make_counter:
        counter = make_counter("pick", len(paths))
        harvest = pick_files(
            picker, paths, out, cut, pixel_size_angstrom=size,
            tell=lambda name, count: counter.advance(f"{name[:40]}: {count}"),
        )  # fmt: skip
    if json:
        facts = {"micrographs": harvest.micrographs, "picks": harvest.picks, "skipped": harvest.skipped}
        print_json({**facts, "threshold": harvest.threshold, "resumed": harvest.resumed, "out": str(out)})
    else:
        _say(harvest.skipped)
        if not quiet:
            print(f"{harvest.picks} particles on {harvest.micrographs} micrographs, threshold {cut:.3f}: {out}")
    return 0


def _say(skipped: dict[str, str]) -> None:
    console = Console(stderr=True, soft_wrap=True)
    if skipped:
        console.print(f"{len(skipped)} micrographs were skipped:", style="yellow")
    for reason in skipped.values():
        console.print(f"  {reason}", markup=False, highlight=False)
