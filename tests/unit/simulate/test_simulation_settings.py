"""Simulation settings: their ranges, and errors that name every mistake."""

from __future__ import annotations

import pytest

from cryoglean.errors import SettingsError
from cryoglean.simulate.settings import SimulationSettings, simulation_settings


def test_every_setting_says_what_it_means() -> None:
    for name, field in SimulationSettings.model_fields.items():
        assert field.description, name


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        simulation_settings({"molecul": "tetramer", "pixel_size_angstrom": -1.0})

    message = str(caught.value)
    assert "Did you mean molecule?" in message
    assert "pixel_size_angstrom = -1.0" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "values",
    [
        {"overlap_share": 1.5},
        {"shape_pixels": (10, 10)},
        {"defocus_micrometers": (2.0, 1.0)},
        {"contrast": "grey"},
        {"dose_electrons_per_angstrom2": 0.0},
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(values))):
        simulation_settings(values)


def test_settings_survive_being_written_down() -> None:
    settings = SimulationSettings(molecule="rod", shape_pixels=(128, 256))

    again = SimulationSettings.model_validate_json(settings.model_dump_json())

    assert again == settings
