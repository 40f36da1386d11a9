"""The source notes' functions: their own calls run, and what they give is what it says."""

import inspect
import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import cryoglean.compat
from cryoglean.compat import (
    diagnose_pseudo_labels,
    generate_class_balanced_pseudo_labels,
    generate_curriculum_pseudo_labels,
    generate_limited_pseudo_labels,
)
from cryoglean.errors import CryogleanError, LabelsError, MicrographError, SettingsError

SIZE, RADIUS = 48, 4
DISC = 49 / SIZE**2  # the share of one disc of radius 4 among the pixels


class Copy(nn.Module):
    """Says the picture itself, at every `stride`-th pixel."""

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, image: Tensor) -> Tensor:
        return image[..., :: self.stride, :: self.stride]


class Smooth(nn.Module):
    """A toy picker: the local mean, made sure of itself."""

    def forward(self, image: Tensor) -> Tensor:
        return 12 * (nn.functional.avg_pool2d(image, 3, stride=1, padding=1, count_include_pad=False) - 0.5)


def plant(count: int, shape: tuple[int, int] = (SIZE, SIZE)) -> NDArray[np.float32]:
    """Discs of radius 4, 1 on 0, on a grid of 12 pixels."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    picture = np.zeros(shape, dtype=np.float32)
    for place in range(count):
        row, column = 6 + 12 * (place // 4), 6 + 12 * (place % 4)
        picture[(y - row) ** 2 + (x - column) ** 2 <= RADIUS**2] = 1
    return picture


def noisy(picture: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    return picture + np.random.default_rng(seed).normal(0, 0.15, picture.shape).astype(np.float32)


def logits(*probabilities: float) -> NDArray[np.float32]:
    """A picture (1, x) that `Copy` gives these probabilities for."""
    return np.array([[math.log(p / (1 - p)) for p in probabilities]], dtype=np.float32)


CALLS = {
    "class-balanced": """
from improved_pseudolabel_strategies import generate_class_balanced_pseudo_labels

pseudo_images, pseudo_masks, stats = generate_class_balanced_pseudo_labels(
    model=model,
    unlabeled_images=unlabeled_images,
    device=device,
    target_particle_ratio=0.04,  # Match ground truth!
    confidence_threshold_particle=0.60,  # Lower for particles (harder)
    confidence_threshold_background=0.80,  # Higher for background (easier)
    max_pseudo_labels=258 * 2,  # At most 2× labeled count
    batch_size=4
)
""",
    "limited": """
from improved_pseudolabel_strategies import generate_limited_pseudo_labels

pseudo_images, pseudo_masks, stats = generate_limited_pseudo_labels(
    model=model,
    unlabeled_images=unlabeled_images,
    labeled_count=258,  # Number of labeled images
    device=device,
    pseudo_to_labeled_ratio=1.0,  # 1:1 ratio
    confidence_threshold=0.70,
    batch_size=4
)
""",
    "curriculum": """
from improved_pseudolabel_strategies import generate_curriculum_pseudo_labels

for iteration in range(1, 4):
    pseudo_images, pseudo_masks, stats = generate_curriculum_pseudo_labels(
        model=model,
        unlabeled_images=unlabeled_images,
        device=device,
        iteration=iteration,
        max_iterations=3,
        initial_threshold=0.90,
        final_threshold=0.60,
        batch_size=4
    )
    # Train on labeled + pseudo
