"""What the doctor found: symptoms with their evidence, likely causes, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from cryoglean.finding import Finding
from cryoglean.report.findings import draw_findings, read_findings, read_pictures
from cryoglean.report.results import Results
from cryoglean.report.section import Block, Code, Folded, Notice, Picture, Section, Table, Text
from cryoglean.report.wording import count_of, say_evidence

TITLE = "Findings"
ORDER = 15


def section(results: Results) -> Section | None:
    """None where nobody has asked the doctor."""
    findings = read_findings(results.run)
    if findings is None:
        return None
    serious = [one for one in findings if one.severity != "note"]
    notes = [one for one in findings if one.severity == "note"]
    if not serious:
        blocks: list[Block] = [Text("The doctor found nothing that asks for action.")]
    else:
        blocks = [Text(f"The doctor found {count_of(len(serious), 'thing')} to act on.")]
    pictures = {
        check: _picture(check, png)
        for check, png in draw_findings(read_pictures(results.run.findings_pictures_file)).items()
    }
    for finding in serious:
        text = f"{finding.symptom}. Likely: {finding.cause}. {finding.remedy}"
        blocks += [Notice(_sentence(text)), *_show(finding, pictures)]
    blocks += [Notice(_sentence(f"{one.symptom}. {one.remedy}"), "note") for one in notes]
    if findings:
        blocks.append(Folded("Evidence and sources", (_table(findings),)))
    if any(one.patch for one in serious):
        blocks += [
            Text("Settings that mend this, with a comment at each changed line, are written by:"),
            Code(f"cryoglean doctor {results.run.folder} --fix mended.yaml"),
        ]
    return Section(TITLE, tuple(blocks))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].replace("`", "")


def _show(finding: Finding, pictures: dict[str, Picture]) -> list[Block]:
    return [pictures[finding.check]] if finding.check in pictures else []


def _picture(check: str, png: bytes) -> Picture:
    words = f"Pictures of the finding {check}: what lies under the labels, or the micrographs in question."
    return Picture(f"finding_{check}", png, words, "")


def _table(findings: Sequence[Finding]) -> Table:
    rows = tuple(
        (
            one.check,
            one.severity,
            say_evidence(one.evidence),
            one.source,
        )
        for one in findings
    )
    return Table(
        ("check", "severity", "evidence", "source"), rows, "What was measured, and where it is from.", is_words=True
    )
