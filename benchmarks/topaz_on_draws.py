"""Topaz on the draws of `semi_data.py`: its general model fine-tuned, the epoch and the threshold chosen on validation.

    make topaz && .venv/bin/python benchmarks/topaz_on_draws.py --draws 2     # resumable; finished cells are kept
    .venv/bin/python benchmarks/write_strategies.py                            # docs/strategies.md

The lines of cryoglean beside it come from the plans `recommended` and `start` of `strategies.py`.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from pathlib import Path

from against_topaz import fine_tune_topaz
from cryoglean.durable import append_json_line, read_json_lines
from semi_data import draw, set_names

RESULTS = Path(__file__).parent / "results" / "strategies_topaz.jsonl"


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--labelled", default="1,5")
    arguments = parser.parse_args()
    done = {(row["set"], row["seed"], row["labelled"]) for row in read_json_lines(RESULTS)}
    budgets = [int(text) for text in arguments.labelled.split(",")]
    for seed, labelled, data in itertools.product(range(arguments.draws), budgets, set_names()):
        if (data, seed, labelled) in done or (labelled > 1 and data == "bgal_quarter"):
            continue
        where = draw(data, seed)
        train = [*where.names["train"], *where.names["unlabelled"][: labelled - 1]]
        validation, test = list(where.names["validation"]), list(where.names["test"])
        with tempfile.TemporaryDirectory() as folder:
            row = fine_tune_topaz(where.bench, train, validation, test, Path(folder))
        append_json_line(RESULTS, {"set": data, "seed": seed, "labelled": labelled, "line": "Topaz", **row})
        print({"set": data, "seed": seed, "labelled": labelled, **row}, flush=True)


if __name__ == "__main__":
    main()
