"""Samples of a finished run: a few pictures of a split with what its network predicts."""

from __future__ import annotations

from pathlib import Path

from seglab import runs, samples
from seglab.datasets import PAINTED, SegmentationDataset, create_dataset
from seglab.datasets.painted import is_painted
from seglab.errors import ConfigError
from seglab.evaluation.inference import load_predictor
from seglab.samples import Sample


def make_samples(folder: Path | str, split: str = "test", number: int = 4, device: str = "auto") -> Path:
    """Predicts pictures that are spread evenly over a split, and keeps them in the run folder.

    Nobody picks them: which ones they are depends on the split and their number alone.

    Args:
        folder: Folder of a finished run with its weights.
        split: Split of the run's data set.
        number: How many pictures.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        The file.

    Raises:
        ConfigError: If the pictures are not painted ones, or the split or the number is none.
        RunError, CheckpointError, DataError: If the run, its end, its weights or the pictures are not there,
            or if it has samples of this split already.
    """
    if number < 1:
        raise ConfigError(f"number: got {number}; allowed are 1 and more")
    dataset = _painted_split(folder, split)
    runs.read_summary(folder)  # of a finished run alone: its weights are final
    samples.check_absent(folder, split)
    predictor = load_predictor(folder, device)
    kept = []
    for index in dataset.spread(number):
        image, mask = dataset.read(index)
        kept.append(Sample(dataset.names[index], image, mask, predictor(image)))
    return samples.write(folder, split, kept, dataset.labels)


def _painted_split(folder: Path | str, split: str) -> SegmentationDataset:
    """The pictures of a run, if they are painted ones, which anybody may pass on."""
    data = runs.read_experiment(folder).data
    if data.name in PAINTED:
        dataset = create_dataset(data.name, split, data.root)
        if is_painted(dataset.root, data.name):  # a painted set's name can be given any folder
            return dataset
    raise ConfigError(
        f"{folder}: a run on {data.root or data.name}, whose pictures have a licence of their own and are "
        f"not kept with results; allowed are runs on {' and '.join(PAINTED)}"
    )
