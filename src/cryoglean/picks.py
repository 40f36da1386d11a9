"""Picks: where the particles are, on which micrograph, and how sure we are."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import PicksError
from cryoglean.micrograph import micrograph_name

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Picks:
    """A table of particles over any number of micrographs.

    Coordinates are pixels of the original micrograph, x to the right, y down the stored rows; (0, 0) is the centre
    of the first stored pixel. Formats with other conventions are converted when they are read and written.

    Args:
        micrograph: (n,) names as `micrograph_name` makes them.
        xy: (n, 2) float64, pixels; finite.
        score: (n,) float64, higher is surer; None when the picks have none (labels).
        diameter_pixels: (n,) float64, above 0; None when nobody said.
        extra: further columns by name, (n,) each, kept from reading to writing.
        micrographs: names of all micrographs that were looked at, those without a particle among them.
            An empty micrograph is listed here; an unannotated one is not.

    Raises:
        PicksError: columns of different length, a coordinate that is not finite.
    """

    micrograph: NDArray[np.str_]
    xy: NDArray[np.float64]
    score: NDArray[np.float64] | None = None
    diameter_pixels: NDArray[np.float64] | None = None
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    micrographs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = np.asarray(self.micrograph, dtype=np.str_).reshape(-1)
        xy = np.asarray(self.xy, dtype=np.float64).reshape(-1, 2)
        columns = {"xy": xy, "score": self.score, "diameter_pixels": self.diameter_pixels, **self.extra}
        for column, values in columns.items():
            if values is not None and len(values) != len(names):
                raise PicksError(f"the column {column} has {len(values)} rows, micrograph has {len(names)}")
        if not np.isfinite(xy).all():
            row = int(np.flatnonzero(~np.isfinite(xy).all(axis=1))[0])
            raise PicksError(f"a coordinate in row {row + 1} is not a number", where=names[row])
        looked_at = dict.fromkeys([*self.micrographs, *sorted(set(names.tolist()))])
        object.__setattr__(self, "micrograph", names)
        object.__setattr__(self, "xy", xy)
        object.__setattr__(self, "score", _floats(self.score))
        object.__setattr__(self, "diameter_pixels", _floats(self.diameter_pixels))
        object.__setattr__(self, "micrographs", tuple(looked_at))

    @classmethod
    def empty(cls, micrographs: Iterable[str] = ()) -> Picks:
        """No particle on any of `micrographs`."""
        return cls(np.empty(0, dtype=np.str_), np.empty((0, 2)), np.empty(0), micrographs=tuple(micrographs))

    @classmethod
    def of_one(cls, name: str, xy: NDArray[np.float64], score: NDArray[np.float64] | None = None) -> Picks:
        """The picks (n, 2) of one micrograph, which counts as looked at also when n is 0."""
        return cls(np.full(len(xy), name), xy, score, micrographs=(name,))

    @classmethod
    def concatenate(cls, parts: Iterable[Picks]) -> Picks:
        """All rows of all parts, in order; a column that some part lacks is dropped."""
        tables = list(parts)
        if not tables:
            return cls.empty()
        if len(tables) == 1:
            return tables[0]
        filled = [table for table in tables if len(table)] or tables[:1]
        shared = [name for name in filled[0].extra if all(name in table.extra for table in filled)]
        return cls(
            micrograph=np.concatenate([table.micrograph for table in filled]),
            xy=np.concatenate([table.xy for table in filled]),
            score=_join([table.score for table in filled]),
            diameter_pixels=_join([table.diameter_pixels for table in filled]),
            extra={name: np.concatenate([table.extra[name] for table in filled]) for name in shared},
            micrographs=tuple(name for table in tables for name in table.micrographs),
        )

    @classmethod
    def from_pandas(cls, table: pd.DataFrame) -> Picks:
        """Picks from a table with the columns micrograph, x, y and, if present, score and diameter_pixels.

        Raises:
            PicksError: a needed column is missing.
        """
        missing = [name for name in ("micrograph", "x", "y") if name not in table.columns]
        if missing:
            raise PicksError(f"the table lacks the columns {', '.join(missing)}")
        known = {"micrograph", "x", "y", "score", "diameter_pixels"}
        return cls(
            micrograph=np.array([micrograph_name(str(name)) for name in table["micrograph"]], dtype=np.str_),
            xy=table[["x", "y"]].to_numpy(dtype=np.float64),
            score=table["score"].to_numpy(dtype=np.float64) if "score" in table else None,
            diameter_pixels=table["diameter_pixels"].to_numpy(dtype=np.float64) if "diameter_pixels" in table else None,
            extra={str(name): table[name].to_numpy() for name in table.columns if name not in known},
            micrographs=tuple(table.attrs.get("micrographs", ())),
        )

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a pandas table; micrographs without a pick are in its `attrs["micrographs"]`."""
        import pandas as pd

        columns: dict[str, NDArray[Any]] = {"micrograph": self.micrograph, "x": self.xy[:, 0], "y": self.xy[:, 1]}
        if self.score is not None:
            columns["score"] = self.score
        if self.diameter_pixels is not None:
            columns["diameter_pixels"] = self.diameter_pixels
        table = pd.DataFrame({**columns, **self.extra})
        table.attrs["micrographs"] = list(self.micrographs)
        return table

    def __len__(self) -> int:
        """The number of particles."""
        return len(self.micrograph)

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Picks:
        """The chosen rows; `micrographs` stays as it is."""
        return replace(
            self,
            micrograph=self.micrograph[chosen],
            xy=self.xy[chosen],
            score=None if self.score is None else self.score[chosen],
            diameter_pixels=None if self.diameter_pixels is None else self.diameter_pixels[chosen],
            extra={name: values[chosen] for name, values in self.extra.items()},
        )

    def on(self, name: str) -> Picks:
        """The picks of one micrograph (by its `micrograph_name`)."""
        return replace(self.rows(self.micrograph == name), micrographs=(name,))

    def of(self, names: Iterable[str]) -> Picks:
        """The picks of these micrographs, whether or not they have any."""
        wanted = tuple(names)
        return replace(self.rows(np.isin(self.micrograph, wanted)), micrographs=wanted)

    def each(self) -> Iterator[tuple[str, Picks]]:
        """Every micrograph with its picks, in the order of `micrographs`; faster than `on` for each of many."""
        names, first = np.unique(self.micrograph, return_inverse=True)
        order = np.argsort(first, kind="stable")
        ends = np.cumsum(np.bincount(first, minlength=len(names)))
        rows = dict(zip(names.tolist(), np.split(order, ends[:-1]), strict=True)) if len(names) else {}
        none = np.empty(0, dtype=np.intp)
        for name in self.micrographs:
            yield name, replace(self.rows(rows.get(name, none)), micrographs=(name,))

    def above(self, threshold: float) -> Picks:
        """The picks with a score of at least `threshold`; all picks when they have no score."""
        return self if self.score is None else self.rows(self.score >= threshold)

    def _repr_html_(self) -> str:
        """A line of text and a small picture for notebooks."""
        shown = list(self.micrographs[:3])
        text = f"<p>{len(self)} particles on {len(self.micrographs)} micrographs</p>"
        return text + f'<img alt="picks" src="data:image/png;base64,{base64.b64encode(self._draw(shown)).decode()}">'

    def _draw(self, names: list[str]) -> bytes:
        """A PNG with the picks of a few micrographs as points, y down."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(3.2 * max(len(names), 1), 3.2), layout="constrained")
        for place, name in enumerate(names):
            axes = figure.add_subplot(1, len(names), place + 1, aspect="equal", title=name[:28])
            one = self.on(name)
            axes.scatter(one.xy[:, 0], one.xy[:, 1], c="C0" if one.score is None else one.score, s=9)
            axes.invert_yaxis()
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=80)
        return out.getvalue()


def _floats(values: NDArray[Any] | None) -> NDArray[np.float64] | None:
    return None if values is None else np.asarray(values, dtype=np.float64).reshape(-1)


def _join(columns: list[NDArray[np.float64] | None]) -> NDArray[np.float64] | None:
    present = [column for column in columns if column is not None]
    return np.concatenate(present) if len(present) == len(columns) else None
