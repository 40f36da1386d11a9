"""The words that RELION calls an external job with, brought into this command line's form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

_KNOWN = (
    *("o", "j", "in_mics", "in_parts", "in_coords", "diameter_angstrom", "strategy", "effort", "threshold", "run"),
    *("contrast", "set", "labels", "per_micrograph", "seed", "help"),
)
_IGNORED = ("pipeline_control", "in_movies", "in_3dref", "in_mask")


def as_options(arguments: Sequence[str]) -> list[str]:
    """RELION's way of writing options as ours: `--in_mics F` and `--in_mics=F` become `--in-mics F`.

    What RELION may add and this job has no use for is left out, and so are unknown labels, which is said.
    """
    kept: list[str] = []
    is_dropped = False
    for word in arguments:
        if not word.startswith("--"):
            if not is_dropped:
                kept.append(word)
            continue
        name, _, value = word[2:].partition("=")
        name = name.replace("-", "_")
        is_dropped = name not in _KNOWN
        if is_dropped:
            if name not in _IGNORED:
                _note(f"note: --{name} is not known here and is left out")
            continue
        kept += [f"--{name.replace('_', '-')}", *([value] if value else [])]
    return kept


def mark_refused(arguments: Sequence[str]) -> None:
    """Mark a job as failed whose options were not even understood: RELION would wait for ever."""
    places = [place for place, word in enumerate(arguments[:-1]) if word == "--o"]
    if places:
        from cryoglean.relion.marks import mark_failure

        mark_failure(Path(arguments[places[-1] + 1]))


def _note(text: str) -> None:
    Console(stderr=True, soft_wrap=True).print(text, markup=False, highlight=False)
