"""The documentation is complete, up to date and true: what it names exists, what it links to is there."""

import ast
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from test_architecture import load_tool

from cryoglean.cli.list import list_rows
from cryoglean.cli.main import make_app
from cryoglean.preset import preset_names
from cryoglean.registry import card_names, kinds
from cryoglean.settings import setting_names
from cryoglean.simulate.settings import SimulationSettings

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(cryoglean [^`]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def reference(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> list[str]:
    return [text for language, text in FENCE.findall(page.read_text(encoding="utf-8")) if language in languages]


@cache
def options() -> dict[str, set[str]]:
    """The options of each command, from its own help."""
    app = make_app()
    return {
        command: {name for argument in app[command].assemble_argument_collection() for name in argument.names}
        for command in app
        if not command.startswith("-")
    }


@pytest.mark.parametrize("name", ["commands.md", "settings.md", "cards.md", "strategies.md", "python.md"])
def test_the_reference_is_what_make_reference_writes(name: str) -> None:
    made = load_tool("reference").pages()

    assert sorted(made) == sorted(path.name for path in REFERENCE.glob("*.md"))
    assert reference(name) == made[name], "run `make reference`"


def test_every_command_and_option_is_in_the_reference() -> None:
    text = reference("commands.md")

    for command, names in options().items():
        part = text.split(f"## cryoglean {command}\n", maxsplit=1)[1].split("\n## ")[0]
        assert not [name for name in names if name.startswith("--") and name not in part], command


def test_every_setting_and_preset_is_in_the_reference() -> None:
    text = reference("settings.md")
    names = [*setting_names(), *preset_names(), *SimulationSettings.model_fields]

    assert not [name for name in names if f"| `{name}` | " not in text]
    assert "|  |  |" not in text  # each has a meaning and a range


@pytest.mark.parametrize("kind", [*kinds(), "molecules", "definitions"])
def test_every_card_is_in_the_reference(kind: Any) -> None:
    names = card_names(kind) if kind in kinds() else tuple(list_rows(kind))

    assert names
    assert not [name for name in names if f"| `{name}` | " not in reference("cards.md")]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    links = [link for link in LINK.findall(text) if not re.match(r"[a-z]+:", link)]
    missing = [link for link in links if not (page.parent / link.split("#")[0]).exists()]

    assert not missing


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent != REFERENCE], ids=name_of)
def test_python_in_the_documentation_compiles_and_imports_what_exists(page: Path) -> None:
    for block in blocks(page, "python", "py"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cryoglean"):
                module = __import__(str(node.module), fromlist=["*"])
                assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cryoglean":
                assert node.attr in __import__("cryoglean").__all__


def commands_in(text: str) -> list[list[str]]:
    """The calls of cryoglean in shell text, each as words, lines joined."""
    lines = text.replace("\\\n", " ").splitlines()
    words = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines if "cryoglean " in line]
    return [line[line.index("cryoglean") + 1 :] for line in words if "cryoglean" in line]


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent != REFERENCE], ids=name_of)
def test_commands_in_the_documentation_use_what_exists(page: Path) -> None:
    said = [*blocks(page, "sh", "bash", "console"), *INLINE.findall(FENCE.sub("", page.read_text(encoding="utf-8")))]
    called = [words for text in said for words in commands_in(text)]
    for words in called:
        if words and not words[0].startswith("-"):
            given = {word.split("=")[0] for word in words if word.startswith("--")}
            assert words[0] in options(), words
            assert given <= options()[words[0]] | {"--help"}, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$ cryoglean train a \\\n  --out b  # c\n", [["train", "a", "--out", "b"]]),
        (".venv/bin/python x\n", []),
        ("OMP_NUM_THREADS=1 cryoglean demo | tail", [["demo", "|", "tail"]]),
    ],
)
def test_shell_commands_are_found(text: str, expected: list[list[str]]) -> None:
    assert commands_in(text) == expected
