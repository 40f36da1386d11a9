"""`cryoglean list`."""

from __future__ import annotations

from typing import Literal

Kind = Literal[
    "strategies", "formats", "layouts", "models", "losses", "checks", "presets", "molecules", "definitions", "settings"
]  # fmt: skip


def list_command(kind: Kind, *, json: bool = False) -> int:
    """List what there is to choose from.

    Args:
        kind: what to list.
        json: as JSON.
    """
    from cryoglean.cli.main import print_json

    rows = list_rows(kind)
    if json:
        print_json(rows)
    else:
        width = max(map(len, rows), default=0)
        for name, summary in rows.items():
            print(f"{name:{width}s}  {summary}")
    return 0


def list_rows(kind: Kind) -> dict[str, str]:
    """Name -> one-line summary of each thing of a kind."""
    return _ROWS[kind]() if kind in _ROWS else _cards(kind)


def _cards(kind: str) -> dict[str, str]:
    from cryoglean.registry import card_names, card_summary

    return {name: card_summary(kind, name) for name in card_names(kind)}


def _presets() -> dict[str, str]:
    from cryoglean.preset import preset_names, read_preset_summary

    return {name: read_preset_summary(name) for name in preset_names()}


def _settings() -> dict[str, str]:
    from cryoglean.settings import describe_setting, setting_names

    described = {name: describe_setting(name) for name in setting_names()}
    return {name: f"{meaning} [{default}]" for name, (meaning, default) in described.items()}


def _molecules() -> dict[str, str]:
    from cryoglean.simulate.molecules import build_molecule, molecule_group, molecule_names

    sizes = {name: build_molecule(name, 4.0).diameter_angstrom for name in molecule_names()}
    return {name: f"{size:.0f} Å, symmetry {molecule_group(name)}" for name, size in sizes.items()}


def _definitions() -> dict[str, str]:
    from cryoglean.evaluate.definitions import DEFINITIONS

    return {name: summary for name, (summary, _) in DEFINITIONS.items()}


_ROWS = {"presets": _presets, "settings": _settings, "molecules": _molecules, "definitions": _definitions}
