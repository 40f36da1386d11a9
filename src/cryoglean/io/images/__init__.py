"""Cards: one file format of micrographs each, with `SUFFIXES`, `sniff` and `read`."""
