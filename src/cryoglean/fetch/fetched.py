"""What is asked for, and what was fetched."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryoglean.errors import SettingsError
from cryoglean.fetch.server import Remote


@dataclass(frozen=True, slots=True)
class DataSet:
    """Micrographs in a folder, and their labels where there are any.

    Args:
        micrographs: the folder with the micrographs.
        labels: the folder with a file of particles for each labelled micrograph; None where nothing is labelled.
        pixel_size_angstrom: what the archive says of the pixel; None if it says nothing.
    """

    micrographs: Path
    labels: Path | None = None
    pixel_size_angstrom: float | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is there now.

    Args:
        data_sets: usually one.
        micrographs: how many micrographs are there.
        labelled: how many of them have labels.
        notes: what a user should know, a sentence each.
    """

    data_sets: tuple[DataSet, ...]
    micrographs: int
    labelled: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be fetched.

    Args:
        files: on the server; empty if nothing is missing.
        missing_bytes: how much is still to come, as far as the server says.
        folder: where it goes.
        notes: what a user should know, a sentence each.
    """

    files: tuple[Remote, ...]
    missing_bytes: int
    folder: Path
    notes: tuple[str, ...] = ()


def entry_number(text: str) -> str:
    """The number of an EMPIAR entry, as in `10017` or `EMPIAR-10017`.

    Raises:
        SettingsError: it is none.
    """
    found = re.fullmatch(r"(?:EMPIAR-)?(\d{5,6})", text.strip(), flags=re.IGNORECASE)
    if found is None:
        raise SettingsError(f"'{text}' is no EMPIAR number", where="fetch", fix="Write it like 10017.")
    return found[1]


def check_count(micrographs: int | None) -> None:
    """Refuse a number of micrographs below 1.

    Raises:
        SettingsError: it is below 1.
    """
    if micrographs is not None and micrographs < 1:
        raise SettingsError(f"it is {micrographs}", where="--micrographs", fix="Give 1 or more.")


def choose_url(given: str | None, variable: str, default: str) -> str:
    """The server: what was given, else what the environment says, else the usual one; without a slash at the end.

    Raises:
        SettingsError: it is no http or https address.
    """
    url = given or os.environ.get(variable) or default
    if not re.match(r"https?://[^/\s]+", url):
        raise SettingsError(
            f"'{url}' is no address", where="--url" if given else variable, fix="Write it like https://server."
        )
    return url.rstrip("/")
