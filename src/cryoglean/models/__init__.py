"""Cards: one network each, with `Settings`, `build` and `STRIDE`."""
