"""The architecture numbers of house.md hold, one test each."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def load_tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


TOOL = load_tool("architecture")
NUMBERS = TOOL.measure(ROOT)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_the_number_is_within_its_bound(number: "TOOL.Number") -> None:  # type: ignore[name-defined]
    assert number.holds, f"{number.name}: {number.value:g}, bound {number.bound:g}"


def test_no_file_or_folder_is_a_grab_bag() -> None:
    grab_bags = {"utils", "util", "helpers", "common", "misc"}

    assert not [path for path in (ROOT / "src").rglob("*") if path.stem in grab_bags]


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["x = 1"] * 351, "longest file, lines"),
        (["def f():", '    """."""', *["    x = 1"] * 51], "longest function, lines"),
        (["def f(a, b, c, d, e, g, h):", '    """."""'], "most parameters of a function in the library"),
        (["def f():", "    pass"], "public things with a docstring, share"),
    ],
)
def test_the_tool_sees_what_is_beyond_a_bound(lines: list[str], name: str, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text(
        "\n".join(['"""."""', *["x = 1"] * 6, *lines, "def g():", '    """."""']) + "\n"
    )

    bad = [number.name for number in TOOL.measure(tmp_path) if not number.holds]

    assert name in bad


def test_no_two_test_files_have_the_same_name() -> None:
    """Outside packages, pytest knows a file by its name alone, and refuses the second one."""
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if not (path.parent / "__init__.py").exists()]
    names = [path.name for path in files]

    assert sorted({name for name in names if names.count(name) > 1}) == []
