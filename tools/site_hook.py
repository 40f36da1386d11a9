"""What mkdocs can't do by itself: README.md is the home page, links lead where they do on GitHub, new pages are found.

A page keeps its links as they are in the repository. In the site `docs/` is the root, so each link is looked up where
it leads in the repository and written anew. What a page links to outside `docs/` comes along into the site.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
HOME = "README.md"
LAST = ("developers.md", "log.md")
SECTIONS = {
    "How to": "how-to",
    "Explained": "explain",
    "Compared": "",
    "Reference": "reference",
    "Decisions": "decisions",
}
CODE = r"^ *(?P<ticks>```+).*?^ *(?P=ticks) *$|`[^`\n]+`"
LINK = re.compile(
    rf'{CODE}|(?P<before>\]\(|\b(?:src|href)=")(?P<link>[^)"\s]+)(?P<after>[)"])', flags=re.MULTILINE | re.DOTALL
)
"""Code, or a link outside code."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The navigation, from what lies in docs/."""
    config.nav = navigation(Path(config.docs_dir))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the home page and what pages link to outside docs/."""
    files.append(File.generated(config, "index.md", abs_src_path=str(ROOT / HOME)))
    for path in linked_outside(ROOT):
        apart = InclusionLevel.NOT_IN_NAV
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path), inclusion=apart))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links as the site needs them, and Markdown inside `<details>`."""
    text = site_links(markdown, in_repository(page.file.src_uri, ROOT))
    return text.replace("<details>", '<details markdown="1">')


def navigation(docs: Path) -> list[dict[str, Any]]:
    """Home, one section a folder, then the pages for developers; a folder's index comes first."""
    nav: list[dict[str, Any]] = [{"Start": "index.md"}]
    for title, folder in SECTIONS.items():
        pages = sorted((docs / folder).glob("*.md"), key=lambda path: (path.name != "index.md", path.name))
        named = [path.relative_to(docs).as_posix() for path in pages if folder or path.name not in LAST]
        nav.append({title: named})
    return [*nav, *(name for name in LAST if (docs / name).exists())]


def linked_outside(root: Path) -> list[str]:
    """Files outside docs/ that a page of the site links to, as paths in the repository; also what those link to.

    Raises:
        PluginError: a link leads to a folder, which a site can't show.
    """
    waiting = [HOME, *(path.relative_to(root).as_posix() for path in sorted((root / "docs").rglob("*.md")))]
    seen = set(waiting)
    for page in waiting:
        for target in targets(page, root):
            if target in seen or target.startswith("docs/"):
                continue
            if (root / target).is_dir():
                raise PluginError(f"{page} links to the folder {target}: link to a file in it")
            seen.add(target)
            if target.endswith(".md"):
                waiting.append(target)
    return sorted(path for path in seen if not path.startswith("docs/") and path != HOME)


def targets(page: str, root: Path) -> Iterator[str]:
    """Where the links of a page lead, as paths in the repository; those that lead nowhere are left to mkdocs."""
    for match in LINK.finditer((root / page).read_text(encoding="utf-8")):
        target = target_of(match["link"], page)
        if target and not target.startswith("..") and (root / target).exists():
            yield target


def target_of(link: str | None, page: str) -> str:
    """Where a link of a page leads, as a path in the repository; empty if that is no file."""
    if link is None or re.match(r"[a-z]+:|/|#", link):
        return ""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), link.partition("#")[0]))


def site_links(markdown: str, page: str) -> str:
    """The text of a page with links as they are between pages of the site.

    Args:
        markdown: the text.
        page: the page's path in the repository.
    """
    here = posixpath.dirname(in_site(page)) or "."

    def moved(match: re.Match[str]) -> str:
        target = target_of(match["link"], page)
        if not target:
            return match[0]
        _, hash_sign, anchor = match["link"].partition("#")
        return f"{match['before']}{posixpath.relpath(in_site(target), here)}{hash_sign}{anchor}{match['after']}"

    return LINK.sub(moved, markdown)


def in_site(path: str) -> str:
    """Where a file of the repository lies in the site."""
    return "index.md" if path == HOME else path.removeprefix("docs/")


def in_repository(uri: str, root: Path) -> str:
    """Where a file of the site lies in the repository."""
    if uri == "index.md":
        return HOME
    return f"docs/{uri}" if (root / "docs" / uri).exists() else uri
