"""Vary how a crop looks, never what it shows: contrast, noise, spectrum, blanked blocks.

Rings, zeros of the CTF and the sign of the contrast stay as they are: inverting, shearing or bending a micrograph
breaks its physics.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cryoglean.prepare.tiles import Crops
from cryoglean.settings import AugmentSettings


def vary_look(crops: Crops, settings: AugmentSettings, particle_pixels: float, generator: torch.Generator) -> Tensor:
    """The pictures of a batch, each varied in its own way.

    Args:
        crops: the batch.
        settings: how strongly.
        particle_pixels: diameter in rescaled pixels.
        generator: decides everything.

    Returns:
        (n, 1, y, x) float32.
    """
    if settings.strength == 0:
        return crops.images
    images = crops.images
    if settings.spectrum:
        images = _vary_spectrum(images, settings.strength * settings.spectrum, generator)
    if settings.low_frequencies:
        images = _swap_low_frequencies(images, crops.background, settings.low_frequencies, generator)
    if settings.background:
        images = _add_background(images, crops.background, settings, generator)
    if settings.noise:
        deviation = settings.strength * settings.noise * _uniform(images, generator)
        images = images + deviation * torch.randn(images.shape, generator=generator)
    if settings.contrast:
        images = _vary_contrast(images, min(settings.strength * settings.contrast, 0.9), generator)
    if settings.cutout:
        images = _blank_blocks(images, settings.cutout, particle_pixels, generator)
    return images


def _uniform(images: Tensor, generator: torch.Generator, low: float = 0.0, high: float = 1.0) -> Tensor:
    """(n, 1, 1, 1) numbers, one a picture."""
    return low + (high - low) * torch.rand((len(images), 1, 1, 1), generator=generator)


_BACKGROUND_DEVIATION = 0.5


def _vary_spectrum(images: Tensor, amplitude: float, generator: torch.Generator) -> Tensor:
    """Multiply the radial amplitude profile by exp(sum a_j cos(j pi k / k_max)), j = 1..4, |a_j| <= amplitude."""
    side = images.shape[-1]
    rows, columns = torch.fft.fftfreq(images.shape[-2]), torch.fft.rfftfreq(side)
    radius = torch.sqrt(rows[:, None] ** 2 + columns[None] ** 2) / math.sqrt(0.5)
    exponent = torch.zeros((len(images), *radius.shape))
    for order in range(1, 5):
        factor = _uniform(images, generator, -amplitude, amplitude)[:, 0]
        exponent = exponent + factor * torch.cos(order * math.pi * radius)
    spectrum = torch.fft.rfft2(images) * torch.exp(exponent)[:, None]
    varied: Tensor = torch.fft.irfft2(spectrum, s=images.shape[-2:])
    return varied


_LOW = 0.03  # of the sampling rate


def _swap_low_frequencies(images: Tensor, background: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Some pictures get the low-frequency amplitudes of another place, as of thicker ice (FDA, arXiv 2004.05498)."""
    chosen = _uniform(images, generator)[:, 0, 0, 0] < share
    if not chosen.any():
        return images
    rows, columns = torch.fft.fftfreq(images.shape[-2]), torch.fft.rfftfreq(images.shape[-1])
    is_low = torch.hypot(rows[:, None], columns[None]) < _LOW
    own, other = torch.fft.rfft2(images[chosen]), torch.fft.rfft2(background[chosen])
    swapped = torch.where(is_low, torch.polar(other.abs(), own.angle()), own)
    changed = images.clone()
    changed[chosen] = torch.fft.irfft2(swapped, s=images.shape[-2:])
    return changed


def _add_background(
    images: Tensor, background: Tensor, settings: AugmentSettings, generator: torch.Generator
) -> Tensor:
    """Add noise that has the spectrum of another place: its transform with random phases."""
    chosen = _uniform(images, generator)[:, 0, 0, 0] < settings.background
    if not chosen.any():
        return images
    noise = torch.fft.rfft2(torch.randn(images[chosen].shape, generator=generator))
    shape = torch.fft.rfft2(background[chosen]).abs() * noise / noise.abs().clamp_min(1e-6)
    added = torch.fft.irfft2(shape, s=images.shape[-2:])
    deviation = added.std(dim=(-2, -1), keepdim=True).clamp_min(1e-6)
    share = settings.strength * _BACKGROUND_DEVIATION * _uniform(added, generator)
    noisy = images.clone()
    noisy[chosen] += share * added / deviation
    return noisy


def _vary_contrast(images: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Gain, offset and a signed power around the mean."""
    gain = 1 + _uniform(images, generator, -amount, amount)
    offset = _uniform(images, generator, -amount / 2, amount / 2)
    power = 1 + _uniform(images, generator, -amount / 2, amount / 2)
    bent = torch.sign(images) * (images.abs() + 1e-4) ** power
    return bent * gain + offset


def _blank_blocks(images: Tensor, share: float, particle_pixels: float, generator: torch.Generator) -> Tensor:
    """Set blocks of at most half a particle to 0: too small to hide one, large enough to hide its centre."""
    images = images.clone()
    largest = min(max(int(0.5 * particle_pixels), 2), min(images.shape[-2:]) - 1)
    for place in range(len(images)):
        if float(torch.rand((), generator=generator)) >= share:
            continue
        for _ in range(8):
            side = int(torch.randint(2, largest + 1, (), generator=generator))
            top = int(torch.randint(images.shape[-2] - side, (), generator=generator))
            left = int(torch.randint(images.shape[-1] - side, (), generator=generator))
            images[place, :, top : top + side, left : left + side] = 0
    return images
