"""The study as a chapter (PDF), and its notebooks as a small site (HTML); no network and no torch.

Every number comes from `results/`: from a table of `seglab.tables`, a figure of `seglab.plots`, or a sentence
that is computed here. What is missing there is named as missing. The layout is `report.typ`.
"""

from __future__ import annotations

import html
import importlib.resources
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import typst
from nbconvert import HTMLExporter
from PIL import Image
from pygments.formatters import HtmlFormatter

from seglab import comparison, notebooks, runs
from seglab.differences import ablation_differences, comparison_spread
from seglab.evidence import rate_choice
from seglab.machines import device_effect
from seglab.plots import FIGURES, draw
from seglab.results import MissingResults, Results, class_scores
from seglab.runs import workspace, write_bytes, write_text
from seglab.tables import TABLES

TITLE = "Small networks for semantic segmentation"
Block = dict[str, object]


def write_pdf(results: Path, target: Path) -> None:
    """Writes the chapter; the same results give the same bytes.

    Args:
        results: Folder of the results.
        target: The PDF file; its folder is made if missing.

    Raises:
        RunError: If a file of results is damaged.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        content = {"title": TITLE, "sections": chapter(Results(results), folder)}
        (folder / "content.json").write_text(json.dumps(content), encoding="utf-8")
        template = importlib.resources.files("seglab") / "report.typ"
        (folder / "report.typ").write_text(template.read_text(encoding="utf-8"), encoding="utf-8")
        # Only the fonts inside the package, so that every machine sets the same pages.
        pdf = typst.compile(folder / "report.typ", ignore_system_fonts=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(target, pdf)


# ------------------------------------------------------------------------------------------ the chapter


def chapter(results: Results, folder: Path) -> list[dict[str, object]]:
    """The sections of the chapter: `title` and `blocks`, each of a `kind` that `report.typ` sets.

    Args:
        results: What is reported.
        folder: Where the figures are drawn to.
    """

    def figure(name: str) -> Block:
        def make() -> Block:
            path = draw([name], results.root, folder)[0]
            with Image.open(path) as picture:
                ratio = picture.height / picture.width
            return {"kind": "figure", "file": path.name, "ratio": ratio, "caption": caption(FIGURES[name])}

        return _or_missing(make)

    def table(name: str) -> Block:
        def make() -> Block:
            frame = TABLES[name](results).astype(str)
            rows = [[cell.replace("`", "").strip("*") for cell in row] for row in frame.values.tolist()]
            return _table(list(frame.columns), rows, caption(TABLES[name]))

        return _or_missing(make)

    sections = {
        "Question": [_text(_QUESTION)],
        "Method": [
            _text(_METHOD), table("networks"), figure("architectures"), figure("cost_by_part"),
            _or_missing(lambda: _protocol(results)),
        ],
        "Data": [
            *_sentences(lambda: _data(results)), figure("class_frequencies"), _text(_WEIGHTS),
            figure("loss_share"),
        ],
        "Results": [
            _heading("Networks under one training"), table("tuning"),
            *_sentences(lambda: iter([rate_choice(results)])), table("comparison"), figure("iou_vs_cost"),
            table("unlearnt"),
            table("budget"),
            _heading("On a GPU"), *_sentences(lambda: iter([device_effect(results)])), table("twins"),
            figure("machine_times"), table("gpu_latency"),
            _heading("Class by class"), figure("class_heat_map"), figure("class_iou"),
            figure("iou_frequency"), figure("confusions"), figure("qualitative"),
            _heading("One change at a time"), table("ablations"), figure("ablation"),
            _heading("What the originals claim"), table("claims"),
            _heading("Asked at several scales"), figure("multi_scale_gain"),
            _heading("The phases of Mini-UNet"), table("phases"), figure("phases"),
            _heading("What a mean IoU is"), figure("conventions"),
            _heading("The trainings themselves"), figure("lr_range"), figure("training_curves"),
            table("faults"),
        ],
        "Discussion": [*_sentences(lambda: findings(results)), table("expectations")],
        "Threats to validity": [_text(text) for text in _THREATS],
        "How to reproduce": [
            _text(_REPRODUCE), table("repeated"), *_sentences(lambda: _provenance(results)),
        ],
    }  # fmt: skip
    return [{"title": title, "blocks": blocks} for title, blocks in sections.items()]


def caption(function: Callable) -> str:
    """What the author of a figure or table says in its docstring, without the description of arguments."""
    text = re.split(r"\n\s*(?:Args|Raises|Returns):", function.__doc__)[0]
    text = " ".join(text.split()).removeprefix("What to see: ")
    return text[0].upper() + text[1:]


def _text(text: str) -> Block:
    return {"kind": "text", "text": " ".join(text.split())}


def _heading(text: str) -> Block:
    return {"kind": "heading", "text": text}


def _table(columns: list[str], rows: list[list[str]], text: str) -> Block:
    return {"kind": "table", "columns": columns, "rows": rows, "caption": text}


def _or_missing(make: Callable[[], Block]) -> Block:
    try:
        return make()
    except MissingResults as missing:
        return {"kind": "missing", "command": missing.command}


def _sentences(make: Callable[[], Iterator[str]]) -> list[Block]:
    """Computed paragraphs, as far as the results reach."""
    blocks: list[Block] = []
    try:
        blocks += map(_text, make())
    except MissingResults as missing:
        blocks.append({"kind": "missing", "command": missing.command})
    return blocks


def _protocol(results: Results) -> Block:
    one = runs.read_experiment(results.comparison["folder"].iloc[0])
    height, width = one.data.input_size
    rows = [
        ["data", f"{one.data.name}, {one.data.train_split}"],
        ["input", f"{height} x {width} pixels"],
        ["epochs, batch", f"{one.training.epochs}, {one.training.batch_size}"],
        ["optimizer", f"{one.optimizer.name}, rate {one.optimizer.lr:g}"],
        ["weight decay", f"{one.optimizer.weight_decay:g}"],
        ["schedule", f"{one.schedule.name}, warm-up of {one.schedule.warmup_steps} steps"],
        ["average of weights", f"{one.training.ema_decay:g}"],
    ]
    text = "The training that all networks of the comparison share."
    return _table(["", "value"], rows, text)


def _data(results: Results) -> Iterator[str]:
    for name, one in results.datasets.items():
        splits = ", ".join(f"{split['num_images']} ({key})" for key, split in one["splits"].items())
        yield f"`{name}` has {len(one['classes'])} classes; pictures by split: {splits}."


def findings(results: Results) -> Iterator[str]:
    """What the numbers say, one paragraph each; a paragraph whose results are missing ends the list.

    Raises:
        MissingResults: Where the results end.
    """
    table = results.comparison
    column = "scores.test.mean_iou"
    scores = 100 * table.groupby("name")[column].mean().sort_values(ascending=False, kind="stable")
    seeds = table.groupby("name")[column].count()
    best, worst = scores.index[0], scores.index[-1]
    yield (
        f"The best of {len(scores)} networks is `{best}` with {scores[best]:.1f} % mean IoU on the test "
        f"split (seeds: {seeds[best]}), the last `{worst}` with {scores[worst]:.1f} %."
    )
    if {"minihrnet_a3", "hrnetv2_w18"} <= set(scores.index):
        gap = scores["minihrnet_a3"] - scores["hrnetv2_w18"]
        cost = table.groupby("name")[["cost.params", "cost.macs"]].first()
        ratio = cost.loc["minihrnet_a3"] / cost.loc["hrnetv2_w18"]
        sure = ""
        if spread := comparison_spread(results):
            low, high = spread.interval(gap / 100, seeds["minihrnet_a3"], seeds["hrnetv2_w18"])
            sure = f" (95 % interval over seeds {100 * low:+.1f} to {100 * high:+.1f})"
        yield (
            f"Approach 3 of Mini-HRNet has {ratio['cost.params']:.2f} times the parameters of HRNetV2-W18 "
            f"and {ratio['cost.macs']:.2f} times its multiply-adds; the difference of their scores is "
            f"{gap:+.1f} points{sure}."
        )
    parts = [f"scores.{split}.mean_iou" for split in ("test_seq05vd", "test_0001tp")]
    if set(parts) <= set(table.columns):
        unseen, continued = (100 * table[part].mean() for part in parts)
        yield (
            f"On the drive that was never trained on, the runs reach {unseen:.1f} % on average; on the "
            f"rest of a training drive {continued:.1f} %. The whole test split mixes the two."
        )
    means, classes = class_scores(table, "test")
    middle = means.median()
    hardest = middle.sort_values().index[:2]
    yield (
        f"Of the {len(classes)} classes, {hardest[0]} ({100 * middle[hardest[0]]:.0f} %) and {hardest[1]} "
        f"({100 * middle[hardest[1]]:.0f} %) are the hardest for the median network."
    )
    yield _of_ablations(results)


def _of_ablations(results: Results) -> str:
    changes, planned = 100 * ablation_differences(results), len(comparison.ablations())
    value, spread = changes["value"], comparison_spread(results)
    best = f"the best is `{value.idxmax()}` ({value.max():+.1f} points)"
    if len(changes) > 1:
        best += f", the worst `{value.idxmin()}` ({value.min():+.1f})"
    if spread is None:
        sure = "With one seed of each network nothing here can be told from chance."
    else:
        chance = (changes["low"] * changes["high"] <= 0).sum()
        sure = f"{chance} of {len(changes)} cannot be told from another seed (95 % intervals; {spread})."
    return f"Of the single changes to approach 3 ({len(changes)} of {planned} are there) {best}. {sure}"


def _provenance(results: Results) -> Iterator[str]:
    table = results.runs
    if table.empty:
        raise MissingResults("no finished run", "seglab study-full")
    yield f"This chapter rests on {len(table)} runs."
    for column, what in (
        ("provenance.processor", "Processors"),
        ("provenance.device", "Devices"),
        ("provenance.versions.torch", "PyTorch"),
        ("provenance.code_revision", "Revisions of the code"),
    ):
        if column in table:
            values = ", ".join(f"`{value}`" for value in sorted(set(table[column].dropna().astype(str))))
            yield f"{what}: {values}."


_QUESTION = """
How small can a network for semantic segmentation be, and what does it lose? Three student and robot
projects answer in three ways: *Mini-HRNet* cuts HRNet down in three approaches, *SegSmall* rebuilds
ERFNet from depth-wise separable convolutions, *Mini-UNet* puts a small decoder behind a pretrained
encoder. Each was trained in its own way, so that their published numbers mix the network with its
training. Here all share one training and one definition of every score; all but
`miniunet_lite0_pretrained` start from chance, Mini-UNet's ResNet-18 too.
"""
_METHOD = """
The networks are written from the papers and checked against the logits and the tensors of their authors'
code where it is public. Parameters are the trainable ones of the inference path; multiply-adds (MACs)
are those of convolutions and matrix products, counted twice by independent counters. Scores come from
one integer confusion matrix over a split; a class that occurs neither in truth nor prediction has no IoU
and is left out of the mean. What is given behind ± is the standard deviation of a single seed.
"""
_WEIGHTS = """
A loss that counts pixels listens to the common classes. Weights of the classes change who is heard, and
the next figure shows by how much, before anything is trained.
"""
_THREATS = (
    "*One training for all* is fair to no network in particular: each might gain from its own. The "
    "learning rate is the only thing that was chosen, for all networks together, on a drive that was "
    "held out of the training split and is no part of the test.",
    "*The budget is small.* Pictures are seen at a fraction of their resolution, and large networks may "
    "need more epochs than small ones. The training curves show who still improves at the end.",
    "*Seeds are few*, and they are the only error that ± describes. The drives of CamVid are few, too: "
    "another city is another distribution, and no number here measures that.",
    "*The test split is mixed*: one of its drives continues a training drive. Its two parts stand side "
    "by side in the table for this reason, and the part that was never trained on is the one to quote. "
    "The validation split is a burst out of a training drive and is drawn as a curve only.",
    "*Approaches 1 and 2 are reconstructions*; the thesis names them and publishes no configuration.",
    "*Times are those of one kind of processor and of one GPU*; on other hardware the order of the networks "
    "may differ.",
    "*Runs of a GPU stand among those of processors.* The networks that were trained on both say by how much "
    "that may shift a mean, and little about any single network.",
)
_REPRODUCE = """
`make test` checks the installation, `seglab study-full` trains what is missing and skips what is
there, `seglab figures` and `seglab tables` redraw figures and tables, and `seglab report` writes this
chapter; the last three need neither weights nor data. The folder of each run holds its complete
configuration, and `seglab train --config` on it repeats the run.
"""


# --------------------------------------------------------------------------------------------- the site


def write_site(folder: Path) -> list[Path]:
    """Writes the committed notebooks with their outputs as pages, and an index.

    The pages load nothing from elsewhere. A stand-alone mask overlay that notebook 10 has left behind is
    taken along.

    Args:
        folder: Made if missing; pages of the same names are replaced.

    Returns:
        The pages, the index first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    exporter = HTMLExporter(template_name="basic")
    index, entries = folder / "index.html", []
    pages = [index]
    for path in notebooks.select():
        notebook = nbformat.read(path, as_version=4)
        title = re.search(r"^# (.+)$", notebook.cells[0].source, re.MULTILINE)[1]
        body, _ = exporter.from_notebook_node(notebook)
        page = folder / f"{path.stem}.html"
        write_text(page, _page(title, f'<p><a href="index.html">All notebooks</a></p>\n{body}'))
        pages.append(page)
        entries.append(f'<li><a href="{page.name}">{html.escape(title)}</a></li>')
    overlay = workspace() / "runs" / "notebook10" / "overlay.html"
    if overlay.is_file():
        pages.append(Path(shutil.copyfile(overlay, folder / "overlay.html")))
        entries.append('<li><a href="overlay.html">The mask overlay of notebook 10, without Python</a></li>')
    items = "\n".join(entries)
    write_text(index, _page(TITLE, f"<h1>{TITLE}</h1>\n<ul>\n{items}\n</ul>"))
    return pages


def _page(title: str, body: str) -> str:
    style = _CSS + HtmlFormatter().get_style_defs(".highlight")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title>\n<style>\n{style}\n</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


_CSS = """
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 sans-serif; color: #222; }
pre { overflow-x: auto; font-size: 13px; line-height: 1.35; }
.highlight pre { background: #f6f6f6; padding: 0.6rem; border-left: 3px solid #0072b2; }
.prompt, .anchor-link { display: none; }
img { max-width: 100%; }
table { border-collapse: collapse; font-size: 13px; margin: 1rem 0; }
th, td { padding: 0.2rem 0.6rem; text-align: right; border-bottom: 1px solid #ddd; }
"""
