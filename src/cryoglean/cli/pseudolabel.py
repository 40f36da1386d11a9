"""`cryoglean pseudolabel`: the command lines of the source notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from rich.console import Console

from cryoglean.errors import SettingsError
from cryoglean.settings import Effort

if TYPE_CHECKING:
    from cryoglean.ratios.method import Method
    from cryoglean.ratios.sources import Source
    from cryoglean.ratios.study import Study


@Parameter(name="*")
@dataclass(frozen=True)
class NotesData:
    """What to learn from: a folder of pictures and coordinates, or two folders with COCO annotations."""

    image_dir: Path | None = None
    """A folder of pictures (JPEG, PNG, TIFF, MRC). A tenth of the annotated ones is held out: half of it is validation,
    half is the test."""
    coords_file: Path | None = None
    """Their particles: {"name.jpg": [[x, y], ...]}, or any other file of picks, in pixels of the pictures."""
    train_data_dir: Path | None = None
    """A folder of pictures with COCO annotations: in it, in its `annotations`, or in `annotations` beside it
    (instances_train.json)."""
    val_data_dir: Path | None = None
    """Another one, to judge by: half of it (at most 50 pictures) is validation, the rest is the test."""
    particle_radius: float | None = None
    """In pixels of the pictures as they are; needed with --image-dir, else taken from the boxes."""

    def read(self) -> Source:
        """The pictures and annotations.

        Raises:
            SettingsError: options are missing, or are of both kinds.
            CryogleanError: see `cryoglean.ratios.sources`.
        """
        from cryoglean.ratios.sources import read_coco, read_folder

        one, two = (self.image_dir, self.coords_file), (self.train_data_dir, self.val_data_dir)
        if any(one) and any(two):
            raise SettingsError(
                "--image-dir and --coords-file, or --train-data-dir and --val-data-dir, not both", where="pseudolabel"
            )
        if self.train_data_dir is not None and self.val_data_dir is not None:
            return read_coco(self.train_data_dir, self.val_data_dir, self.particle_radius)
        if self.image_dir is None or self.coords_file is None:
            raise SettingsError(
                "it is not known what to learn from", where="pseudolabel",
                fix="Give --image-dir and --coords-file, or --train-data-dir and --val-data-dir.",
            )  # fmt: skip
        if self.particle_radius is None:
            raise SettingsError("it is needed", where="--particle-radius", fix="Give pixels of the pictures.")
        return read_folder(self.image_dir, self.coords_file, self.particle_radius)


@Parameter(name="*")
@dataclass(frozen=True)
class NotesMethod:
    """How to learn."""

    strategy: Literal["pseudo_label", "class_balanced", "limited"] = "pseudo_label"
    """`pseudo_label` (train_pseudolabel.py, train_pseudolabel_coco.py), `class_balanced`
    (train_pseudolabel_coco_balanced.py) or `limited` (train_pseudolabel_coco_limited.py)."""
    variant: Literal["corrected", "notes"] = "corrected"
    """The rules put right, or as the notes had them; see the strategy's page."""
    confidence_threshold: float | None = None
    """Least confidence; by default 0.70. Of `pseudo_label` and `limited`."""
    confidence_threshold_particle: float | None = None
    """The same for pixels called particle; by default 0.60. Of `class_balanced`."""
    confidence_threshold_background: float | None = None
    """The same for pixels called background; by default 0.80. Of `class_balanced`."""
    target_particle_ratio: float | None = None
    """Share of particle pixels (discs as large as a particle) that pictures should have; by default that of the labels.
    Of `class_balanced`, and only the notes' variant chooses by it."""
    pseudo_to_labeled_ratio: float | None = None
    """At most this many times as many pictures as are labelled; by default 2 (`class_balanced`) or 1 (`limited`)."""
    n_iterations: int = 3
    """Rounds at most; the first that gains nothing is the last one (in the notes' variant every round counts)."""
    batch_size: int | None = None
    """Labelled crops in a batch, and as many unlabelled ones; by default 4."""
    target_size: int | None = None
    """Longest side of a picture for the network, in pixels; pictures are never enlarged, and a particle is at most 20
    pixels across for the network."""
    seed: int = 0
    """Of who is labelled, and of the training. Validation and test are the same for all seeds."""
    effort: Effort = "standard"
    """How much time to take."""
    set: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=False)] = ()
    """One setting over all this, as in --set learn.steps=200; may be repeated. See `cryoglean list settings`."""

    def choose(self) -> Method:
        """As the experiment takes it."""
        from cryoglean.ratios.method import Method

        given = asdict(self)
        return Method(assignments=given.pop("set"), **given)


