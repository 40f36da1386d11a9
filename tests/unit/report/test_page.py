"""The page: well-formed, self-contained, small, and the same numbers in it as in the summary."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from cryoglean.report.cautions import find_cautions
from cryoglean.report.page import make_report
from cryoglean.report.results import Results, TestPicks

from .making import Odd, make_run, paths_of, rules_for

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Reader(HTMLParser):
    """Collects tags; fails when one is closed that was not opened last."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.wrong = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append((tag, self.getpos()))


def read(page):
    reader = Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    reader.close()
    return reader


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("page"))
    truth = Results(run).validation_truth
    test = TestPicks(Results(run).validation_picks, truth, paths_of(run), rules_for(truth.micrographs), 0.5)
    return make_report(run, test)


def test_every_opened_tag_is_closed(page):
    reader = read(page)

    assert reader.wrong == []
    assert reader.open == []


def test_it_refers_to_nothing_outside_itself(page):
    targets = [
        value for _, attributes in read(page).seen for name, value in attributes.items() if name in ("src", "href")
    ]

    assert all(target.startswith(("data:image/png;base64,", "#")) for target in targets)
    text = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page.read_text(encoding="utf-8"))
    assert not re.search(r"https?://|url\(|@import|<script|<link", text)


def test_links_lead_to_sections(page):
    seen = read(page).seen
    anchors = {attributes.get("id") for tag, attributes in seen if tag == "section"}

    assert {attributes["href"][1:] for tag, attributes in seen if tag == "a"} == anchors


def test_every_picture_has_words_and_a_file(page):
    images = [attributes for tag, attributes in read(page).seen if tag == "img"]

    assert all(len(image["alt"]) > 20 for image in images)
    assert len(images) == len(list((page.parent / "figures").glob("*.png")))


def test_it_has_one_heading_of_the_first_order_and_fits_phones(page):
    seen = read(page).seen

    assert [tag for tag, _ in seen].count("h1") == 1
    viewport = [attributes for tag, attributes in seen if tag == "meta" and attributes.get("name") == "viewport"]
    assert "width=device-width" in viewport[0]["content"]
    assert page.stat().st_size < 5_000_000


def test_the_numbers_of_the_summary_stand_in_it(page):
    from cryoglean.run import Run

    found = Run(page.parent).summary()["validation"]
    text = page.read_text(encoding="utf-8")

    for name in ("f1", "precision", "recall", "average_precision"):
        assert f'<dd class="value">{found[name]:.3f}</dd>' in text
    assert "On micrographs it had never seen" in text


def test_names_are_written_so_that_they_can_not_be_taken_for_tags(tmp_path):
    run = make_run(tmp_path)
    run.write_json(run.environment_file, {"command": ["cryoglean", "<script>alert(1)</script>"]})

    assert "<script" not in make_report(run).read_text(encoding="utf-8")


def test_a_second_report_replaces_the_first(tmp_path):
    run = make_run(tmp_path, Odd(validation=1))
    stale = run.figures_folder / "old.png"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"")
    first = make_report(run).read_bytes()

    assert make_report(run).read_bytes() == first
    assert not stale.exists()
    assert not list(run.folder.glob(".*part*"))


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (Odd(), "Few labels"),
        (Odd(), "Few validation micrographs: 2"),
        (Odd(validation=1), "Thin validation"),
        (Odd(has_picks=False), "Not one pick"),
        (Odd(has_micrographs=False), "no longer where they were"),
        (Odd(has_picks_file=False), "file with the validation picks is missing"),
        (Odd(), "still rising"),
        (Odd(), "chosen on the same micrographs"),
        (Odd(is_cross_validated=True), "No micrographs were set aside"),
    ],
)
def test_weak_results_are_said_to_be_weak(tmp_path, odd, words):
    said = [notice.text for notice in find_cautions(Results(make_run(tmp_path, odd)))]

    assert any(words in text for text in said)


def test_a_strong_validation_is_not_called_weak(tmp_path):
    run = make_run(tmp_path, Odd(validation=4, particles=60, has_events=False))
    said = [notice.text for notice in find_cautions(Results(run)) if notice.level == "warning"]

    assert said == []


def test_the_report_needs_no_torch():
    code = "import sys, cryoglean.report.page; import cryoglean.registry as r; "
    code += "[r.load_card('sections', n) for n in r.card_names('sections')]; assert 'torch' not in sys.modules"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
