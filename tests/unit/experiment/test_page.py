"""The report of an experiment: a page, tables and JSON files, of whole and of broken experiments."""

import csv
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cryoglean.errors import RunError
from cryoglean.experiment.grid import Grid, make_grid
from cryoglean.experiment.page.report import is_experiment, write_report
from cryoglean.experiment.page.tables import COLUMNS, escape_latex
from cryoglean.experiment.store import Store

UP = {"supervised": 0.0, "mean_teacher": 0.06, "fixmatch_pu": -0.06, "oracle": 0.15}
VOID = {"meta", "img", "br", "link", "hr"}
ROUND = {"round": 1, "gain": 0.02, "precision": 0.8, "recall": 0.6, "usage": 0.7, "particle_share": 0.03}
Make = Callable[..., Store]


def grid_of(**asked: Any) -> Grid:
    data = {"micrographs": "/nowhere/*.mrc", "labels": "/nowhere/a.csv", "diameter_angstrom": 100}
    content = {"data": {"beta_gal": data}, "ratios": [0.05, 0.1], "seeds": 3, "lines": ["mean_teacher", "fixmatch_pu"]}
    return make_grid({**content, **asked})


def result_of(place: dict[str, Any], labelled: int) -> dict[str, Any]:
    value, random = 0.6 + UP[place["line"]] + 0.02 * labelled, np.random.default_rng(place["seed"])
    share = value + random.normal(0, 0.01, 4) + 0.005 * np.random.default_rng(len(place["line"])).normal(0, 1, 4)
    counts = [
        {
            "micrograph": f"{place['data']}_{m}",
            "true_positives": round(200 * share[m] - 20 * m),
            "picks": 200,
            "truth": 200,
        }
        for m in range(4)
    ]
    f1 = sum(one["true_positives"] for one in counts) / 800
    return {
        **place, "labelled": labelled, "f1": f1, "precision": f1, "recall": f1, "best_f1": f1,
        "average_precision": f1 - 0.01, "threshold": 0.5, "per_micrograph": counts, "validation": {},
        "rounds": [{**ROUND, "counts": place["seed"] != 1}] if place["line"] == "mean_teacher" else [],
        "train_cpu_seconds": 100.0 + 50 * len(place["line"]), "pick_cpu_seconds": 1.0, "machine": "a<b>",
        "finished": "2026-01-02T03:04:05+00:00",
        "environment": {"python": "3.11", "hardware": "cpu", "packages": {"cryoglean": "0.1.0"}},
    }  # fmt: skip


def make_store(folder: Path, grid: Grid, skip: tuple[str, ...] = (), failed: tuple[str, ...] = ()) -> Store:
    """Cells as a finished experiment leaves them; `skip` and `failed` name some as `ratio/seed/line`."""
    store = Store(folder)
    store.keep_grid(grid)
    for data in grid.data:
        for place, ratio in enumerate(grid.ratios):
            for seed in grid.seeds:
                for line, how in grid.all_lines().items():
                    name = f"{100 * ratio:g}/{seed}/{line}"
                    if (how.is_oracle and ratio != grid.ratios[-1]) or name in skip:
                        continue
                    key = f"{data}/{name}"
                    cell = folder / "cells" / data / f"{100 * ratio:g}" / f"seed_{seed}" / f"{line}-0"
                    cell.mkdir(parents=True)
                    facts = {"key": key, "data": data, "ratio": ratio, "seed": seed, "line": line}
                    (cell / "cell.json").write_text(json.dumps({**facts, "is_oracle": how.is_oracle}))
                    if name in failed:
                        (cell / "error.json").write_text(json.dumps({"error": "one.mrc: <broken> & gone"}))
                    else:
                        (cell / "result.json").write_text(json.dumps(result_of(facts, 2**place)))
    return store


