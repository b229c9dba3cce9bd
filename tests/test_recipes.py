"""The recipes against what their authors published, and the comparison against its own protocol."""

import dataclasses

import pytest
import yaml

from seglab import comparison
from seglab.config import Experiment, from_dict, to_dict, to_yaml
from seglab.errors import ConfigError
from seglab.models import list_models
from seglab.recipes import PROFILES, RECIPES, recipe

DATA = ("street_scenes", "camvid", "soccer_scenes", "cityscapes")


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_recipe_is_complete_and_can_be_written_down(name, data, profile):
    experiment = recipe(name, data, profile, seed=3)
    assert from_dict(Experiment, yaml.safe_load(to_yaml(experiment))) == experiment
    assert (experiment.data.name, experiment.profile, experiment.seed) == (data, profile, 3)
    assert experiment.study == (f"{data}_full" if profile == "full" else data)
    assert sum(phase.epochs for phase in experiment.plan) == experiment.training.epochs >= 1


def test_every_network_has_a_recipe():
    assert set(RECIPES) == set(list_models())


@pytest.mark.parametrize(
    ("name", "optimizer", "lr", "decay", "epochs", "batch", "weights"),
    [  # FACTS: HRNet 4.2, ERFNet 2.2, SegSmall 2.1, Mini-HRNet 1.3, Mini-UNet 3.1
        ("hrnetv2_w48", "sgd", 0.01, 5e-4, 484, 12, "hrnet"),
        ("erfnet", "adam", 5e-4, 1e-4, 300, 6, "log_inverse"),
        ("segsmall", "adam", 5e-4, 1e-4, 100, 16, "inverse"),
        ("minihrnet_a3", "adam", 1e-3, 0.0, 484, 1, "hrnet"),
        ("miniunet", "adam", 1e-3, 0.0, 80, 8, "none"),
    ],
)
def test_the_published_budget(name, optimizer, lr, decay, epochs, batch, weights):
    experiment = recipe(name, "cityscapes", "full")
    found = experiment.optimizer
    assert (found.name, found.lr, found.weight_decay) == (optimizer, lr, decay)
    assert (experiment.training.epochs, experiment.training.batch_size) == (epochs, batch)
    assert experiment.loss.class_weights == weights


def test_erfnet_learns_its_encoder_first():
    encoder, decoder = recipe("erfnet", "cityscapes", "full").plan
    assert (encoder.epochs, encoder.head, encoder.freeze) == (150, "aux", ("decoder", "head"))
    assert (decoder.epochs, decoder.head, decoder.freeze) == (150, "main", ())
    assert (encoder.loss.log_offset, decoder.loss.log_offset) == (1.20, 1.10)
    assert encoder.input_size == decoder.input_size == (512, 1024)


def test_mini_unet_thaws_and_grows():
    phases = recipe("miniunet", "soccer_scenes", "full").plan
    assert [phase.epochs for phase in phases] == [26, 15, 39]
    assert [phase.lr for phase in phases] == [1e-3, 1e-4, 1e-4]
    assert [phase.freeze for phase in phases] == [("encoder",), (), ()]
    assert [phase.input_size for phase in phases] == [(240, 320), (240, 320), None]
    assert phases[2].weight_decay == 5e-4


def test_your_own_data_has_a_budget_and_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    experiment = recipe("minihrnet_a3", "photos/../garden.yaml")
    assert experiment.study == "garden" and experiment.data.name == str(tmp_path / "garden.yaml")
    assert recipe("erfnet", "~/garden.yaml").data.name == str(tmp_path / "home" / "garden.yaml")
    assert recipe("miniunet", "garden.yml", "laptop").plan[0].input_size is None


