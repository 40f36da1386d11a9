"""What an experiment's file may say, and what is said about its mistakes."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cryoglean.errors import SettingsError
from cryoglean.experiment.grid import ORACLE, SUPERVISED, make_grid, read_grid

DATA = {"sim": {"micrographs": "mics", "labels": "truth.csv", "diameter_angstrom": 180}}


def refused(**content: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        make_grid({"data": DATA, **content})
    return str(caught.value)


def test_paths_are_taken_from_the_folder_of_the_file(tmp_path: Path) -> None:
    data = {"micrographs": ["mics/*.mrc", "/abs/b.mrc"], "labels": "truth.csv", "ignore": "i.csv"}
    file = tmp_path / "grid.yaml"
    file.write_text(yaml.safe_dump({"data": {"sim": {**data, "diameter_angstrom": 180}}}))
    read = read_grid(file).data["sim"]
    assert read.micrographs == (str(tmp_path / "mics/*.mrc"), "/abs/b.mrc")
    assert (read.labels, read.ignore) == (tmp_path / "truth.csv", tmp_path / "i.csv")


def test_a_grid_comes_back_from_its_yaml(tmp_path: Path) -> None:
    lines = {"a": {"strategy": "pseudo_label", "options": {"variant": "notes"}, "settings": ["learn.steps=9"]}}
    grid = make_grid({"data": DATA, "lines": lines, "seeds": [3, 5], "ratios": [0.1]})
    (tmp_path / "grid.yaml").write_text(grid.to_yaml())
    again = read_grid(tmp_path / "grid.yaml")
    assert again.model_copy(update={"data": grid.data}) == grid


def test_seeds_may_be_a_number() -> None:
    assert make_grid({"data": DATA, "seeds": 4}).seeds == (0, 1, 2, 3)
    assert make_grid({"data": DATA, "seeds": [7, 2, 7]}).seeds == (7, 2)


@pytest.mark.parametrize("seeds", [0, [], True, [-1]])
def test_seeds_that_draw_nothing_are_refused(seeds: Any) -> None:
    assert "seeds" in refused(seeds=seeds)


def test_ratios_are_sorted_and_each_counts_once() -> None:
    assert make_grid({"data": DATA, "ratios": [0.5, 0.05, 0.5]}).ratios == (0.05, 0.5)


@pytest.mark.parametrize("ratios", [[], [0], [1.5], 0.1, ["x"]])
def test_ratios_that_can_not_be_meant_are_refused(ratios: Any) -> None:
    assert "ratios" in refused(ratios=ratios)


def test_all_mistakes_are_told_at_once_with_the_nearest_names() -> None:
    wrong = {"sim": {"micrographs": "m", "labels": "t", "diameter_angstrom": -1, "grup": "(a)"}}
    text = refused(data=wrong, ratois=[0.1], lines={"a": {"stratgy": "x"}}, validation=0)
    for part in (
        "data.sim.diameter_angstrom", "'data.sim.grup'. Did you mean group?", "'ratois'. Did you mean ratios?",
        "'lines.a.stratgy'. Did you mean strategy?", "validation:",
    ):  # fmt: skip
        assert part in text


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "", "a b", "-x", "é"])
def test_names_that_are_no_folder_names_are_refused(name: str) -> None:
    assert "can't be the name of a folder" in refused(lines={name: {"strategy": "recommended"}})
    assert "can't be the name of a folder" in refused(data={name: DATA["sim"]})


def test_a_name_alone_is_a_strategy() -> None:
    listed = make_grid({"data": DATA, "lines": ["recommended", "oracle", "supervised"]})
    named = make_grid({"data": DATA, "lines": {"recommended": None}})
    assert listed.all_lines() == named.all_lines()
    assert list(named.all_lines()) == [SUPERVISED, "recommended", ORACLE]
    assert named.all_lines()[ORACLE].is_oracle


def test_supervised_and_oracle_can_not_be_other_lines() -> None:
    assert "always there" in refused(lines={"supervised": {"settings": ["learn.steps=9"]}})
    assert "always there" in refused(lines={"oracle": {"strategy": "pseudo_label"}})


@pytest.mark.parametrize("setting", ["seed=3", "strategy=mean_teacher"])
def test_what_the_grid_draws_is_no_setting(setting: str) -> None:
    name = setting.split("=")[0]
    assert f"'{name}' is no setting here" in refused(settings=[setting])
    assert f"'{name}' is no setting here" in refused(lines={"a": {"settings": [setting]}})


@pytest.mark.parametrize(("group", "said"), [("(", "no regular expression"), ("ab", "one group"), ("(a)(b)", "one")])
def test_groups_need_one_group(group: str, said: str) -> None:
    assert said in refused(data={"sim": {**DATA["sim"], "group": group}})


def test_settings_of_a_line_lie_over_those_of_all_lines() -> None:
    line = {"strategy": "pseudo_label", "settings": ["learn.steps=9"]}
    grid = make_grid({"data": DATA, "settings": ["learn.steps=5", "learn.batch=3"], "lines": {"a": line}})
    settings = grid.settings_of(grid.lines["a"], 4)
    assert (settings.learn.steps, settings.learn.batch, settings.seed) == (9, 3, 4)
    assert settings.strategy == "pseudo_label"


def test_unknown_cards_and_settings_are_told() -> None:
    grid = make_grid({"data": DATA, "lines": ["recomended"], "settings": []})
    with pytest.raises(SettingsError, match="recommended"):
        grid.settings_of(grid.lines["recomended"], 0)
    grid = make_grid({"data": DATA, "settings": ["learn.stpes=5"]})
    with pytest.raises(SettingsError, match="steps"):
        grid.settings_of(grid.all_lines()[SUPERVISED], 0)


@pytest.mark.parametrize("text", ["[1, 2]", "data: [", "", "\x00"])
def test_a_file_that_is_no_mapping_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "grid.yaml").write_text(text)
    with pytest.raises(SettingsError, match=r"grid\.yaml"):
        read_grid(tmp_path / "grid.yaml")
    with pytest.raises(SettingsError, match=r"missing\.yaml"):
        read_grid(tmp_path / "missing.yaml")
