"""The doctor: gathers the evidence about a run or a data set, asks the checks, and keeps what they find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from cryoglean.dataset import Dataset
from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.examine import examine, live_checks
from cryoglean.doctor.looks import look_at
from cryoglean.doctor.network import look_at_network
from cryoglean.doctor.pictures import Pictures, show_findings
from cryoglean.durable import write_arrays_atomically
from cryoglean.errors import LabelsError, RunError
from cryoglean.finding import Finding
from cryoglean.io.picks import read_picks
from cryoglean.picking import load_picker
from cryoglean.preparing import choose_strategy
from cryoglean.run import Run
from cryoglean.settings import Settings, read_settings

_ENOUGH = 4
"""Micrographs, those with the most labels, that say which way up labels are."""

Tell = Callable[[str, int, int], None]
"""(micrograph, how many are done, how many there are)."""


def diagnose_data(
    dataset: Dataset, settings: Settings, tell: Tell | None = None
) -> tuple[tuple[Finding, ...], Mapping[str, Pictures]]:
    """Before a training: what micrographs, labels and settings say.

    Args:
        dataset: micrographs, roles and labels.
        settings: that a training would have.
        tell: is told each micrograph that was looked at.

    Returns:
        The findings, the worst first, and what is to be seen of them, by check.
    """
    looks = look_at(dataset, settings, tell=tell)
    findings = examine(Evidence(settings, dataset, choose_strategy(dataset, settings), looks))
    return findings, show_findings(looks, findings)


def check_turned_labels(dataset: Dataset, settings: Settings) -> None:
    """Look at a few micrographs if y of the labels was turned over because of their format; a few seconds.

    Args:
        dataset: as gathered.
        settings: of the preparation.

    Raises:
        LabelsError: the labels lie on particles only if they are turned back.
    """
    source = dataset.source
    if source is None or not source.y_turned or source.flip_y is not None:
        return
    counts = Counter(dataset.labels.micrograph.tolist())
    names = [name for name, _ in counts.most_common(_ENOUGH)]
    few = replace(
        dataset, paths={name: dataset.paths[name] for name in names},
        roles={name: dataset.roles[name] for name in names}, labels=dataset.labels.of(names),
    )  # fmt: skip
    evidence = Evidence(settings, few, choose_strategy(dataset, settings), look_at(few, settings))
    for finding in examine(evidence, ["orientation"]):
        if finding.labels == "flip_y":
            found = finding.evidence
            raise LabelsError(
                "the labels are upside down: y was turned over, as their format has it, and they lie on particles only "
                f"if it isn't (strength of the mean picture {found['strength_as_given']:.1f} turned, "
                f"{found['strength_moved']:.1f} not turned, 1 is chance)",
                where=source.files[-1], fix="Say --no-flip-y; or --flip-y, to turn y over all the same.",
            )  # fmt: skip


def diagnose_run(run: Run, tell: Tell | None = None) -> tuple[Finding, ...]:
    """After a training, or what there is of one: everything.

    Args:
        run: a folder of a training, finished or not.
        tell: is told each micrograph that was looked at.

    Raises:
        RunError: nothing was trained there, or it learned from a file of patches.
    """
    evidence = gather_evidence(run, tell)
    findings = examine(evidence)
    keep_findings(run, findings, show_findings(evidence.looks, findings) if evidence.looks is not None else {})
    return findings


def gather_evidence(run: Run, tell: Tell | None = None, *, looks: bool = True) -> Evidence:
    """Everything that is known about a run.

    Args:
        run: see `diagnose_run`.
        tell: see `diagnose_run`.
        looks: whether micrographs and network are looked at, or only what the training has written.

    Raises:
        RunError: see `diagnose_run`.
    """
    if not run.settings_file.exists():
        raise RunError("no training was begun in it", where=run.folder, fix="Give the folder of a `cryoglean train`.")
    settings = read_settings(run.settings_file)
    dataset = Dataset.from_json(run.read_json(run.dataset_file), read_picks(run.labels_file))
    summary: dict[str, Any] | None = run.summary() if run.is_finished else None
    if dataset.content_digest is not None or (summary is not None and summary.get("patches")):
        raise RunError("it learned from a file of patches, which has no micrographs to look at", where=run.folder)
    network = None
    if summary is not None and looks:
        picker, threshold = load_picker(run, settings.learn.precision)
        network = look_at_network(picker, dataset, threshold)
    picks = read_picks(run.validation_picks_file) if run.validation_picks_file.exists() else None
    return Evidence(
        settings, dataset, choose_strategy(dataset, settings), look_at(dataset, settings, tell=tell) if looks else None,
        run.events(), summary, network, picks,
    )  # fmt: skip


def diagnose_training(run: Run) -> tuple[Finding, ...]:
    """Right after a training: what it told and came to, without looking at a micrograph again; kept in the run."""
    if run.findings_file.exists() and run.findings_file.stat().st_mtime_ns >= run.summary_file.stat().st_mtime_ns:
        return tuple(Finding.from_json(one) for one in run.read_json(run.findings_file))  # asked after the training
    findings = examine(gather_evidence(run, looks=False))
    keep_findings(run, findings)
    return findings


def keep_findings(run: Run, findings: tuple[Finding, ...], pictures: Mapping[str, Pictures] | None = None) -> None:
    """Write `findings.json`, and the pictures of findings if there are any."""
    run.write_json(run.findings_file, [one.to_json() for one in findings])
    shown = {f"{check}/{name}": one for check, each in (pictures or {}).items() for name, one in each.items()}
    if shown:
        write_arrays_atomically(run.findings_pictures_file, shown)
    else:
        run.findings_pictures_file.unlink(missing_ok=True)


class Watcher:
    """Listens to a training and asks the checks that need nothing but its events; each finding is told once.

    Args:
        settings: of the training.
        dataset: of the training.
        tell: is told what the training tells, and `finding` events in between.
    """

    _ASKED_AFTER = ("monitor", "validation", "round", "rolled_back")

    def __init__(self, settings: Settings, dataset: Dataset, tell: Callable[[dict[str, Any]], None]) -> None:
        self._settings, self._dataset, self._tell = settings, dataset, tell
        self._events: list[Mapping[str, Any]] = []
        self._known: set[str] = set()
        self._checks = live_checks()

    def __call__(self, event: dict[str, Any]) -> None:
        """Pass an event on, and ask the checks after those that say something new."""
        self._tell(event)
        self._events.append(event)
        if event.get("event") not in self._ASKED_AFTER:
            return
        evidence = Evidence(self._settings, self._dataset, self._settings.strategy, events=self._events)
        for finding in examine(evidence, [name for name in self._checks if name not in self._known]):
            self._known.add(finding.check)
            self._tell({"event": "finding", **finding.to_json()})
