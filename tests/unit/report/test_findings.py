"""What the doctor found, in the report: serious things first, with pictures, evidence and a command that mends."""

import json
from pathlib import Path

import pytest

from cryoglean.errors import RunError
from cryoglean.report.findings import draw_findings, read_findings, read_pictures
from cryoglean.report.results import Results
from cryoglean.report.section import Code, Folded, Notice, Picture, Table, Text
from cryoglean.report.sections import findings
from report.making import Odd, make_run


def test_errors_and_warnings_are_shown_with_their_pictures_then_notes(tmp_path: Path) -> None:
    section = findings.section(Results(make_run(tmp_path)))
    assert section is not None

    notices = [(block.level, block.text.split(".")[0]) for block in section.blocks if isinstance(block, Notice)]
    assert notices == [
        ("warning", "Labels lie elsewhere"), ("warning", "Nothing is learned"), ("note", "Few particles"),
    ]  # fmt: skip
    assert [block.name for block in section.blocks if isinstance(block, Picture)] == ["finding_orientation"]
    (folded,) = [block for block in section.blocks if isinstance(block, Folded)]
    table = folded.blocks[0]
    assert isinstance(table, Table)
    assert table.rows[0] == ("orientation", "error", "strength 1.235", "arXiv 1")
    assert section.blocks[-1] == Code(f"cryoglean doctor {tmp_path / 'run'} --fix mended.yaml")


def test_a_healthy_run_says_so_and_one_nobody_asked_about_says_nothing(tmp_path: Path) -> None:
    run = make_run(tmp_path, Odd(has_findings=False))
    assert findings.section(Results(run)) is None

    run.write_json(run.findings_file, [])
    section = findings.section(Results(run))

    assert section is not None
    assert section.blocks == (Text("The doctor found nothing that asks for action."),)


def test_pictures_are_read_back_and_drawn(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    shown = read_pictures(run.findings_pictures_file)

    assert {check: list(each) for check, each in shown.items()} == {"orientation": ["as given", "moved"]}
    assert draw_findings(shown)["orientation"].startswith(b"\x89PNG")


@pytest.mark.parametrize("content", [None, b"", b"no zip at all"])
def test_pictures_that_cannot_be_read_are_none(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "x.npz"
    if content is not None:
        file.write_bytes(content)

    assert read_pictures(file) == {}


def test_a_broken_file_of_findings_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.findings_file.write_text(json.dumps([{"symptom": "x"}]), encoding="utf-8")

    with pytest.raises(RunError, match="it is no finding"):
        read_findings(run)
