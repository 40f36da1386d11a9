"""Files that are whole or not there."""

import json
from pathlib import Path

import pytest

from cryoglean.durable import append_json_line, read_json_lines, write_file_atomically, write_json_atomically


def test_a_crash_while_writing_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def crash(temporary: Path) -> None:
        temporary.write_text("half")
        raise RuntimeError("crash")

    with pytest.raises(RuntimeError):
        write_file_atomically(target, crash)

    assert target.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_the_temporary_file_keeps_the_suffix_for_writers_that_look_at_it(tmp_path: Path) -> None:
    seen: list[str] = []
    write_file_atomically(tmp_path / "a.star", lambda temporary: seen.append(temporary.suffix) or temporary.touch())

    assert seen == [".star"]


def test_nan_is_not_written_as_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json_atomically(tmp_path / "a.json", {"a": float("nan")})

    assert not (tmp_path / "a.json").exists()


def test_a_torn_last_line_is_left_out_and_a_torn_middle_line_is_not_hidden(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    append_json_line(file, {"a": 1})
    with file.open("a") as out:
        out.write('{"a": 2')
    assert list(read_json_lines(file)) == [{"a": 1}]

    with file.open("a") as out:
        out.write('\n{"a": 3}\n')
    with pytest.raises(json.JSONDecodeError):
        list(read_json_lines(file))


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert list(read_json_lines(tmp_path / "none.jsonl")) == []


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    from torch import zeros

    from cryoglean.learn.checkpoint import save_tensors

    (tmp_path / "plain").touch()
    save_tensors(tmp_path / "weights.safetensors", {"a": zeros(2)}, {})

    assert (tmp_path / "weights.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode
