"""`cryoglean report`."""

from __future__ import annotations

from pathlib import Path


def report_command(run: Path, *, quiet: bool = False) -> int:
    """Make the report page of a run: one HTML file that opens anywhere, without a network.

    Args:
        run: the folder of a finished `cryoglean train`.
        quiet: print nothing.
    """
    from cryoglean.report.page import make_report
    from cryoglean.run import Run

    page = make_report(Run(run))
    if not quiet:
        print(page)
    return 0
