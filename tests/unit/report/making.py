"""Small finished runs for the tests of the report, with micrographs whose particles are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryoglean.dataset import Dataset
from cryoglean.durable import append_json_line, write_arrays_atomically, write_text_atomically
from cryoglean.evaluate.rules import Rules
from cryoglean.evaluate.score import evaluate_picks
from cryoglean.finding import Finding
from cryoglean.io.micrographs import write_micrograph
from cryoglean.io.picks import write_picks
from cryoglean.micrograph import Micrograph
from cryoglean.picks import Picks
from cryoglean.run import Run
from cryoglean.settings import resolve_settings

DIAMETER = 12.0
SHAPE = (200, 240)
THRESHOLD = 0.5
BORDER = 0.5 * DIAMETER
ROUND = {
    "round": 1, "counts": True, "average_precision_before": 0.7, "average_precision_after": 0.8, "gain": 0.1,
    "gain_standard_error": 0.01, "offered": 5, "kept": 5, "particle_share": 0.03, "usage": 0.8,
    "particle_usage": 0.024, "background_usage": 0.776, "precision": 0.9, "recall": 0.8, "background_precision": 0.99,
    "prior": 0.025, "particles": {f"u-{place}": 10 + place for place in range(5)}, "states": [[]],
}  # fmt: skip


@dataclass(frozen=True)
class Odd:
    """What is unusual about a run."""

    validation: int = 2
    particles: int = 20
    has_picks: bool = True
    has_labels: bool = True
    has_picks_file: bool = True
    has_micrographs: bool = True
    has_events: bool = True
    phases: tuple[str, ...] = ("final",)
    is_cross_validated: bool = False
    has_rounds: bool = True
    has_findings: bool = True
    gate_auc: float | None = None  # there is no gate
    is_of_patches: bool = False


def spread(random, count):
    """`count` points at least a diameter apart and from the edge, (x, y)."""
    columns = np.arange(2 * DIAMETER, SHAPE[1] - 2 * DIAMETER, 1.6 * DIAMETER)
    rows = np.arange(2 * DIAMETER, SHAPE[0] - 2 * DIAMETER, 1.6 * DIAMETER)
    places = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    return places[random.permutation(len(places))[:count]]


def blobs(random, xy):
    """A noisy micrograph with a dark disc at each of the points."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    pixels = random.normal(0, 0.5, SHAPE)
    for centre in xy:
        pixels -= np.hypot(x - centre[0], y - centre[1]) < DIAMETER / 2
    return pixels.astype(np.float32)


def make_run(folder: Path, odd: Odd = Odd()) -> Run:
    """A finished run: one train micrograph, and validation micrographs with true, false and missed picks."""
    random = np.random.default_rng(0)
    names = ["train", *(f"val-{i}" for i in range(odd.validation))]
    truth, picks = [], []
    for name in names:
        places = spread(random, odd.particles + 6)
        real = places[: odd.particles]
        write_micrograph(Micrograph(name, blobs(random, real), 4.0), folder / "mics" / f"{name}.mrc")
        truth.append(Picks.of_one(name, real if odd.has_labels else real[:0]))
        found = np.concatenate(
            [real[2:] + random.normal(0, 1, (len(real[2:]), 2)), places[odd.particles :], [[1.0, 1.0]]]
        )
        scores = np.concatenate(
            [random.uniform(0.4, 1, len(real[2:])), random.uniform(0, 0.8, len(found) - len(real[2:]))]
        )
        keep = slice(None) if odd.has_picks else slice(0)
        picks.append(Picks.of_one(name, found[keep], scores[keep]))
    judged = names if odd.is_cross_validated else names[1:]
    labels, every = Picks.concatenate(truth), Picks.concatenate(picks)
    return _write(folder, odd, judged, labels, every.of(judged))


def paths_of(run: Run) -> dict[str, Path]:
    """The micrographs of a run made here."""
    return {path.stem: path for path in sorted((run.folder.parent / "mics").glob("*.mrc"))}


def rules_for(names) -> Rules:
    """The rules that training uses."""
    return Rules(diameter_pixels=DIAMETER, border_pixels=BORDER, shapes=dict.fromkeys(names, SHAPE), bootstrap_draws=50)


