#!/usr/bin/env bash
# Make the separate environment in which Topaz runs as a peer of our benchmarks.
#
# Topaz is GPL-3: it is installed here as a separate program and only ever started as a process; nothing of ours
# imports it and nothing of it is copied. The environment lies beside ours, in `.venv-topaz`.
#
# Topaz asks for torchvision, which has no CPU build here and would break (`operator torchvision::nms does not
# exist`, topaz#249). Topaz uses three functions of it: `rotate`, `hflip` and `vflip`. We write these three
# ourselves, from their documentation, into a stub package of that name.
#
# Usage: benchmarks/topaz_environment.sh [PROJECT_ROOT]
set -euo pipefail

root="${1:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
venv="$root/.venv-topaz"
python="${PYTHON:-python3.11}"

"$python" -m venv "$venv"
# torch first and alone: a later line then finds it present and pulls no CUDA build.
"$venv/bin/pip" install --quiet "torch==2.13.0"
"$venv/bin/pip" install --quiet "numpy>=2,<3" "scipy>=1.14,<2" "pandas>=2.2,<4" "scikit-learn>=1.7,<2" \
  "pillow>=11,<14" psutil h5py future tqdm
"$venv/bin/pip" install --quiet --no-deps "topaz-em==0.3.20"

site="$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
mkdir -p "$site/torchvision/transforms"
cat >"$site/torchvision/__init__.py" <<'PYTHON'
"""Stand-in for torchvision: only what Topaz calls. Not the real torchvision."""

from torchvision import transforms

__version__ = "0.0.0+standin"
__all__ = ["transforms"]
PYTHON
cat >"$site/torchvision/transforms/__init__.py" <<'PYTHON'
"""Stand-in for torchvision.transforms: only `functional`."""

from torchvision.transforms import functional

__all__ = ["functional"]
PYTHON
cat >"$site/torchvision/transforms/functional.py" <<'PYTHON'
"""Rotation and mirroring of (..., height, width) tensors, as torchvision documents them for tensors."""

import math

import torch
from torch.nn.functional import affine_grid, grid_sample


def hflip(img):
    """Mirror left and right."""
    return img.flip(-1)


def vflip(img):
    """Mirror top and bottom."""
    return img.flip(-2)


def rotate(img, angle):
    """Turn counter-clockwise by `angle` degrees about the centre: nearest pixel, same size, zeros outside."""
    height, width = img.shape[-2:]
    turn = math.radians(angle)
    cosine, sine = math.cos(turn), math.sin(turn)
    # From output to input coordinates, each in [-1, 1]; y points down, so counter-clockwise for the eye.
    matrix = torch.tensor([[cosine, -sine * height / width, 0.0], [sine * width / height, cosine, 0.0]])
    stack = img.reshape(1, -1, height, width).float()
    grid = affine_grid(matrix[None].to(stack), list(stack.shape), align_corners=False)
    turned = grid_sample(stack, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return turned.reshape(img.shape).to(img.dtype)
PYTHON

"$venv/bin/topaz" --version
