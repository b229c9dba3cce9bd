"""Run folders: what a training leaves behind, in small text files that outlive weights and data.

    <folder>/config.yaml             the complete Experiment
             history.csv             one row per epoch
             confusion_<split>.csv   integer confusion matrix, class names as header
             images_<split>.npz      the same for each picture, with a row of ignored pixels
             samples_<split>.npz     a few pictures with truth and prediction (`seglab.samples`), where made
             repeated.json           whether a second training gave the same (`seglab.repeats`), where tried
             weights.safetensors     the network that was scored
             summary.json            scores, cost, times and provenance; its presence says that the run ended
             checkpoints/            training state and best weights; not part of the record

A folder is made once and never overwritten. `load` reads any number of them as one table.
"""

from seglab.runs.disk import (
    write_bytes,
    write_text,
)
from seglab.runs.files import (
    CLOCKED,
    WEIGHTS,
    ImageCounts,
    has_images,
    read_confusion,
    read_history,
    read_images,
    read_summary,
    splits,
    write_confusion,
    write_history,
    write_images,
    write_summary,
)
from seglab.runs.folders import (
    check_folder,
    claimed,
    create,
    default_folder,
    numbered_folder,
    read_experiment,
    workspace,
)
from seglab.runs.origin import (
    SCHEMA_VERSION,
    code_revision,
    processor,
    provenance,
)
from seglab.runs.table import (
    check_same_protocol,
    evaluations,
    find,
    load,
    over_seeds,
    paired_confusions,
    plain_record,
)

__all__ = [
    "CLOCKED",
    "SCHEMA_VERSION",
    "WEIGHTS",
    "ImageCounts",
    "check_folder",
    "check_same_protocol",
    "claimed",
    "code_revision",
    "create",
    "default_folder",
    "evaluations",
    "find",
    "has_images",
    "load",
    "numbered_folder",
    "over_seeds",
    "paired_confusions",
    "plain_record",
    "processor",
    "provenance",
    "read_confusion",
    "read_experiment",
    "read_history",
    "read_images",
    "read_summary",
    "splits",
    "workspace",
    "write_bytes",
    "write_confusion",
    "write_history",
    "write_images",
    "write_summary",
    "write_text",
]
