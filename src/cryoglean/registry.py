"""Cards: the file name is the name. A new strategy, format, model or loss is one new file and no edit elsewhere."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType

from cryoglean.errors import SettingsError, did_you_mean
from cryoglean.settings import Settings

_FOLDERS = {
    "strategies": "cryoglean.strategies",
    "formats": "cryoglean.io.formats",
    "images": "cryoglean.io.images",
    "layouts": "cryoglean.io.layouts",
    "models": "cryoglean.models",
    "losses": "cryoglean.losses",
    "sections": "cryoglean.report.sections",
    "checks": "cryoglean.doctor.checks",
    "loggers": "cryoglean.loggers",
}


def kinds() -> tuple[str, ...]:
    """The kinds of cards there are."""
    return tuple(_FOLDERS)


@cache
def card_names(kind: str) -> tuple[str, ...]:
    """The names of all cards of a kind, in order of the alphabet, those of other packages among them.

    Args:
        kind: one of `kinds()`. Other packages add cards through the entry point group `cryoglean.<kind>`.
    """
    folder = importlib.import_module(_FOLDERS[kind])
    own = {module.name for module in pkgutil.iter_modules(folder.__path__) if not module.name.startswith("_")}
    foreign = {point.name for point in entry_points(group=f"cryoglean.{kind}")}
    return tuple(sorted(own | foreign))


@cache
def load_card(kind: str, name: str) -> ModuleType:
    """The module of a card.

    Raises:
        SettingsError: there is no card of that name; the message proposes the nearest ones.
    """
    for point in entry_points(group=f"cryoglean.{kind}"):
        if point.name == name:
            loaded = point.load()
            if not isinstance(loaded, ModuleType):
                raise SettingsError("the entry point is not a module", where=f"cryoglean.{kind}: {name}")
            return loaded
    _check_name(kind, name)
    return importlib.import_module(f"{_FOLDERS[kind]}.{name}")


def check_cards(settings: Settings) -> None:
    """Refuse names of strategies, models and losses that do not exist, before anything is read.

    Raises:
        SettingsError: with the nearest known name.
    """
    for kind, name in (
        *([] if settings.strategy == "auto" else [("strategies", settings.strategy)]), ("models", settings.model.name),
        *(("losses", term) for term in settings.loss.terms),
    ):  # fmt: skip
        _check_name(kind, name)


def card_summary(kind: str, name: str) -> str:
    """The first line of a card's docstring, without the final full stop."""
    return (load_card(kind, name).__doc__ or "").strip().split("\n")[0].rstrip(".")


def _check_name(kind: str, name: str) -> None:
    if name not in card_names(kind):
        raise SettingsError(f"there is none called '{name}'", where=kind, fix=did_you_mean(name, card_names(kind)))
