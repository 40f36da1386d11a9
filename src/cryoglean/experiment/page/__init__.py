"""The report of an experiment: a page, tables for papers, and the numbers as JSON."""
