"""The run folder: everything one training made, by name, readable without torch."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryoglean.durable import read_json_lines, write_json_atomically
from cryoglean.errors import RunError

_TOLD_ONCE_A = {
    **dict.fromkeys(("step", "validation", "monitor", "rolled_back"), "step"), "round": "round", "finding": "check",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """A folder that `cryoglean train` fills; one file, one thing.

    Args:
        folder: the run folder; it need not exist yet.
    """

    folder: Path

    @property
    def settings_file(self) -> Path:
        """`settings.yaml`: the complete resolved settings."""
        return self.folder / "settings.yaml"

    @property
    def environment_file(self) -> Path:
        """`environment.json`: command line, versions, machine, threads, seed."""
        return self.folder / "environment.json"

    @property
    def dataset_file(self) -> Path:
        """`dataset.json`: name -> path and role of each micrograph, and the pixel size and diameter."""
        return self.folder / "dataset.json"

    @property
    def labels_file(self) -> Path:
        """`labels.csv`: the labels as they were used, in pixels of the original micrographs."""
        return self.folder / "labels.csv"

    @property
    def events_file(self) -> Path:
        """`events.jsonl`: one JSON object a line, told during training."""
        return self.folder / "events.jsonl"

    @property
    def weights_file(self) -> Path:
        """`model.safetensors`: the weights of the chosen network (EMA)."""
        return self.folder / "model.safetensors"

    @property
    def model_file(self) -> Path:
        """`model.json`: how to build the network, the normalisation, the scale, the threshold."""
        return self.folder / "model.json"

    @property
    def checkpoint_folder(self) -> Path:
        """`checkpoint/`: what `--resume` continues from; removed when the training is done."""
        return self.folder / "checkpoint"

    @property
    def spent_file(self) -> Path:
        """`checkpoint/spent.json`: what the training has taken so far, in seconds; removed when it is done."""
        return self.checkpoint_folder / "spent.json"

    @property
    def prior_file(self) -> Path:
        """`prior.json`: how many particles were expected, where that was estimated from clicks."""
        return self.folder / "prior.json"

    @property
    def findings_file(self) -> Path:
        """`findings.json`: what the doctor found, the worst first; see `cryoglean.finding`."""
        return self.folder / "findings.json"

    @property
    def findings_pictures_file(self) -> Path:
        """`findings.npz`: pictures of what was found, as `check/caption` -> (y, x) values."""
        return self.folder / "findings.npz"

    @property
    def validation_picks_file(self) -> Path:
        """`picks/validation.csv`: every pick on the validation micrographs down to the lowest score kept."""
        return self.folder / "picks" / "validation.csv"

    def pseudo_labels_file(self, number: int) -> Path:
        """`pseudo/round-N.npz`: the pseudo-labels of a few micrographs of a round: image, y and w as bytes, by name."""
        return self.folder / "pseudo" / f"round-{number}.npz"

    @property
    def log_file(self) -> Path:
        """`log.json`: where loggers have logged it, and whether that is complete."""
        return self.folder / "log.json"

    @property
    def summary_file(self) -> Path:
        """`summary.json`: the threshold, how it was chosen, the validation scores, times; written last."""
        return self.folder / "summary.json"

    @property
    def report_file(self) -> Path:
        """`report.html`: the report."""
        return self.folder / "report.html"

    @property
    def figures_folder(self) -> Path:
        """`figures/`: the report's pictures as PNG."""
        return self.folder / "figures"

    def read_json(self, path: Path) -> Any:
        """The content of one of the JSON files.

        Raises:
            RunError: the file is missing (the folder is no run, or its training is not finished) or broken.
        """
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RunError(
                f"{path.name} is missing", where=self.folder, fix="Give the folder of a finished `cryoglean train`."
            ) from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise RunError(f"{path.name} is not JSON ({error})", where=self.folder, fix="Train again.") from error

    def write_json(self, path: Path, value: Any) -> None:
        """Replace one of the JSON files at once."""
        write_json_atomically(path, value)

    def summary(self) -> dict[str, Any]:
        """The content of `summary.json`; see `read_json` for errors."""
        return dict(self.read_json(self.summary_file))

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The events told during training, in order; only those of one kind if given.

        What was made again after an interruption counts once, as it was last told.
        """
        latest: dict[tuple[Any, ...], dict[str, Any]] = {}
        for place, event in enumerate(read_json_lines(self.events_file)):
            if kind is None or event.get("event") == kind:
                by = _TOLD_ONCE_A.get(str(event.get("event")))
                latest[(event.get("event"), event.get("phase"), event[by] if by else place)] = event
        return list(latest.values())

    @property
    def is_finished(self) -> bool:
        """Whether the training has come to its end."""
        return self.summary_file.exists()

    def _repr_html_(self) -> str:
        """The summary and the report's pictures, for notebooks."""
        if not self.is_finished:
            return f"<p>{self.folder}: not finished, {len(self.events())} events</p>"
        summary = self.summary()
        validation = summary.get("validation") or {}
        text = ", ".join(f"{key} {validation[key]:.3f}" for key in ("f1", "average_precision") if key in validation)
        pictures = sorted(self.figures_folder.glob("*.png"))[:4]
        images = "".join(
            f'<img alt="{picture.stem}" style="max-width:48%" src="data:image/png;base64,'
            f'{base64.b64encode(picture.read_bytes()).decode()}">'
            for picture in pictures
        )
        return f"<p><b>{self.folder.name}</b> on validation: {text or 'not validated'}</p>{images}"
