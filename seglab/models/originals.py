"""Reads the checkpoints that the networks' authors published or that their code writes.

Every architecture's module translates its own names to its authors' (`original_key`); here the two lists
are compared strictly, both ways.
"""

from __future__ import annotations

import hashlib
import pickle
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from seglab import checkpoints, runs
from seglab.config import ModelConfig
from seglab.datasets import label_space
from seglab.errors import CheckpointError, RunError
from seglab.models import SegmentationModel, create_model, get_module
from seglab.recipes import recipe

# Tensors of the authors' files that the network has no place for: what their training added, and the
# classifier of HRNet's ImageNet files.
_HRNET_UNUSED = ("loss.", "incre_modules.", "downsamp_modules.", "final_layer.", "classifier.")
UNUSED_PREFIXES = {
    "hrnetv2_w48": _HRNET_UNUSED,
    "hrnetv2_w18": _HRNET_UNUSED,
    "hrnetv2_w18_small_v2": _HRNET_UNUSED,
    "hrnetv2_w18_small_v1": _HRNET_UNUSED,
    "erfnet": ("encoder.output_conv.",),  # with aux_head=False
    "segsmall": ("encoder.output_conv.",),  # built, but never used
}
# The tensors of the author's heads, and the dimension of their classes, of which the last one may stand for
# what is not labelled (ERFNet has 20 for Cityscapes' 19).
_HEADS_WITH_VOID = {
    "erfnet": {
        "decoder.output_conv.weight": 1,
        "decoder.output_conv.bias": 0,
        "encoder.output_conv.weight": 0,
        "encoder.output_conv.bias": 0,
    }
}
# Networks that their authors feed with BGR in 0..255 and no normalisation.
_FED_BGR_255 = ("miniunet",)
_CLASSIFIER_MARK = "classifier.weight"  # in a file for ImageNet, which has no segmentation head


@dataclass(frozen=True)
class LoadReport:
    """What a checkpoint gave to a network; `str()` of it is the line to print.

    Args:
        path: The checkpoint.
        name: The network.
        matched: Number of the network's tensors that came from the checkpoint.
        total: Number of the network's tensors.
        initial: Names of those that kept their start: an absent head, or the batch counters of
            normalisation layers, which files from before torch 0.4.1 lack.
        unused: The checkpoint's tensors, or outputs, that the network has no place for.
    """

    path: Path
    name: str
    matched: int
    total: int
    initial: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        share = f"{self.path}: {self.matched} of {self.total} tensors of {self.name} loaded"
        share += f" ({self.matched / self.total:.1%})"
        if self.initial:
            share += f"; left at their start: {_some(self.initial)}"
        if self.unused:
            share += f"; not used: {_some(self.unused)}"
        return share


def load_original(
    name: str, path: str | Path, num_classes: int | None = None, **options: object
) -> tuple[SegmentationModel, LoadReport]:
    """Builds a network and fills it from its authors' checkpoint.

    The file is a state dict, or a dict with one under `state_dict`; the prefixes `module.` (of
    `DataParallel`) and `model.` (of the official HRNet training) are taken off. Nothing in it is executed.

    Args:
        name: One of `list_models()`.
        path: The checkpoint.
        num_classes: Of the checkpoint; the number in the network's `REFERENCE` if None.
        **options: Of the network.

    Returns:
        The network in eval mode, and the report.

    Raises:
        CheckpointError: If the file cannot be read, holds code, lacks a tensor of the network, holds one
            that the network has no place for, or one of another shape.
        ConfigError: If the name or an option is not allowed.
    """
    path = Path(path)
    module = get_module(name)
    if num_classes is None:
        num_classes = module.REFERENCE[name].num_classes
    model = create_model(name, num_classes, **options)
    stored = read_state_dict(path)
    dropped = _drop_void(stored, _HEADS_WITH_VOID.get(name, {}), num_classes)
    initial_state = model.state_dict()
    originals = {key: module.original_key(key) for key in initial_state}

    missing = [key for key, original in originals.items() if original not in stored]
    initial = [key for key in missing if _may_be_missing(key, stored)]
    extra = set(stored) - set(originals.values())
    unused = sorted(key for key in extra if key.startswith(UNUSED_PREFIXES.get(name, ())))
    problems = []
    if required := [originals[key] for key in missing if key not in initial]:
        problems.append(f"{len(required)} of its tensors are missing ({_some(required)})")
    if unknown := sorted(extra - set(unused)):
        problems.append(f"{len(unknown)} tensors are unknown ({_some(unknown)})")
    problems += [
        f"{original} is {_size(stored[original])} instead of {_size(initial_state[key])}"
        for key, original in originals.items()
        if original in stored and stored[original].shape != initial_state[key].shape
    ][:3]
    if problems:
        raise CheckpointError(
            f"{path} is not a checkpoint of {name} with {num_classes} classes: {'; '.join(problems)}"
        )
    model.load_state_dict(
        {key: stored.get(original, initial_state[key]) for key, original in originals.items()}
    )
    matched = len(originals) - len(initial)
    report = LoadReport(path, name, matched, len(originals), tuple(initial), (*dropped, *unused))
    return model.eval(), report


