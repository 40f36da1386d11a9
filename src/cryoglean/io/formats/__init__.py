"""Cards: one file format of picks each, with `SUFFIXES`, `sniff`, `read` and `write`."""
