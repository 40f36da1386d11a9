"""Cards: one logger each, with `choose_place` and `open_log`."""
