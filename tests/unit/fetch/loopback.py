"""A real HTTP server on this machine that misbehaves as told, and archives as CryoPPP packs them."""

import contextlib
import gzip
import io
import re
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

CHANGED = "Tue, 24 Nov 2026 10:00:00 GMT"


class Site:
    """Files by path, how to misbehave, and what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.busy: Counter[str] = Counter()  # path -> how often more it answers 503
        self.cuts: dict[str, list[int]] = {}  # path -> after how many bytes of a body the next answers break off
        self.knows_ranges = True
        self.says_length = True
        self.bytes_per_second = 0
        self.changed = CHANGED
        self.asked: list[tuple[str, str]] = []  # (path, Range)
        self.sent: Counter[str] = Counter()  # path -> bytes of bodies
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        self.asked, self.sent = [], Counter()  # an answer that is still being sent counts for the old ones

    def listing(self, path: str) -> bytes | None:
        """What Apache would show of a directory; None if there is none."""
        names = {rest.split("/")[0] + ("/" if "/" in rest else "") for rest in self._below(path)}
        if not names:
            return None
        rows = "".join(f'<tr><td><a href="{quote(name)}">{name}</a></td><td>64M</td></tr>\n' for name in sorted(names))
        head = '<tr><th><a href="?C=N;O=D">Name</a></th></tr><tr><td><a href="/empiar/">Parent Directory</a></td></tr>'
        return f"<html><body><h1>Index of {path}</h1><table>{head}{rows}</table></body></html>".encode()

    def _below(self, path: str) -> list[str]:
        return [name.removeprefix(path) for name in self.files if name.startswith(path)]


def _handler_for(site: Site) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Handler,), {"site": site})


class _Handler(BaseHTTPRequestHandler):
    """Answers as its site says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    site: Site

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer, or refuse."""
        site, path, wanted = self.site, unquote(self.path), self.headers.get("Range", "")
        site.asked.append((path, wanted))
        if site.busy[path] > 0:
            site.busy[path] -= 1
            return self._answer(503, b"busy", {})
        body = site.listing(path) if path.endswith("/") and path not in site.files else site.files.get(path)
        if body is None:
            return self._answer(404, b"no such file", {})
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted) if site.knows_ranges else None
        if found is None:
            return self._answer(200, body, {})
        first, last = int(found[1]), min(int(found[2] or len(body)), len(body) - 1)
        if first >= len(body):
            return self._answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
        return self._answer(206, body[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{len(body)}"})

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        says_length = self.site.says_length or status != 200
        self.send_response(status)
        for name, value in {**headers, "Last-Modified": self.site.changed}.items():
            self.send_header(name, value)
        self.send_header(*(("Content-Length", str(len(body))) if says_length else ("Connection", "close")))
        self.end_headers()
        cuts = [] if self._is_look() else self.site.cuts.get(unquote(self.path), [])
        cut = cuts.pop(0) if cuts else None
        with contextlib.suppress(OSError):  # the client has left
            self._send(body[:cut])
        self.close_connection |= cut is not None or not says_length

    def _send(self, body: bytes) -> None:
        sent, step = self.site.sent, 1 << 16
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            if not self._is_look():
                sent[unquote(self.path)] += len(body[start : start + step])
                time.sleep(step / self.site.bytes_per_second if self.site.bytes_per_second else 0)

    def _is_look(self) -> bool:
        return self.headers.get("Range") == "bytes=0-1023"


def pack(files: Mapping[str, bytes], links: Mapping[str, str] = {}) -> bytes:
    """A tar.gz with these files and symbolic links."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, target in links.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return packed.getvalue()


def truncate_gzip(archive: bytes) -> bytes:
    """The same archive, broken off."""
    return archive[: len(archive) // 2]


def spoil_gzip(archive: bytes) -> bytes:
    """The same archive with another check sum at its end than its content has."""
    assert gzip.decompress(archive)
    return archive[:-8] + bytes(byte ^ 0xFF for byte in archive[-8:-4]) + archive[-4:]


def mrc(seed: int, rows: int = 64, columns: int = 96, sections: int = 1, pixel_size: float = 1.5) -> bytes:
    """An MRC file, mode 2, of noise."""
    header = np.zeros(256, "<i4")
    header[:4] = columns, rows, sections, 2
    header[7:10] = columns, rows, sections
    header[10:13] = (np.array([columns, rows, sections]) * pixel_size).astype("<f4").view("<i4")
    header[16:19] = 1, 2, 3
    header[52] = int.from_bytes(b"MAP ", "little")
    header[53] = int.from_bytes(b"DA\0\0", "little")
    noise = np.random.default_rng(seed).normal(size=(sections, rows, columns)).astype("<f4")
    return header.tobytes() + noise.tobytes()


def coordinates(*xy: tuple[int, int], diameter: int = 20) -> bytes:
    """A table of particles, as CryoPPP writes it."""
    rows = "".join(f"{x},{y},{diameter},12.5\n" for x, y in xy)
    return f"X-Coordinate,Y-Coordinate,Diameter,Angle-Psi\n{rows}".encode()


def cryoppp_files(labelled: int = 3, unlabelled: int = 2) -> dict[str, bytes]:
    """A small CryoPPP data set, micrographs before labels, names out of order."""
    files = {"10017/gain/gain.mrc": mrc(99)}
    names = [f"mic_{index:02d}" for index in range(labelled + unlabelled)]
    for index, name in reversed(list(enumerate(names))):
        files[f"10017/micrographs/{name}.mrc"] = mrc(index)
    for name in names[unlabelled:]:  # so the first by name have no labels
        files[f"10017/ground_truth/particle_coordinates/{name}.csv"] = coordinates((10, 20), (30, 40))
        files[f"10017/ground_truth/false_positives/{name}.csv"] = coordinates((50, 30))
        files[f"10017/particles_stack/{name}_particles.mrc"] = mrc(7, sections=2)
    files["10017/ground_truth/empiar-10017_particles_selected.star"] = b"data_\n"
    return files
