"""What a training took is counted over interruptions."""

from pathlib import Path

import pytest

from cryoglean import keeping
from cryoglean.keeping import Clock, set_free, tell_all
from cryoglean.run import Run


def test_the_time_before_an_interruption_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"monotonic": 100.0, "process_time": 10.0}
    monkeypatch.setattr(keeping.time, "monotonic", lambda: now["monotonic"])
    monkeypatch.setattr(keeping.time, "process_time", lambda: now["process_time"])
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    run.settings_file.touch()

    tell = tell_all(run, None, Clock(run))
    now.update(monotonic=150.0, process_time=40.0)
    tell({"event": "step"})
    now.update(monotonic=1000.0, process_time=3.0)  # another process, after the first was killed
    clock = Clock(run)
    now.update(monotonic=1007.0, process_time=5.0)

    assert clock.seconds() == {"wall_seconds": 57.0, "cpu_seconds": 32.0}
    set_free(run)
    assert Clock(run).seconds() == {"wall_seconds": 0.0, "cpu_seconds": 0.0}
