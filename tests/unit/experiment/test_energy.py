"""Energy of a machine's processors, from counters that turn round."""

from pathlib import Path

import pytest

from cryoglean.experiment.energy import joules_between, read_counters


def write(root: Path, name: str, microjoules: str) -> None:
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text("10000000\n")


def test_processors_are_added_up_their_parts_are_not_and_a_turn_is_seen(tmp_path: Path) -> None:
    for name, microjoules in (("intel-rapl:0", 1_000_000), ("intel-rapl:1", 9_000_000), ("intel-rapl:0:0", 5)):
        write(tmp_path, name, str(microjoules))
    before = read_counters(tmp_path)
    write(tmp_path, "intel-rapl:0", "3500000")
    write(tmp_path, "intel-rapl:1", "1000000")

    assert joules_between(before, read_counters(tmp_path)) == pytest.approx(2.5 + 2.0)


@pytest.mark.parametrize("content", ["", "none"])
def test_what_is_not_counted_is_not_known(tmp_path: Path, content: str) -> None:
    if content:
        write(tmp_path, "intel-rapl:0", content)

    assert read_counters(tmp_path) == {}
    assert joules_between({}, {}) is None
    assert joules_between({"intel-rapl:0": (1, 9)}, {}) is None
