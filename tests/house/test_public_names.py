"""Exactly ten public names, each loaded when it is touched, and each what it says whatever else was imported."""

import subprocess
import sys
from types import ModuleType

import pytest

import cryoglean

NAMES = [
    "Picks", "Run", "evaluate", "pick", "read_micrograph", "read_picks", "report", "simulate", "train", "write_picks",
]  # fmt: skip


def test_there_are_exactly_ten_names() -> None:
    assert sorted(cryoglean.__all__) == sorted(NAMES)
    assert set(NAMES) <= set(dir(cryoglean))


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_a_documented_function_or_class(name: str) -> None:
    value = getattr(cryoglean, name)

    assert callable(value)
    assert not isinstance(value, ModuleType)
    assert value.__name__ == name
    assert value.__doc__


@pytest.mark.parametrize("room", ["pick", "evaluate.score", "report.page", "api"])
def test_importing_a_room_does_not_take_the_place_of_a_function(room: str) -> None:
    """Four rooms have the name of a public function; Python puts an imported module into its package."""
    code = (
        f"import cryoglean.{room}, cryoglean, types\n"
        f"for again in range(2):\n"
        f"    for name in {NAMES}:\n"
        f"        assert not isinstance(getattr(cryoglean, name), types.ModuleType), name\n"
        f"from cryoglean import pick, evaluate, simulate, report\n"
        f"from cryoglean.pick import find_peaks\n"
        f"assert callable(pick) and callable(find_peaks)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stderr == ""


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'prick'"):
        _ = cryoglean.prick  # type: ignore[attr-defined]


def test_importing_cryoglean_loads_nothing_heavy() -> None:
    heavy = ("torch", "numpy", "scipy", "pydantic")
    code = f"import sys, cryoglean; print([name for name in {heavy} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
