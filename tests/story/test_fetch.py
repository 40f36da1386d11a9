"""From a public archive to a training: what `cryoglean fetch` prints as the next command is typed, and works."""

import io
import shlex
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from conftest import FAST

from cryoglean.cli.main import run
from cryoglean.io.micrographs import read_micrograph_shape
from cryoglean.io.picks import read_picks
from cryoglean.run import Run


class Quiet(SimpleHTTPRequestHandler):
    """Python's own file server; it knows no ranges."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder, and the address that it is served at."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "CRYOGLEAN_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "served"
    (folder / "cryoppp").mkdir(parents=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def pack_as_cryoppp(easy_data: Path, archive: Path) -> None:
    """The easy micrographs, the first two labelled, y counted as CryoPPP does: from the last row up."""
    labels = read_picks(easy_data / "labels.csv")
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for path in sorted((easy_data / "micrographs").glob("*.mrc")):
            tar.add(path, f"10017/micrographs/{path.name}")
        for name in labels.micrographs:
            rows, _ = read_micrograph_shape(easy_data / "micrographs" / f"{name}.mrc")
            lines = [f"{x:.0f},{rows - y:.0f},42" for x, y in labels.of([name]).xy]
            text = "\n".join(["X-Coordinate,Y-Coordinate,Diameter", *lines, ""]).encode()
            member = tarfile.TarInfo(f"10017/ground_truth/particle_coordinates/{name}.csv")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))


def test_the_printed_command_trains_on_what_was_fetched(
    easy_data: Path, served: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, url = served
    pack_as_cryoppp(easy_data, folder / "cryoppp" / "10017.tar.gz")
    out = tmp_path / "with a blank"

    assert run(["fetch", "cryoppp", "10017", "--micrographs", "3", "--out", str(out), "--url", url]) == 0

    said = capsys.readouterr().out
    words = shlex.split(said.split("next: cryoglean ")[1].strip())
    words[words.index("RUN")] = str(tmp_path / "run")
    assert run([*words, *FAST, "--set", "learn.steps=2"]) == 0
    learned = read_picks(Run(tmp_path / "run").labels_file)
    truth = read_picks(easy_data / "labels.csv")
    assert set(learned.micrographs) == set(truth.micrographs)
    for name in truth.micrographs:
        found, true = np.sort(learned.of([name]).xy, axis=0), np.sort(truth.of([name]).xy, axis=0)
        assert np.abs(found - true).max() <= 1.01