def pseudolabel_command(
    *,
    data: NotesData = NotesData(),
    output_dir: Path,
    labeled_ratios: str = "0.05,0.10",
    method: NotesMethod = NotesMethod(),
    quiet: bool = False,
    json: bool = False,
) -> int:
    """The source notes' experiment: some of the pictures are labelled, what do pseudo-labels of the others bring?

    For each ratio a supervised baseline and pseudo-labels are trained, both tested on pictures that nothing was chosen
    on. The same command goes on after an interruption; a ratio that is done is not run again.

    Args:
        data: what to learn from.
        output_dir: the folder of the results and of the run folders.
        labeled_ratios: shares of the training pictures that are labelled; those of a smaller one are among those of a
            larger one.
        method: how to learn.
        quiet: no progress.
        json: no progress, and the summary as JSON on standard output.
    """
    from cryoglean.cli.main import print_json
    from cryoglean.ratios.method import parse_ratios
    from cryoglean.ratios.study import Study, write_summary

    ratios, chosen = parse_ratios(labeled_ratios), method.choose()
    chosen.options()
    source = data.read()
    if source.without_picture:
        _note(f"{source.without_picture} annotated names have no picture", is_quiet=quiet)
    studies = [Study.plan(source, chosen, ratio, output_dir) for ratio in ratios]
    results = [study.result() for study in studies]  # a folder of another experiment is refused before any work
    done = [
        _run(study, is_quiet=quiet or json) if result is None else result
        for study, result in zip(studies, results, strict=True)
    ]
    summary, content = write_summary(studies, done)
    if json:
        print_json(content)
    elif not quiet:
        _say_results(done, summary)
    return 0


def _run(study: Study, *, is_quiet: bool) -> dict[str, Any]:
    from cryoglean.cli.progress import counting, watching_training
    from cryoglean.report.wording import count_of

    study.check()
    for strategy, run in study.runs.items():
        pictures = count_of(len(study.roles.labeled), "picture")
        _note(f"{study.percent} % labelled ({pictures}): {strategy}", is_quiet=is_quiet)
        with watching_training(quiet=is_quiet) as tell:
            study.train(strategy, tell)
        with counting(quiet=is_quiet) as make_counter:
            counter = make_counter(f"test {run.folder.name}", len(study.roles.test))
            study.pick_test(strategy, lambda *_, counter=counter: counter.advance())
    return study.finish()


def _note(text: str, *, is_quiet: bool) -> None:
    Console(stderr=True, soft_wrap=True, quiet=is_quiet).print(text, markup=False, highlight=False)


def _say_results(results: Sequence[dict[str, Any]], summary: Path) -> None:
    """A row for each ratio, in percent on the test, then where it all is."""
    rows = [("labelled", "supervised P / R / F1", "pseudo-labels P / R / F1", "gain", "rounds that counted")]
    for one in results:
        labelled = f"{100 * one['labeled_ratio']:g} % ({one['n_labeled']})"
        counted = f"{sum(told['counted'] for told in one['iterations'])} of {len(one['iterations'])}"
        scores = [_say_scores(one[name]) for name in ("supervised", "pseudolabel")]
        rows.append((labelled, *scores, one["gain"]["said"], counted))
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        print("  ".join(f"{word:{width}s}" for word, width in zip(row, widths, strict=True)).rstrip())
    print(f"on {results[0]['n_test']} test pictures that nothing was chosen on: {results[0]['definition']}")
    for one in results:
        serious = sum(each["severity"] != "note" for told in one["findings"].values() for each in told)
        if serious:
            print(f"{100 * one['labeled_ratio']:g} %: the doctor has found {serious} things; see the result file")
    print(f"results: {summary}")


def _say_scores(found: dict[str, Any]) -> str:
    values = (found["precision"], found["recall"], found["f1"])
    return " / ".join("-" if value is None else f"{100 * value:.1f}" for value in values)
