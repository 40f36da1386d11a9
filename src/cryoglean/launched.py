"""A training that torch's own launcher started in several processes: which device, which folder, who speaks."""

from __future__ import annotations

import datetime
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import distributed

from cryoglean.environment import is_launched
from cryoglean.errors import SettingsError
from cryoglean.learn.group import current_group
from cryoglean.learn.hardware import find_hardware
from cryoglean.run import Run
from cryoglean.settings import Settings

_LONGEST_WAIT = datetime.timedelta(hours=6)
"""For the slowest process; if one dies, the launcher ends the others at once."""


@contextmanager
def train_together(run: Run, settings: Settings) -> Iterator[Run]:
    """Inside, trainings are shared by all processes that were launched; alone, nothing changes.

    Process 0 fills the run folder. The others do so in a copy of their own, which is removed in the end: so all resume
    from the same point and take the same way.

    Args:
        run: the run to fill.
        settings: of the training.

    Raises:
        SettingsError: there are more processes than GPUs, or they can't share `learn.accumulate`.
    """
    if not is_launched():
        yield run
        return
    _open_group()
    current_group().parts(settings.learn.accumulate)
    with tempfile.TemporaryDirectory(prefix="cryoglean_") as scratch:
        own = run
        if current_group().rank > 0:
            own = Run(Path(scratch) / run.folder.name)
            if run.settings_file.exists():
                shutil.copytree(run.folder, own.folder)
        distributed.barrier()  # nothing may change before all have their copy
        yield own
        distributed.barrier()  # process 0 has written everything
    distributed.destroy_process_group()  # not after an error: it would wait for the others


def _open_group() -> None:
    backend = "gloo"
    if find_hardware().device.type == "cuda":
        number, wanted = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
        if wanted > torch.cuda.device_count():
            raise SettingsError(
                f"there are {wanted} processes and {torch.cuda.device_count()} GPUs", where="torchrun",
                fix="Give --nproc-per-node the number of GPUs, or CRYOGLEAN_DEVICE=cpu.",
            )  # fmt: skip
        torch.cuda.set_device(number)
        backend = "nccl"
    distributed.init_process_group(backend, timeout=_LONGEST_WAIT)
