"""Verbs that train networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from seglab import recipes
from seglab.cli.app import Overrides, app
from seglab.config import Experiment, override, read_yaml, to_yaml
from seglab.errors import ConfigError, RunError


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
        data: Data set with training pictures, or the YAML file of your own, street_scenes unless given;
            `seglab data list` lists them.
        profile: Budget, quick unless given: minutes, half an hour, or as published.
        seed: Seed of weights, data order and augmentation, 0 unless given.
        config: Take the experiment from a config.yaml instead of a recipe.
        out: Run folder; by default results/STUDY/NAME/seedK, for quick runs below runs/quick/.
        resume: Go on with the run in this folder.
        show: Print the experiment as YAML and stop.
    """
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
    # torch takes seconds to come; what is above needs none
    from seglab.trainers.loop import train as run
    from seglab.trainers.observers import Terminal
    from seglab.trainers.processes import is_main_process

    summary = run(experiment, out, resume=resume is not None, observers=[Terminal()])
    for split, scores in summary["scores"].items() if is_main_process() else ():
        print(f"{split}: mean IoU {scores['mean_iou']:.4f} over {scores['classes']} classes")


def _experiment(recipe, config, wishes, overrides) -> Experiment:
    if config is not None:
        if wishes:
            flags = ", ".join(f"--{name}" for name in wishes)
            raise ConfigError(f"{flags}: not allowed beside --config, which holds them; use FIELD=VALUE")
        # With --config the first positional word is an override, if there is one.
        base, overrides = read_yaml(config), [*([recipe] if recipe else []), *overrides]
    elif recipe:
        base = recipes.recipe(recipe, **wishes)
    else:
        known = ", ".join(recipes.RECIPES)
        raise ConfigError(f"RECIPE: missing; allowed is one of {known}, or --config FILE")
    return override(base, overrides)


@app.command
def repeat(run: Annotated[Positional[Path], arg(metavar="RUN")], /) -> None:
    """Trains a finished run once more from its config.yaml, and says whether the numbers are the same.

    The outcome is recorded in the run. Stopped, it goes on when it is called again. The same is to be
    expected on the same kind of processor with the same versions and threads (OMP_NUM_THREADS).

    Args:
        run: Run folder.
    """
    from seglab.trainers.observers import Terminal
    from seglab.trainers.repeat import repeat

    found, changes, again = repeat(run, [Terminal()])
    for what, outcome in found.compared.items():
        print(f"{what}: {outcome}")
    if not found.same:
        why = f"; what differs from then: {', '.join(changes)}" if changes else ""
        raise RunError(f"{run}: does not repeat{why}; the second training is {again}; remove it to try again")


@app.command
def lr_find(
    recipe: Annotated[Positional[str], arg(metavar="RECIPE")] = "",
    overrides: Overrides = (),
    /,
    *,
    data: str | None = None,
    profile: Literal["quick", "laptop", "full"] | None = None,
    config: Path | None = None,
    first: float = 1e-6,
    last: float = 1.0,
    steps: int = 100,
    out: Path | None = None,
) -> None:
    """Suggests a learning rate: takes steps at growing rates and watches the loss.

    Nothing is kept but the curve, as curve.csv and curve.png, and the experiment. The study's own are in
    results/lr_range/STUDY/NAME.

    Args:
        recipe: How a network is trained; `seglab recipes` lists them. Its first phase is what is run.
        overrides: Changes of single fields; `seglab train RECIPE --show` prints them all.
        data: Data set with training pictures, or the YAML file of your own, street_scenes unless given;
            `seglab data list` lists them.
        profile: Budget, quick unless given.
        config: Take the experiment from a config.yaml instead of a recipe.
        first: Rate of the first step.
        last: Rate of the last step.
        steps: Number of steps.
        out: Folder to make for the curve; by default a new one below runs/lr_find/STUDY/NAME/.
    """
    from seglab import lr_curve, runs
    from seglab.plots.lr_range import figure_of_curve
    from seglab.trainers.lr_range import find_lr
    from seglab.trainers.processes import is_main_process

    wishes = {"data": data, "profile": profile}
    wishes = {name: value for name, value in wishes.items() if value is not None}
    experiment = _experiment(recipe, config, wishes, overrides)
    parent = runs.workspace() / "runs" / "lr_find" / experiment.study / experiment.name
    folder = out or runs.numbered_folder(parent)
    if is_main_process():
        lr_curve.check_can_be_made(folder)  # before minutes of work
    curve = find_lr(experiment, first=first, last=last, steps=steps)
    if not is_main_process():
        return
    lr_curve.write(folder, experiment, curve)
    figure_of_curve(curve).savefig(folder / "curve.png")
    for name, rate in curve.marks.items():
        print(f"{name}: {experiment.lr_field(0)}={rate:.1e}")
    if curve.suggestion is None:
        print(f"the loss never fell between {first:.1e} and {curve.lr[-1]:.1e}")
    if curve.tenth_of_minimum is None:
        print(f"the loss had not turned at {curve.lr[-1]:.1e}; a larger --last shows where it does")
    print(f"the recipe's own: {experiment.plan[0].lr:.1e}; the curve: {folder}")


@app.command(name="recipes")
def list_recipes() -> None:
    """Lists the recipes and what they do."""
    for name, function in recipes.RECIPES.items():
        print(f"{name}\n    " + "\n    ".join(_paragraphs(function.__doc__)))


def _paragraphs(text: str | None) -> list[str]:
    import inspect

    return inspect.cleandoc(text or "").splitlines()
