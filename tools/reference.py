"""Write docs/reference/ from the program itself: commands, settings, cards, Python."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import cryoglean
from cryoglean.cli.list import list_rows
from cryoglean.cli.main import make_app
from cryoglean.preset import preset_names, read_preset, read_preset_summary
from cryoglean.registry import card_names, card_summary, kinds, load_card
from cryoglean.settings import Settings, describe_setting, setting_names
from cryoglean.simulate.settings import SimulationSettings

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
NOTE = "<!-- Written by `make reference` (tools/reference.py); edit the docstrings instead. -->"
_KIND_TITLES = {
    "strategies": "Strategies", "formats": "Formats of picks", "images": "Formats of micrographs",
    "layouts": "Data sets as folders",
    "models": "Models", "losses": "Losses", "sections": "Sections of the report",
    "checks": "Checks of the doctor", "loggers": "Loggers",
}  # fmt: skip


def pages() -> dict[str, str]:
    """The text of each page by its file name."""
    return {
        "commands.md": _page("Commands", commands_page()),
        "settings.md": _page("Settings", settings_page()),
        "cards.md": _page("Cards", cards_page()),
        "strategies.md": _page("Strategies", strategies_page()),
        "python.md": _page("Python", python_page()),
    }


def commands_page() -> str:
    """Every command with its options."""
    text = make_app().generate_docs(output_format="markdown", recursive=True)
    body = text.split("## Table of Contents", maxsplit=1)[1].split("## cryoglean", maxsplit=1)[1]
    codes = "Exit codes: 0 done, 1 a clear error, 2 wrong usage, 3 the doctor found something, 130 interrupted."
    return f"{codes}\n\n## cryoglean{body}"


def settings_page() -> str:
    """Every setting with its meaning, values and default, the presets, and the settings of the simulation."""
    rows = [_setting_row(name) for name in setting_names()]
    made = SimulationSettings.model_json_schema()["properties"]
    simulated = [
        (f"`{name}`", _sentence(field["description"]), _values(field), _as_yaml(field.get("default")))
        for name, field in made.items()
    ]
    presets = [(f"`{name}`", read_preset_summary(name), _as_yaml(read_preset(name))) for name in preset_names()]
    return "\n\n".join(
        (
            "Set one with `--set name=value`; a preset or `--effort` sets several.",
            _table(("setting", "meaning", "values", "default"), rows),
            "## Presets\n\n`quick`, `standard` and `thorough` are what `--effort` chooses.",
            _table(("preset", "what for", "settings"), presets),
            "## Settings of the simulation\n\nFor `cryoglean simulate --set name=value`.",
            _table(("setting", "meaning", "values", "default"), simulated),
        )
    )


def cards_page() -> str:
    """Every card: the file name is the name."""
    parts = ["Each is one file; the file's name is the name. Other packages add theirs through entry points."]
    for kind in kinds():
        rows = [(f"`{name}`", card_summary(kind, name), _card_facts(kind, name)) for name in card_names(kind)]
        parts += [f"## {_KIND_TITLES[kind]}", _table(("name", "what it is", "facts"), rows)]
    for kind in ("molecules", "definitions"):
        rows = [(f"`{name}`", summary) for name, summary in list_rows(kind).items()]
        parts += [f"## {kind.capitalize()}", _table(("name", "what it is"), rows)]
    return "\n\n".join(parts)


def python_page() -> str:
    """The public names with their docstrings."""
    parts = ["Ten names; `import cryoglean` loads each when it is touched."]
    for name in cryoglean.__all__:
        value = getattr(cryoglean, name)
        parts += [f"## `cryoglean.{name}`", _code(f"{name}{_signature(value)}"), _docstring(value)]
        if inspect.isclass(value):
            for inner, member in sorted(vars(value).items()):
                if not inner.startswith("_") and (inspect.getdoc(member) and not isinstance(member, str | int)):
                    parts += _member(name, inner, member)
    return "\n\n".join(parts)


def _member(owner: str, name: str, member: Any) -> list[str]:
    function = getattr(member, "__func__", member)
    if inspect.isfunction(function):
        return [f"### `{owner}.{name}`", _code(f"{name}{_signature(function)}"), _docstring(function)]
    return [f"### `{owner}.{name}`", _docstring(member)] if isinstance(member, property) else []


def _signature(value: Any) -> str:
    text = str(inspect.signature(value, eval_str=False)).replace("'", "")
    return re.sub(r"<factory>|<class [^>]*>", "...", text)


def _docstring(value: Any) -> str:
    """A Google docstring as Markdown: its sections become bold words, its items a list."""
    lines: list[str] = []
    for line in (inspect.getdoc(value) or "").splitlines():
        heading = re.fullmatch(r"(Args|Returns|Raises|Yields|Example):", line)
        item = re.fullmatch(r" {4}(\w[\w, ]*): (.*)", line)
        if heading:
            lines += [f"**{heading[1]}**", ""]
        elif item:
            lines.append(f"* `{item[1]}`: {item[2]}")
        else:
            lines.append(re.sub(r"^ {4,}", "  ", line) if lines and lines[-1].startswith(("*", "  ")) else line.strip())
    return "\n".join(lines)


def _card_facts(kind: str, name: str) -> str:
    card = load_card(kind, name)
    said = []
    if hasattr(card, "SUFFIXES"):
        said.append(" ".join(f"`{suffix}`" for suffix in card.SUFFIXES))
    if hasattr(card, "ORIGIN"):
        said.append(str(card.ORIGIN).rstrip("."))
    if hasattr(card, "STRIDE"):
        said.append(f"one value for every {card.STRIDE} x {card.STRIDE} pixels")
    if hasattr(card, "TITLE"):
        said.append(f"\N{LEFT DOUBLE QUOTATION MARK}{card.TITLE}\N{RIGHT DOUBLE QUOTATION MARK}")
    if kind == "strategies":
        said.append(card.recipe().source)
    return "; ".join(said)


def _setting_row(name: str) -> tuple[str, ...]:
    meaning, default = describe_setting(name)
    part, _, inner = name.rpartition(".")
    model: type[BaseModel] = type(getattr(Settings(), part)) if part else Settings
    field = model.model_json_schema()["properties"][inner]
    return (f"`{name}`", _sentence(meaning), _values(field), _as_yaml(default))


def _values(field: Mapping[str, Any]) -> str:
    """What a field may be, from its JSON schema."""
    if "anyOf" in field:
        return " or ".join(_values(one) for one in field["anyOf"])
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        items = field.get("prefixItems") or [field.get("items", {})]
        return "list of " + ", ".join(_values(item) for item in items)
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    bounds = [f"{sign} {field[key]:g}" for key, sign in signs.items() if key in field]
    names = {"null": "nothing", "number": "number", "integer": "whole number", "boolean": "yes or no", "string": "text"}
    return " ".join([names.get(str(field.get("type")), str(field.get("type", "text"))), ", ".join(bounds)]).strip()


def _as_yaml(value: Any) -> str:
    return "" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`".replace('`"', "`").replace('"`', "`")


def strategies_page() -> str:
    """Every strategy: idea, source, when it fails, what the notes measured, and its options."""
    start = "How they compare: [strategies, compared](../strategies.md). Set an option with `--set options.name=value`."
    parts = [start]
    for name in card_names("strategies"):
        card = load_card("strategies", name)
        options = [f"`{one.name}={one.default}`" for one in inspect.signature(card.recipe).parameters.values()]
        said = inspect.cleandoc(card.__doc__ or "")
        what = " ".join((card.recipe.__doc__ or "").split())
        parts.append(f"## {name}\n\n{said}\n\nOptions: {', '.join(options) or 'none'}. {what}")
    return "\n\n".join(parts)


def _sentence(text: str) -> str:
    return " ".join(text.split())


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    cells = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells)


def _code(text: str) -> str:
    return f"```pyi\n{text}\n```"


def _page(title: str, body: str) -> str:
    return f"# {title}\n\n{NOTE}\n\n{body.strip()}\n"


def main() -> int:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(FOLDER / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