class Checker(HTMLParser):
    """Whether tags close in order; all addresses, ids and headings."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        if tag not in VOID:
            self.open.append(tag)
        told = dict(attributes)
        self.addresses += [told[name] or "" for name in ("src", "href") if name in told]
        self.ids += [told["id"] or ""] if "id" in told else []
        assert tag != "img" or told["alt"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def check(page: Path) -> Checker:
    checker = Checker()
    checker.feed(page.read_text(encoding="utf-8"))
    checker.close()
    assert not checker.open
    assert len(set(checker.ids)) == len(checker.ids)
    assert all(one.startswith("data:image/png;base64,") or one[1:] in checker.ids for one in checker.addresses)
    assert "url(" not in page.read_text(encoding="utf-8")
    return checker


def text_of(page: Path) -> str:
    plain = re.sub(r"<[^>]*>", " ", re.sub(r'src="[^"]*"', "", page.read_text(encoding="utf-8")))
    return re.sub(r"\s+", " ", plain)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    write_report(make_store(folder, grid_of()))
    return folder


def test_a_whole_experiment_has_all_sections(whole: Path) -> None:
    checker = check(whole / "report.html")

    assert checker.headings == [
        "Summary", "Lines", "Seeds", "Learning curves", "Ranking", "Pseudo-labels", "Worst micrographs", "Labels saved",
        "How many seeds", "Cost", "What was run",
    ]  # fmt: skip
    assert len([one for one in checker.addresses if one.startswith("data:")]) == 2 + 1 + 2


def test_the_page_says_gain_and_loss_with_intervals_and_no_ranking(whole: Path) -> None:
    text = text_of(whole / "report.html")

    assert re.search(
        r"mean_teacher against supervised, beta_gal at ratio 0.05: gain, \+0.0\d\d F1, 95 % interval", text
    )
    assert re.search(r"fixmatch_pu against supervised, beta_gal at ratio 0.1: loss, -0.0\d\d F1, 95 % interval", text)
    assert "No ranking: 3 lines in 2 pairs of data set and ratio, 3 and 3 are needed." in text
    assert "cells finished 21 of 21" in text
    assert "mean_teacher 3 2 +0.020 0.800" in text.replace("beta_gal, 5 %, ", "")


def test_the_worst_micrographs_are_those_with_the_lowest_f1(whole: Path) -> None:
    text = text_of(whole / "report.html")

    named = re.findall(r"beta_gal_\d", text[text.index("particles supervised") :])
    assert named[:3] == ["beta_gal_3", "beta_gal_2", "beta_gal_1"]
    assert "beta_gal_0" not in named
    assert text.count("No pictures of beta_gal: ") == 1


def test_tables_agree_with_the_cells(whole: Path) -> None:
    with (whole / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    results = Store(whole).rows()
    mean = np.mean([one["f1"] for one in results if (one["ratio"], one["line"]) == (0.05, "mean_teacher")])

    assert tuple(rows[0]) == COLUMNS
    assert [(row["ratio"], row["line"]) for row in rows][:4] == [("0.05", line) for line in UP]
    assert len(rows) == 8
    taught = rows[1]
    assert float(taught["f1"]) == pytest.approx(mean)
    assert float(taught["f1_difference_low"]) < float(taught["f1_difference"]) < float(taught["f1_difference_high"])
    assert (taught["f1_verdict"], taught["seeds"], taught["labelled"]) == ("gain", "3", "1")
    assert 0 < float(taught["gap_closed"]) < 1
    assert rows[0]["f1_difference"] == ""
    start = "average_precision"
    mean, *difference = (
        float(taught[f"{start}{end}"]) for end in ("", "_difference", "_difference_low", "_difference_high")
    )
    said = "{:.3f} {:+.3f} [{:+.3f}, {:+.3f}]".format(mean, *difference)
    assert f"{said} {taught['average_precision_verdict']}" in text_of(whole / "report.html").replace("−", "-")


def test_json_files_have_the_mean_and_each_seed(whole: Path) -> None:
    notes = whole / "notes" / "beta_gal"
    found = json.loads((notes / "mean_teacher_ratio_5.json").read_text())
    summary = json.loads((notes / "mean_teacher_summary.json").read_text())
    statistics = json.loads((whole / "statistics.json").read_text())

    assert [one["seed"] for one in found["per_seed"]] == [0, 1, 2]
    assert found["f1"] == pytest.approx(np.mean([one["f1"] for one in found["per_seed"]]))
    assert [one["ratio"] for one in summary["ratios"]] == [0.05, 0.1]
    assert {name: one["measure"] for name, one in statistics.items()} == {name: name for name in statistics}
    assert set(statistics) == {"f1", "average_precision"}


def test_latex_is_escaped_and_balanced(whole: Path) -> None:
    text = (whole / "table.tex").read_text()
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]

    assert r"mean\_teacher" in text and r"\caption{beta\_gal:" in text
    assert not re.search(r"(?<!\\)_", text)
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {9}
    assert [text.count(rf"\{rule}rule") for rule in ("top", "mid", "bottom")] == [1, 2, 1]
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize(
    ("plain", "escaped"),
    [("a_b&c", r"a\_b\&c"),
     ("5 % #1 $", r"5 \% \#1 \$"),
     ("\\{~^}", r"\textbackslash{}\{\textasciitilde{}\textasciicircum{}\}")],
)  # fmt: skip
def test_latex_escapes(plain: str, escaped: str) -> None:
    assert escape_latex(plain) == escaped


def test_with_one_seed_and_one_ratio_nothing_is_called_a_gain(tmp_path: Path) -> None:
    page = write_report(make_store(tmp_path, grid_of(seeds=1, ratios=[0.1])))
    text = text_of(page)

    assert "Learning curves" not in check(page).headings
    assert "From fewer than 3 seeds no gain can be told from chance" in text
    assert ": gain," not in text
    assert "too few seeds" in (tmp_path / "table.tex").read_text()


def test_missing_and_failed_cells_are_told_and_left_out(tmp_path: Path) -> None:
    skip, failed = ("5/0/supervised", "10/2/oracle"), ("5/1/fixmatch_pu",)
    page = write_report(make_store(tmp_path, grid_of(), skip, failed))
    text = text_of(page)

    check(page)
    assert "cells finished 18 of 21 failed 1 missing 2" in text
    assert "beta_gal, 5 % labelled, seed 1, fixmatch_pu one.mrc: &lt;broken&gt; &amp; gone" in text
    assert "beta_gal, 5 % labelled, seed 0, supervised not there" in text
    assert "1 seed dropped, a result is missing" in text


@pytest.mark.parametrize("kept", [(), ("10/0/oracle",), ("5/0/supervised",), ("5/2/fixmatch_pu",)])
def test_an_experiment_that_has_hardly_begun_has_a_page(kept: tuple[str, ...], tmp_path: Path) -> None:
    every = [f"{ratio}/{seed}/{line}" for ratio in (5, 10) for seed in range(3) for line in UP]
    page = write_report(make_store(tmp_path, grid_of(), tuple(one for one in every if one not in kept)))

    check(page)
    assert f"cells finished {len(kept)} of 21" in text_of(page)
    assert ("nothing to compare yet" in text_of(page)) == (not kept)


def test_cells_of_an_earlier_grid_are_left_out_and_its_files_go(tmp_path: Path) -> None:
    store = make_store(tmp_path, grid_of())
    write_report(store)
    store.keep_grid(grid_of(lines=["mean_teacher"], ratios=[0.1]))
    text = text_of(write_report(store))

    assert "cells finished 9 of 9" in text
    assert "fixmatch_pu" not in text
    assert {file.name for file in (tmp_path / "notes" / "beta_gal").iterdir()} == {
        f"{line}_{end}.json" for line in ("supervised", "mean_teacher", "oracle") for end in ("ratio_10", "summary")
    }


def test_only_the_cells_that_are_asked_for_count(tmp_path: Path) -> None:
    store = make_store(tmp_path, grid_of())

    page = write_report(store, {row["key"] for row in store.rows() if row["seed"] != 2})

    assert "cells finished 14 of 21" in text_of(page)


def test_lines_can_be_ranked_over_many_data_sets(tmp_path: Path) -> None:
    data = grid_of().data["beta_gal"]
    page = write_report(make_store(tmp_path, grid_of(data=dict.fromkeys(("a", "b", "c", "d"), data))))

    assert "Critical difference diagram. Friedman p" in page.read_text()
    counted = "line gain loss none mean_teacher 8 0 0 fixmatch_pu 0 8 0 All 16 comparisons"
    assert f"F1 against supervised, pairs of data set and ratio; none: no detectable gain {counted}" in text_of(page)


def test_a_folder_that_is_no_experiment_is_refused(tmp_path: Path) -> None:
    assert not is_experiment(tmp_path)
    with pytest.raises(RunError, match="no experiment"):
        write_report(Store(tmp_path))


def test_the_command_makes_the_page_of_an_experiment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from cryoglean.cli.main import run

    make_store(tmp_path, grid_of(seeds=1, ratios=[0.1]))

    assert run(["report", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "report.html")
