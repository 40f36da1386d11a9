r"""The microscope: from the potential to the picture.

Signs: defocus is positive for underfocus; the wave aberration is $\chi = \pi \lambda \Delta z k^2 - \frac{\pi}{2} C_s
\lambda^3 k^4$ and the wave is multiplied by $e^{i\chi}$, as in torch-ctf. A weak object of phase $\varphi$ then gives
the picture $1 - 2 \varphi \ast \sin(\chi + \arcsin Q)$: more potential is darker.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from torch_ctf import calculate_ctf_2d

from cryoglean.simulate.settings import SimulationSettings

_ELECTRON_REST_KV = 510.99895


@dataclass(frozen=True, slots=True)
class Focus:
    """How one micrograph was focused.

    Args:
        defocus_micrometers: mean of the two main defoci; underfocus is positive.
        astigmatism_micrometers: half their difference.
        astigmatism_degrees: direction of the larger one; 0 is along y.
    """

    defocus_micrometers: float
    astigmatism_micrometers: float
    astigmatism_degrees: float


def draw_focus(rng: np.random.Generator, settings: SimulationSettings) -> Focus:
    """A focus within the settings' ranges, evenly distributed."""
    low, high = settings.defocus_micrometers
    defocus, astigmatism, angle = rng.uniform((low, 0.0, 0.0), (high, settings.astigmatism_micrometers, 180.0))
    return Focus(float(defocus), float(astigmatism), float(angle))


def wavelength_angstrom(voltage_kv: float) -> float:
    """Relativistic wavelength of the electron, h / sqrt(2 m e V (1 + e V / 2 m c²)), in angstrom."""
    return float(12.2642597 / np.sqrt(voltage_kv * 1e3 * (1.0 + voltage_kv / (2.0 * _ELECTRON_REST_KV))))


def interaction_per_volt_angstrom(voltage_kv: float) -> float:
    """Phase in radians that a volt over an angstrom of way adds to the wave.

    2 π / (λ V) · (m c² + e V) / (2 m c² + e V) (Kirkland 2010, doi:10.1007/978-1-4419-6533-2, equation 5.6).
    """
    energy = (_ELECTRON_REST_KV + voltage_kv) / (2.0 * _ELECTRON_REST_KV + voltage_kv)
    return float(2.0 * np.pi / (wavelength_angstrom(voltage_kv) * voltage_kv * 1e3) * energy)


def wave_transfer(settings: SimulationSettings, focus: Focus, shape: tuple[int, int]) -> NDArray[np.complex64]:
    """What the lens does to the wave: exp(i χ) exp(-B k² / 4), in the order of `fft2`.

    Args:
        settings: voltage, spherical aberration, B-factor, pixel size.
        focus: of this micrograph.
        shape: (y, x).

    Returns:
        (y, x) complex; 1 at frequency 0. Amplitude contrast is no part of it: see `exit_wave`.
    """
    aberration = calculate_ctf_2d(
        defocus=focus.defocus_micrometers,
        astigmatism=focus.astigmatism_micrometers,
        astigmatism_angle=focus.astigmatism_degrees,
        voltage=settings.voltage_kv,
        spherical_aberration=settings.spherical_aberration_mm,
        amplitude_contrast=0.0,
        phase_shift=0.0,
        pixel_size=settings.pixel_size_angstrom,
        image_shape=shape,
        rfft=False,
        fftshift=False,
        return_complex_ctf=True,
    ).numpy()
    rows, columns = (np.fft.fftfreq(n, settings.pixel_size_angstrom).astype(np.float32) for n in shape)
    decay = np.exp(-settings.b_factor_angstrom2 / 4.0 * (rows[:, None] ** 2 + columns[None, :] ** 2))
    return np.asarray(aberration * decay, dtype=np.complex64)


def exit_wave(
    phase: NDArray[np.float32], absorption: NDArray[np.float32] | float, amplitude_contrast: float
) -> NDArray[np.complex64]:
    """The wave behind the object, exp(i φ (√(1 - Q²) + i Q) - μ); 1 where there is nothing.

    Args:
        phase: φ, (y, x), radians.
        absorption: μ, (y, x), at least 0; exp(-2 μ) of the electrons get through.
        amplitude_contrast: Q, in [0, 1).
    """
    turned = np.complex64(1j * np.sqrt(1.0 - amplitude_contrast**2) - amplitude_contrast)
    return np.asarray(np.exp(turned * phase - absorption), dtype=np.complex64)


def intensity(wave: NDArray[np.complex64], transfer: NDArray[np.complex64]) -> NDArray[np.float32]:
    """The picture, (y, x): electrons relative to the incoming ones; the edges are taken as joined."""
    image = scipy.fft.ifft2(scipy.fft.fft2(wave) * transfer)
    return np.asarray(image.real**2 + image.imag**2, dtype=np.float32)
