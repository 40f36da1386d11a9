"""The site: links lead where they do on GitHub, nothing is loaded from elsewhere, and no page is left out."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_architecture import load_tool

ROOT = Path(__file__).parents[2]
HOW_TO = ROOT / "docs" / "how-to"
IS_HERE = importlib.util.find_spec("mkdocs") is not None
needs_mkdocs = pytest.mark.skipif(not IS_HERE, reason="`make docs` installs mkdocs")
LOADED = re.compile(r'<(?:script|img|link)\b[^>]*?\b(?:src|href)="([^"]+)"')
LINKED = re.compile(r'<a\b[^>]*?\bhref="([^"#]+)')


def hook() -> Any:
    return load_tool("site_hook")


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_how_to_is_listed() -> None:
    listed = re.findall(r"\]\(([\w-]+\.md)\)", (HOW_TO / "index.md").read_text(encoding="utf-8"))

    assert sorted(listed) == sorted({path.name for path in HOW_TO.glob("*.md")} - {"index.md"})


@needs_mkdocs
def test_every_page_is_in_the_site_and_in_the_navigation(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for path in (ROOT / "docs").rglob("*.md")}

    assert not [page for page in pages if not (site / page).exists()]
    assert not [page for page in pages if f'href="{page}"' not in home]


@needs_mkdocs
def test_all_that_pages_load_or_link_to_lies_in_the_site(site: Path) -> None:
    for page in site.rglob("*.html"):
        if page.name == "404.html":  # is shown at any address, so it says /assets
            continue
        text = page.read_text(encoding="utf-8")
        loaded = set(LOADED.findall(text))
        linked = {link for link in LINKED.findall(text) if not link.startswith("https:")}
        missing = [link for link in loaded | linked if not (page.parent / link).exists()]

        assert not missing, page


@needs_mkdocs
def test_nothing_is_asked_of_the_internet(site: Path) -> None:
    asked = re.compile(r"""(?:@import|url\()\s*["']?https?:|fonts\.g|iframe-worker/shim""")
    files = [path for path in site.rglob("*") if path.suffix in {".html", ".css"}]

    assert not [path for path in files if asked.search(path.read_text(encoding="utf-8"))]


@needs_mkdocs
@pytest.mark.parametrize("link", ["nowhere.md", "log.md#nowhere", "../benchmarks", "../nowhere.py"])
def test_a_broken_link_breaks_the_build(link: str, tmp_path: Path) -> None:
    for name in ("docs/assets", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "README.md").write_text("# Home\n\n[log](docs/log.md)\n", encoding="utf-8")
    (tmp_path / "docs" / "log.md").write_text("# Log\n\n[home](../README.md)\n", encoding="utf-8")
    assert build(tmp_path, tmp_path / "site").returncode == 0

    (tmp_path / "docs" / "log.md").write_text(f"# Log\n\n[there]({link})\n", encoding="utf-8")

    done = build(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    assert link.rpartition("/")[2] in done.stderr


@needs_mkdocs
@pytest.mark.parametrize(
    ("page", "text", "expected"),
    [
        ("README.md", "[a](docs/log.md#x) [b](tools/x.py)", "[a](log.md#x) [b](tools/x.py)"),
        ("docs/log.md", "[a](../README.md) [b](../tools/x.py)", "[a](index.md) [b](tools/x.py)"),
        ("docs/how-to/a.md", "[a](../log.md) ![b](b.png)", "[a](../log.md) ![b](b.png)"),
        ("docs/how-to/a.md", "[a](../../tools/x.py)", "[a](../tools/x.py)"),
        ("tools/A.md", "[a](../docs/log.md)", "[a](../log.md)"),
        ("README.md", '<img src="docs/a.png">', '<img src="a.png">'),
        ("README.md", "[a](https://b.org/docs/c) [d](#e)", "[a](https://b.org/docs/c) [d](#e)"),
        ("README.md", "`[a](docs/b)` [a](docs/b)", "`[a](docs/b)` [a](b)"),
        ("README.md", "```sh\n[a](docs/b)\n```\n[a](docs/b)", "```sh\n[a](docs/b)\n```\n[a](b)"),
    ],
)  # fmt: skip
def test_links_are_written_anew(page: str, text: str, expected: str) -> None:
    assert hook().site_links(text, page) == expected


@needs_mkdocs
def test_what_linked_files_link_to_comes_along_too(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "README.md").write_text("[notes](notes/a.md)", encoding="utf-8")
    (tmp_path / "notes" / "a.md").write_text("[b](b.json), [home](../README.md)", encoding="utf-8")
    (tmp_path / "notes" / "b.json").write_text("{}", encoding="utf-8")

    assert hook().linked_outside(tmp_path) == ["notes/a.md", "notes/b.json"]
