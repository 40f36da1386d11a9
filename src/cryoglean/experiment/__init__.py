"""Experiments: data sets x labelled ratios x seeds x lines."""
