"""What a trained network does, measured on a few of its micrographs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor, nn

from cryoglean.dataset import Dataset
from cryoglean.doctor.evidence import NetworkLook
from cryoglean.errors import CryogleanError
from cryoglean.io.micrographs import read_micrograph
from cryoglean.learn.picker import Picker
from cryoglean.prepare.normalize import Prepared

_MOST = 4
_DEAD = 1e-4  # standard deviation of a unit's output relative to the layer's median
_ACTIVATIONS = (nn.SiLU, nn.ReLU, nn.LeakyReLU, nn.GELU, nn.ELU)


def look_at_network(picker: Picker, dataset: Dataset, threshold: float) -> NetworkLook:
    """Pick up to four labelled and four unlabelled micrographs, and look into the network on one of them.

    Args:
        picker: trained.
        dataset: what it learned from; files that can't be used are passed over.
        threshold: of its picks.
    """
    labelled = _prepare(picker, dataset, dataset.names("validation") or dataset.names("train"))
    others = _prepare(picker, dataset, dataset.names("unlabelled", "test"))
    if not labelled:
        return NetworkLook()
    dead, layer = count_dead(picker, labelled[0])
    return NetworkLook(
        dead_share=dead,
        deadest_layer=layer,
        half_difference=_compare_precision(picker, labelled[0]),
        labelled_picks=_count(picker, labelled, threshold),
        unlabelled_picks=_count(picker, others, threshold) if others else None,
        unlabelled_micrographs=len(others),
        contrast_spread=float(np.mean([_spread(picker.map(one, views=1)) for one in labelled])),
    )


def count_dead(picker: Picker, prepared: Prepared) -> tuple[float, str]:
    """The share of units whose output does not change over a micrograph, and the layer with most of them.

    Args:
        picker: trained.
        prepared: what it is shown.
    """
    dead: dict[str, list[bool]] = {}

    def watch(name: str) -> object:
        def hook(_module: nn.Module, _given: object, said: Tensor) -> None:
            spread = said.detach().float().std(dim=(0, 2, 3), correction=0)
            dead[name] = (spread <= _DEAD * spread.median().clamp_min(1e-12)).tolist()

        return hook

    hooks = [
        module.register_forward_hook(watch(name))  # type: ignore[arg-type]
        for name, module in picker.network.named_modules()
        if isinstance(module, _ACTIVATIONS)
    ]
    try:
        picker.map(prepared, views=1)
    finally:
        for hook in hooks:
            hook.remove()
    units = [one for each in dead.values() for one in each]
    if not units:
        return 0.0, ""
    return sum(units) / len(units), max(dead, key=lambda name: sum(dead[name]) / len(dead[name]))


def _prepare(picker: Picker, dataset: Dataset, names: Sequence[str]) -> list[Prepared]:
    prepared: list[Prepared] = []
    for name in names[:: max(len(names) // _MOST, 1)]:
        if len(prepared) == _MOST:
            break
        try:
            micrograph = read_micrograph(dataset.paths[name], dataset.pixel_size_of(name))
            prepared.append(picker.preparation.apply(micrograph))
        except CryogleanError:
            continue  # `unreadable` speaks of it
    return prepared


def _count(picker: Picker, prepared: Sequence[Prepared], threshold: float) -> float:
    return float(np.mean([len(picker.pick(one, views=1).above(threshold)) for one in prepared]))


def _spread(probability: Tensor) -> float:
    """Standard deviation of a map over that of a map of 0 and 1 with the same mean."""
    mean = float(probability.mean())
    perfect = math.sqrt(max(mean * (1 - mean), 0.0))
    return float(probability.std(correction=0)) / perfect if perfect > 1e-6 else 0.0


def _compare_precision(picker: Picker, prepared: Prepared) -> float:
    """Largest difference of a probability between bfloat16 and float32, on the middle of a micrograph."""
    side = 256
    rows, columns = (max((length - side) // 2, 0) for length in prepared.image.shape)
    piece = (slice(rows, rows + side), slice(columns, columns + side))
    small = replace(prepared, image=prepared.image[piece], valid=prepared.valid[piece])
    maps = [replace(picker, hardware=replace(picker.hardware, half=half)).map(small, views=1) for half in (False, True)]
    return float((maps[0] - maps[1]).abs().max())
