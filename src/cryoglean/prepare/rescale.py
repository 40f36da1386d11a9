"""Fourier-crop a micrograph so that every particle has the same size in pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from torch import Tensor

_LARGEST_MISMATCH = 0.002  # relative; half a rescaled pixel over 250 of them, undone exactly in the coordinates


@dataclass(frozen=True, slots=True)
class Scale:
    """How coordinates change when a micrograph is rescaled: pixel 0 stays pixel 0 on both axes.

    Args:
        x: rescaled pixels per original pixel along x, above 0.
        y: the same along y; within 0.4 % of x.
    """

    x: float
    y: float

    def to_rescaled(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 2) pixels of the original micrograph -> pixels of the rescaled one."""
        return np.multiply(xy, [self.x, self.y])

    def to_original(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 2) pixels of the rescaled micrograph -> pixels of the original one."""
        return np.divide(xy, [self.x, self.y])


def rescale(pixels: NDArray[np.float32], factor: float) -> tuple[Tensor, Scale]:
    """Resample by cutting (or filling) the Fourier transform, which neither blurs nor aliases.

    The picture is first continued by mirroring to a length that is fast to transform and makes the ratio of the two
    lengths as near to `factor` as 0.2 %; the exact ratio is returned.

    Args:
        pixels: (y, x) float32, finite.
        factor: rescaled pixels per original pixel, above 0.

    Returns:
        The picture (y, x) float32, and the exact scale.
    """
    height, width = pixels.shape
    (from_y, to_y), (from_x, to_x) = _lengths(height, factor), _lengths(width, factor)
    scale = Scale(x=to_x / from_x, y=to_y / from_y)
    picture = torch.from_numpy(_continue_by_mirror(pixels, from_y, from_x))
    spectrum = _cut(torch.fft.rfft(picture, dim=1), to_x // 2 + 1, from_x, to_x)
    spectrum = _cut_rows(torch.fft.fft(spectrum, dim=0), to_y)
    small = torch.fft.irfft2(spectrum, s=(to_y, to_x)) * (scale.x * scale.y)
    return small[: _kept(height, scale.y), : _kept(width, scale.x)].contiguous(), scale


def _kept(length: int, scale: float) -> int:
    """How many rescaled pixels have their centre on the original picture."""
    return int(np.floor((length - 1) * scale + 1e-9)) + 1


def _lengths(length: int, factor: float) -> tuple[int, int]:
    """A padded length that is fast to transform, and the length it is cut to."""
    best = (length, max(round(length * factor), 1))
    smallest = np.inf
    padded = next_fast_len(length, real=True)
    while padded <= max(1.12 * length, length + 16):
        cut = max(round(padded * factor), 1)
        mismatch = abs(cut / padded / factor - 1)
        if mismatch < smallest - 1e-12:
            best, smallest = (padded, cut), mismatch
        if smallest < _LARGEST_MISMATCH:
            break
        padded = next_fast_len(padded + 1, real=True)
    return best


def _continue_by_mirror(pixels: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    below, right = height - pixels.shape[0], width - pixels.shape[1]
    if below == 0 and right == 0:
        return np.ascontiguousarray(pixels)
    return np.pad(pixels, ((0, below), (0, right)), mode="symmetric")


def _cut(spectrum: Tensor, columns: int, from_length: int, to_length: int) -> Tensor:
    """Cut or fill the half axis of a real transform; an unpaired highest frequency is dropped."""
    kept = spectrum[:, : min(columns, spectrum.shape[1])]
    if columns > kept.shape[1]:
        kept = torch.nn.functional.pad(kept, (0, columns - kept.shape[1]))
    shorter = min(from_length, to_length)
    if shorter % 2 == 0 and from_length != to_length:
        kept = kept.clone()
        kept[:, shorter // 2] = 0
    return kept


def _cut_rows(spectrum: Tensor, to_length: int) -> Tensor:
    """Cut or fill the full axis of a transform; an unpaired highest frequency is dropped."""
    from_length = spectrum.shape[0]
    if from_length == to_length:
        return spectrum
    half = (min(from_length, to_length) - 1) // 2
    out = spectrum.new_zeros((to_length, spectrum.shape[1]))
    out[: half + 1] = spectrum[: half + 1]
    if half:
        out[-half:] = spectrum[-half:]
    return out
