"""The card of the rounds: what is said, warned of, drawn and left out."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cryoglean.durable import append_json_line
from cryoglean.report.figures.drawing import SKY, to_png
from cryoglean.report.figures.rounds import Example, Share, draw_counts, draw_example, draw_shares
from cryoglean.report.page import make_report
from cryoglean.report.results import Results
from cryoglean.report.section import Notice, Table, Text
from cryoglean.report.sections import rounds as card
from cryoglean.report.wording import round_outcome

from .making import make_run

SIDE = 120


def gain(number=1, size=0.03, error=0.01, *, counts=None):
    """A round of a strategy that judges crops as it goes: only its gain is known."""
    return {
        "round": number, "counts": size > error if counts is None else counts, "average_precision_before": 0.7,
        "average_precision_after": 0.7 + size, "gain": size, "gain_standard_error": error,
    }  # fmt: skip


def taught(number=1, **changes):
    """A round whose teacher labelled five micrographs."""
    return gain(number) | {
        "offered": 6, "kept": 5, "particle_share": 0.03, "usage": 0.8, "particle_usage": 0.024,
        "background_usage": 0.776, "precision": 0.91, "recall": 0.82, "background_precision": 0.99, "prior": 0.025,
        "particles": {f"u-{place}": 10 + place for place in range(5)}, "states": [[]],
    } | changes  # fmt: skip


def make_semi(folder, *rounds, unlabelled=6, **changes):
    """A finished run with these rounds."""
    run = make_run(folder)
    run.write_json(run.summary_file, {**run.summary(), "rounds": list(rounds), "unlabelled": unlabelled} | changes)
    return run


def make_example(name="u-1"):
    """Noise; a disc of particle in the middle, the left quarter ignored."""
    y, x = np.mgrid[:SIDE, :SIDE]
    image = np.random.default_rng(0).normal(128, 20, (SIDE, SIDE)).clip(0, 255).astype(np.uint8)
    particle = np.where(np.hypot(y - 60, x - 60) < 10, 255, 0).astype(np.uint8)
    return Example(name, image, particle, np.where(x < 30, 0, 255).astype(np.uint8))


def keep_examples(run, number, *examples):
    """Write them as `cryoglean.keeping` does."""
    file = run.pseudo_labels_file(number)
    file.parent.mkdir(exist_ok=True)
    arrays = {f"{one.name}/{part}": getattr(one, part) for one in examples for part in ("image", "y", "w")}
    np.savez_compressed(file, **arrays)


def colours_of(figure):
    with Image.open(io.BytesIO(to_png(figure))) as opened:
        return np.asarray(opened.convert("RGB"), float)


def of_kind(section, kind):
    return [block for block in section.blocks if isinstance(block, kind)]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (gain(), "Round 1 counted: average precision on validation rose from 0.700 to 0.730 (+0.030 ± 0.010, one "
                 "standard error)."),
        (gain(2, 0.003, 0.006), "Round 2 brought no detectable gain (+0.003 ± 0.006): the network before it was kept."),
        (gain(1, -0.0001, 0.006), "Round 1 brought no detectable gain (+0.000 ± 0.006): the network before it was "
                                  "kept."),
        (gain(1, 0.0, 0.0), "Round 1 brought no detectable gain (+0.000 ± 0.000): the network before it was kept."),
        (gain(1, -0.05), "Round 1 did harm: average precision on validation fell from 0.700 to 0.650 (-0.050 ± 0.010, "
                         "one standard error). The network before it was kept."),
        (gain(1, -0.05, counts=True), "Round 1 counted, because this strategy keeps every round, but did harm: average "
                                      "precision on validation fell from 0.700 to 0.650 (-0.050 ± 0.010, one standard "
                                      "error)."),
        (gain(1, 0.001, counts=True), "Round 1 counted, because this strategy keeps every round, but brought no "
                                      "detectable gain: average precision on validation went from 0.700 to 0.701 "
                                      "(+0.001 ± 0.010, one standard error)."),
    ],
)  # fmt: skip
def test_the_outcome_of_a_round_is_one_plain_sentence(told, said):
    assert round_outcome(told) == said


@pytest.mark.parametrize("known", [{}, {"rounds": [], "unlabelled": 0}], ids=["older than rounds", "none given"])
def test_a_run_without_unlabelled_micrographs_has_no_such_section(tmp_path, known):
    run = make_run(tmp_path)
    rest = {name: value for name, value in run.summary().items() if name not in ("rounds", "unlabelled")}
    run.write_json(run.summary_file, {**rest, **known})

    assert card.section(Results(run)) is None


def test_each_round_is_said_in_order_and_how_it_was_judged(tmp_path):
    run = make_semi(tmp_path, taught(1), taught(2, **gain(2, 0.001)), is_cross_validated=True)

    said = [block.text for block in of_kind(card.section(Results(run)), Text)]

    assert said[1].startswith("Round 1 counted: average precision by cross-validation rose")
    assert said[2].startswith("Round 2 brought no detectable gain")


def test_a_round_whose_crops_were_judged_at_each_step_has_a_sentence_and_no_empty_table(tmp_path):
    section = card.section(Results(make_semi(tmp_path, gain())))

    assert [type(block) for block in section.blocks] == [Text, Text]
    assert "no pseudo-labels to show" in section.blocks[0].text


def test_a_strategy_without_rounds_is_said_to_be_unmeasured(tmp_path):
    (block,) = card.section(Results(make_semi(tmp_path))).blocks

    assert "6 micrographs" in block.text
    assert "not measured" in block.text


def test_the_table_has_a_column_for_each_round_and_dashes_for_what_is_not_known(tmp_path):
    blind = taught(2, precision=None, recall=None, background_precision=None)
    (table,) = of_kind(card.section(Results(make_semi(tmp_path, taught(1), blind))), Table)

    rows = {row[0]: row[1:] for row in table.rows}
    assert table.columns[1:] == ("round 1", "round 2")
    assert rows["micrographs kept"] == ("5 of 6", "5 of 6")
    assert rows["particles per micrograph"] == ("12 (10–14)", "12 (10–14)")
    assert rows["particle, of trusted pixels"] == ("3.0 %", "3.0 %")
    assert rows["expected"] == ("2.5 %", "2.5 %")
    assert rows["precision"] == ("0.910", "–")
    assert rows["recall"] == ("0.820", "–")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"particle_share": 0.0124}, "under half of the 2.5 %"),
        ({"particle_share": 0.0126}, None),
        ({"particle_share": 0.0499}, None),
        ({"particle_share": 0.0501}, "over double the 2.5 %"),
        ({"particle_share": 0.0501, "prior": 0.0}, None),
        ({"recall": 0.49}, "cover only 49.0 %"),
        ({"recall": 0.5}, None),
        ({"recall": None}, None),
        ({"kept": 0, "particle_share": 0.0, "particles": {}, "recall": None}, "none of 6 unlabelled micrographs"),
    ],
)
def test_pseudo_labels_that_mislead_are_warned_of_and_others_are_not(tmp_path, changes, words):
    notices = of_kind(card.section(Results(make_semi(tmp_path, taught(**changes)))), Notice)

    assert len(notices) == (words is not None)
    assert all(notice.level == "warning" and words in notice.text for notice in notices)


def test_unlabelled_micrographs_that_could_not_be_used_are_named_once(tmp_path):
    run = make_semi(tmp_path, taught())
    event = {"event": "unlabelled", "given": 8, "used": 6, "skipped": {"u-8": "u-8.mrc: it is empty", "u-9": "x"}}
    for _ in range(2):  # an interrupted training tells it again
        append_json_line(run.events_file, event)

    (notice,) = of_kind(card.section(Results(run)), Notice)

    assert notice.level == "note"
    assert "2 unlabelled micrographs" in notice.text
    assert "u-8, u-9" in notice.text
    assert "it is empty" in notice.text


@pytest.mark.parametrize(("micrographs", "pictures"), [(3, ["rounds_share"]), (4, ["rounds_share", "rounds_counts"])])
def test_counts_of_a_few_micrographs_are_not_drawn(tmp_path, micrographs, pictures):
    told = taught(kept=micrographs, particles={f"u-{place}": 7 for place in range(micrographs)})

    section = card.section(Results(make_semi(tmp_path, told)))

    assert [picture.name for picture in section.pictures] == pictures


def test_the_pictures_are_of_the_last_round_that_counted_and_the_others_are_folded(tmp_path):
    run = make_semi(tmp_path, taught(1), taught(2), taught(3, counts=False))
    for number in (1, 2, 3):
        keep_examples(run, number, make_example("a b"), make_example("u/2"))

    section = card.section(Results(run))

    words = [block.text for block in of_kind(section, Text)][-1]
    assert "round 2 was taught" in words
    assert "orange: particle" in words
    assert "light blue: ignored" in words
    folded = [block.title for block in section.blocks if block.kind == "folded"]
    assert folded == ["The same without marks", "Pseudo-labels of round 1", "Pseudo-labels of round 3"]
    names = [picture.name for picture in section.pictures]
    assert len(names) == len(set(names)) == 2 + 3 * 2 + 2
    assert all("/" not in name for name in names)
    assert section.pictures[2].caption == "a b, round 2: 2.1 % of all pixels particle, 25.0 % ignored."


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 torn", b"no archive"])
def test_missing_or_broken_pictures_leave_the_rest(tmp_path, content):
    run = make_semi(tmp_path, taught())
    if content is not None:
        run.pseudo_labels_file(1).parent.mkdir()
        run.pseudo_labels_file(1).write_bytes(content)

    section = card.section(Results(run))

    assert len(of_kind(section, Table)) == 1
    assert [picture.name for picture in section.pictures] == ["rounds_share", "rounds_counts"]


def test_a_file_without_a_micrograph_has_no_examples(tmp_path):
    np.savez(tmp_path / "empty.npz")

    assert card.read_examples(tmp_path / "empty.npz") == ()


def test_examples_are_read_as_they_were_kept(tmp_path):
    run, kept = make_semi(tmp_path, taught()), make_example("u/2")
    keep_examples(run, 1, kept)

    (found,) = card.read_examples(run.pseudo_labels_file(1))

    assert found.name == "u/2"
    np.testing.assert_array_equal(found.image, kept.image)
    np.testing.assert_array_equal(found.y, kept.y)
    np.testing.assert_array_equal(found.w, kept.w)


def test_the_page_with_rounds_holds_section_and_pictures(tmp_path):
    run = make_semi(tmp_path, taught())
    keep_examples(run, 1, make_example())

    text = make_report(run).read_text(encoding="utf-8")

    assert '<section id="unlabelled-micrographs">' in text
    assert (run.figures_folder / "rounds_share.png").exists()


def test_a_particle_is_filled_what_is_ignored_is_hatched_and_background_stays_grey():
    """Saturation of colour, in the places that the example says; the legend above is left out."""
    figure = draw_example(make_example(), 20.0)
    picture = colours_of(figure)
    axes = figure.axes[0]

    def at(x, y, reach):
        column, row = axes.transData.transform((x, y)).round().astype(int)
        row = len(picture) - row
        return picture[row - reach : row + reach, column - reach : column + reach]

    def red_less_blue(part):
        return float((part[..., 0] - part[..., 2]).mean())

    assert red_less_blue(at(60, 60, 12)) > 40  # orange
    assert red_less_blue(at(15, 60, 30)) < -15  # sky blue
    assert red_less_blue(at(100, 60, 30)) == pytest.approx(0, abs=1)


def test_a_particle_that_is_ignored_is_not_shown_as_particle():
    one = make_example()
    ignored = Example(one.name, one.image, one.y, np.zeros_like(one.w))

    assert one.is_particle.any()
    assert not ignored.is_particle.any()
    assert ignored.is_ignored.all()


@pytest.mark.parametrize("w", [0, 255])
@pytest.mark.filterwarnings("error")
def test_an_example_with_nothing_or_everything_ignored_can_be_drawn(w):
    one = make_example()

    picture = colours_of(draw_example(Example("u", one.image, np.zeros_like(one.y), np.full_like(one.w, w)), 20.0))

    sky = np.abs(picture - [int(SKY[place : place + 2], 16) for place in (1, 3, 5)]).max(axis=-1) < 8
    assert (sky[60:].mean() > 0.05) == (w == 0)


def test_a_bar_is_as_long_as_the_share_and_hollow_when_the_round_did_not_count():
    figure = draw_shares([Share(1, 0.03, 0.02, True), Share(2, 0.0, 0.02, False)])

    bars = {one.get_gid(): one for one in figure.axes[0].patches if one.get_gid()}
    assert bars["1"].get_width() == pytest.approx(3.0)
    assert bars["2"].get_width() == 0.0
    assert bars["1"].get_facecolor()[3] == 1.0
    assert bars["2"].get_facecolor()[3] == 0.0
    assert [line.get_xdata()[0] for line in figure.axes[0].lines] == [2.0, 2.0]


@pytest.mark.parametrize("counts", [{1: [0, 0, 0, 0]}, {1: [5, 9, 200, 31], 2: [4, 4, 4, 5]}, {3: list(range(300))}])
def test_every_micrograph_is_in_one_bar(counts):
    figure = draw_counts(counts, 7.0)

    bars = [one for one in figure.axes[0].patches if one.get_gid()]
    for number, one in counts.items():
        assert sum(bar.get_height() for bar in bars if bar.get_gid() == f"round {number}") == len(one)
