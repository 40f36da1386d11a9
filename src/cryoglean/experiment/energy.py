"""What a machine's processors take, where Linux counts it (powercap) and lets it be read."""

from __future__ import annotations

from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
Counters = dict[str, tuple[int, int]]
"""Of each processor: microjoules so far, and where the counter begins anew."""


def read_counters(root: Path = POWERCAP) -> Counters:
    """The counters as they are now; empty where there are none, or where only root may read them."""
    found: Counters = {}
    for folder in sorted(root.glob("*-rapl:*")):
        if folder.name.count(":") == 1:  # a whole processor; its parts have one more
            try:
                found[folder.name] = (_number(folder / "energy_uj"), _number(folder / "max_energy_range_uj"))
            except (OSError, ValueError):
                return {}
    return found


def joules_between(before: Counters, after: Counters) -> float | None:
    """What was taken between two readings less than one turn of the counters apart, by everything on the machine.

    A counter turns after about an hour at full load, so what takes longer is told too low.

    Returns:
        Joules; None where it is not known.
    """
    if not before or before.keys() != after.keys():
        return None
    taken = (now - before[name][0] if now >= before[name][0] else now - before[name][0] + turn
             for name, (now, turn) in after.items())  # fmt: skip
    return sum(taken) / 1e6


def _number(file: Path) -> int:
    return int(file.read_text(encoding="ascii"))