""",
}


@pytest.mark.parametrize("name", CALLS)
def test_the_calls_of_the_notes_run_word_for_word(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """source_notes/001: only the module's name is ours. About 4 % of the pixels lie in discs, as in the notes."""
    truths = [plant(count) for count in (1, 2, 3, 2, 2, 1)]
    pictures = [noisy(truth, seed) for seed, truth in enumerate(truths)]
    monkeypatch.setitem(sys.modules, "improved_pseudolabel_strategies", cryoglean.compat)
    names: dict[str, Any] = {"model": Smooth(), "unlabeled_images": pictures, "device": torch.device("cpu")}

    exec(CALLS[name], names)  # the notes' own text

    images, masks, stats = names["pseudo_images"], names["pseudo_masks"], names["stats"]
    assert len(images) == len(masks) == len(stats["weights"]) == stats["kept"] == stats["offered"] == 6
    for image, mask, weight, truth, picture in zip(images, masks, stats["weights"], truths, pictures, strict=True):
        trusted = weight > 0
        assert image is picture
        assert mask.shape == weight.shape == (SIZE, SIZE)
        assert set(np.unique(mask)) == {0.0, 1.0}
        assert np.mean(truth[trusted] == mask[trusted]) > 0.98
        assert mask[truth == 1].mean() > 0.7


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (
            generate_class_balanced_pseudo_labels,
            {"target_particle_ratio": 0.04, "confidence_threshold_particle": 0.6,
             "confidence_threshold_background": 0.8, "max_pseudo_labels": None, "batch_size": 4},
        ),
        (
            generate_limited_pseudo_labels,
            {"pseudo_to_labeled_ratio": 1.0, "confidence_threshold": 0.7, "batch_size": 4},
        ),
        (
            generate_curriculum_pseudo_labels,
            {"max_iterations": 3, "initial_threshold": 0.9, "final_threshold": 0.6, "batch_size": 4,
             "target_particle_ratio": 0.04},
        ),
    ],
)  # fmt: skip
def test_the_defaults_are_the_numbers_of_the_notes(function: Any, expected: dict[str, Any]) -> None:
    parameters = inspect.signature(function).parameters.values()
    given = {each.name: each.default for each in parameters if each.default is not each.empty}

    assert given == {**expected, "variant": "corrected"}


def test_an_unsure_pixel_is_ignored_and_not_background() -> None:
    picture = logits(0.10, 0.30, 0.55, 0.90)

    _, masks, stats = generate_class_balanced_pseudo_labels(Copy(), [picture], "cpu")

    assert masks[0].tolist() == [[0, 0, 1, 1]]
    assert stats["weights"][0].tolist() == [[1, 0, 0, 1]]


def test_the_stats_are_what_can_be_counted_in_masks_and_weights() -> None:
    picture = logits(0.10, 0.30, 0.55, 0.90, 0.05)

    _, _, stats = generate_class_balanced_pseudo_labels(Copy(), [picture], "cpu", target_particle_ratio=0.1)

    assert stats["particle_ratio"] == pytest.approx(2 / 5)
    assert stats["trusted_particle_ratio"] == pytest.approx(1 / 3)
    assert stats["usage"] == pytest.approx(3 / 5)
    assert (stats["particle_usage"], stats["background_usage"]) == pytest.approx((1 / 5, 2 / 5))
    assert stats["target_particle_ratio"] == 0.1
    assert stats["thresholds"] == {"particle": 0.6, "background": 0.8}


def test_a_particle_threshold_under_one_half_calls_more_pixels_particle() -> None:
    picture = logits(0.10, 0.45, 0.90)

    _, masks, stats = generate_class_balanced_pseudo_labels(Copy(), [picture], "cpu", confidence_threshold_particle=0.4)

    assert masks[0].tolist() == [[0, 1, 1]]
    assert stats["weights"][0].tolist() == [[1, 1, 1]]


def test_class_balanced_notes_choose_by_share_and_corrected_by_every_crowding() -> None:
    pictures = [10 * (plant(count) - 0.5) for count in (0, 1, 2, 2, 8, 12)]

    def kept(variant: Any) -> list[int]:
        _, _, stats = generate_class_balanced_pseudo_labels(
            Copy(), pictures, "cpu", target_particle_ratio=2 * DISC, max_pseudo_labels=2, variant=variant
        )
        return stats["indices"]

    assert kept("notes") == [2, 3]
    few, many = kept("corrected")
    assert few <= 2 < 4 <= many + 1


def test_limited_notes_choose_the_empty_pictures_and_corrected_does_not() -> None:
    """methods.md, section 0: mean confidence falls with the number of particles, whose edges are unsure."""
    pictures = [4 * (plant(count) - 0.5) - (plant(count) == 0) for count in (0, 6, 0, 3, 9)]

    def kept(variant: Any) -> list[int]:
        return generate_limited_pseudo_labels(Copy(), pictures, 2, "cpu", variant=variant)[2]["indices"]

    assert kept("notes") == [0, 2]
    assert set(kept("corrected")) < {1, 3, 4}


