"""From a data set to batches, in an order that only (seed, epoch) decide.

What a picture looks like after augmentation is a function of (seed, epoch, index), and of its position in the
epoch where `data.class_uniform` chose it. Neither the number of loader processes, nor the number of training
processes, nor a resumed run can change it, because the sampler hands out keys that hold these numbers and
nothing keeps a random state between samples.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import active_children
from typing import Any, NamedTuple

import numpy as np
import psutil
import torch
from torch.utils.data import DataLoader, Dataset, default_collate
from torchvision import tv_tensors

from seglab.config import AugmentConfig, DataConfig
from seglab.datasets.base import SegmentationDataset, num_cores, read_ahead
from seglab.datasets.statistics import picture_counts
from seglab.datasets.transforms import JointAugment
from seglab.errors import ConfigError, DataError, SeglabError

MAX_WORKERS = 8


class TrainingBatches:
    """Augmented batches of a training split.

    Args:
        dataset: The split.
        data: Input size, padding colour, share of class-uniform pictures and number of loader processes.
        augment: Strength of the random changes.
        batch_size: Pictures per batch over all training processes together. A last, smaller batch is left
            out.
        seed: Seed of order and augmentation.
        rank: Number of this training process.
        world_size: Number of training processes; each gets `batch_size / world_size` pictures of a batch.
        device_type: `cpu` loads in the training process unless `data.workers` says otherwise, because it uses
            all cores already; anything else loads in up to `MAX_WORKERS` processes, into pinned memory.

    Raises:
        ConfigError: If the split is smaller than a batch, or a batch cannot be shared evenly.
        DataError: If, for class-uniform pictures, a mask cannot be read, or none has a labelled pixel.
    """

    def __init__(
        self,
        dataset: SegmentationDataset,
        data: DataConfig,
        augment: AugmentConfig,
        batch_size: int,
        seed: int,
        *,
        rank: int = 0,
        world_size: int = 1,
        device_type: str = "cpu",
    ) -> None:
        if len(dataset) < batch_size:
            raise ConfigError(
                f"training.batch_size: got {batch_size}; allowed are up to {len(dataset)}, the pictures of "
                f"{dataset.name} {dataset.split}"
            )
        if batch_size % world_size:
            raise ConfigError(
                f"training.batch_size: got {batch_size}; allowed is a multiple of {world_size}, the "
                "number of training processes"
            )
        self.dataset = dataset
        holders = _holders(dataset) if data.class_uniform else {}
        self._keys = _Keys(len(dataset), batch_size, seed, rank, world_size, data.class_uniform, holders)
        self._workers = _default_workers(device_type) if data.workers is None else data.workers
        self._loader = DataLoader(
            _Augmented(dataset, JointAugment(augment, data.input_size, data.mean), seed),
            batch_sampler=self._keys,
            num_workers=self._workers,
            collate_fn=_collate,
            persistent_workers=self._workers > 0,
            pin_memory=device_type == "cuda",
            generator=torch.Generator(),  # or every epoch would draw from the global one
        )

    def __len__(self) -> int:
        """Batches per epoch."""
        return self._keys.num_batches

    def epoch(self, epoch: int, start: int = 0) -> Iterator[dict[str, Any]]:
        """The batches of one epoch.

        Args:
            epoch: Number of the epoch.
            start: Batches to leave out at the beginning, unread.

        Yields:
            `image` uint8 (N, 3, h, w), `mask` uint8 (N, h, w) and `name`, a list of N names.

        Raises:
            DataError: If a picture cannot be read, or a loader process dies; the message names the pictures.
            ConfigError: If the pictures differ in size and nothing says which size to make of them.
        """
        self._keys.epoch, self._keys.start = epoch, start
        if self._workers:
            _watch_workers()
        try:
            with _child_signal_kept():
                batches = iter(self._loader)
        except RuntimeError as error:  # all loader processes of the epoch before must answer first
            if "DataLoader worker" not in str(error):
                raise
            raise DataError(f"a loader process died between two epochs: {error}") from None
        for keys in self._keys:
            try:
                batch = next(batches)
            except (RuntimeError, OSError, EOFError) as error:
                # A process that dies while it hands a batch over leaves a broken connection.
                died = not isinstance(error, RuntimeError) or "DataLoader worker" in str(error)
                if not (self._workers and died):
                    raise
                # Batches come in order, so what is missing is what the dead process was working on.
                images = ", ".join(str(self.dataset.samples[key.index].image) for key in keys)
                raise DataError(f"a loader process died while it prepared {images}: {error}") from None
            if isinstance(batch, SeglabError):
                raise batch
            yield batch


def evaluation_samples(
    dataset: SegmentationDataset, rank: int = 0, world_size: int = 1
) -> Iterator[tuple[int, str, torch.Tensor, torch.Tensor]]:
    """Every sample exactly once over all processes, unchanged and at its own size.

    Yields:
        Index, name, image uint8 (3, H, W) and mask uint8 (H, W) of train ids.

    Raises:
        DataError: If a picture cannot be read.
    """
    indices = range(rank, len(dataset), world_size)
    for index, (image, mask) in zip(indices, read_ahead(dataset, indices), strict=True):
        yield index, dataset.samples[index].name, _channels_first(image), torch.from_numpy(mask)


class _Key(NamedTuple):
    """What a training sample is made from.

    Args:
        index: Number of the picture.
        stream: Key of its random stream: epoch and index, and the position where a class chose the picture,
            because it may come more than once in an epoch then.
        shown: Class that the crop must show, if any.
    """

    index: int
    stream: tuple[int, ...]
    shown: int | None = None


class _Keys:
    """Batch sampler: this process's share of the keys of every batch."""

    def __init__(
        self,
        num_samples: int,
        batch_size: int,
        seed: int,
        rank: int,
        world_size: int,
        class_uniform: float,
        holders: dict[int, np.ndarray],
    ) -> None:
        self.num_batches = num_samples // batch_size
        self.num_samples, self.batch_size, self.seed = num_samples, batch_size, seed
        self.rank, self.world_size = rank, world_size
        self.class_uniform, self.holders = class_uniform, holders
        self.epoch = self.start = 0

    def __len__(self) -> int:
        return self.num_batches - self.start

    def __iter__(self) -> Iterator[list[_Key]]:
        keys = self._epoch_keys()
        for batch in range(self.start, self.num_batches):
            whole = keys[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield whole[self.rank :: self.world_size]

    def _epoch_keys(self) -> list[_Key]:
        """The keys of the whole epoch, the same in every process."""
        rng = _generator(self.seed, self.epoch)
        keys = [_Key(int(index), (self.epoch, int(index))) for index in rng.permutation(self.num_samples)]
        if self.class_uniform:
            for position in np.flatnonzero(rng.random(self.num_samples) < self.class_uniform).tolist():
                shown = int(rng.choice(list(self.holders)))
                index = int(rng.choice(self.holders[shown]))
                keys[position] = _Key(index, (self.epoch, index, position), shown)
        return keys


def _holders(dataset: SegmentationDataset) -> dict[int, np.ndarray]:
    """Numbers of the pictures that hold a class, for each class that occurs."""
    held = picture_counts(dataset)[:, : dataset.labels.num_classes] > 0
    return {class_id: np.flatnonzero(column) for class_id, column in enumerate(held.T) if column.any()}


class _Augmented(Dataset):
    """Training samples by key; a picture that cannot be read comes back as its error.

    An error that is raised in a loader process reaches the training process with two tracebacks in its text.
    """

    def __init__(self, dataset: SegmentationDataset, augment: JointAugment, seed: int) -> None:
        self.dataset, self.augment, self.seed = dataset, augment, seed

    def __getitem__(self, key: _Key) -> dict[str, Any] | DataError:
        try:
            image, mask = self.dataset.read(key.index)
        except DataError as error:
            return error
        pair = tv_tensors.Image(_channels_first(image)), tv_tensors.Mask(torch.from_numpy(mask))
        with _one_thread():
            image, mask = self.augment(*pair, _generator(self.seed, *key.stream), key.shown)
        plain = (tensor.as_subclass(torch.Tensor) for tensor in (image, mask))
        return dict(zip(("image", "mask"), plain, strict=True), name=self.dataset.samples[key.index].name)


def _collate(samples: list[dict[str, Any] | DataError]) -> dict[str, Any] | SeglabError:
    error = next((sample for sample in samples if isinstance(sample, DataError)), None)
    if error is not None:
        return error
    if len(sizes := {tuple(sample["mask"].shape) for sample in samples}) > 1:
        return ConfigError(
            f"data.input_size, augment.crop: both are null, and the pictures have different sizes "
            f"({', '.join(f'{h} x {w}' for h, w in sorted(sizes))}); allowed is to set one of them"
        )
    return default_collate(samples)


def _generator(seed: int, *key: int) -> np.random.Generator:
    """An independent random stream for every key."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _channels_first(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Computes as a loader process does, so that sums are added in the same order there and here.

    It is faster, too: the work on one picture is too small to share, and on a busy machine the threads spend
    their time waiting for each other.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _default_workers(device_type: str) -> int:
    if device_type == "cpu":
        return 0
    return max(1, min(num_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", 1)), MAX_WORKERS))


@contextmanager
def _child_signal_kept() -> Iterator[None]:
    """Keeps torch from installing its own answer to the death of a loader process.

    That answer is an exception out of a signal handler, in whatever line the training has reached. Without it
    the next request for a batch reports the death, within five seconds.
    """
    ours = hasattr(signal, "SIGCHLD") and threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGCHLD) if ours else None
    yield
    if ours:
        signal.signal(signal.SIGCHLD, handler)


@functools.cache
def _watch_workers() -> None:
    """From now on kills loader processes that are stopped (SIGSTOP): torch would wait for them for ever.

    One that is seen stopped twice, a second apart, is not just being stopped and continued together with the
    training, as Ctrl-Z and `fg` do. The thread lives as long as the process, whose end waits for them, too.
    """

    def look() -> None:
        before: set[int] = set()
        while True:
            time.sleep(1)
            stopped = {child.pid for child in active_children() if child.daemon and _is_stopped(child.pid)}
            for pid in stopped & before:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            before = stopped

    threading.Thread(target=look, name="loader watchdog", daemon=True).start()


def _is_stopped(pid: int) -> bool:
    with suppress(psutil.Error):
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    return False
