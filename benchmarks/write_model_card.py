"""Write src/cryoglean/starts/MODEL_CARD.md from the start's facts and benchmarks/results; no number is typed by hand.

python benchmarks/write_model_card.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryoglean.durable import read_json_lines, write_text_atomically

HERE = Path(__file__).parent
STARTS = HERE.parent / "src" / "cryoglean" / "starts"
TEXT = """# The general start

A small network ({model} of widths {widths}, {kilobytes} kB) that knows what particles look like in general. It is where
`cryoglean train` begins unless told otherwise (`--init random`), and what `cryoglean pick general` picks with.
Licence: BSD-3-Clause, like the package.

This page is written by `benchmarks/write_model_card.py`; do not edit it.

## What it learned from

Only from cryoglean's own simulator. No real micrograph, no published structure and no built-in molecule was used: the
built-in ones are kept unseen for tests.

- {molecules} random molecules (`cryoglean.simulate.random_molecules`), {micrographs} micrographs of
  {micrograph_pixels} x {micrograph_pixels} pixels, made while it learned;
- diameters of {diameter} Å, shown at {particle_pixels} pixels for a nominal {nominal:g};
- signal-to-noise ratios of {snr}, defocus of {defocus} µm, with fragments, clumps, ice crystals, gold and carbon;
- {steps} steps of {batch} crops of {crop} pixels, seed {seed}, {cpu_minutes:.0f} minutes of CPU time ({precision});
  the averaged weights of the last step are kept.

Made on {made} by `python benchmarks/train_general.py --steps {steps} --seed {seed} --work FOLDER`.

## How well it picks without a label

On {held_out} held-out random molecules ({held_out_particles} particles): F1 {held_out_f1:.3f}, average precision
{held_out_ap:.3f}.
The threshold, {threshold:.3f}, was chosen on these very molecules, so their F1 flatters it a little.

On sets it has never seen, told only the diameter and the pixel size, at that threshold:

| set | micrographs | F1 | precision | recall | best F1 at any threshold | average precision | F1, nothing ignored |
|---|---|---|---|---|---|---|---|
{rows}

"Nothing ignored" also counts as false the picks at places that other pickers agree upon though nobody labelled them;
it differs only for sets with a list of such places.

## Limits

- It must be told the diameter, to about {tolerance:.0%}, and whether particles are dark or light.
- The signal-to-noise ratio decides a lot, and so does a threshold chosen on simulated data: where F1 is far below the
  best F1 above, label one micrograph and train.
- It cannot tell one kind of particle from another of the same size, nor a particle from a fragment, crystal or bead of
  its size that the simulator does not show.
- Filaments and tomograms were not shown at all.
"""


def main() -> None:
    """Read, fill in, write."""
    facts: dict[str, Any] = json.loads((STARTS / "general.json").read_text(encoding="utf-8"))
    found = json.loads((HERE / "results" / "general_label_free.json").read_text(encoding="utf-8"))
    log = list(read_json_lines(HERE / "results" / "general_training.jsonl"))
    learn = facts["learn"]
    text = TEXT.format(
        model=facts["model"]["name"], widths=", ".join(map(str, facts["model"]["widths"])),
        kilobytes=(STARTS / "general.safetensors").stat().st_size // 1000, molecules=facts["molecules"],
        micrographs=facts["micrographs"], micrograph_pixels=facts["micrograph_pixels"],
        diameter=_range(facts["diameter_angstrom"]), particle_pixels=_range(facts["particle_pixels"]),
        nominal=facts["prepare"]["particle_pixels"], snr=_range(facts["signal_to_noise"]),
        defocus=_range(facts["defocus_micrometers"]), steps=learn["steps"], batch=learn["batch"],
        crop=learn["crop_pixels"], seed=facts["seed"], cpu_minutes=_cpu_minutes(log),
        precision=facts["precision"], made=facts["made"], held_out=facts["held_out_molecules"],
        held_out_particles=facts["held_out_particles"], held_out_f1=facts["held_out_f1"],
        held_out_ap=facts["held_out_average_precision"], threshold=facts["threshold"],
        tolerance=max(abs(pixels / facts["prepare"]["particle_pixels"] - 1) for pixels in facts["particle_pixels"]),
        rows="\n".join(_row(row) for row in found),
    )  # fmt: skip
    write_text_atomically(STARTS / "MODEL_CARD.md", text)


def _cpu_minutes(log: list[dict[str, Any]]) -> float:
    """Of the last training in the log, over all its parts if it was interrupted; the clock starts anew with each."""
    begins = [place for place, row in enumerate(log) if place == 0 or row["step"] < log[place - 1]["step"]]
    fresh = [place for place in begins if log[place]["event"] != "resumed"]
    seconds = [row["cpu_seconds"] for row in log[fresh[-1] :]]
    return sum(now for now, after in zip(seconds, [*seconds[1:], 0.0], strict=True) if after < now) / 60


def _range(values: list[float]) -> str:
    return f"{values[0]:g} to {values[1]:g}"


def _row(row: dict[str, Any]) -> str:
    numbers = (row[name] for name in ("f1", "precision", "recall", "best_f1", "average_precision", "f1_without_ignore"))
    cells = ["-" if number is None else f"{number:.3f}" for number in numbers]
    return f"| {row['set']} | {row['micrographs']} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
