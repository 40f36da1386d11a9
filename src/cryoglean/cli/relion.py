"""`cryoglean relion`: an external job of RELION."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.console import Console

from cryoglean.errors import SettingsError
from cryoglean.settings import Effort


def relion_command(
    *,
    in_mics: Path,
    o: Path,
    j: int = 1,
    in_parts: Path | None = None,
    in_coords: Path | None = None,
    diameter_angstrom: float | None = None,
    run: Path | None = None,
    labels: Literal["complete", "sparse"] | None = None,
    per_micrograph: float | None = None,
    strategy: str | None = None,
    effort: Effort = "standard",
    contrast: Literal["dark", "light"] | None = None,
    threshold: float = 0.0,
    seed: int | None = None,
    set: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=False)] = (),  # noqa: A002
) -> int:
    """Learn and pick as an external job of RELION; put `cryoglean relion` into its field *External executable*.

    RELION adds the options with `_`; they may also be written with `-`. Run it in the project's folder. The job's
    folder gets `autopick.star`, which Extract takes, the marks that RELION waits for, and `run/report.html`. Continuing
    the job in RELION goes on where it was interrupted.

    Args:
        in_mics: RELION's STAR file of micrographs, all of which are picked.
        o: the job's folder, such as External/job012/.
        j: threads.
        in_parts: particles to learn from: every one on the micrographs that it names.
        in_coords: coordinates to learn from, such as ManualPick/job004/manualpick.star.
        diameter_angstrom: diameter of the particle in angstrom; needed without --run.
        run: a finished run to pick with; without it and without labels, `general`.
        labels: whether every particle of the labelled micrographs is labelled (`complete`) or some are (`sparse`).
        per_micrograph: about how many particles a micrograph holds, for sparse labels.
        strategy: how to learn, see `cryoglean list strategies`; by default as in `cryoglean train`.
        effort: how much time to take.
        contrast: whether particles are darker or lighter than the ice; for `general` only.
        threshold: lowest score that is written; 0 writes all down to 0.02, and Extract cuts by figure of merit.
        seed: seed of every random choice; by default 0.
        set: one setting, as in --set learn.steps=200; may be repeated.
    """
    from cryoglean.relion.marks import marking

    with marking(o):
        if in_parts is not None and in_coords is not None:
            raise SettingsError("labels are given twice", where="--in_coords", fix="Leave out one of the two inputs.")
        os.environ["CRYOGLEAN_THREADS"] = str(max(j, 1))
        from cryoglean.cli.progress import counting, watching_training
        from cryoglean.cli.train import Choice, choose_settings
        from cryoglean.relion.job import Job, Listeners, run_job

        choice = Choice(
            strategy=strategy, labels=labels, per_micrograph=per_micrograph, effort=effort, seed=seed, set=set
        )
        job = Job(o, in_mics, in_parts or in_coords, run, diameter_angstrom, contrast, threshold)
        with watching_training(quiet=False) as tell, counting(quiet=False) as make_counter:
            counters = {}

            def count(number: int) -> None:
                counters["pick"] = make_counter("pick", number)

            def advance(name: str, picks: int) -> None:
                counters["pick"].advance(f"{name[:40]}: {picks}")

            told = run_job(job, choose_settings(choice), Listeners(tell, advance, count, _say_line))
    _say(told)
    return 0


def _say(told: dict[str, Any]) -> None:
    for reason in told["skipped"].values():
        _say_line(f"skipped: {reason}")
    print(f"{told['picks']} particles on {told['micrographs']} micrographs: {told['coordinates']}")
    print(f"proposed minimum figure of merit in Extract: {told['proposed_minimum_figure_of_merit']:.3f}")


def _say_line(text: str) -> None:
    Console(stderr=True, soft_wrap=True).print(text, markup=False, highlight=False)
