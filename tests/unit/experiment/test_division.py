"""Nobody is on two sides, and the sides stay where they are when ratios, seeds or files change."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoglean.errors import LabelsError
from cryoglean.experiment.division import Division, Rule, divide

RULE = Rule(0.2, 2)
SQUARES = Rule(0.2, 2, r"^(sq\d+)_")


def named(count: int, particles: int | None = 5) -> dict[str, int | None]:
    return {f"mic_{number:03d}": particles for number in range(count)}


def everybody(division: Division) -> list[str]:
    return [*division.labelled, *division.unlabelled, *division.validation, *division.test]


@st.composite
def in_squares(draw: st.DrawFn) -> dict[str, int | None]:
    sizes = draw(st.lists(st.integers(1, 4), min_size=6, max_size=14))
    names = [f"sq{square}_{number}" for square, size in enumerate(sizes) for number in range(size)]
    return {name: draw(st.sampled_from([4, 9, 2, None])) for name in names}


@given(count=st.integers(8, 80), seed=st.integers(0, 999), ratio=st.floats(0.01, 1))
@settings(max_examples=60, deadline=None)
def test_everybody_has_one_role(count: int, seed: int, ratio: float) -> None:
    division = divide(named(count), RULE, ratio, seed)
    assert sorted(everybody(division)) == sorted(named(count))
    training = len(division.labelled) + len(division.unlabelled)
    assert len(division.labelled) == max(1, round(ratio * training))
    assert len(division.validation) == 2
    assert len(division.test) >= 0.2 * count > len(division.test) - 1


@given(count=st.integers(8, 80), seed=st.integers(0, 999), ratios=st.lists(st.floats(0.01, 1), min_size=2, max_size=4))
@settings(max_examples=60, deadline=None)
def test_fewer_labels_are_among_more_and_the_judges_stay(count: int, seed: int, ratios: list[float]) -> None:
    divisions = [divide(named(count), RULE, ratio, seed) for ratio in sorted(ratios)]
    for fewer, more in pairwise(divisions):
        assert set(fewer.labelled) <= set(more.labelled)
        assert (fewer.validation, fewer.test) == (more.validation, more.test)
    assert divide(named(count), RULE, ratios[0], seed + 1).test == divisions[0].test


def test_five_percent_lie_within_ten() -> None:
    five, ten = (set(divide(named(200), RULE, ratio, 3).labelled) for ratio in (0.05, 0.10))
    assert (len(five), len(ten)) == (8, 16)
    assert five < ten


def test_seeds_draw_other_labels_and_other_judges() -> None:
    drawn = [divide(named(60), RULE, 0.1, seed) for seed in range(6)]
    assert len({division.labelled for division in drawn}) > 1
    assert len({division.validation for division in drawn}) > 1


@given(counts=in_squares(), seed=st.integers(0, 99), ratio=st.floats(0.05, 0.4))
@settings(max_examples=80, deadline=None)
def test_a_group_is_never_on_two_sides(counts: dict[str, int | None], seed: int, ratio: float) -> None:
    try:
        division = divide(counts, SQUARES, ratio, seed)
    except LabelsError:
        return
    sides = (division.labelled + division.unlabelled, division.validation, division.test)
    groups = [{name.split("_")[0] for name in side} for side in sides]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert len(set(everybody(division))) == len(everybody(division))


def test_unannotated_micrographs_learn_but_not_beside_the_test() -> None:
    counts = {f"sq{square}_{number}": 5 if number else None for square in range(10) for number in range(3)}
    division = divide(counts, SQUARES, 0.2, 0)
    judged = {name.split("_")[0] for name in (*division.test, *division.validation)}
    unannotated = {name for name in division.unlabelled if name.endswith("_0")}
    assert unannotated == {f"sq{square}_0" for square in range(10) if f"sq{square}" not in judged}
    assert not any(name.endswith("_0") for name in (*division.labelled, *division.test, *division.validation))


@given(count=st.integers(12, 40), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_another_micrograph_moves_no_other(count: int, seed: int) -> None:
    """At most the last of each side makes way for it."""
    before, after = (divide(named(number), RULE, 0.3, seed) for number in (count, count + 1))
    for role in ("test", "validation"):
        assert len(set(getattr(before, role)) - set(getattr(after, role))) <= 1
    assert len(set(before.labelled) - set(after.labelled)) <= 3


def test_the_order_of_files_does_not_matter() -> None:
    counts = named(30)
    assert divide(counts, RULE, 0.1, 0) == divide(dict(reversed(counts.items())), RULE, 0.1, 0)


def test_a_name_without_the_groups_text_is_its_own_group() -> None:
    rule = Rule(0.2, 2, r"^mic_(9\d\d)?")
    assert divide(named(20), rule, 0.1, 0) == divide(named(20), RULE, 0.1, 0)


def test_roles_of_the_oracle() -> None:
    division = divide(named(20), RULE, 0.1, 0)
    assert set(division.roles(is_oracle=False).values()) == {"train", "unlabelled", "validation", "test"}
    oracle = division.roles(is_oracle=True)
    assert {name for name, role in oracle.items() if role == "train"} == {*division.labelled, *division.unlabelled}
    assert "unlabelled" not in oracle.values()


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_too_few_micrographs(count: int) -> None:
    with pytest.raises(LabelsError, match="are left beside"):
        divide(named(count), RULE, 0.5, 0)


def test_more_labels_than_annotated() -> None:
    counts = {**named(10), **{f"raw_{number}": None for number in range(90)}}
    with pytest.raises(LabelsError, match="smaller ratio"):
        divide(counts, RULE, 0.5, 0)


def test_a_side_without_particles() -> None:
    with pytest.raises(LabelsError, match="no labelled micrograph has a particle"):
        divide(named(10, 0), RULE, 0.5, 0)
    test = divide(named(10), RULE, 0.5, 0).test
    with pytest.raises(LabelsError, match="no test micrograph has a particle") as caught:
        divide({**named(10), **dict.fromkeys(test, 0)}, RULE, 0.5, 0)
    assert "larger share" in caught.value.fix
