"""What every strategy card promises; a new card is tested as soon as its file is there."""

import ast
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cryoglean.dataset import Dataset
from cryoglean.io.micrographs import write_micrograph
from cryoglean.micrograph import Micrograph
from cryoglean.picks import Picks
from cryoglean.pipeline import train
from cryoglean.recipe import Recipe
from cryoglean.registry import card_names, card_summary, load_card
from cryoglean.run import Run
from cryoglean.settings import Settings, choose_settings

NAMES = card_names("strategies")
PAPER = re.compile(r"arXiv \d{4}\.\d{4,5}|doi:10\.\d{4,}/\S+")
LONGEST_LINES = 40
SIDE = 192


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Four pictures of dark discs in noise: two for training, one for validation, one without labels."""
    folder = tmp_path_factory.mktemp("discs")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    tables: list[Picks] = []
    for place in range(4):
        xy = np.array([(i, j) for i in (30, 75, 120, 165) for j in (30, 75, 120, 165)]) + rng.uniform(-4, 4, (16, 2))
        pixels = rng.normal(0, 1, (SIDE, SIDE))
        for column, row in xy:
            pixels[np.hypot(x - column, y - row) < 10] -= 2.0
        name = f"disc_{place}"
        write_micrograph(Micrograph(name, pixels.astype(np.float32), 1.0), folder / f"{name}.mrc")
        tables.append(Picks.of_one(name, xy))
    roles = ("train", "train", "validation", "unlabelled")
    names = [f"disc_{place}" for place in range(4)]
    return Dataset(
        paths={name: folder / f"{name}.mrc" for name in names},
        roles=dict(zip(names, roles, strict=True)),  # type: ignore[arg-type]
        labels=Picks.concatenate(tables[:3]),
        diameter_angstrom=20.0,
    )


def settings(strategy: str, seed: int = 0) -> Settings:
    return choose_settings(
        fixed={"strategy": strategy, "seed": seed},
        assignments=["learn.steps=6", "learn.crop_pixels=64", "learn.batch=2", "learn.validate_every=3",
                     "pick.views=1", "learn.precision=float32"],
    )  # fmt: skip


def told(dataset: Dataset, strategy: str, folder: Path, seed: int = 0) -> list[dict[str, Any]]:
    """The events of a small training, without its times."""
    events = train(dataset, settings(strategy, seed), Run(folder)).events()
    return [{key: value for key, value in event.items() if "seconds" not in key} for event in events]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_recipe_of_its_own_name(name: str) -> None:
    """Called without a setting: every setting has a default."""
    recipe = load_card("strategies", name).recipe()

    assert isinstance(recipe, Recipe)
    assert recipe.name == name
    assert recipe.parts
    assert all(callable(part) for part in recipe.parts)


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is_and_where_it_is_from(name: str) -> None:
    card = load_card("strategies", name)

    assert len(card_summary("strategies", name)) > 20
    assert len((card.__doc__ or "").strip().splitlines()) > 1, "a line is too little: say when it fails"
    assert PAPER.search(card.recipe().source)
    assert card.recipe.__doc__


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_value_of_few_lines_without_a_loop_of_its_own(name: str) -> None:
    file = load_card("strategies", name).__file__
    assert file is not None
    text = Path(file).read_text(encoding="utf-8")

    assert len(text.splitlines()) <= LONGEST_LINES
    assert not [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.While | ast.For | ast.ClassDef)]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_tells_the_same_story(name: str, dataset: Dataset, tmp_path: Path) -> None:
    first, again, other = (
        told(dataset, name, tmp_path / folder, seed) for folder, seed in (("a", 0), ("b", 0), ("c", 1))
    )

    assert first == again
    assert first != other


@pytest.mark.parametrize("name", NAMES)
def test_every_part_tells_a_finite_loss_that_moves_the_weights(name: str, dataset: Dataset, tmp_path: Path) -> None:
    events = told(dataset, name, tmp_path / "run")

    steps = [event for event in events if event["event"] == "step"]
    assert len(steps) >= 6
    assert all(np.isfinite(value) for event in steps for value in event.values() if isinstance(value, float))
    assert steps[0]["loss"] != steps[-1]["loss"]


@pytest.mark.parametrize("name", NAMES)
def test_it_trains_without_unlabelled_micrographs_too(name: str, dataset: Dataset, tmp_path: Path) -> None:
    labelled = {name: role for name, role in dataset.roles.items() if role != "unlabelled"}
    known = {field.name: getattr(dataset, field.name) for field in fields(dataset)}
    alone = Dataset(**{**known, "roles": labelled, "paths": {key: dataset.paths[key] for key in labelled}})

    assert train(alone, settings(name), Run(tmp_path / "run")).is_finished
