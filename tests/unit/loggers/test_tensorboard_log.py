"""Folders of TensorBoard: continued, never mixed, torn ends."""

import sys
from pathlib import Path

import pytest

from cryoglean.errors import SettingsError
from cryoglean.loggers.tensorboard import choose_place, open_log
from cryoglean.series import Row

pytest.importorskip("tensorboard")


def test_what_was_torn_is_left_out_and_the_rest_is_continued(tmp_path: Path) -> None:
    first = open_log(str(tmp_path), "run", "", {"a": 1})
    first.write([Row(1, 10.0, {"x": 0.5, "y": 1.0}), Row(2, 11.0, {"x": 0.25})])
    (file,) = (tmp_path / "run").iterdir()
    file.write_bytes(file.read_bytes()[:-7])

    again = open_log(str(tmp_path), "run", first.identity, {"a": 1})

    assert again.identity == first.identity == str(tmp_path / "run")
    assert {name: step for name, step in again.last_steps.items() if name in "xy"} == {"x": 1, "y": 1}


def test_another_run_of_the_same_name_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    first = open_log(str(tmp_path), "cells/run", "", {})

    other = open_log(str(tmp_path), "cells/run", "", {})

    assert Path(first.identity) == tmp_path / "cells" / "run"
    assert Path(other.identity) == tmp_path / "cells" / "run-2"
    assert not other.last_steps.keys() - {"_hparams_/session_start_info"}


def test_places(tmp_path: Path) -> None:
    assert choose_place("", tmp_path / "run") == (str(tmp_path / "run"), "tensorboard")
    assert choose_place(str(tmp_path / "all"), tmp_path / "run") == (str(tmp_path / "all"), "run")
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="is a file"):
        choose_place(str(tmp_path / "file" / "below"), tmp_path / "run")
    assert not (tmp_path / "all").exists()


def test_a_missing_package_is_an_import_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)

    with pytest.raises(ImportError, match="tensorboard"):
        choose_place("", tmp_path)
