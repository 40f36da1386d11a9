"""Print the architecture numbers (house.md 7), and leave with 1 if one is beyond its bound."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Number:
    """One figure and its bound.

    Args:
        name: what is counted.
        value: the figure.
        bound: the largest allowed, or the smallest where `is_floor`.
        is_floor: whether the bound is a least value.
    """

    name: str
    value: float
    bound: float
    is_floor: bool = False

    @property
    def holds(self) -> bool:
        """Whether the bound is kept."""
        return self.value >= self.bound if self.is_floor else self.value <= self.bound


def measure(root: Path = ROOT) -> list[Number]:
    """All figures of the tree."""
    sources = sorted((root / "src").rglob("*.py"))
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sources}
    lines = {path: _count_lines(path) for path in sources}
    functions = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, _FUNCTION)]
    lengths = [_code_lines(node) for node in functions]
    test_lines = sum(_count_lines(path) for path in (root / "tests").rglob("*.py"))
    public = [node for tree in trees.values() for node in _public(tree)]
    documented = [ast.get_docstring(node) is not None for node in public]
    return [
        Number("longest file, lines", max(lines.values()), 350),
        Number("median file, lines", float(np.median([count for count in lines.values() if count > 5])), 120),
        Number("longest function, lines", max(lengths), 50),
        Number("90th percentile function, lines", float(np.percentile(lengths, 90)), 25),
        Number("median function, lines", float(np.median(lengths)), 8),
        Number("most parameters of a function in the library", max(map(_parameters, _library(trees))), 6),
        Number("public things with a docstring, share", float(np.mean(documented)), 1.0, is_floor=True),
        Number("settings", _count_settings(), 60),
        Number("test lines per code line", test_lines / sum(lines.values()), 0.6, is_floor=True),
    ]


_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def _count_lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    docstring = node.body[0] if ast.get_docstring(node) is not None else None
    inside = 0 if docstring is None else (docstring.end_lineno or 0) - docstring.lineno + 1
    return (node.end_lineno or 0) - node.lineno + 1 - inside


def _library(trees: dict[Path, ast.Module]) -> list[ast.FunctionDef]:
    """Functions outside the command line, whose parameters are options, and `compat`, whose arguments are given."""
    return [
        node
        for path, tree in trees.items()
        if not {"cli", "compat"} & set(path.parts)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    ]


def _parameters(node: ast.FunctionDef) -> int:
    names = [argument.arg for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]
    return len([name for name in names if name not in ("self", "cls")])


def _public(tree: ast.Module) -> list[ast.Module | ast.ClassDef | ast.FunctionDef]:
    found: list[ast.Module | ast.ClassDef | ast.FunctionDef] = [tree]
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
            found.append(node)
            if isinstance(node, ast.ClassDef):
                found += [inner for inner in node.body if isinstance(inner, ast.FunctionDef) and inner.name[0] != "_"]
    return found


def _count_settings() -> int:
    from cryoglean.settings import setting_names

    return len(setting_names())


def main() -> int:
    """Print the table."""
    numbers = measure()
    for number in numbers:
        sign = ">=" if number.is_floor else "<="
        mark = "ok " if number.holds else "BAD"
        print(f"{mark} {number.name:48s} {number.value:8.2f} {sign} {number.bound:g}")
    return 0 if all(number.holds for number in numbers) else 1


if __name__ == "__main__":
    sys.exit(main())
