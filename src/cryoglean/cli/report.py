"""`cryoglean report`."""

from __future__ import annotations

from pathlib import Path


def report_command(run: Path, *, quiet: bool = False) -> int:
    """Make the report page of a run or an experiment: one HTML file that opens anywhere, without a network.

    Args:
        run: the folder of a finished `cryoglean train`, or of a `cryoglean experiment`, finished or not.
        quiet: print nothing.
    """
    from cryoglean.experiment.page.report import is_experiment, write_report
    from cryoglean.experiment.store import Store
    from cryoglean.report.page import make_report
    from cryoglean.run import Run

    page = write_report(Store(run)) if is_experiment(run) else make_report(Run(run))
    if not quiet:
        print(page)
    return 0