@pytest.mark.parametrize(("ratio", "expected"), [(0.5, 2), (1.0, 4), (1.5, 6), (0.1, 1), (9.0, 7)])
def test_limited_keeps_the_ratio_of_the_labelled_count(ratio: float, expected: int) -> None:
    pictures = [10 * (plant(count) - 0.5) for count in range(1, 8)]

    images, _, stats = generate_limited_pseudo_labels(Copy(), pictures, 4, "cpu", pseudo_to_labeled_ratio=ratio)

    assert len(images) == stats["kept"] == expected


def test_the_confidence_threshold_of_limited_is_for_pictures_in_the_notes_and_for_pixels_corrected() -> None:
    pictures = [logits(0.99, 0.60, 0.01), logits(0.40, 0.60, 0.30)]

    notes = generate_limited_pseudo_labels(Copy(), pictures, 2, "cpu", confidence_threshold=0.7, variant="notes")
    corrected = generate_limited_pseudo_labels(Copy(), pictures, 2, "cpu", confidence_threshold=0.7)

    assert notes[2]["indices"] == [0]
    assert notes[2]["weights"][0].tolist() == [[1, 1, 1]]
    assert corrected[2]["indices"] == [0, 1]
    assert corrected[2]["weights"][0].tolist() == [[1, 0, 1]]


@pytest.mark.parametrize(("iteration", "threshold", "kept"), [(1, 0.90, [0]), (2, 0.75, [0, 1]), (3, 0.60, [0, 1, 2])])
def test_curriculum_of_the_notes_lowers_its_threshold_on_whole_pictures(
    iteration: int, threshold: float, kept: list[int]
) -> None:
    pictures = [logits(0.95, 0.05), logits(0.80, 0.20), logits(0.65, 0.35), logits(0.55, 0.45)]

    stats = generate_curriculum_pseudo_labels(Copy(), pictures, "cpu", iteration, variant="notes")[2]

    assert stats["thresholds"]["confidence"] == pytest.approx(threshold)
    assert stats["indices"] == kept


@pytest.mark.parametrize(("iteration", "share"), [(1, 0.5), (2, 0.7), (3, 0.9)])
def test_curriculum_takes_a_growing_share_of_the_expected_pixels_of_each_class(iteration: int, share: float) -> None:
    pictures = torch.randn(5, 1, 40, 40, generator=torch.Generator().manual_seed(0))

    stats = generate_curriculum_pseudo_labels(Copy(), pictures, "cpu", iteration, target_particle_ratio=0.1)[2]

    assert stats["kept"] == 5
    assert stats["thresholds"]["share"] == pytest.approx(share)
    assert stats["particle_usage"] == pytest.approx(0.1 * share, abs=2e-3)
    assert stats["background_usage"] == pytest.approx(0.9 * share, abs=2e-3)


def test_a_single_iteration_uses_the_initial_threshold() -> None:
    stats = generate_curriculum_pseudo_labels(Copy(), [logits(0.95)], "cpu", 1, max_iterations=1, variant="notes")[2]

    assert stats["thresholds"] == {"confidence": 0.90}


def test_nothing_kept_is_an_empty_list_and_no_error() -> None:
    images, masks, stats = generate_curriculum_pseudo_labels(Copy(), [logits(0.5)], "cpu", 1, variant="notes")

    assert (images, masks, stats["weights"]) == ([], [], [])
    assert (stats["offered"], stats["kept"], stats["usage"], stats["particle_ratio"]) == (1, 0, 0.0, 0.0)


@pytest.mark.parametrize("variant", ["notes", "corrected"])
@pytest.mark.parametrize("shape", [(48, 48), (49, 50), (47, 60)])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_masks_of_a_network_with_a_stride_have_the_size_and_place_of_the_picture(
    stride: int, shape: tuple[int, int], variant: Any
) -> None:
    truth = plant(6, shape)

    _, masks, _ = generate_class_balanced_pseudo_labels(Copy(stride), [20 * (truth - 0.5)], "cpu", variant=variant)

    assert masks[0].shape == shape
    np.testing.assert_array_equal(masks[0][::stride, ::stride], truth[::stride, ::stride])
    offset = np.argwhere(masks[0]).mean(0) - np.argwhere(truth).mean(0)
    assert np.abs(offset).max() <= (stride - 1) / 2 + 0.1


