"""What users are told when something is wrong."""

import pickle

from cryoglean.errors import PicksError


def test_a_message_of_a_broken_file_stays_readable() -> None:
    """The beginning and the end of what is wrong are told, on one line, and nothing of where and what to do is lost."""
    error = PicksError("begin " + "x" * 50_000 + " end", where="picks.star", fix="Mend it.")

    assert len(str(error)) < 450
    assert str(error).startswith("picks.star: begin xxx")
    assert str(error).endswith("xxx end. Mend it.")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_message_of_usual_length_is_told_whole() -> None:
    assert str(PicksError("y" * 400)) == "y" * 400 + "."
