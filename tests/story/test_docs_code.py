"""Every block of code in README.md and docs/ runs, at tiny effort, or says why it does not (docs/developers.md)."""

import importlib.util
import re
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import page_needs
import pytest
from page_blocks import SHOWN, Page, read_page
from page_runner import ROOT, PageError, Runner, run_page

NOT_RUN: dict[str, int] = {"docs/how-to/cryosparc.md": 1, "docs/how-to/several-gpus.md": 1}
"""How many blocks of a page are not run; each has a comment that says why."""
PAGES = [read_page(path, ROOT) for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]]


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """In a folder with a short name, as sockets want it; `base` in it is what every page's folder holds."""
    work = Path(tempfile.mkdtemp(prefix="pages"))
    started = Runner(work)
    try:
        page_needs.prepare(work / "base")
        yield started
    finally:
        started.close()
        shutil.rmtree(work)


def run(page: Page, runner: Runner, folder: Path) -> None:
    for need in page.needs:
        kind, _, name = need.partition(":")
        if kind == "program" and shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
        if kind == "module" and importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    folders = (folder / f"page{number}" for number in count(1))
    run_page(page, lambda: page_needs.make(next(folders), page.needs, runner), runner)


@pytest.mark.parametrize("page", [page for page in PAGES if page.runs], ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page: Page, runner: Runner, tmp_path: Path) -> None:
    run(page, runner, tmp_path)


def test_blocks_that_are_not_run_are_known() -> None:
    counted = {page.name: sum("not run" in block.notes for block in page.blocks) for page in PAGES}

    assert {name: number for name, number in counted.items() if number} == NOT_RUN


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_hides_in_a_block_that_is_only_shown(page: Page) -> None:
    shown = [] if "/reference/" in page.name else [block for block in page.blocks if block.language in SHOWN]
    code = re.compile(r"^(\$ )?(\S*/)?cryoglean \w|^(import|from) cryoglean", flags=re.MULTILINE)

    assert not [block.line for block in shown if code.search(block.text) and "file" not in block.notes]


def page_of(text: str, folder: Path) -> Page:
    (folder / "page.md").write_text(text, encoding="utf-8")
    return read_page(folder / "page.md", folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```sh\ncryoglean list nonsense\ntrue\n```\n", "page.md:1: exit code 2"),
        ("a\n\n```bash\nfalse | cat\n```\n", "page.md:3: exit code 1"),
        ("```sh\ncryoglean evaluate labels.star --truth no.star --diameter-pixels 40\n```\n", "error: no.star"),
        ("```sh\nmake nonsense\n```\n", "nonsense"),
        ("```sh\npip install 'cryoglean[pandas,nonsense]'\n```\n", "no extra nonsense"),
        ("```sh\nrelion_refine --help\n```\n", "relion_refine"),
        ("```python\nimport cryoglean\ncryoglean.pick('no_run', 'MICROGRAPHS')\n```\n", "no_run"),
        ("```python\na = 1\n```\n```python\nassert a == 2\n```\n", "page.md:4: Traceback"),
        ("```yaml\nlearn: {step: 3}\n```\n", "learn.step"),
        ("<!-- file: a.yaml -->\n```yaml\nlearn: {steps: 3}\n```\n", "no block after it uses a.yaml"),
        ("- in a list\n\n    ```sh\n    false\n    ```\n", "page.md:3: exit code 1"),
    ],
)
def test_a_block_that_fails_is_found(text: str, said: str, runner: Runner, tmp_path: Path) -> None:
    with pytest.raises(PageError) as found:
        run(page_of(text, tmp_path), runner, tmp_path)

    assert said in str(found.value)


MANY_BLOCKS = """
<!-- needs: picks -->

```python
b = 2
```

<!-- file: my/settings.yaml -->
```yaml
learn: {steps: 3}
```
```sh
ls picks.star
make test | grep pytest > made.txt
cat my/settings.yaml | cut -c 1-5 >> made.txt
.venv/bin/cryoglean --version
```
<!-- not run: needs RELION -->
```sh
false
```
```python
from pathlib import Path
Path("b.txt").write_text(str(b))
```
```text
false
```
<!-- folder: new -->
```sh
ls picks.star
if ls made.txt; then false; fi
```
"""


def test_blocks_run_in_order_in_one_folder(runner: Runner, tmp_path: Path) -> None:
    page = page_of(MANY_BLOCKS, tmp_path)

    run(page, runner, tmp_path)

    assert (tmp_path / "page1" / "b.txt").read_text() == "2"
    assert (tmp_path / "page1" / "made.txt").read_text().endswith("pytest\nlearn\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```\nx\n```\n", "page.md:1: ''"),
        ("\n```shell\nx\n```\n", "page.md:2: 'shell'"),
        ("```sh\nx\n", "not closed"),
        ("<!-- folder: old -->\n```sh\nx\n```\n", "page.md:2: folder: old"),
        ("<!-- no run: lazy -->\n```sh\nx\n```\n", "page.md:2: no run"),
        ("~~~\nx\n~~~\n", "page.md:1: ''"),
    ],
)
def test_a_page_that_is_not_clear_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"page\.md") as found:
        page_of(text, tmp_path)

    assert said in str(found.value)


@pytest.mark.parametrize("text", ["```sh\nsleep 60 & sleep 60\n```\n", "```python\nimport time; time.sleep(60)\n```\n"])
def test_a_block_that_hangs_is_ended(
    text: str, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "seconds", 0.5)

    with pytest.raises(PageError, match=r"page.md:1: it took more than"):
        run(page_of(text, tmp_path), runner, tmp_path)


def test_a_need_that_nobody_knows_is_an_error(runner: Runner, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="nonsense"):
        run(page_of("<!-- needs: nonsense -->\n```sh\ntrue\n```\n", tmp_path), runner, tmp_path)
