"""Checks of arguments: names and values of the source notes."""

from __future__ import annotations

from typing import get_args

from cryoglean.errors import SettingsError, did_you_mean
from cryoglean.recipe import Variant


def check_variant(variant: str) -> None:
    """Refuse what is neither `notes` nor `corrected`."""
    if variant not in get_args(Variant):
        raise SettingsError(f"'{variant}' is none", where="variant", fix=did_you_mean(variant, get_args(Variant)))


def check_share(name: str, value: float) -> float:
    """The value of an argument, if it is in [0, 1]."""
    if not 0 <= value <= 1:
        raise SettingsError(f"it is {value}", where=name, fix="Give a number from 0 to 1.")
    return value


def check_count(name: str, value: int) -> int:
    """The value of an argument, if it is a whole number above 0."""
    if value < 1 or value != int(value):
        raise SettingsError(f"it is {value}", where=name, fix="Give a whole number above 0.")
    return int(value)
