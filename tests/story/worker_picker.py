"""Untrained pickers that worker processes can make, and what they do to micrographs with certain names."""

import os
import signal
import time

import torch

from cryoglean.learn.hardware import Hardware, find_hardware
from cryoglean.learn.picker import Picker, build_network
from cryoglean.picks import Picks
from cryoglean.prepare.normalize import Preparation, Prepared
from cryoglean.settings import ModelSettings, PickSettings


class StrangePicker(Picker):
    """Dies of `poison` and takes its time for `slow`."""

    __slots__ = ()

    def pick(self, prepared: Prepared, views: int | None = None) -> Picks:
        if prepared.name.startswith("poison"):
            os.kill(os.getpid(), signal.SIGKILL)
        if prepared.name.startswith("slow"):
            time.sleep(0.1)
        return Picker.pick(self, prepared, views)


def make_picker(seed: int = 0) -> Picker:
    """A picker that finds something everywhere, on the CPU, with one thread."""
    find_hardware(device="cpu")
    preparation = Preparation(100.0, 20.0, 1.5, 5.0, particles_are_dark=False)
    model = ModelSettings(name="lean", widths=(8, 8, 8))
    network = build_network(model, seed).eval()
    hardware = Hardware(torch.device("cpu"), half=False)
    return StrangePicker(network, model, preparation, PickSettings(views=1, floor=0.0), hardware)


def make_another_in_workers() -> Picker:
    """Another picker in each process: as if the run were trained anew meanwhile."""
    return make_picker(os.getpid())