KINDS = {
    "tensor (n, 1, y, x)": lambda stack: torch.from_numpy(stack)[:, None],
    "array (n, y, x)": lambda stack: stack,
    "tensors (1, y, x)": lambda stack: [torch.from_numpy(each)[None] for each in stack],
    "float64, big-endian, upside down twice": lambda stack: [each.astype(">f8")[::-1].copy()[::-1] for each in stack],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_neither_kind_of_pictures_nor_batch_size_changes_the_labels(kind: str, batch_size: int) -> None:
    stack = np.stack([noisy(plant(count), count) for count in range(5)])
    expected = generate_limited_pseudo_labels(Smooth(), list(stack), 3, "cpu")

    images, masks, stats = generate_limited_pseudo_labels(Smooth(), KINDS[kind](stack), 3, "cpu", batch_size=batch_size)

    assert stats["indices"] == expected[2]["indices"]
    np.testing.assert_array_equal(masks, expected[1])
    np.testing.assert_array_equal(stats["weights"], expected[2]["weights"])
    np.testing.assert_array_equal(np.reshape(np.stack(images), (-1, SIZE, SIZE)), np.stack(expected[0]))


def test_the_model_runs_in_evaluation_mode_and_each_part_keeps_its_own() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1), nn.BatchNorm2d(1))
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}

    generate_limited_pseudo_labels(model, [plant(3)], 1, "cpu")

    assert [part.training for part in model] == [True, False, True]
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


