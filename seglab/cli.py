"""`seglab <verb>`: reads the command line, calls the library, prints one line for a caller's mistake."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, arg

from seglab import recipes
from seglab.config import Experiment, override, read_yaml, to_yaml
from seglab.errors import ConfigError, DataError, SeglabError

# Verbs import what they need when they are called: `seglab --help` should not wait for torch.

Overrides = Annotated[Positional[tuple[str, ...]], arg(metavar="[FIELD=VALUE ...]")]

app = tyro.extras.SubcommandApp()


@app.command
def train(
    recipe: Annotated[Positional[str], arg(metavar="RECIPE")] = "",
    overrides: Overrides = (),
    /,
    *,
    data: str | None = None,
    profile: Literal["quick", "laptop", "full"] | None = None,
    seed: int | None = None,
    config: Path | None = None,
    out: Path | None = None,
    resume: Path | None = None,
    show: bool = False,
) -> None:
    """Trains a network.

    Examples: `seglab train minihrnet_a3`, `seglab train minihrnet_a3 --data camvid --profile laptop`,
    `seglab train minihrnet_a3 optimizer.lr=0.0005 model.options.norm=batch`,
    `torchrun --nproc-per-node 2 -m seglab train minihrnet_a3`.

    Args:
        recipe: How a network is trained; `seglab recipes` lists them.
        overrides: Changes of single fields; `--show` prints them all.
        data: Data set, street_scenes unless given; `seglab data list` lists them.
        profile: Budget, quick unless given: minutes, half an hour, or as published.
        seed: Seed of weights, data order and augmentation, 0 unless given.
        config: Take the experiment from a config.yaml instead of a recipe.
        out: Run folder; by default results/STUDY/NAME/seedK, for quick runs below runs/quick/.
        resume: Go on with the run in this folder.
        show: Print the experiment as YAML and stop.
    """
    from seglab.trainers.loop import train as run
    from seglab.trainers.observers import Terminal
    from seglab.trainers.processes import is_main_process

    wishes = {"data": data, "profile": profile, "seed": seed}
    wishes = {name: value for name, value in wishes.items() if value is not None}
    if resume is not None:
        from seglab import runs

        if recipe or config or overrides or out or wishes:
            raise ConfigError("--resume: the run folder says what to do; allowed beside it is nothing")
        experiment, out = runs.read_experiment(resume), resume
    else:
        experiment = _experiment(recipe, config, wishes, overrides)
    if show:
        print(to_yaml(experiment), end="")
        return
    summary = run(experiment, out, resume=resume is not None, observers=[Terminal()])
    for split, scores in summary["scores"].items() if is_main_process() else ():
        print(f"{split}: mean IoU {scores['mean_iou']:.4f} over {scores['classes']} classes")


def _experiment(recipe, config, wishes, overrides) -> Experiment:
    if config is not None:
        if wishes:
            flags = ", ".join(f"--{name}" for name in wishes)
            raise ConfigError(f"{flags}: not allowed beside --config, which holds them; use FIELD=VALUE")
        # With --config the first positional word is an override, if there is one.
        return override(read_yaml(config), [*([recipe] if recipe else []), *overrides])
    if not recipe:
        known = ", ".join(recipes.RECIPES)
        raise ConfigError(f"RECIPE: missing; allowed is one of {known}, or --config FILE")
    return override(recipes.recipe(recipe, **wishes), overrides)


@app.command(name="recipes")
def list_recipes() -> None:
    """Lists the recipes and what they do."""
    for name, function in recipes.RECIPES.items():
        print(f"{name}\n    " + "\n    ".join(_paragraphs(function.__doc__)))


@app.command
def evaluate(
    run: Annotated[Positional[Path], arg(metavar="RUN")],
    /,
    *,
    split: str | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> None:
    """Scores the network of a run and prints the IoU of each class.

    Args:
        run: Run folder.
        split: Split of the run's data set; by default the one that was watched during training.
        device: Where to compute.
    """
    from seglab.evaluation.evaluate import class_table, evaluate_run

    confusion, labels = evaluate_run(run, split, device)
    print(class_table(confusion, labels))


@app.command
def predict(
    pictures: Annotated[Positional[tuple[Path, ...]], arg(metavar="PICTURE [PICTURE ...]")],
    /,
    *,
    run: Path,
    out: Path,
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> None:
    """Predicts pictures: writes each mask in colours, and laid over its picture.

    Args:
        pictures: Picture files.
        run: Run folder whose network is used.
        out: Folder for NAME_mask.png and NAME_overlay.png.
        device: Where to compute.
    """
    from seglab.evaluation.evaluate import predict_files

    for path in predict_files(run, pictures, out, device):
        print(path)


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
    print(cost_table(None if cost is None else _size(cost), save).to_string(index=False))


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise ConfigError(f"--cost: got {text!r}; allowed is HEIGHTxWIDTH, for example 512x1024")
    return int(parts[0]), int(parts[1])


@app.command(name="import")
def import_checkpoint(
    checkpoint: Annotated[Positional[Path], arg(metavar="CHECKPOINT")],
    /,
    *,
    name: Annotated[str, arg(name="as", metavar="NAME")],
    classes: int | None = None,
    out: Path | None = None,
) -> None:
    """Reads a checkpoint of a network's authors and writes its weights under this library's names.

    Example: `seglab import hrnet_w48_cityscapes.pth --as hrnetv2_w48`. Every tensor must fit.

    Args:
        checkpoint: File of the authors, or as their code writes it; nothing in it is executed.
        name: The network; `seglab models` lists them.
        classes: Of the checkpoint; by default as many as its authors published it with.
        out: File to write; by default NAME.safetensors in the current folder.
    """
    from seglab.models.originals import load_original, write_weights

    model, report = load_original(name, checkpoint, classes)
    print(report)
    print(write_weights(model, name, out or Path(f"{name}.safetensors")))


@app.command
def data(
    action: Positional[Literal["list", "make", "check"]],
    names: Annotated[Positional[tuple[str, ...]], arg(metavar="[NAME ...]")] = (),
    /,
) -> None:
    """Lists the data sets and where they were found; makes the embedded one; checks every file of a set.

    Args:
        action: What to do.
        names: Data sets; by default all for `list`, the embedded one for `make` and `check`.
    """
    from seglab.datasets import inventory

    if action == "list":
        print(inventory.listing(names))
    elif action == "make":
        print(inventory.make(names or ("street_scenes",)))
    else:
        problems = inventory.check_sets(names or ("street_scenes",), print)
        if problems:
            raise DataError(f"{problems} problems found, listed above")


@app.command
def figures(
    names: Annotated[Positional[tuple[str, ...]], arg(metavar="[NAME ...]")] = (),
    /,
    *,
    results: Path | None = None,
    out: Path | None = None,
) -> None:
    """Redraws the figures from the stored results.

    Args:
        names: Which ones; by default all.
        results: Folder of the runs; by default results/.
        out: Folder for the PNG and SVG files; by default figures/.
    """
    from seglab import runs
    from seglab.plots import draw

    home = runs.workspace()
    for path in draw(names, results or home / "results", out or home / "figures"):
        print(path)


@app.command
def notebook(name: Annotated[Positional[str], arg(metavar="NAME")], /) -> None:
    """Runs a notebook from top to bottom and writes its outputs into it, as it is committed.

    Args:
        name: Beginning of its file name, for example 03.
    """
    from seglab import notebooks

    print(notebooks.build(name, watch=print))


@app.command
def study() -> None:
    """Runs notebook 03 without a browser, redraws the figures, and says what was reached."""
    from seglab.study import run_study

    run_study()


@app.command
def lab() -> None:
    """Opens notebook 03 in JupyterLab."""
    from seglab.study import open_lab

    sys.exit(open_lab())


@app.command
def test() -> None:
    """Runs the tests and tells their time."""
    from seglab.study import run_tests

    sys.exit(run_tests())


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0, or that of the error (`seglab.errors`)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    if debug:
        arguments.remove("--debug")
    try:
        app.cli(
            args=arguments or ["--help"],
            prog="seglab",
            description="A study of small semantic-segmentation networks. --debug shows tracebacks.",
            config=(tyro.conf.FlagCreatePairsOff,),
        )
    except SeglabError as error:
        if debug:
            raise
        print(f"seglab: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if debug:
            raise
        print(f"seglab: {error.filename or 'system'}: {error.strerror or error}", file=sys.stderr)
        return 4
    except KeyboardInterrupt:
        print("seglab: interrupted", file=sys.stderr)
        return 130
    return 0


def _paragraphs(text: str | None) -> list[str]:
    import inspect

    return inspect.cleandoc(text or "").splitlines()
