"""What a simulated micrograph is made of: every number with its unit and range."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cryoglean.errors import SettingsError, did_you_mean
from cryoglean.settings import NotNegative, Positive, Share

Side = Annotated[int, Field(ge=64, le=16384)]


class SimulationSettings(BaseModel):
    """One kind of micrograph: the molecule, the microscope, the ice and what else lies in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    molecule: str = "tetramer"
    """A built-in molecule, one of `molecule_names()`; not looked at when `structure` is given."""
    structure: Path | None = None
    """A PDB, mmCIF, MRC or CCP4 file to take instead of a built-in molecule."""
    views: Annotated[int, Field(ge=1, le=4096)] = 192
    """Random directions the molecule is seen from; each is also turned and mirrored, which makes 8 times as many."""
    shape_pixels: tuple[Side, Side] = (768, 768)
    """(y, x): rows and columns."""
    pixel_size_angstrom: Annotated[float, Field(gt=0.2, le=20.0)] = 4.0
    """Side of a pixel, in angstrom."""
    particles_per_micrograph: NotNegative = 90.0
    """Mean number of particles with their centre on the micrograph; the number itself is Poisson distributed."""
    spacing_diameters: Annotated[float, Field(ge=0.2, le=5.0)] = 0.9
    """Least distance between the centres of particles that do not overlap, in diameters."""
    overlap_share: Share = 0.1
    """Share of the particles that lie over the edge of another one."""
    clustered_share: Share = 0.25
    """Share of the particles that lie within two diameters of another one."""
    dose_electrons_per_angstrom2: Positive = 10.0
    """Electrons that are detected in a square angstrom where nothing is in the way: the dose times the detective
    quantum efficiency of the camera. The default is low on purpose: with 30, picking is too easy to learn from."""
    voltage_kv: Annotated[float, Field(ge=60.0, le=1000.0)] = 300.0
    """Acceleration voltage, in kV."""
    spherical_aberration_mm: NotNegative = 2.7
    """Spherical aberration, in mm."""
    amplitude_contrast: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.07
    """Share of amplitude contrast."""
    defocus_micrometers: tuple[float, float] = (0.5, 1.6)
    """Least and largest defocus, in micrometers; underfocus is positive."""
    astigmatism_micrometers: NotNegative = 0.03
    """Largest half difference between the two main defoci, in micrometers."""
    b_factor_angstrom2: NotNegative = 150.0
    """Decay exp(-B k²/4) of the contrast by motion, beam and detector, in square angstrom."""
    ice_angstrom: Positive = 500.0
    """Mean thickness of the ice, in angstrom."""
    ice_gradient: Annotated[float, Field(ge=0.0, le=0.9)] = 0.12
    """Largest relative change of the thickness of the ice from the middle to an edge."""
    solvent_noise: NotNegative = 1.0
    """Amplitude of the granularity of the ice; 1 is that of water that the beam sets in motion."""
    aggregates: NotNegative = 1.5
    """Mean number of clumps of unfolded protein."""
    fragments: NotNegative = 35.0
    """Mean number of broken molecules, 0.2 to 0.6 diameters in size."""
    ice_crystals: NotNegative = 0.4
    """Mean number of ice crystals on the surface."""
    carbon_edge: Share = 0.1
    """Probability that the edge of the carbon film is in sight."""
    gold_beads: NotNegative = 0.0
    """Mean number of gold beads of 80 to 150 Å."""
    contrast: Literal["dark", "light"] = "dark"
    """Whether particles are darker than the ice, as the camera sees them, or lighter (all values negated)."""

    @field_validator("defocus_micrometers")
    @classmethod
    def _is_a_range(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] > value[1]:
            raise ValueError("the least defocus is above the largest")
        return value


def simulation_settings(values: Mapping[str, Any]) -> SimulationSettings:
    """Settings from a mapping, with our own errors.

    Args:
        values: the settings that differ from their defaults, by name.

    Raises:
        SettingsError: names all mistakes at once, each with the nearest known name or the allowed range.
    """
    try:
        return SimulationSettings.model_validate(dict(values))
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(mistake) for mistake in error.errors()), where="simulation") from error


def _explain(mistake: Any) -> str:
    name = ".".join(str(part) for part in mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        return f"there is no setting '{name}'. {did_you_mean(name, tuple(SimulationSettings.model_fields))}"
    return f"{name} = {mistake['input']!r}: {mistake['msg'].lower()}"
