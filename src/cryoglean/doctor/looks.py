"""What is measured on micrographs and labels before anybody judges: one pass over the files."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from scipy.stats import skew

from cryoglean.dataset import Dataset, Role
from cryoglean.doctor.moves import AS_GIVEN, move, move_names
from cryoglean.errors import CryogleanError
from cryoglean.io.micrographs import read_micrograph
from cryoglean.micrograph import Micrograph
from cryoglean.prepare.normalize import Preparation, Prepared
from cryoglean.preparing import start_preparation
from cryoglean.settings import Settings

REACH_DIAMETERS = 4.0
"""How far around a label the mean picture of a label goes."""
_MOST_LABELS = 400  # a micrograph, for mean pictures
_THUMBNAIL = 50  # blocks a side, the outermost of which are left out
_BANDS = 24
_CORE_DIAMETERS = 0.6  # where a mean picture is asked whether there is something

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Sums over pieces of micrographs around places; stacks of several micrographs add up.

    Args:
        count: of pieces.
        total: (k, k) their sum; pieces are rescaled, a given diameter is `particle_pixels` across.
        inside: mean square of a pixel of the pieces.
        offered: how many places there were, those too near the edge and outside among them.
        outside: how many lay outside the micrograph.
    """

    count: int
    total: Array
    inside: float
    offered: int
    outside: int

    def __add__(self, other: Stack) -> Stack:
        """Both together."""
        count = self.count + other.count
        square = (self.count * self.inside + other.count * other.inside) / max(count, 1)
        return Stack(
            count, self.total + other.total, square, self.offered + other.offered, self.outside + other.outside
        )

    @property
    def mean(self) -> Array:
        """(k, k) the mean picture; 0 without a piece."""
        return self.total / max(self.count, 1)

    def strength(self, particle_pixels: float, around_diameters: tuple[float, float] = (_CORE_DIAMETERS, 1.0)) -> float:
        """How much more there is in the middle of the mean picture than chance puts there: about 1 for chance.

        The mean square of the middle of a mean over n pieces of noise is 1 / n of that of a piece.

        Args:
            particle_pixels: diameter of a particle.
            around_diameters: from where to where the surroundings are taken, whose mean is taken off.
        """
        if not self.count or not self.inside:
            return 0.0
        away = distances(self.total.shape[0]) / particle_pixels
        near, far = around_diameters
        middle, around = self.mean[away <= _CORE_DIAMETERS], self.mean[(away > near) & (away <= far)]
        return float(self.count * np.square(middle - around.mean()).mean() / self.inside)

    def profile(self) -> Array:
        """The mean picture by distance from its middle, in rescaled pixels: at 0, 1, 2, ..., up to its edge."""
        rings = np.rint(distances(self.total.shape[0])).astype(int).ravel()
        means = np.bincount(rings, self.mean.ravel()) / np.maximum(np.bincount(rings), 1)
        return np.asarray(means[: self.total.shape[0] // 2], dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one micrograph is like.

    Args:
        name: of the micrograph.
        role: what it is for.
        path: its file.
        error: why it can't be used; empty where it can.
        shape: (y, x), pixels; (0, 0) where it could not be read.
        pixel_size_angstrom: that its header says; None: nothing.
        missing_share: of its pixels that are not numbers, or where nothing was to be seen.
        mean: of the stored pixels.
        deviation: standard deviation of the stored pixels.
        digest: of the stored pixels: equal for copies.
        thumbnail: (48, 48) a coarse picture, mean 0 and norm 1, to find near-copies.
        spectrum: (24,) logarithm of the amplitude by spatial frequency, after the preparation; nan where unknown.
        skewness: of the picture smoothed to a particle's size, after the preparation: its sign turns with the contrast.
        labels: (n, 2) original pixels.
        stacks: around the labels, by move (see `moves`); empty without labels.
        differences: (k,) inside minus surroundings of each label, in deviations.
    """

    name: str
    role: Role
    path: Path
    error: str = ""
    shape: tuple[int, int] = (0, 0)
    pixel_size_angstrom: float | None = None
    missing_share: float = 0.0
    mean: float = 0.0
    deviation: float = 0.0
    digest: str = ""
    thumbnail: Array = field(default_factory=lambda: np.zeros((_THUMBNAIL - 2, _THUMBNAIL - 2)))
    spectrum: Array = field(default_factory=lambda: np.full(_BANDS, np.nan))
    skewness: float = 0.0
    labels: Array = field(default_factory=lambda: np.zeros((0, 2)))
    stacks: Mapping[str, Stack] = field(default_factory=dict)
    differences: Array = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """All micrographs that were looked at.

    Args:
        each: in order of the names.
        particle_pixels: diameter of a particle in the rescaled pictures.
        left_out: unlabelled micrographs that were not looked at, because there were many.
    """

    each: tuple[Look, ...]
    particle_pixels: float
    left_out: int = 0

    @property
    def usable(self) -> tuple[Look, ...]:
        """Those that can be used."""
        return tuple(one for one in self.each if not one.error)

    @property
    def labelled(self) -> tuple[Look, ...]:
        """Those of them with labels on them."""
        return tuple(one for one in self.usable if len(one.labels))

    def stack(self, name: str) -> Stack | None:
        """The labels of all micrographs after a move; None without labels."""
        stacks = [one.stacks[name] for one in self.labelled if name in one.stacks]
        return sum(stacks[1:], stacks[0]) if stacks else None


def look_at(
    dataset: Dataset,
    settings: Settings,
    *,
    most_unlabelled: int = 40,
    tell: Callable[[str, int, int], None] | None = None,
) -> Looks:
    """Look at the micrographs of a data set.

    Args:
        dataset: micrographs, roles, labels.
        settings: of the preparation.
        most_unlabelled: more unlabelled and test micrographs than this are not looked at.
        tell: is told each finished micrograph, how many are done, and how many there are.
    """
    preparation = start_preparation(dataset, settings).turned(particles_are_dark=False)
    told, others = dataset.names("train", "validation"), dataset.names("unlabelled", "test")
    step = max(math.ceil(len(others) / most_unlabelled), 1)
    names = sorted([*told, *others[::step]])
    looks = []
    for place, name in enumerate(names, 1):
        looks.append(_look(dataset, preparation, name))
        if tell is not None:
            tell(name, place, len(names))
    return Looks(tuple(looks), preparation.particle_pixels, len(others) - len(others[::step]))


def distances(side: int) -> Array:
    """(side, side) distance of each pixel of a piece from its middle, in pixels."""
    offsets = np.mgrid[:side, :side] - (side - 1) / 2
    return np.asarray(np.hypot(*offsets), dtype=np.float64)


def _look(dataset: Dataset, preparation: Preparation, name: str) -> Look:
    empty = Look(name, dataset.roles[name], dataset.paths[name], labels=dataset.labels.on(name).xy)
    try:
        micrograph = read_micrograph(dataset.paths[name])
    except CryogleanError as error:
        return replace(empty, error=str(error))
    known = _describe_stored(empty, micrograph)
    size = dataset.pixel_size_of(name)
    try:
        prepared = preparation.apply(micrograph if size is None else replace(micrograph, pixel_size_angstrom=size))
    except CryogleanError as error:
        return replace(known, error=str(error))
    image = prepared.image.numpy().astype(np.float64)
    smooth = gaussian_filter(image, preparation.particle_pixels / 5)
    inside = prepared.valid.numpy()
    looked = replace(
        known,
        missing_share=max(known.missing_share, 1 - float(inside.mean())),
        spectrum=_spectrum(image, inside),
        skewness=float(skew(smooth[inside].clip(-3, 3), axis=None)),
    )
    if not len(looked.labels):
        return looked
    stacks = {each: _stack(prepared, image, looked, preparation, each) for each in move_names()}
    return replace(looked, stacks=stacks, differences=_differences(prepared, image, looked, preparation))


def _describe_stored(look: Look, micrograph: Micrograph) -> Look:
    pixels = micrograph.pixels
    finite = np.isfinite(pixels)
    known = pixels[finite].astype(np.float64)
    filled = np.where(finite, pixels, known.mean() if len(known) else 0.0)
    return replace(
        look,
        shape=micrograph.shape,
        pixel_size_angstrom=micrograph.pixel_size_angstrom,
        missing_share=float(1 - finite.mean()),
        mean=float(known.mean()) if len(known) else 0.0,
        deviation=float(known.std()) if len(known) else 0.0,
        digest=hashlib.sha256(np.ascontiguousarray(filled).tobytes()).hexdigest(),
        thumbnail=_thumbnail(filled),
    )


def _thumbnail(pixels: NDArray[np.float32]) -> Array:
    """Block means of the whole, without their slow changes, which micrographs of one session share."""
    rows, columns = (np.array_split(np.arange(length), _THUMBNAIL) for length in pixels.shape)
    if min(pixels.shape) < _THUMBNAIL:
        return np.zeros((_THUMBNAIL - 2, _THUMBNAIL - 2))
    by_row = np.add.reduceat(pixels.astype(np.float64), [part[0] for part in rows], axis=0)
    sums = np.add.reduceat(by_row, [part[0] for part in columns], axis=1)
    means: Array = sums / np.outer([len(part) for part in rows], [len(part) for part in columns])
    means = means[1:-1, 1:-1]  # a border that is blank on all micrographs makes all of them alike
    fine: Array = means - np.asarray(gaussian_filter(means, 4), dtype=np.float64)
    fine = np.clip(fine, -3 * fine.std(), 3 * fine.std())
    norm = float(np.linalg.norm(fine))
    return fine / norm if norm else fine


def _spectrum(image: Array, valid: NDArray[np.bool_]) -> Array:
    """Mean logarithm of the amplitude in rings of spatial frequency, the window's edge tapered."""
    if min(image.shape) < 4 * _BANDS:
        return np.full(_BANDS, np.nan)
    window = np.outer(*(np.hanning(length) for length in image.shape))
    power = np.abs(np.fft.rfft2(image * valid * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])[None])
    band = (frequency / 0.5 * _BANDS).astype(int)
    kept = band < _BANDS
    sums = np.bincount(band[kept], power[kept], minlength=_BANDS)
    counts = np.bincount(band[kept], minlength=_BANDS)
    spectrum = 0.5 * np.log(sums / np.maximum(counts, 1) + 1e-12)
    return np.asarray(spectrum, dtype=np.float64)


def _stack(prepared: Prepared, image: Array, look: Look, preparation: Preparation, name: str) -> Stack:
    """Pieces around the labels after a move; far ones only for labels as given, where a size is sought."""
    moved = move(look.labels, look.shape, name)
    rows, columns = look.shape
    outside = int(((moved < -0.5) | (moved > (columns - 0.5, rows - 0.5))).any(axis=1).sum())
    reach = round((REACH_DIAMETERS if name == AS_GIVEN else 1.0) * preparation.particle_pixels)
    side = 2 * reach + 1
    total, square, count = np.zeros((side, side)), 0.0, 0
    for piece in _pieces(prepared, image, moved, reach):
        total += piece
        square += float(np.square(piece).mean())
        count += 1
    return Stack(count, total, square / max(count, 1), len(moved), outside)


def _pieces(prepared: Prepared, image: Array, xy: Array, reach: int) -> Iterator[Array]:
    """(2 reach + 1, 2 reach + 1) pieces around places whose middle is inside; edges are continued by 0."""
    padded = np.pad(image, reach)
    centres = np.round(prepared.scale.to_rescaled(xy)).astype(int)
    for x, y in centres[:: max(math.ceil(len(centres) / _MOST_LABELS), 1)]:
        if 0 <= x < image.shape[1] and 0 <= y < image.shape[0]:
            yield padded[y : y + 2 * reach + 1, x : x + 2 * reach + 1]


def _differences(prepared: Prepared, image: Array, look: Look, preparation: Preparation) -> Array:
    """Inside (0.4 diameters) minus surroundings (0.5 to 0.8) of each label, as `prepare.contrast` measures it."""
    reach = round(preparation.particle_pixels)
    away = distances(2 * reach + 1) / preparation.particle_pixels
    inside, around = away <= 0.4, (away >= 0.5) & (away <= 0.8)
    pieces = _pieces(prepared, image, look.labels, reach)
    return np.array([piece[inside].mean() - piece[around].mean() for piece in pieces], dtype=np.float64)


def nearest_labels(look: Look) -> Array:
    """(n,) the distance of each label to its nearest neighbour, in original pixels; infinite for a single one."""
    if len(look.labels) < 2:
        return np.full(len(look.labels), np.inf)
    distance, _ = cKDTree(look.labels).query(look.labels, k=2)
    return np.asarray(distance, dtype=np.float64)[:, 1]
