"""Training pictures per second: seglab, cached and not, beside a plain torchvision Dataset and DataLoader.

All of them read pairs, scale them at random, crop, flip and change colours, in this process and one thread,
and end in uint8 batches. They take turns, so that a busy machine slows all alike; the peer runs twice in
every round, and where those two differ by more than 5 per cent the comparison says nothing.

    python benchmarks/reading_speed.py [camvid | street_scenes]
"""

import os
import platform
import statistics
import sys
import time

import torch
import torchvision
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from seglab.config import IMAGENET_MEAN, AugmentConfig, DataConfig
from seglab.datasets import create_dataset
from seglab.datasets.base import SegmentationDataset
from seglab.datasets.cache import cached
from seglab.datasets.loading import TrainingBatches
from seglab.labels import IGNORE_INDEX

BATCH_SIZE = 8
ROUNDS = 9
WARM_UP = 1
SCALE = (0.75, 1.5)
COLORS = {"brightness": 0.3, "contrast": 0.3, "saturation": 0.3}


class Plain(Dataset):
    """What one would write with torchvision alone."""

    def __init__(self, dataset: SegmentationDataset, size: tuple[int, int]) -> None:
        padding = {tv_tensors.Image: [round(255 * c) for c in IMAGENET_MEAN], tv_tensors.Mask: IGNORE_INDEX}
        table = torch.full((256,), IGNORE_INDEX, dtype=torch.uint8)
        for file_id, train_id in dataset.labels.file_ids.items():
            table[file_id] = train_id
        self.samples, self.table = dataset.samples, table
        self.transform = v2.Compose(
            [
                v2.ScaleJitter(size, SCALE),
                v2.RandomCrop(size, pad_if_needed=True, fill=padding),
                v2.RandomHorizontalFlip(),
                v2.ColorJitter(**COLORS),
            ]
        )

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        sample = self.samples[index]
        image = v2.functional.pil_to_tensor(Image.open(sample.image).convert("RGB"))
        mask = self.table[v2.functional.pil_to_tensor(Image.open(sample.mask))[0].long()]
        return self.transform({"image": tv_tensors.Image(image), "mask": tv_tensors.Mask(mask)})


def pictures_per_second(batches, number: int) -> float:
    start = time.perf_counter()
    for _ in batches:
        pass
    return number / (time.perf_counter() - start)


def main(name: str = "camvid") -> None:
    torch.set_num_threads(1)
    dataset = create_dataset(name, "train")
    height, width = dataset.read(0)[1].shape
    size = (height // 2, width // 2)
    data = DataConfig(name=name, input_size=size, workers=0)
    augment = AugmentConfig(scale=SCALE, **COLORS)
    plain = DataLoader(Plain(dataset, size), BATCH_SIZE, shuffle=True, drop_last=True)
    files = TrainingBatches(dataset, data, augment, BATCH_SIZE, seed=0)
    decoded = TrainingBatches(cached(dataset, data.cache_gib), data, augment, BATCH_SIZE, seed=0)
    runs = {
        "torchvision": lambda epoch: plain,
        "torchvision again": lambda epoch: plain,
        "seglab from files": files.epoch,
        "seglab cached": decoded.epoch,
    }
    for batches in runs.values():  # they do the same work
        batch = next(iter(batches(0)))
        assert batch["image"].shape == (BATCH_SIZE, 3, *size) and batch["mask"].shape == (BATCH_SIZE, *size)
        assert batch["image"].dtype == batch["mask"].dtype == torch.uint8

    speeds: dict[str, list[float]] = {label: [] for label in runs}
    for round_number in range(WARM_UP + ROUNDS):
        for label, batches in runs.items():
            speed = pictures_per_second(batches(round_number), len(files) * BATCH_SIZE)
            if round_number >= WARM_UP:
                speeds[label].append(speed)

    print(f"{dataset!r}, {height} x {width} to {size[0]} x {size[1]}; {ROUNDS} rounds, one thread")
    print(
        f"torch {torch.__version__}, torchvision {torchvision.__version__}, {platform.machine()}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    gib = len(dataset) * height * width * 4 / 2**30
    print(f"decoded arrays: {gib:.2f} GiB, of {data.cache_gib:g} GiB that data.cache_gib allows")
    for label, values in speeds.items():
        ratio = statistics.median(a / b for a, b in zip(values, speeds["torchvision"], strict=True))
        print(
            f"{label:18} median {statistics.median(values):5.0f} pictures/s, best {max(values):5.0f}, "
            f"median ratio {ratio:.2f}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
