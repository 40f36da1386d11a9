"""EMX, the exchange format in XML of Scipion, EMAN2 and Bsoft (Marabini et al., J Struct Biol 194, 156, 2016)."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cryoglean.durable import write_text_atomically
from cryoglean.errors import PicksError
from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.picks_file import coordinate_texts, number_texts, optional_column, parse_number, telling_file
from cryoglean.micrograph import micrograph_name
from cryoglean.picks import Picks

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

SUFFIXES: tuple[str, ...] = (".emx",)
ORIGIN = "centerCoord counts from (0, 0), the centre of the first stored pixel, X to the right, Y down the stored rows."
FACTS = FormatFacts(keeps=frozenset(("score", "empty")))

_EXAMPLE = "Give an EMX file with particles that have a centerCoord."
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def sniff(head: bytes) -> bool:
    """Whether a file that starts with these bytes is XML with the root EMX."""
    return re.search(rb"<EMX[\s>]", head) is not None


def read(path: Path) -> Picks:
    """The particles with their `fom` as score; micrographs that are listed and have no particle are empty ones.

    Raises:
        PicksError: the file is not EMX, or a particle has no micrograph or no coordinates.
    """
    root = _root(path)
    listed = [_file_name(entry, path) for entry in root.findall("micrograph")]
    names, xy, scores = [], [], []
    for place, particle in enumerate(root.findall("particle"), start=1):
        where = f"{path}: particle {place}"
        micrograph, x, y = (particle.find(part) for part in ("micrograph", "centerCoord/X", "centerCoord/Y"))
        if micrograph is None or x is None or y is None:
            raise PicksError("it has no micrograph or no centerCoord", where=where, fix=_EXAMPLE)
        names.append(_file_name(micrograph, path))
        xy.append((_number(x, where), _number(y, where)))
        fom = particle.find("fom")
        scores.append(None if fom is None else _number(fom, where))
    with telling_file(path):
        return Picks(
            np.array(names, dtype=np.str_), np.array(xy, dtype=np.float64).reshape(-1, 2),
            optional_column(scores) if names else np.empty(0), micrographs=tuple(dict.fromkeys([*listed, *names])),
        )  # fmt: skip


def write(picks: Picks, path: Path) -> None:
    """Write micrographs and particles.

    Raises:
        PicksError: a name has a sign that XML can't hold.
        OSError: the file can't be written.
    """
    from xml.sax.saxutils import quoteattr

    bad = next((name for name in picks.micrographs if _UNFIT.search(name)), None)
    if bad is not None:
        raise PicksError(f"XML can't hold the name {bad!r}", where=path, fix="Rename it, or write CSV instead.")
    files = {name: quoteattr(f"{name}.mrc") for name in picks.micrographs}
    lines = ['<?xml version="1.0" encoding="utf-8"?>', '<EMX version="1.0">']
    lines += [f"  <micrograph fileName={file}/>" for file in files.values()]
    scores = ["nan"] * len(picks) if picks.score is None else number_texts(picks.score)
    coordinates = (coordinate_texts(picks.xy[:, 0]), coordinate_texts(picks.xy[:, 1]))
    for place, (name, x, y, score) in enumerate(
        zip(picks.micrograph.tolist(), *coordinates, scores, strict=True), start=1
    ):
        fom = "" if score == "nan" else f"<fom>{score}</fom>"
        lines.append(
            f'  <particle fileName="particles.mrcs" index="{place}"><micrograph fileName={files[name]}/>'
            f'<centerCoord><X unit="px">{x}</X><Y unit="px">{y}</Y></centerCoord>{fom}</particle>'
        )
    write_text_atomically(path, "\n".join([*lines, "</EMX>"]) + "\n")


def _root(path: Path) -> Element:
    from xml.etree import ElementTree

    try:
        content = path.read_bytes()
    except OSError as error:
        raise PicksError(f"it can't be read ({error.strerror})", where=path) from error
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise PicksError("it declares entities, which no EMX file needs", where=path, fix=_EXAMPLE)
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise PicksError(f"it is not XML ({error})", where=path, fix=_EXAMPLE) from error
    if root.tag != "EMX":
        raise PicksError(f"its root is {root.tag[:40]}, not EMX", where=path, fix=_EXAMPLE)
    return root


def _file_name(entry: Element, path: Path) -> str:
    name = micrograph_name(entry.get("fileName", ""))
    if not name:
        raise PicksError("a micrograph has no fileName", where=path, fix=_EXAMPLE)
    return name


def _number(entry: Element, where: str) -> float:
    try:
        number = parse_number((entry.text or "").strip())
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise PicksError(f"'{(entry.text or '')[:40]}' is no number", where=where, fix=_EXAMPLE)
    return number
