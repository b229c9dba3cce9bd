"""Verbs about networks: what there is, what it costs, and the weights of their authors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from seglab.cli.app import app, parse_size
from seglab.errors import ConfigError


@app.command
def models(*, cost: str | None = None, save: Path | None = None) -> None:
    """Lists the networks with their parameters and, with --cost, their multiply-adds.

    Args:
        cost: Input size HEIGHTxWIDTH for which multiply-adds (MACs) are counted, for example 512x1024.
        save: With --cost, also write what every part of each network costs into this folder, as NAME.json;
            the study's own files come from --cost 1024x2048 --save results/models.
    """
    from seglab.analysis.cost_table import cost_table

    if save is not None and cost is None:
        raise ConfigError("--save: what a network costs depends on its input size; say --cost HEIGHTxWIDTH")
    print(cost_table(None if cost is None else parse_size("--cost", cost), save).to_string(index=False))


@app.command(name="import")
def import_checkpoint(
    checkpoint: Annotated[Positional[Path], arg(metavar="CHECKPOINT")],
    /,
    *,
    name: Annotated[str, arg(name="as", metavar="NAME")],
    data: str = "cityscapes",
    out: Path | None = None,
) -> None:
    """Makes a run of a checkpoint of a network's authors, for evaluate and predict.

    Example: `seglab import hrnet_w48_cityscapes.pth --as hrnetv2_w48`. Every tensor must fit. The run has the
    weights under this library's names, and says which file they come from; it has no history.

    Args:
        checkpoint: File of the authors, or as their code writes it; nothing in it is executed.
        name: The network; `seglab models` lists them.
        data: Data set whose classes the checkpoint was trained for (cityscapes, camvid, soccer or another
            with training pictures), or the YAML file of your own.
        out: Run folder to make; by default runs/imported/NAME.
    """
    from seglab import runs
    from seglab.models.originals import import_run

    folder = out or runs.workspace() / "runs" / "imported" / name
    print(import_run(checkpoint, name, data, folder))
    print(folder)
