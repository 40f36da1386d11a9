"""The data set: which micrographs there are, what each is for, and how large a particle is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from cryoglean.errors import RunError, SettingsError
from cryoglean.picks import Picks

Role = Literal["train", "validation", "test", "unlabelled"]
Unit = Literal["angstrom", "pixel"]


@dataclass(frozen=True, slots=True)
class ParticleSize:
    """How large a particle is, and a pixel.

    Args:
        diameter_angstrom: of the particle; None takes the diameter that the labels of a data set's folder have.
        pixel_size_angstrom: overrides the headers; None trusts them.
    """

    diameter_angstrom: float | None
    pixel_size_angstrom: float | None = None

    def check(self) -> None:
        """Refuse sizes that are not above 0.

        Raises:
            SettingsError: naming the option.
        """
        for name in ("diameter_angstrom", "pixel_size_angstrom"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                option = "--" + name.replace("_", "-")
                raise SettingsError(f"it is {value}", where=option, fix="Give angstrom above 0.")

    def diameter(self) -> float:
        """Of the particle, in angstrom.

        Raises:
            SettingsError: nobody said it.
        """
        if self.diameter_angstrom is None:
            raise SettingsError(
                "it is needed", where="--diameter-angstrom", fix="Give the particle's diameter in angstrom."
            )
        return self.diameter_angstrom


@dataclass(frozen=True, slots=True)
class LabelFiles:
    """Files of labels.

    Args:
        train: labels to learn from.
        validation: labels to choose the threshold on; None holds some of the others out.
        test: labels of micrographs that must not be looked at.
    """

    train: Path
    validation: Path | None = None
    test: Path | None = None

    def by_role(self) -> list[tuple[Role, Path]]:
        """The files there are, each with the role it gives, in the order in which they overrule each other."""
        files: list[tuple[Role, Path | None]] = [
            ("train", self.train), ("validation", self.validation), ("test", self.test)
        ]  # fmt: skip
        return [(role, file) for role, file in files if file is not None]


def label_files(train: Path | None, validation: Path | None = None, test: Path | None = None) -> LabelFiles | None:
    """The files of labels; None where there are none.

    Args:
        train: see `LabelFiles`.
        validation: see `LabelFiles`.
        test: see `LabelFiles`.

    Raises:
        SettingsError: there are others, but none to learn from.
    """
    if train is not None:
        return LabelFiles(train, validation, test)
    for option, file in (("--validation", validation), ("--test", test)):
        if file is not None:
            raise SettingsError("it is only for labels that --picks names", where=option, fix="Give --picks, too.")
    return None


@dataclass(frozen=True, slots=True)
class Source:
    """What the program chose when it brought micrographs and labels together.

    Args:
        layout: the card of `io/layouts` that opened the folder; empty where micrographs and labels were named.
        files: the files and folders that were taken.
        y_turned: whether y of the labels was turned over when they were read.
        flip_y: what the user said of y; None left it to the format.
        notes: what a user should know, a sentence each.
    """

    layout: str = ""
    files: tuple[str, ...] = ()
    y_turned: bool = False
    flip_y: bool | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        return {**asdict(self), "files": list(self.files), "notes": list(self.notes)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Source:
        """What `to_json` made."""
        return cls(**{**content, "files": tuple(content["files"]), "notes": tuple(content["notes"])})


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Micrographs by name, each with exactly one role.

    Args:
        paths: where each micrograph lies.
        roles: what each is for; the same names.
        labels: the particles of the train and validation micrographs.
        diameter_angstrom: diameter of the particle, above 0.
        pixel_size_angstrom: for micrographs whose header does not say it, or says it wrongly; None trusts the header.
        content_digest: of the patches, where they come from a file; None for micrographs and in older runs.
        pixel_sizes: of single micrographs, by name; they overrule `pixel_size_angstrom`.
        unit: of the diameter; `pixel` where nobody knows angstrom: a pixel size is then 1, or how much larger or
            smaller than on other micrographs a particle is.
        source: how it was brought together; None in older runs and where nobody recorded it.
    """

    paths: Mapping[str, Path]
    roles: Mapping[str, Role]
    labels: Picks
    diameter_angstrom: float
    pixel_size_angstrom: float | None = None
    content_digest: str | None = None
    pixel_sizes: Mapping[str, float] = field(default_factory=dict)
    unit: Unit = "angstrom"
    source: Source | None = None

    def names(self, *roles: Role) -> tuple[str, ...]:
        """The micrographs with one of these roles, in order of the alphabet."""
        return tuple(sorted(name for name, role in self.roles.items() if role in roles))

    def pixel_size_of(self, name: str) -> float | None:
        """The pixel size to read a micrograph with; None trusts its header."""
        return self.pixel_sizes.get(name, self.pixel_size_angstrom)

    def diameter_pixels_of(self, name: str) -> float | None:
        """The particle's diameter in pixels of a micrograph; None where only its header knows the pixel size."""
        size = self.pixel_size_of(name)
        return self.diameter_angstrom / size if size else None

    @property
    def shown_pixel_size(self) -> float | None:
        """The pixel size in angstrom for pictures; None where nobody said, or nobody knows."""
        return self.pixel_size_angstrom if self.unit == "angstrom" else None

    def to_json(self) -> dict[str, Any]:
        """Everything but the labels."""
        content: dict[str, Any] = {"content_digest": self.content_digest} if self.content_digest else {}
        content |= {"pixel_sizes": dict(sorted(self.pixel_sizes.items()))} if self.pixel_sizes else {}
        content |= {"unit": self.unit} if self.unit != "angstrom" else {}
        if self.source is not None:
            content["source"] = self.source.to_json()
        return {
            "diameter_angstrom": self.diameter_angstrom,
            "pixel_size_angstrom": self.pixel_size_angstrom,
            "micrographs": {
                name: {"path": str(self.paths[name]), "role": role} for name, role in sorted(self.roles.items())
            },
            **content,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], labels: Picks) -> Dataset:
        """What `to_json` made.

        Raises:
            RunError: something is missing in it.
        """
        try:
            micrographs = content["micrographs"]
            return cls(
                paths={name: Path(entry["path"]) for name, entry in micrographs.items()},
                roles={name: entry["role"] for name, entry in micrographs.items()},
                labels=labels,
                diameter_angstrom=content["diameter_angstrom"],
                pixel_size_angstrom=content["pixel_size_angstrom"],
                content_digest=content.get("content_digest"),
                pixel_sizes=content.get("pixel_sizes", {}),
                unit=content.get("unit", "angstrom"),
                source=Source.from_json(content["source"]) if "source" in content else None,
            )
        except (KeyError, TypeError) as error:
            raise RunError(f"it lacks {error}", where="dataset.json", fix="Train again.") from error
