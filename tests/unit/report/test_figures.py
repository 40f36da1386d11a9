"""Figures show what they are given: places, lengths, curves."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.lines import Line2D
from PIL import Image
from scipy.ndimage import gaussian_filter
from sklearn.metrics import average_precision_score

from cryoglean.evaluate.calibration import reliability
from cryoglean.evaluate.curves import Curve, Tally
from cryoglean.micrograph import Micrograph
from cryoglean.report.figures import drawing
from cryoglean.report.figures.micrograph import Marks, bin_pixels, draw_micrograph, make_view, nice_length_nm, slopes
from cryoglean.report.figures.montage import CELL_PIXELS, MontageRow, cut_particles, draw_montage
from cryoglean.report.figures.scores import draw_calibration, draw_precision_recall, draw_scores
from cryoglean.report.figures.training import draw_losses, draw_validation, loss_terms, running_mean


@pytest.mark.parametrize(
    ("shape", "corners", "area"), [("circle", 28, 3.14), ("square", 4, 3.12), ("triangle", 3, 2.2)]
)
def test_an_outline_is_closed_around_its_point_and_about_as_large_as_the_circle(shape, corners, area):
    """Area by the shoelace formula."""
    (line,) = drawing.outlines(np.array([[5.0, 7.0]]), shape, 1.0)

    assert line.shape == (corners + 1, 2)
    np.testing.assert_allclose(line[0], line[-1], atol=1e-12)
    np.testing.assert_allclose(line[:-1].mean(axis=0), [5, 7], atol=1e-9)
    x, y = line.T
    assert abs(0.5 * np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) == pytest.approx(area, rel=0.03)


def test_a_triangle_points_up_on_the_screen():
    """The y axis runs down, so the tip has the smallest y."""
    (line,) = drawing.outlines(np.zeros((1, 2)), "triangle", 1.0)

    tip = line[np.argmin(line[:, 1])]
    assert tip[0] == pytest.approx(0, abs=1e-9)
    assert np.sum(line[:-1, 1] > 0) == 2


def test_a_mark_lies_on_its_dark_spot():
    """A dark disc at x = 90, y = 30 of 120 columns and 60 rows is dark in the picture where the mark is drawn."""
    pixels = np.zeros((60, 120), np.float32)
    pixels[27:34, 87:94] = -1
    view = make_view(Micrograph("m", pixels, 10.0), 8.0)

    figure = draw_micrograph(view, [Marks("picks", np.array([[90.0, 30.0]]), "circle", drawing.GREEN)])

    with Image.open(io.BytesIO(drawing.to_png(figure))) as opened:
        grey = np.asarray(opened.convert("L"), float)
    x, y = figure.axes[0].transData.transform((90.0, 30.0))
    assert grey[round(grey.shape[0] - y), round(x)] < 30
    assert np.median(grey) > 100


@pytest.mark.parametrize(("longest", "nice"), [(130, 100), (99, 50), (20, 20), (0.7, 0.5), (1999, 1000)])
def test_scale_bars_have_round_lengths(longest, nice):
    assert nice_length_nm(longest) == pytest.approx(nice)


def test_the_scale_bar_is_as_long_as_it_says():
    view = make_view(Micrograph("m", np.random.default_rng(0).normal(size=(100, 400)).astype(np.float32), 2.5), 20.0)

    figure = draw_micrograph(view)

    (text,), (bar,) = figure.texts, [one for one in figure.get_children() if isinstance(one, Line2D)]
    share = np.ptp(bar.get_xdata())  # of the width of 400 pixels of 0.25 nm
    assert text.get_text() == "10 nm"
    assert share * 400 * 0.25 == pytest.approx(10)


def test_without_a_pixel_size_there_is_no_scale_bar():
    view = make_view(Micrograph("m", np.eye(50, dtype=np.float32)), 5.0)

    assert not draw_micrograph(view).texts


def test_a_large_micrograph_is_binned_to_the_means_of_blocks():
    pixels = np.arange(7 * 5, dtype=np.float32).reshape(7, 5)

    binned = bin_pixels(pixels, 2)

    assert binned.shape == (3, 2)
    assert binned[1, 1] == pixels[2:4, 2:4].mean()
    assert max(make_view(Micrograph("m", np.zeros((4000, 3000), np.float32))).grey.shape) <= 900


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_a_picture_without_contrast_or_numbers_is_drawn_all_the_same(value):
    view = make_view(Micrograph("m", np.full((40, 50), value, np.float32)), 5.0)

    assert np.isfinite(view.grey).all()


def test_slopes_are_about_what_a_gaussian_gives():
    pixels = np.random.default_rng(0).normal(size=(200, 200)).astype(np.float32)
    pixels[:, 100:] += 1

    difference = slopes(pixels, 15) - gaussian_filter(pixels, 15)

    assert np.abs(difference).max() < 0.03


def test_a_cut_out_is_centred_on_its_particle():
    """A blob at (60, 40) of diameter 20 is darkest in the middle of its cut-out, and dark as far as its radius."""
    y, x = np.mgrid[:100, :120]
    pixels = -(np.hypot(x - 60, y - 40) < 10).astype(np.float32)

    (cell,) = cut_particles(Micrograph("m", pixels), np.array([[60.0, 40.0]]), 20.0)

    dark = np.argwhere(cell < 0.5 * cell.min())
    np.testing.assert_allclose(dark.mean(axis=0), (CELL_PIXELS - 1) / 2, atol=0.7)
    assert np.ptp(dark[:, 0]) + 1 == pytest.approx(CELL_PIXELS / 1.8, abs=4)


def test_a_montage_shows_every_cut_out_once_on_one_grey_scale():
    cells = np.random.default_rng(0).normal(size=(5, CELL_PIXELS, CELL_PIXELS)).astype(np.float32)
    rows = [MontageRow("a", "#000000", cells, ("x",) * 5), MontageRow("b", "#000000", cells[:2] * 3, ("",) * 2)]

    images = draw_montage(rows, columns=4).axes[0].images

    assert len(images) == 4 + 2
    assert len({image.get_clim() for image in images}) == 1


def test_the_line_has_the_area_that_scikit_learn_calls_average_precision():
    """Without missed particles and ties, the area under the drawn steps is average precision."""
    random = np.random.default_rng(0)
    scores, is_true = random.random(300), random.random(300) < 0.6
    order = np.argsort(-scores)
    true, false = is_true[order].cumsum(), (~is_true[order]).cumsum()
    curve = Curve(scores[order], true, false, int(is_true.sum()))

    axes = draw_precision_recall(curve, Tally(10, 2, int(is_true.sum())), 0.5).axes[0]

    recall, precision = next(line.get_data() for line in axes.lines if len(line.get_xdata()) == 301)
    area = float((np.diff(recall) * precision[1:]).sum())
    assert area == pytest.approx(average_precision_score(is_true, scores))
    chosen = next(line.get_data() for line in axes.lines if len(line.get_xdata()) == 1)
    assert (chosen[0][0], chosen[1][0]) == pytest.approx((10 / is_true.sum(), 10 / 12))


def test_the_histogram_counts_every_pick():
    random = np.random.default_rng(0)
    is_true = random.random(200) < 0.3

    axes = draw_scores(random.random(200), is_true, 0.4).axes[0]

    assert [int(one.get_data().values.sum()) for one in axes.patches] == [is_true.sum(), (~is_true).sum()]
    assert next(line.get_xdata()[0] for line in axes.lines) == 0.4


def test_the_calibration_error_stands_in_the_title_and_the_bars_are_the_counts():
    random = np.random.default_rng(0)
    scores = random.random(500)
    found = reliability(scores, random.random(500) < scores**2)

    axes, below = draw_calibration(found).axes

    assert f"{found.expected_calibration_error:.3f}" in axes.get_title("left")
    assert [bar.get_height() for bar in below.patches] == found.count.tolist()


def test_a_running_mean_keeps_a_constant_and_follows_a_line():
    np.testing.assert_allclose(running_mean(np.full(9, 2.0), 5), 2.0)
    np.testing.assert_allclose(running_mean(np.arange(9.0), 5), np.arange(9.0))


def test_losses_are_drawn_by_term():
    steps = [{"event": "step", "phase": "p", "step": i, "loss": 2.0, "a_b": 1.5, "learning_rate": 1.0} for i in (1, 2)]

    axes = draw_losses(steps, "t").axes[0]

    assert loss_terms(steps) == ("a_b",)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["sum", "a b"]


def test_the_chosen_step_is_the_best_one_of_each_phase():
    told = [
        {"phase": phase, "step": step, "average_precision": value}
        for phase, step, value in [("a", 10, 0.2), ("a", 20, 0.6), ("a", 30, 0.5), ("b", 10, 0.4)]
    ]

    axes = draw_validation(told).axes[0]

    chosen = {line.get_gid(): tuple(line.get_xydata()[0]) for line in axes.lines if line.get_gid()}
    assert chosen == {"chosen a": (20, 0.6), "chosen b": (10, 0.4)}


def test_a_picture_in_few_colours_keeps_white_and_the_colours_of_the_marks():
    view = make_view(Micrograph("m", np.random.default_rng(0).normal(size=(80, 90)).astype(np.float32), 3.0), 12.0)
    figure = draw_micrograph(view, [Marks("a", np.array([[40.0, 40.0]]), "circle", drawing.SKY)])

    full, few = drawing.to_png(figure), drawing.to_png(figure, on_grey=(drawing.SKY,))

    with Image.open(io.BytesIO(full)) as first, Image.open(io.BytesIO(few)) as second:
        difference = np.abs(np.asarray(first.convert("RGB"), int) - np.asarray(second.convert("RGB"), int))
        assert np.asarray(second.convert("RGB"))[2, 2].tolist() == [255, 255, 255]
    assert len(few) < 0.6 * len(full)
    assert difference.mean() < 6
