"""Files of patches: what is read, what is written, and what is refused with which words."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cryoglean.errors import PicksError
from cryoglean.io.patches import Patches, check_patches, read_npz_patches, write_npz_patches
from cryoglean.learn.patches_file import is_patches_file, read_patches


def squares(count: int, side: int = 12, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, side, side)).astype(np.float32)


def said(path: Path) -> str:
    with pytest.raises(PicksError) as caught:
        read_patches(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    return message


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "with a space.npz"

    write_npz_patches(Patches(squares(3), squares(5, seed=1)), path)
    found = read_patches(path)

    np.testing.assert_array_equal(found.positive, squares(3))
    np.testing.assert_array_equal(found.unlabelled, squares(5, seed=1))
    assert found.positive.dtype == np.float32
    assert found.side_pixels == 12
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["unlabelled", "unlabeled"])
@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16, torch.int16, torch.uint8])
def test_the_file_of_the_notes_is_read_whatever_its_numbers_are(tmp_path: Path, name: str, kind: torch.dtype) -> None:
    path = tmp_path / "preprocessed_data.pt"
    positive = torch.arange(2 * 9 * 9).reshape(2, 1, 9, 9).remainder(100).to(kind)
    unlabelled = torch.arange(3 * 9 * 9).reshape(3, 9, 9).remainder(100).to(kind)
    torch.save({"patches": {"positive": positive, name: unlabelled}, "config": {"size": 9}}, path)

    found = read_patches(path)

    assert (found.positive.dtype, found.unlabelled.dtype) == (np.float32, np.float32)
    np.testing.assert_array_equal(found.positive, positive[:, 0].to(torch.float32).numpy())
    np.testing.assert_array_equal(found.unlabelled, unlabelled.to(torch.float32).numpy())


def test_lists_of_tensors_that_need_a_gradient_and_old_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "list.pth"
    each = [torch.full((8, 8), float(number), requires_grad=True) for number in range(3)]
    torch.save(
        {"patches": {"positive": each[:1], "unlabelled": tuple(each)}}, path, _use_new_zipfile_serialization=False
    )

    found = read_patches(path)

    assert found.unlabelled.mean(axis=(1, 2)).tolist() == [0, 1, 2]


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("evil-was-here"),))


@pytest.mark.parametrize("suffix", [".pt", ".npz"])
def test_pickled_code_is_refused_and_never_run(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"evil{suffix}"
    if suffix == ".pt":
        torch.save({"patches": {"positive": Evil(), "unlabelled": torch.zeros(2, 9, 9)}}, path)
    else:
        np.savez(path, positive=np.array([Evil()], dtype=object), unlabelled=squares(2))

    message = said(path)

    assert "code" in message
    assert "numpy.savez" in message
    assert not Path("evil-was-here").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"patchs": {}}, "it has 'patchs', no dictionary 'patches'"),
        (torch.zeros(3), "it is a Tensor, no dictionary 'patches'"),
        ({"patches": torch.zeros(2, 9, 9)}, "no dictionary 'patches'"),
        ({"patches": {"positive": torch.zeros(2, 9, 9), "negative": torch.zeros(2, 9, 9)}},
         "it has 'positive', 'negative', not 'positive' and 'unlabelled'"),
        ({"patches": {"positive": 3, "unlabelled": torch.zeros(2, 9, 9)}}, "'positive' is a int, not a tensor"),
        ({"patches": {"positive": [], "unlabelled": torch.zeros(2, 9, 9)}}, "'positive' is a list, not a tensor"),
        ({"patches": {"positive": [torch.zeros(9, 9), torch.zeros(8, 8)], "unlabelled": torch.zeros(2, 9, 9)}},
         "the patches of 'positive' have different sizes"),
    ],
)  # fmt: skip
def test_another_content_of_a_torch_file_is_refused_with_what_is_in_it(tmp_path: Path, content: Any, says: str) -> None:
    path = tmp_path / "a.pt"
    torch.save(content, path)

    assert says in said(path)


NAN = squares(4)
NAN[2, 3, 3] = np.nan
HUGE = np.full((1, 9, 9), 1e200)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({}, "it has nothing, not 'positive' and 'unlabelled'"),
        ({"positive": squares(2)}, "it has 'positive', not"),
        ({"positive": squares(2), "unlabelled": squares(2), "unlabeled": squares(2)}, "Give each once"),
        ({"positive": squares(2)[0], "unlabelled": squares(2)}, "'positive' has the shape (12, 12)"),
        ({"positive": squares(2)[:, :9], "unlabelled": squares(2)}, "'positive' has the shape (2, 9, 12)"),
        ({"positive": squares(2), "unlabelled": np.zeros((2, 3, 12, 12))}, "'unlabelled' has the shape (2, 3, 12, 12)"),
        ({"positive": squares(2), "unlabelled": squares(2, 14)},
         "positive patches are 12 pixels wide and unlabelled ones 14"),
        ({"positive": squares(0), "unlabelled": squares(2)}, "'positive' holds no patch"),
        ({"positive": squares(2), "unlabelled": np.zeros((0, 1, 12, 12))}, "'unlabelled' holds no patch"),
        ({"positive": squares(2, 4), "unlabelled": squares(2, 4)}, "'positive' is 4 pixels wide"),
        ({"positive": NAN, "unlabelled": squares(2)}, "1 of 4 patches of 'positive' hold values that are no finite"),
        ({"positive": squares(2, 9), "unlabelled": HUGE}, "1 of 1 patches of 'unlabelled'"),
        ({"positive": np.full((2, 9, 9), "a"), "unlabelled": squares(2, 9)}, "'positive' holds <U1, not numbers"),
        ({"positive": np.ones((2, 9, 9), bool), "unlabelled": squares(2, 9)}, "'positive' holds bool"),
    ],
)  # fmt: skip
def test_wrong_arrays_are_refused_with_what_is_wrong(tmp_path: Path, content: dict[str, Any], says: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **content)

    assert says in said(path)


def test_the_patch_that_is_not_finite_is_named() -> None:
    with pytest.raises(PicksError, match=r"the 3\. for one"):
        check_patches({"positive": NAN, "unlabelled": squares(2)}, "memory")


@pytest.mark.parametrize("suffix", [".pt", ".npz"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 cut off"])
def test_a_broken_file_is_a_clear_error(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)

    assert said(path)


@pytest.mark.parametrize("suffix", [".pt", ".npz"])
def test_half_a_file_and_no_file_are_clear_errors(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    assert "there is no such file" in said(path)
    if suffix == ".pt":
        torch.save({"patches": {"positive": torch.zeros(9, 20, 20), "unlabelled": torch.zeros(9, 20, 20)}}, path)
    else:
        write_npz_patches(Patches(squares(9, 20), squares(9, 20)), path)
    path.write_bytes(path.read_bytes()[:-900])

    assert said(path)


def test_a_single_array_is_no_file_of_patches(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", squares(2))
    path = (tmp_path / "a.npy").rename(tmp_path / "a.npz")

    assert "it is a single array" in said(path)


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    assert "Known are .npz, .pt, .pth." in said(tmp_path / "a.h5")
    assert is_patches_file("A.PT")
    assert not is_patches_file("a.mrc")
    with pytest.raises(PicksError, match=r"Call it \.npz"):
        write_npz_patches(Patches(squares(1), squares(1)), tmp_path / "a.pt")


def test_a_file_of_arrays_is_read_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_npz_patches(Patches(squares(2), squares(3)), path)
    program = (
        "import sys; from pathlib import Path; from cryoglean.io.patches import read_npz_patches;"
        f"assert len(read_npz_patches(Path({str(path)!r})).unlabelled) == 3; assert 'torch' not in sys.modules"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert len(read_npz_patches(path).positive) == 2