BAD: dict[str, tuple[dict[str, Any], type[CryogleanError], str]] = {
    "no picture": ({"unlabeled_images": []}, MicrographError, "unlabeled_images: there is no picture. Give"),
    "other shapes": (
        {"unlabeled_images": [plant(1), plant(1, (48, 50))]}, MicrographError,
        r"unlabeled_images\[1\]: its shape is \(48, 50\), that of the first one \(48, 48\). Give",
    ),
    "one picture alone": ({"unlabeled_images": plant(1)}, MicrographError, r"\[0\]: its shape is \(48,\). Give"),
    "two channels": ({"unlabeled_images": np.zeros((1, 2, 9, 9))}, MicrographError, r"its shape is \(2, 9, 9\)"),
    "not numbers": ({"unlabeled_images": np.full((2, 9, 9), np.nan)}, MicrographError, r"\[0\]: it has pixels that"),
    "particle threshold": ({"confidence_threshold_particle": 60}, SettingsError, "_particle: it is 60. Give"),
    "background threshold": ({"confidence_threshold_background": -0.1}, SettingsError, "_background: it is -0.1"),
    "threshold nan": ({"confidence_threshold_particle": math.nan}, SettingsError, "_particle: it is nan"),
    "no share": ({"target_particle_ratio": 0.0}, SettingsError, "target_particle_ratio: it is 0.0. Give"),
    "percent": ({"target_particle_ratio": 4}, SettingsError, "target_particle_ratio: it is 4. Give"),
    "no label": ({"max_pseudo_labels": 0}, SettingsError, "max_pseudo_labels: it is 0. Give"),
    "no batch": ({"batch_size": 0}, SettingsError, "batch_size: it is 0. Give"),
    "variant": ({"variant": "note"}, SettingsError, "variant: 'note' is none. Did you mean notes?"),
    "device": ({"device": "gpu"}, SettingsError, "device: there is no device 'gpu' here. Use"),
    "a classifier": ({"model": nn.Sequential(nn.Flatten(), nn.LazyLinear(2))}, SettingsError, "model: it answers to"),
    "three channels": ({"model": nn.Conv2d(3, 1, 1)}, SettingsError, "model: it can't look at pictures of the shape"),
    "not finite": ({"model": nn.Threshold(9.0, math.nan)}, SettingsError, "model: its logits are not all numbers"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_argument_is_refused_with_where_and_what_to_do(name: str) -> None:
    wrong, kind, message = BAD[name]
    arguments: dict[str, Any] = {"model": Copy(), "unlabeled_images": [plant(1)], "device": "cpu"}

    with pytest.raises(kind, match=message):
        generate_class_balanced_pseudo_labels(**{**arguments, **wrong})


@pytest.mark.parametrize("ratio", [0.0, -1.0, math.nan, math.inf])
def test_a_ratio_that_is_not_above_0_is_refused(ratio: float) -> None:
    with pytest.raises(SettingsError, match="pseudo_to_labeled_ratio: it is"):
        generate_limited_pseudo_labels(Copy(), [plant(1)], 1, "cpu", pseudo_to_labeled_ratio=ratio)


@pytest.mark.parametrize("iteration", [0, 4])
def test_an_iteration_outside_1_to_max_iterations_is_refused(iteration: int) -> None:
    with pytest.raises(SettingsError, match="iteration: it is"):
        generate_curriculum_pseudo_labels(Copy(), [plant(1)], "cpu", iteration)


def test_a_network_whose_turned_maps_would_not_fall_on_each_other_is_refused() -> None:
    """48 pixels pooled by two give 24, but 49, which mirrored grids need, give 24 again instead of 25."""
    model = nn.MaxPool2d(2)

    _, masks, _ = generate_limited_pseudo_labels(model, [plant(1) - 5], 1, "cpu", variant="notes")
    with pytest.raises(SettingsError, match=r"model: it answers to a picture of 49 x 49 pixels with \(24, 24\)"):
        generate_limited_pseudo_labels(model, [plant(1)], 1, "cpu")

    assert masks[0].shape == (SIZE, SIZE)


DIAGNOSIS = '''
def diagnose_pseudo_labels(pseudo_masks, real_masks):
    """Check if pseudo-labels have class imbalance problem"""

    # Calculate particle ratios
    pseudo_particle_ratio = np.mean([m.mean() for m in pseudo_masks])
    real_particle_ratio = np.mean([m.mean() for m in real_masks])

    print(f"\\n{'='*60}")
    print(f"PSEUDO-LABEL DIAGNOSIS")
    print(f"{'='*60}")
    print(f"Real labels particle ratio:   {real_particle_ratio*100:.2f}%")
    print(f"Pseudo-labels particle ratio: {pseudo_particle_ratio*100:.2f}%")
    print(f"Difference: {(pseudo_particle_ratio - real_particle_ratio)*100:+.2f}%")

    if pseudo_particle_ratio < real_particle_ratio * 0.5:
        print(f"\\n⚠️  PROBLEM DETECTED: Pseudo-labels have too few particles!")
        print(f"   → Try Strategy 1 (Class-Balanced Selection)")
    elif pseudo_particle_ratio > real_particle_ratio * 2.0:
        print(f"\\n⚠️  PROBLEM DETECTED: Pseudo-labels have too many particles!")
        print(f"   → Increase confidence threshold")
    else:
        print(f"\\n✓ Pseudo-label class balance looks reasonable")

    print(f"{'='*60}\\n")
'''


@pytest.mark.parametrize(
    ("pseudo", "real", "verdict"),
    [([1, 0], [4, 3], "too few"), ([5], [2, 2], "too many"), ([2, 3], [2], "reasonable"), ([0], [0], "reasonable")],
)
def test_the_diagnosis_is_word_for_word_that_of_the_notes(
    pseudo: list[int], real: list[int], verdict: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """source_notes/001; its text is stored in a wrong encoding, the signs are put right here."""
    pseudo_masks, real_masks = [plant(count) for count in pseudo], [plant(count) for count in real]
    names: dict[str, Any] = {"np": np}
    exec(DIAGNOSIS, names)
    names["diagnose_pseudo_labels"](pseudo_masks, real_masks)
    expected = capsys.readouterr().out

    found = diagnose_pseudo_labels(pseudo_masks, [torch.from_numpy(mask) for mask in real_masks])

    assert capsys.readouterr().out == ""
    assert f"{found}\n" == expected
    assert found.verdict == verdict
    assert found.difference == pytest.approx((np.mean(pseudo) - np.mean(real)) * DISC, abs=1e-6)


@pytest.mark.parametrize(
    ("pseudo", "real", "message"),
    [
        ([], [plant(1)], "pseudo_masks: there is no mask"),
        ([plant(1)], [], "real_masks: there is no mask"),
        ([255 * plant(1)], [plant(1)], r"pseudo_masks\[0\]: it has values beyond 0 and 1"),
        ([plant(1)], [plant(1), plant(1) * np.nan], r"real_masks\[1\]: it has values beyond 0 and 1"),
    ],
)
def test_masks_that_cannot_be_compared_are_refused(pseudo: Any, real: Any, message: str) -> None:
    with pytest.raises(LabelsError, match=message):
        diagnose_pseudo_labels(pseudo, real)


def test_the_code_of_the_how_to_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "from-the-notes.md"
    (code,) = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}

    exec(code, names)

    assert 0 < float(names["loss"]) < math.inf
    assert "PSEUDO-LABEL DIAGNOSIS" in capsys.readouterr().out
