"""Experiments: a grid of trainings, data set x labelled ratio x seed x line, with the same splits for every line."""
