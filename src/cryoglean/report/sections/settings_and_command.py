"""What is needed to make the result again: the command, the machine, all settings."""

from __future__ import annotations

import shlex

from cryoglean.report.results import Results
from cryoglean.report.section import Block, Code, Folded, Section, Table, Text
from cryoglean.report.wording import some_of

TITLE = "How it was made"
ORDER = 100


def section(results: Results) -> Section | None:
    """Always there."""
    blocks: list[Block] = []
    command = results.environment.get("command")
    if command:
        blocks += [Text("The command:"), Code(_one_option_a_line(command))]
    rows = _environment(results)
    if rows:
        blocks.append(Table(("what", "value"), rows, "Program, versions and machine.", is_words=True))
    blocks.append(Folded("All settings", (Code(results.settings_text),)))
    blocks.append(_data(results))
    return Section(TITLE, tuple(blocks))


def _one_option_a_line(command: list[object]) -> str:
    """The command as a shell takes it."""
    words = [shlex.quote(str(word)) for word in command]
    return "".join(
        f" \\\n  {word}" if word.startswith("-") else f" {word}" if place else word for place, word in enumerate(words)
    )


def _environment(results: Results) -> tuple[tuple[str, str], ...]:
    facts = {name: value for name, value in results.environment.items() if name not in ("command", "packages")}
    packages = results.environment.get("packages") or {}
    return tuple((str(name), str(value)) for name, value in {**facts, **packages}.items())


def _data(results: Results) -> Block:
    if results.summary.get("patches"):
        return Text(f"The patches are those in {some_of([str(path) for path in results.dataset.paths.values()])}.")
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
    table = Table(("micrograph", "role", "labels", "file"), rows, "Every micrograph of the run.", is_words=True)
    return Folded(f"All {len(rows)} micrographs and what each was for", (table,))
