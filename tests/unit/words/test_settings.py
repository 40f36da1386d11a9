"""Settings: layers, mistakes, presets."""

from pathlib import Path

import pytest

from cryoglean.errors import SettingsError
from cryoglean.preset import preset_names, read_preset_summary
from cryoglean.settings import (
    choose_settings,
    describe_setting,
    effort_names,
    read_settings,
    resolve_settings,
    setting_names,
)


def test_later_layers_go_over_earlier_ones_and_assignments_over_all() -> None:
    settings = resolve_settings([{"learn": {"steps": 10, "batch": 2}}, {"learn": {"steps": 20}}], ["learn.batch=3"])

    assert (settings.learn.steps, settings.learn.batch) == (20, 3)


def test_all_mistakes_are_told_at_once_with_the_nearest_name() -> None:
    with pytest.raises(SettingsError) as caught:
        resolve_settings([{"learn": {"stepps": 10, "batch": 0}, "pick": {"views": 3}}])

    message = str(caught.value)
    assert "learn.stepps" in message
    assert "Did you mean learn.steps" in message
    assert "learn.batch = 0" in message
    assert "pick.views = 3" in message


@pytest.mark.parametrize("text", ["learn.steps", "=3", ""])
def test_an_assignment_without_a_value_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="not name=value"):
        resolve_settings([], [text])


def test_exponents_are_numbers() -> None:
    """YAML 1.1 reads 1e-3 as text."""
    assert resolve_settings([], ["learn.learning_rate=1e-3"]).learn.learning_rate == 0.001


def test_lists_can_be_assigned() -> None:
    assert resolve_settings([], ["model.widths=[8, 16]"]).model.widths == (8, 16)


def test_written_settings_are_read_back_the_same(tmp_path: Path) -> None:
    settings = resolve_settings([], ["seed=7", "learn.steps=33", "loss.terms=[focal, dice]"])
    (tmp_path / "s.yaml").write_text(settings.to_yaml(), encoding="utf-8")

    assert read_settings(tmp_path / "s.yaml") == settings


@pytest.mark.parametrize("content", ["- a\n", "learn: [", "\x00"])
def test_a_broken_settings_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "s.yaml").write_text(content, encoding="utf-8")

    with pytest.raises(SettingsError, match=r"s\.yaml"):
        read_settings(tmp_path / "s.yaml")


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads_and_says_what_it_is_for(name: str) -> None:
    assert choose_settings(preset=name).learn.steps >= 1
    assert len(read_preset_summary(name)) > 10


def test_every_effort_is_a_preset() -> None:
    assert set(effort_names()) <= set(preset_names())


def test_the_notes_baseline_is_as_they_wrote_it() -> None:
    """768 px, radius 42 px, focal + Dice, pos_weight 5, batch 2 (source notes)."""
    settings = choose_settings(preset="seed_5_percent")

    assert settings.learn.crop_pixels == 768
    assert settings.prepare.particle_pixels * settings.targets.core_diameters == 42
    assert settings.loss.terms == ("focal", "dice")
    assert settings.loss.positive_weight == 5
    assert settings.learn.batch == 2


def test_an_unknown_preset_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean thorough"):
        choose_settings(preset="thorogh")


@pytest.mark.parametrize("name", setting_names())
def test_every_setting_says_what_it_means(name: str) -> None:
    meaning, _ = describe_setting(name)

    if "." in name or name in ("strategy", "seed"):
        assert len(meaning) > 10


def test_options_are_what_a_settings_file_gives_back(tmp_path: Path) -> None:
    """A tuple would come back as a list, and a run could not be resumed."""
    settings = resolve_settings([{"options": {"shares": (0.5, 0.7)}}])
    (tmp_path / "settings.yaml").write_text(settings.to_yaml(), encoding="utf-8")

    assert read_settings(tmp_path / "settings.yaml") == settings
    assert settings.options == {"shares": [0.5, 0.7]}
