"""What is needed to make the result again: the command, the machine, all settings."""

from __future__ import annotations

import shlex

from cryoglean.report.results import Results
from cryoglean.report.section import Block, Code, Folded, Section, Table, Text

TITLE = "How it was made"
ORDER = 100


def section(results: Results) -> Section | None:
    """Always there."""
    blocks: list[Block] = []
    command = results.environment.get("command")
    if command:
        blocks += [Text("The command:"), Code(shlex.join(str(word) for word in command))]
    rows = _environment(results)
    if rows:
        blocks.append(Table(("what", "value"), rows, "Program, versions and machine."))
    blocks.append(Folded("All settings", (Code(results.settings.to_yaml().rstrip()),)))
    blocks.append(_data(results))
    return Section(TITLE, tuple(blocks))


def _environment(results: Results) -> tuple[tuple[str, str], ...]:
    facts = {name: value for name, value in results.environment.items() if name not in ("command", "packages")}
    packages = results.environment.get("packages") or {}
    return tuple((str(name), str(value)) for name, value in {**facts, **packages}.items())


def _data(results: Results) -> Folded:
    labels = results.dataset.labels
    rows = tuple(
        (
            name,
            role,
            f"{len(labels.on(name))}" if role in ("train", "validation") else "–",
            str(results.dataset.paths[name]),
        )
        for name, role in sorted(results.dataset.roles.items(), key=lambda item: (item[1], item[0]))
    )
    table = Table(("micrograph", "role", "labels", "file"), rows, "Every micrograph of the run.")
    return Folded(f"All {len(rows)} micrographs and what each was for", (table,))