@pytest.mark.parametrize(
    ("file", "study"),
    [
        ("my garden.yaml", "my_garden"),
        ("Gärten/été 2.yml", "_t__2"),
        ("-x.yaml", "_x"),
        ("☃.yaml", "_"),
        (f"{'a' * 200}.yaml", "a" * 90),
    ],
)
def test_the_study_of_your_own_data_is_a_name_for_a_folder(file, study):
    assert recipe("minihrnet_a3", file).study == study
    assert recipe("minihrnet_a3", file, "full").study == f"{study}_full"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("minihrnet",), "minihrnet_a3"),
        (("erfnet", "camvit"), "did you mean camvid"),
        (("erfnet", "camvid", "small"), "quick, laptop, full"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(arguments, hint):
    with pytest.raises(ConfigError, match=hint):
        recipe(*arguments)


# ---------------------------------------------------------------------------------- the comparison


def difference(one, other, prefix=""):
    """The full names of the fields in which two experiments differ."""
    found = set()
    for name, value in one.items():
        if isinstance(value, dict) and name != "options":
            found |= difference(value, other[name], f"{prefix}{name}.")
        elif value != other[name]:
            found.add(prefix + name)
    return found


def test_every_run_has_a_folder_of_its_own():
    runs = comparison.everything()
    assert len({(one.study, one.name, one.seed) for one in runs}) == len(runs)


def test_networks_differ_in_nothing_but_the_network():
    first, *others = comparison.networks()
    for one in others:
        allowed = {"name", "seed", "model.name", "model.options"}
        if one.model.options.get("encoder") == "efficientnet_lite0":  # sees what it was pretrained on
            allowed |= {"data.mean", "data.std"}
            assert one.data.mean == one.data.std == (0.5, 0.5, 0.5)
        assert difference(to_dict(first), to_dict(one)) <= allowed
    assert {one.model.name for one in comparison.networks()} == set(list_models())
    seeds = [one.seed for one in comparison.networks() if one.name == "minihrnet_a3"]
    assert seeds == [0, 1, 2]


def test_an_ablation_changes_one_thing():
    base = to_dict(comparison.protocol("minihrnet_a3", comparison.NETWORKS["minihrnet_a3"]))
    for one in comparison.ablations():
        sections = {name.split(".")[0] for name in difference(base, to_dict(one)) - {"name"}}
        assert len(sections) == 1, one.name


def test_nothing_is_chosen_on_what_is_reported():
    for one in comparison.tuning():
        assert (one.data.train_split, one.data.eval_split) == ("devtrain", "devval")
        assert one.data.report_splits == ("devval",)
    assert comparison.LEARNING_RATE in comparison.LEARNING_RATES


def test_the_soccer_variants_cost_the_same_pixels():
    def pixels(experiment):
        return sum(p.epochs * p.input_size[0] * p.input_size[1] for p in experiment.plan)

    seed0 = {one.name: one for one in comparison.soccer_phases() if one.seed == 0}
    assert len({pixels(one) for one in seed0.values()}) == 1
    assert all(not p.freeze for p in seed0["not_frozen"].plan)
    assert len({p.input_size for p in seed0["not_resized"].plan}) == 1

    def rates_of_the_encoder(name):
        return sorted((p.lr, p.epochs) for p in seed0[name].plan if not p.freeze)

    def steps(name):
        return sum(p.epochs for p in seed0[name].plan) / seed0[name].training.batch_size

    fast = [rate for rate in rates_of_the_encoder("not_frozen") if rate[0] == 1e-3]
    assert fast and [rate for rate in rates_of_the_encoder("unfrozen_fast") if rate[0] == 1e-3] == fast
    assert steps("not_resized") == steps("recipe") / 2 and steps("not_resized_half_batch") == steps("recipe")
    mistakes = {one.name: one for one in comparison.soccer_mistakes() if one.seed == 0}
    assert [p.train_split for p in mistakes["leak"].plan] == ["redrawn", "redrawn", "train"]
    changed = difference(to_dict(seed0["recipe"]), to_dict(mistakes["interpolated_masks"]))
    assert changed == {"name", "augment.mask_resize"}
    leak = dataclasses.replace(mistakes["leak"], phases=seed0["recipe"].phases, name="recipe")
    assert leak == seed0["recipe"]
