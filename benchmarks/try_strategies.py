"""Try recipes that are no cards (yet); what came of it is in docs/log.md, rows in results/strategies_tried.jsonl.

    python benchmarks/try_strategies.py development_globule 0 supervised,oracle,soft_platt learn.steps=400

Every round counts, so that it is measured whatever validation says. Sets `development_*` are simulations that are in no
other comparison; on the others only validation may decide anything.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cryoglean.pipeline as pipeline
from cryoglean.durable import append_json_line
from cryoglean.pseudo.calibrate import Calibrator, platt, prior_match, undo_loss
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import dual, particles
from cryoglean.recipe import Recipe, Round, read_recipe
from cryoglean.streams import Stream, labelled, pseudo_labelled, taught
from strategies import ENGINE, RESULTS, Cell, run_cell

PRIOR: tuple[Calibrator, ...] = (undo_loss(), prior_match())


def offline(labeller: Labeller, stream: Stream | None = None, *, goes_on: bool = False, rounds: int = 1) -> Recipe:
    """Rounds of a teacher that labels all micrographs."""
    each = Round(labeller, (labelled(), stream or pseudo_labelled()), "always", goes_on)
    return Recipe("tried", "arXiv 1911.04252", rounds=(each,) * rounds)


def online(stream: Stream | None, *, goes_on: bool = False) -> Recipe:
    """A round whose teacher labels each step's crops; or none does."""
    streams = (labelled(),) if stream is None else (labelled(), stream)
    return Recipe("tried", "arXiv 1703.01780", rounds=(Round(None, streams, "always", goes_on),))


TRIED: dict[str, Recipe] = {
    "soft_platt": offline(Labeller(8, (platt(),))),
    "soft_platt_two_rounds": offline(Labeller(8, (platt(),)), rounds=2),
    "soft_platt_with_dice": offline(Labeller(8, (platt(),)), pseudo_labelled(losses=("bce", "dice"))),
    "soft_platt_goes_on": offline(Labeller(8, (platt(),)), goes_on=True),
    "soft_prior": offline(Labeller(8, PRIOR)),
    "particles_prior": offline(Labeller(8, PRIOR, particles())),
    "dual_platt": offline(Labeller(8, (platt(),), dual())),
    "online_prior": online(taught(Labeller(2, PRIOR))),
    "online_prior_goes_on": online(taught(Labeller(2, PRIOR)), goes_on=True),
    "mean_teacher_30": online(taught(Labeller(1), losses=("mse",), weight=30.0, look="varied")),
    "labels_alone_goes_on": online(None, goes_on=True),
}


def main() -> None:
    """Train, test, append."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("seed", type=int)
    parser.add_argument("names", help=f"supervised, oracle, or of {', '.join(TRIED)}")
    parser.add_argument("settings", nargs="*", default=["learn.steps=400"])
    arguments = parser.parse_args()

    def read(name: str, options: Mapping[str, Any]) -> Recipe:
        return TRIED[name] if name in TRIED else read_recipe(name, options)

    pipeline.read_recipe = read
    for name in arguments.names.split(","):
        strategy = "supervised" if name == "oracle" or name in TRIED else name
        cell = Cell(arguments.data, arguments.seed, name, strategy, settings=tuple(arguments.settings),
                    is_oracle=name == "oracle")  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            pipeline.choose_strategy = lambda _dataset, _settings, chosen=name, plain=strategy: (
                chosen if chosen in TRIED else plain
            )
            row = run_cell(cell, Path(folder))
        row.pop("per_micrograph")
        names = {"set": cell.data, "seed": cell.seed, "line": name, "settings": arguments.settings, "engine": ENGINE}
        append_json_line(RESULTS / "strategies_tried.jsonl", {**names, **row})
        print({**names, **row}, flush=True)


if __name__ == "__main__":
    main()
