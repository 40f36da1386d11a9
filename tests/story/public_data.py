"""A server on this machine with what CryoPPP and EMPIAR have, made of a few micrographs."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from PIL import Image

from cryoglean.io.micrographs import read_micrograph
from cryoglean.picks import Picks

DIAMETER_PIXELS = 42


class _Quiet(SimpleHTTPRequestHandler):
    """Python's own file server; it knows no ranges, and lists directories."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def serve(folder: Path) -> ThreadingHTTPServer:
    """A server of a folder's files; it ends with the tests, or by `shutdown`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


def address_of(server: ThreadingHTTPServer) -> str:
    """What to give as --url."""
    return f"http://127.0.0.1:{server.server_address[1]}"


def publish(micrographs: Path, labels: Picks, folder: Path) -> None:
    """Make CryoPPP's archives of entry 10017, and EMPIAR's entries 10081 and 10532.

    Args:
        micrographs: a folder of MRC files.
        labels: particles of some of them.
        folder: the folder to serve.
    """
    for name, is_lite in (("cryoppp", False), ("cryoppp_lite", True)):
        (folder / name).mkdir(parents=True)
        _pack(micrographs, labels, folder / name / "10017.tar.gz", is_lite=is_lite)
    data = folder / "world_availability"
    for path in sorted(micrographs.glob("*.mrc")):
        for target in (
            data / "10081" / "data" / "micrographs" / path.name,
            data / "10532" / "data" / "02_Aligned_Micrographs" / "motioncorrected" / f"{path.stem}_patch_aligned.mrc",
        ):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    entry = folder / "api" / "entry" / "10081"
    entry.mkdir(parents=True)
    sets = [
        {"name": "a", "directory": "data/micrographs", "category": "micrographs - single frame", "pixel_width": 1.3}
    ]
    (entry / "index.html").write_text(json.dumps({"EMPIAR-10081": {"title": "HCN1", "imagesets": sets}}))


def _pack(micrographs: Path, labels: Picks, archive: Path, *, is_lite: bool) -> None:
    """An archive; y is counted as CryoPPP does: from the last row of the MRC up, which is the JPEG's first."""
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for path in sorted(micrographs.glob("*.mrc")):
            picture = picture_of(path) if is_lite else path.read_bytes()
            _add(tar, f"10017/micrographs/{path.stem}{'.jpg' if is_lite else '.mrc'}", picture)
        for name in labels.micrographs:
            rows = read_micrograph(micrographs / f"{name}.mrc").shape[0]
            lines = [f"{x:.0f},{rows - y:.0f},{DIAMETER_PIXELS}" for x, y in labels.of([name]).xy]
            text = "\n".join(["X-Coordinate,Y-Coordinate,Diameter", *lines, ""]).encode()
            _add(tar, f"10017/ground_truth/particle_coordinates/{name}.csv", text)


def picture_of(path: Path) -> bytes:
    """A JPEG of an MRC file as CryoPPP_Lite has it: turned over."""
    pixels = read_micrograph(path).pixels[::-1]
    low, high = np.percentile(pixels, (1, 99))
    content = io.BytesIO()
    Image.fromarray((np.clip((pixels - low) / (high - low), 0, 1) * 255).astype("u1")).save(content, "JPEG", quality=95)
    return content.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
