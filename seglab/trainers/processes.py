"""One process or many: what the loop must know about `torchrun`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from seglab.errors import ConfigError
from seglab.evaluation.execution import resolve_device


@dataclass(frozen=True)
class Processes:
    """This process's place among those that train together.

    Args:
        device: The device that is this process's own.
        rank: Its number, 0 for the one that writes.
        world_size: How many there are.
    """

    device: torch.device
    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def sum(self, tensor: Tensor) -> Tensor:
        """Adds a tensor up over all processes, in place."""
        if self.world_size > 1:
            dist.all_reduce(tensor)
        return tensor

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, in the order of their ranks."""
        if self.world_size == 1:
            return [value]
        values: list[Any] = [None] * self.world_size
        dist.all_gather_object(values, value)
        return values

    def wrap(self, model: nn.Module, some_unused: bool = False) -> nn.Module:
        """The network as the training step calls it: gradients are averaged over the processes.

        Args:
            model: On this process's device.
            some_unused: Whether parameters that learn may take no part in a step; finding out costs time.
        """
        if self.world_size == 1:
            return model
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=devices, find_unused_parameters=some_unused)

    def any(self, *flags: bool) -> list[bool]:
        """Whether each flag is raised on any process, so that all of them answer it after the same step."""
        if self.world_size == 1:
            return list(flags)
        return [count > 0 for count in self.sum(torch.tensor(flags, device=self.device).int()).tolist()]

    def share_buffers(self, model: nn.Module) -> None:
        """Gives every process rank 0's buffers; normalisation statistics differ between processes else."""
        if self.world_size > 1:
            for buffer in model.buffers():
                dist.broadcast(buffer, src=0)

    def barrier(self) -> None:
        """Waits until every process is here."""
        if self.world_size > 1:
            dist.barrier()

    def leave(self, together: bool = True) -> None:
        """Ends the work.

        Args:
            together: Wait for the others first, who may still be writing. Not so after an error: they wait
                for something else, and only learn of it when this process is gone.
        """
        if self.world_size > 1:
            if together:
                dist.barrier()
            dist.destroy_process_group()


def is_main_process() -> bool:
    """Whether this process is the one that speaks, also before and after a training."""
    return int(os.environ.get("RANK", 0)) == 0


@contextmanager
def joined_processes(device: str, agreed: tuple[type[BaseException], ...] = ()) -> Iterator[Processes]:
    """Joins the processes that `torchrun` started, or stands alone without it; leaves them at the end.

    Args:
        device: `auto`, `cpu` or `cuda`.
        agreed: Exceptions that all processes raise at the same point.

    Raises:
        ConfigError: If there are more processes than CUDA devices, or the device is not there.
    """
    processes = _join(device)
    try:
        yield processes
    except BaseException as error:
        processes.leave(together=isinstance(error, agreed))
        raise
    processes.leave()


def _join(device: str) -> Processes:
    local_rank, world_size = int(os.environ.get("LOCAL_RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    place = resolve_device(device, local_rank)
    if place.type == "cuda" and local_rank >= torch.cuda.device_count():
        raise ConfigError(
            f"torchrun started more processes than the {torch.cuda.device_count()} CUDA devices here; "
            "allowed is at most one process for each"
        )
    if world_size == 1:
        return Processes(place)
    if not dist.is_initialized():
        if place.type == "cuda":
            torch.cuda.set_device(place)
        dist.init_process_group("nccl" if place.type == "cuda" else "gloo")
    return Processes(place, dist.get_rank(), dist.get_world_size())