def _write(folder: Path, odd: Odd, judged, labels: Picks, picks: Picks) -> Run:
    run = Run(folder / "run")
    paths = {path.stem: path for path in sorted((folder / "mics").glob("*.mrc"))}
    roles = {name: "train" if name == "train" or odd.is_cross_validated else "validation" for name in paths}
    run.write_json(run.dataset_file, Dataset(paths, roles, labels, 48.0, 4.0).to_json())
    run.write_json(run.environment_file, {"command": ["cryoglean", "train", "a b", "--out", "run"], "packages": {}})
    write_text_atomically(run.settings_file, resolve_settings([]).to_yaml())
    write_picks(labels, run.labels_file)
    if odd.has_picks_file:
        write_picks(picks, run.validation_picks_file)
    _tell(run, odd)
    summary = {
        "strategy": "supervised", "threshold": THRESHOLD, "threshold_rule": "f1", "threshold_reason": "Best.",
        "best_step": 20, "particles_are_dark": True, "train": ["train"], "validation_on": list(judged),
        "is_cross_validated": odd.is_cross_validated, "validation": None, "wall_seconds": 3.0,
        "rounds": [ROUND] if odd.has_rounds else [], "unlabelled": 5 if odd.has_rounds else 0,
    }  # fmt: skip
    if judged:
        truth = Picks.concatenate(labels.on(name) for name in judged)
        summary["validation"] = evaluate_picks(picks, truth, rules_for(judged), threshold=THRESHOLD).to_json()
    if odd.gate_auc is not None:
        passed = odd.gate_auc > 0.6
        gate = {"auc": odd.gate_auc, "least": 0.6, "passed": passed, "measured_on": "validation"}
        summary |= {"gate": gate, "rounds": summary["rounds"] if passed else []}
    if odd.is_of_patches:
        summary |= _of_patches(run, odd)
    run.write_json(run.summary_file, summary)
    if odd.has_findings:
        keep_findings(run)
    if not odd.has_micrographs:
        for path in paths.values():
            path.unlink()
    return run


def _of_patches(run: Run, odd: Odd) -> dict[str, object]:
    """What a run from `cut.npz` has otherwise: its data set, and what its summary says (see `patch_pipeline`)."""
    file, positive = run.folder.parent / "cut.npz", 4 * odd.particles
    labels = Picks.of_one("cut", np.full((1, 2), 56.0))
    run.write_json(run.dataset_file, Dataset({"cut": file}, {"cut": "train"}, labels, 48.0, 4.0, "0f").to_json())
    write_picks(labels, run.labels_file)
    held, found = odd.particles, max(odd.particles - 3, 0)
    return {
        "train": ["cut"], "labels": "sparse", "unlabelled": 180, "validation": None, "validation_on": [],
        "expected": {"per_micrograph": 0.1, "source": "user"}, "threshold_reason": "So that 0.1 are called particle.",
        "clicks": {
            "micrographs": held + 60, "picks": found + 6, "clicks": held, "clicks_found": found,
            "picks_per_micrograph": {},
        },
        "patches": {
            "positive": positive, "unlabelled": 180, "held_positive": held, "held_unlabelled": 60,
            "auc": 0.912 if odd.has_labels else None,
        },
    }  # fmt: skip


def keep_findings(run: Run) -> None:
    """What a doctor may have found: an error with pictures, a warning, a note."""
    found = [
        Finding(
            "error",
            "labels lie elsewhere",
            {"strength": 1.23456},
            "they are mirrored",
            "Mirror them.",
            "arXiv 1",
            labels="flip_y",
            check="orientation",
        ),
        Finding(
            "warning",
            "nothing is learned",
            {"ratio": 1e-6},
            "the rate is low",
            "Raise it.",
            "CS231n",
            {"learn.learning_rate": 0.005},
            check="learning_rate",
        ),
        Finding(
            "note",
            "few particles",
            {"particles": 12},
            "few are labelled",
            "Label more.",
            "notes",
            check="thin_validation",
        ),
    ]
    run.write_json(run.findings_file, [one.to_json() for one in found])
    rng = np.random.default_rng(0)
    pictures = {f"orientation/{name}": rng.normal(size=(41, 41)) for name in ("as given", "moved")}
    write_arrays_atomically(run.findings_pictures_file, pictures)


def _tell(run: Run, odd: Odd) -> None:
    if not odd.has_events:
        return
    for phase in odd.phases:
        append_json_line(run.events_file, {"event": "phase", "phase": phase, "steps": 20})
        for step in range(1, 21):
            facts = {"loss": 3.0 / step, "bce": 2.0 / step, "dice": 1.0 / step, "gradient_norm": 1.0}
            append_json_line(run.events_file, {"event": "step", "phase": phase, "step": step, **facts})
            if step % 10 == 0:
                scores = {"average_precision": step / 40, "best_f1": step / 40, "is_best": True}
                append_json_line(run.events_file, {"event": "validation", "phase": phase, "step": step, **scores})
