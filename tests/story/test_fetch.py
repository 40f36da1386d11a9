"""From a public archive to a training: what `cryoglean fetch` prints as the next command is typed, and works."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import FAST
from public_data import DIAMETER_PIXELS, address_of, publish, serve

from cryoglean.cli.main import run
from cryoglean.io.micrographs import read_micrograph
from cryoglean.io.picks import read_picks
from cryoglean.run import Run


@pytest.fixture
def url(easy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that has the easy data as public data."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "CRYOGLEAN_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    publish(easy_data / "micrographs", read_picks(easy_data / "labels.csv"), tmp_path / "served")
    server = serve(tmp_path / "served")
    yield address_of(server)
    server.shutdown()
    server.server_close()


def next_words(said: str, **replaced: object) -> list[str]:
    """The words of the command that was printed, with others in place of some."""
    words = shlex.split(said.split("next: cryoglean ")[1].split(" (")[0])
    return [str(replaced.get(word, word)) for word in words]


@pytest.mark.parametrize("kind", ["mrc", "lite"])
def test_the_printed_command_trains_on_what_was_fetched(
    easy_data: Path, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    angstrom = read_micrograph(next((easy_data / "micrographs").glob("*.mrc"))).pixel_size_angstrom or 0.0
    lite = ["--lite"] if kind == "lite" else []
    words = ["fetch", "cryoppp", "10017", "--micrographs", "3", "--out", str(tmp_path / "a blank"), "--url", url, *lite]

    assert run(words) == 0

    train = next_words(capsys.readouterr().out, PIXEL=angstrom, RUN=tmp_path / "run")
    assert train[:2] == ["train", str(tmp_path / "a blank" / "10017")]
    assert run([*train, *FAST, "--set", "learn.steps=2"]) == 0
    known = Run(tmp_path / "run").read_json(Run(tmp_path / "run").dataset_file)
    assert known["diameter_angstrom"] == pytest.approx(DIAMETER_PIXELS * angstrom, abs=0.01)
    learned, truth = read_picks(Run(tmp_path / "run").labels_file), read_picks(easy_data / "labels.csv")
    assert set(learned.micrographs) == set(truth.micrographs)
    rows = 384
    for name in truth.micrographs:
        found, true = learned.of([name]).xy, truth.of([name]).xy.copy()
        true[:, 1] = rows - true[:, 1] if kind == "lite" else true[:, 1]  # the JPEG is the MRC turned over
        assert np.abs(np.sort(found, axis=0) - np.sort(true, axis=0)).max() <= 1.01


def test_the_printed_command_picks_what_was_fetched(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["fetch", "empiar", "10081", "--micrographs", "1", "--out", str(tmp_path), "--url", url]) == 0

    pick = next_words(capsys.readouterr().out, DIAMETER=180, **{"picks.star": tmp_path / "picks.star"})
    assert run([*pick, "--quiet"]) == 0
    assert len(read_picks(tmp_path / "picks.star")) > 0
