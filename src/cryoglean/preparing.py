"""From a data set to prepared micrographs and a split, every check that can be made before the training made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from cryoglean.dataset import Dataset
from cryoglean.errors import CryogleanError, LabelsError, SettingsError
from cryoglean.io.micrographs import read_micrograph
from cryoglean.learn.loop import Tell
from cryoglean.micrograph import Micrograph
from cryoglean.prepare.contrast import measure_contrast
from cryoglean.prepare.normalize import Preparation, Prepared
from cryoglean.prepare.split import Region, Split, plan_split
from cryoglean.settings import Settings

_STRAY_SHARE = 0.1


def start_preparation(dataset: Dataset, settings: Settings) -> Preparation:
    """What micrographs go through, before the labels were asked whether particles are dark or light."""
    choice = settings.prepare
    return Preparation(
        dataset.diameter_angstrom, choice.particle_pixels, choice.high_pass_diameters, choice.clip,
        particles_are_dark=choice.contrast == "dark",
    )  # fmt: skip


def prepare_labelled(dataset: Dataset, settings: Settings) -> tuple[Preparation, Mapping[str, Prepared]]:
    """Fit the preparation on the train micrographs, and apply it to those and the validation ones.

    Raises:
        MicrographError: one of them can't be used.
        LabelsError: the labels do not say whether particles are dark or light, or lie outside the micrographs.
    """
    choice, preparation = settings.prepare, start_preparation(dataset, settings)
    prepared: dict[str, Prepared] = {}
    for name in dataset.names("train", "validation"):  # one raw micrograph in memory at a time
        micrograph = read_micrograph(dataset.paths[name], dataset.pixel_size_of(name))
        _check_inside(dataset, micrograph)
        prepared[name] = preparation.apply(micrograph)
    if choice.contrast == "auto":
        stored = [prepared[name] for name in dataset.names("train") if len(dataset.labels.on(name))]
        labels = [picture.scale.to_rescaled(dataset.labels.on(picture.name).xy) for picture in stored]
        if measure_contrast(stored, labels, choice.particle_pixels).is_dark:
            preparation = preparation.turned(particles_are_dark=True)
            prepared = {name: picture.turned() for name, picture in prepared.items()}
    return preparation, prepared


def choose_strategy(dataset: Dataset, settings: Settings) -> str:
    """What `auto` means: with sparse labels `pu_pseudo`, else `recommended` where there are unlabelled micrographs."""
    if settings.strategy != "auto":
        return settings.strategy
    if settings.labels.kind == "sparse":
        return "pu_pseudo"
    return "recommended" if dataset.names("unlabelled") else "supervised"


def check_labels(strategy: str, made_for: str, settings: Settings) -> None:
    """Refuse wishes that only sparse labels can fulfil where labels are said to be complete.

    Args:
        strategy: its name.
        made_for: the kind of labels that it is made for.
        settings: see `Settings`.

    Raises:
        SettingsError: the strategy is for sparse labels, or a number of particles was given that nobody would ask for.
    """
    if settings.labels.kind == "sparse":
        return
    if made_for == "sparse":
        raise SettingsError(
            f"'{strategy}' is for labels that leave particles out, and these are said to be complete", where="strategy",
            fix="Say --labels sparse, or choose another strategy.",
        )  # fmt: skip
    if settings.labels.per_micrograph is not None:
        raise SettingsError(
            "with complete labels the number of particles is known", where="--per-micrograph",
            fix="Leave it out, or say --labels sparse.",
        )  # fmt: skip


def prepare_unlabelled(
    dataset: Dataset, settings: Settings, preparation: Preparation, tell: Tell, *, is_used: bool = True
) -> Mapping[str, Prepared]:
    """Apply the preparation to unlabelled micrographs, at most `unlabelled.most` of them, drawn by the seed.

    One that can't be used is left out, and said to be: it is one of many.

    Args:
        dataset: see `Dataset`.
        settings: see `Settings`.
        preparation: fitted on the labelled ones.
        tell: is told how many are used, and which are not.
        is_used: whether the strategy looks at them at all.
    """
    names = dataset.names("unlabelled") if is_used else ()
    ranked = sorted(names, key=lambda name: hashlib.sha256(f"{settings.seed}/{name}".encode()).hexdigest())
    prepared: dict[str, Prepared] = {}
    skipped: dict[str, str] = {}
    for name in ranked:
        if len(prepared) == settings.unlabelled.most:
            break
        try:
            micrograph = read_micrograph(dataset.paths[name], dataset.pixel_size_of(name))
            prepared[name] = preparation.apply(micrograph)
        except CryogleanError as error:
            skipped[name] = str(error)
    if is_used:
        tell({"event": "unlabelled", "given": len(names), "used": len(prepared), "skipped": skipped})
    return dict(sorted(prepared.items()))


def split_labelled(dataset: Dataset, settings: Settings) -> Split:
    """What each labelled micrograph is for; micrographs without a particle are only trained on.

    Raises:
        LabelsError: a part to train or validate on has no particle.
    """
    train, validation = dataset.names("train"), dataset.names("validation")
    if settings.labels.kind == "sparse" and not validation:
        return Split(train, ())  # picks on partly labelled micrographs can't be called right or wrong
    empty = tuple(name for name in train if not len(dataset.labels.on(name)))
    split = plan_split([name for name in train if name not in empty], validation, settings.split, settings.seed)
    return split.with_more_training(empty)


def check_folds(split: Split, prepared: Mapping[str, Prepared], dataset: Dataset) -> None:
    """Refuse folds of which one has nothing to learn, or nothing to be judged by.

    Raises:
        LabelsError: naming the micrographs.
    """

    def count(region: Region) -> int:
        return int(region.contains(dataset.labels.on(region.name).xy, prepared[region.name].original_shape).sum())

    for fold in split.folds:
        if not all(sum(map(count, part)) for part in (fold.train, fold.validation)):
            raise LabelsError(
                "the labelled particles can't be divided into a part to learn from and one to choose the threshold by",
                where=", ".join(sorted({region.name for region in fold.validation})),
                fix="Label more particles, or give another micrograph to --validation.",
            )


def _check_inside(dataset: Dataset, micrograph: Micrograph) -> None:
    """A few strays are left out later on; many mean labels of another binning, or x and y swapped."""
    xy, (rows, columns) = dataset.labels.on(micrograph.name).xy, micrograph.shape
    outside = int(((xy < -0.5) | (xy > (columns - 0.5, rows - 0.5))).any(axis=1).sum())
    if outside > _STRAY_SHARE * len(xy):
        raise LabelsError(
            f"{outside} of its {len(xy)} labels lie outside its {columns} x {rows} pixels", where=micrograph.name,
            fix="Check that the labels are in pixels (x, y) of these very files, not of binned ones.",
        )  # fmt: skip
