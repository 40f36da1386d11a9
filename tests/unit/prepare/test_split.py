"""Who is trained on, who is validated on."""

import numpy as np
import pytest

from cryoglean.errors import LabelsError
from cryoglean.prepare.split import Region, plan_split
from cryoglean.settings import SplitSettings

NAMES = [f"m{number}" for number in range(10)]


def test_named_validation_micrographs_are_held_out() -> None:
    split = plan_split(NAMES, ["m3", "m4"], SplitSettings(), seed=0)

    assert split.validation == ("m3", "m4")
    assert set(split.train) == set(NAMES) - {"m3", "m4"}
    assert split.folds == ()


@pytest.mark.parametrize("seed", range(5))
def test_without_them_a_share_is_held_out_and_nobody_is_on_two_sides(seed: int) -> None:
    split = plan_split(NAMES, [], SplitSettings(validation_share=0.3), seed)

    assert len(split.validation) == 3
    assert set(split.train) | set(split.validation) == set(NAMES)
    assert not set(split.train) & set(split.validation)


def test_the_split_depends_on_the_seed_and_on_nothing_else() -> None:
    first, again, other = (plan_split(NAMES, [], SplitSettings(), seed) for seed in (1, 1, 2))

    assert first == again
    assert any(plan_split(NAMES, [], SplitSettings(), seed) != first for seed in range(2, 6)) or other != first


@pytest.mark.parametrize("count", [2, 3])
def test_few_labelled_micrographs_are_cross_validated_by_micrograph(count: int) -> None:
    split = plan_split(NAMES[:count], [], SplitSettings(), seed=0)

    assert split.validation == ()
    assert len(split.folds) == count
    held = [region.name for fold in split.folds for region in fold.validation]
    assert sorted(held) == NAMES[:count]
    for fold in split.folds:
        assert not {region.name for region in fold.train} & {region.name for region in fold.validation}


def test_one_labelled_micrograph_is_cut_into_quadrants_that_do_not_touch() -> None:
    split = plan_split(["m0"], [], SplitSettings(), seed=0)
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 100, size=(2000, 2))

    train, held = split.folds[0].train[0], split.folds[0].validation[0]
    in_train = train.contains(xy, (100, 100), margin_pixels=5)
    in_held = held.contains(xy, (100, 100))

    assert not (in_train & in_held).any()
    assert in_held.sum() == pytest.approx(1000, abs=80)
    assert split.folds[1].train == (held,)


def test_a_whole_micrograph_contains_everything() -> None:
    assert Region("m0").contains(np.array([[0.0, 0.0], [99.0, 99.0]]), (100, 100), margin_pixels=10).all()


def test_only_validation_labels_are_refused() -> None:
    with pytest.raises(LabelsError, match="none to train on"):
        plan_split(["m0"], ["m0"], SplitSettings(), seed=0)