def import_run(path: str | Path, name: str, data: str, folder: str | Path) -> LoadReport:
    """Makes a run folder of the authors' weights, to be evaluated and to predict with; it has no history.

    Its config.yaml is the network's own recipe with the authors' normalisation; how the weights were trained
    in truth, nobody recorded. Where pictures came as BGR, the channels of the first convolution change
    places, for here they come as RGB. `provenance.imported` in summary.json names the file.

    Args:
        path: The checkpoint, as `load_original` takes it.
        name: One of `list_models()`.
        data: The data set whose classes the network answers with, or the YAML file of one's own.
        folder: The run folder to make.

    Raises:
        CheckpointError, ConfigError: As `load_original` does; or if the data set is unknown.
        RunError: If the folder exists already.
    """
    path, folder = Path(path), Path(folder)
    if folder.exists():
        raise RunError(f"{folder}: exists already and is not overwritten; allowed is another --out")
    model, report = load_original(name, path, label_space(data).num_classes)
    # Without the options of a recipe that begins with other weights: these take their place.
    experiment = replace(recipe(name, data, "full"), study="imported", model=ModelConfig(name))
    if name in _FED_BGR_255:
        normal = {"mean": (0.0, 0.0, 0.0), "std": (1 / 255, 1 / 255, 1 / 255)}
        experiment = replace(experiment, data=replace(experiment.data, **normal))
        first = next(part for part in model.modules() if isinstance(part, nn.Conv2d))
        first.weight.data = first.weight.data.flip(1)
    runs.create(folder, experiment)
    checkpoints.save_weights(folder, model)
    source = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    provenance = runs.provenance(
        experiment, code_revision=runs.code_revision(), device="unknown", imported=source
    )
    runs.write_summary(folder, {"scores": {}, "provenance": provenance})
    return report


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Reads the tensors of a checkpoint by name, without wrappers and prefixes.

    Raises:
        CheckpointError: If there is no such file, it is damaged, holds code or anything but tensors.
    """
    try:
        with warnings.catch_warnings():
            # torch remarks on pickles that are not its own; they are refused or hold nothing but tensors.
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except pickle.UnpicklingError:  # torch's own message advises to open it all the same
        raise CheckpointError(
            f"{path}: damaged, or holds more than tensors and plain values; nothing else is opened"
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint ({error})") from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not content:
        raise CheckpointError(f"{path} holds {type(content).__name__}; allowed is a dict of tensors")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path}: entry {key!r} is {type(value).__name__}; allowed are tensors by name"
            )
    return {key.removeprefix("module.").removeprefix("model."): value for key, value in content.items()}


def _drop_void(stored: dict[str, Tensor], head: dict[str, int], num_classes: int) -> list[str]:
    """Takes the output of what is not labelled out of a head that has one; answers what was taken."""
    dropped = []
    for key, dimension in head.items():
        if key in stored and stored[key].shape[dimension] == num_classes + 1:
            stored[key] = stored[key].narrow(dimension, 0, num_classes)
            dropped.append(f"{key}, output {num_classes}")
    return dropped


def _may_be_missing(key: str, stored: dict[str, Tensor]) -> bool:
    is_head_of_classifier = key.startswith("head.") and _CLASSIFIER_MARK in stored
    return key.endswith(".num_batches_tracked") or is_head_of_classifier


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a scalar"


def _some(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
