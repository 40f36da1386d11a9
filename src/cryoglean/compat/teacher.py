"""The user's model and pictures: checked, put into batches, looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cryoglean.compat.arguments import check_count
from cryoglean.errors import MicrographError, SettingsError
from cryoglean.learn.hardware import Hardware
from cryoglean.learn.predict import predict_crops
from cryoglean.pseudo.guess import Guess

Picture = NDArray[Any] | Tensor
Pictures = Sequence[Picture] | NDArray[Any] | Tensor


@dataclass(frozen=True, slots=True)
class Teacher:
    """The user's model.

    Args:
        network: see `cryoglean.compat`.
        hardware: full precision on the user's device.
        batch_size: pictures at once.
    """

    network: nn.Module
    hardware: Hardware
    batch_size: int

    @classmethod
    def of(cls, model: nn.Module, device: str | torch.device, batch_size: int) -> Teacher:
        """The model moved to the device.

        Raises:
            SettingsError: there is no such device, or the batch is empty.
        """
        try:
            chosen = torch.device(device)
            torch.empty(1, device=chosen)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise SettingsError(
                f"there is no device '{device}' here", where="device", fix="Use cpu or cuda."
            ) from error
        model.to(chosen)
        return cls(model, Hardware(chosen, half=False), check_count("batch_size", batch_size))

    def look(self, images: Pictures, views: int, stride: int) -> Iterator[Guess]:
        """A guess (1, 1, j, i) of each picture.

        Args:
            images: see `cryoglean.compat`.
            views: 1 to 8 turned and mirrored ones.
            stride: of the network.

        Raises:
            MicrographError: a picture has pixels that are not numbers.
            SettingsError: the model's logits are not all numbers.
        """
        for start in range(0, len(images), self.batch_size):
            batch = _as_batch(images, start, self.batch_size)
            with _evaluating(self.network):
                said = predict_crops(self.network, batch, self.hardware, stride=stride, views=views)
            if not torch.isfinite(said).all():
                raise SettingsError("its logits are not all numbers", where="model", fix="Train it again.")
            for place in range(said.shape[1]):
                one = said[:, place : place + 1]
                yield Guess.from_views(one, torch.ones_like(one[0]))

    def find_stride(self, images: Pictures, views: int) -> int:
        """From the shape of its answer to the first picture.

        Raises:
            SettingsError: it can't look at the picture, or its answer has another shape than any stride gives.
        """
        picture = _as_batch(images, 0, 1)
        found, (rows, columns) = self._answer(picture), picture.shape[-2:]
        fits = (step for step in range(1, max(rows, columns) + 1) if found == (-(-rows // step), -(-columns // step)))
        stride = next(fits, 0)
        # With several views the picture is padded so that length - 1 is a multiple of the stride.
        more = [-(length - 1) % max(stride, 1) for length in (rows, columns)] if views > 1 else [0, 0]
        if any(more):
            picture = nn.functional.pad(picture, (0, more[1], 0, more[0]), mode="replicate")
            found, (rows, columns) = self._answer(picture), picture.shape[-2:]
        if stride == 0 or found != (-(-rows // stride), -(-columns // stride)):
            raise _bad_model(f"it answers to a picture of {rows} x {columns} pixels with {found}")
        return stride

    @torch.no_grad()
    def _answer(self, picture: Tensor) -> tuple[int, ...]:
        """The shape (j, i) of its logits for one picture (1, 1, y, x); the whole shape if it is not (1, 1, j, i)."""
        try:
            with _evaluating(self.network):
                shape = tuple(self.network(self.hardware.send(picture)).shape)
        except RuntimeError as error:
            raise _bad_model(f"it can't look at pictures of the shape {tuple(picture.shape)} ({error})") from error
        return shape[2:] if shape[:2] == (1, 1) else shape


def check_pictures(images: Pictures) -> tuple[int, int]:
    """Their (y, x).

    Raises:
        MicrographError: there is none, or their shapes differ or are not those of pictures.
    """
    if not len(images):
        raise MicrographError("there is no picture", where="unlabeled_images", fix="Give at least one.")
    shapes = [tuple(image.shape) for image in images]
    for place, shape in enumerate(shapes):
        where = f"unlabeled_images[{place}]"
        if len(shape[-2:]) < 2 or 0 in shape or shape not in (shape[-2:], (1, *shape[-2:])):
            raise MicrographError(f"its shape is {shape}", where=where, fix="Give pictures (y, x) or (1, y, x).")
        if shape[-2:] != shapes[0][-2:]:
            raise MicrographError(
                f"its shape is {shape}, that of the first one {shapes[0]}",
                where=where,
                fix="Give pictures of one size.",
            )
    return shapes[0][-2], shapes[0][-1]


@contextlib.contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Inside, the network is in evaluation mode; afterwards each part of it is as it was."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, was_training in modes:
            module.training = was_training


def _as_batch(images: Pictures, start: int, count: int) -> Tensor:
    """(n, 1, y, x) float32."""
    batch = []
    for place in range(start, min(start + count, len(images))):
        one = images[place]
        # numpy first makes a plain array: torch knows no foreign byte order and no negative step
        values = one.detach() if isinstance(one, Tensor) else torch.from_numpy(np.array(one, dtype=np.float32))
        if not torch.isfinite(values).all():
            raise MicrographError(
                "it has pixels that are not numbers", where=f"unlabeled_images[{place}]", fix="Leave it out."
            )
        batch.append(values.to(torch.float32).reshape(1, *values.shape[-2:]))
    return torch.stack(batch)


def _bad_model(what: str) -> SettingsError:
    return SettingsError(what, where="model", fix="It must give logits (n, 1, ceil(y / stride), ceil(x / stride)).")
