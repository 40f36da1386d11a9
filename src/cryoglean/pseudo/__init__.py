"""From what a teacher says to `Targets(y, w)`: calibrate, select, keep within a budget."""
