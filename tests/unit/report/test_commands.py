"""`cryoglean report` and `cryoglean show`, as a shell calls them."""

from __future__ import annotations

import pytest
from PIL import Image

from cryoglean.cli.main import run as call

from .making import Odd, make_run


def test_report_prints_the_path_of_the_page(tmp_path, capsys):
    run = make_run(tmp_path, Odd(validation=1))

    assert call(["report", str(run.folder)]) == 0
    assert capsys.readouterr().out.strip() == str(run.report_file)
    assert run.report_file.is_file()


def test_report_of_something_else_is_a_clear_error(tmp_path, capsys):
    assert call(["report", str(tmp_path)]) == 1
    assert "summary.json is missing" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--picks"], ["--truth"], ["--picks", "--truth", "--threshold"]])
def test_show_draws_a_micrograph(tmp_path, options):
    run = make_run(tmp_path, Odd(validation=1))
    values = {"--picks": run.validation_picks_file, "--truth": run.labels_file, "--threshold": 0.5}
    given = [str(word) for option in options for word in (option, values[option])]
    out = tmp_path / "out.png"

    code = call(
        [
            "show",
            "micrograph",
            str(tmp_path / "mics" / "val-0.mrc"),
            *given,
            "--diameter-pixels",
            "12",
            "--out",
            str(out),
        ]
    )

    assert code == 0
    with Image.open(out) as picture:
        assert picture.width == 900


def test_show_refuses_picks_of_other_micrographs_and_other_suffixes(tmp_path, capsys):
    run = make_run(tmp_path, Odd(validation=1))
    file = str(tmp_path / "mics" / "train.mrc")

    assert call(["show", "micrograph", file, "--picks", str(run.validation_picks_file), "--out", "x.png"]) == 1
    assert "nothing on the micrograph 'train'" in capsys.readouterr().err
    assert call(["show", "micrograph", file, "--out", "x.jpg"]) == 2
