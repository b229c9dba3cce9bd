"""Configuration: one strict reader for YAML, overrides and notebooks."""

import pytest
import yaml

from seglab.config import Experiment, config_hash, from_dict, override, read_yaml, to_dict, to_yaml
from seglab.errors import ConfigError
from seglab.recipes import PROFILES, RECIPES, recipe

BASE = Experiment("study", "name")


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("data", ["street_scenes", "camvid", "cityscapes"])
@pytest.mark.parametrize("profile", PROFILES)
def test_every_recipe_survives_yaml(name, data, profile, tmp_path):
    experiment = recipe(name, data, profile)
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(experiment), encoding="utf-8")
    assert read_yaml(path) == experiment
    assert config_hash(read_yaml(path)) == config_hash(experiment)


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("optimizer.lr=1e-3", ("optimizer", "lr"), 0.001),
        ("optimizer.lr=1", ("optimizer", "lr"), 1.0),
        ("data.input_size=[180, 240]", ("data", "input_size"), (180, 240)),
        ("data.input_size=null", ("data", "input_size"), None),
        ("data.report_splits=[test]", ("data", "report_splits"), ("test",)),
        ("model.options.norm=batch", ("model", "options"), {"norm": "batch"}),
        ("training.tensorboard=true", ("training", "tensorboard"), True),
        ("seed=7", ("seed",), 7),
    ],
)
def test_override_changes_one_field(text, path, expected):
    changed = override(BASE, [text])
    value = changed
    for name in path:
        value = getattr(value, name)
    assert value == expected and type(value) is type(expected)
    # And nothing else: put back, the experiment is the old one.
    whole_before, whole_after = before, after = to_dict(BASE), to_dict(changed)
    for name in path[:-1]:
        before, after = before[name], after[name]
    after[path[-1]] = before[path[-1]]
    assert whole_after == whole_before


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("optimizr.lr=1", ["optimizr", "did you mean optimizer"]),
        ("optimizer.lrr=1", ["optimizer.lrr", "did you mean lr", "weight_decay"]),
        ("optimizer.lr.x=1", ["optimizer.lr.x: optimizer.lr has no fields", "optimizer.lr=VALUE"]),
        ("phases.0.epochs=1", ["phases has no fields", "phases=VALUE"]),
        ("model.options.a.b=1", ["model.options.a", "unknown"]),
        ("phases=[{name: a, epochs: 0}]", ["phases[0].epochs: got 0", "1 or more"]),
        ("training.clip_norm=fast", ["training.clip_norm", "a number, or null"]),
        ("data.mean=[123.675, 116.28, 103.53]", ["data.mean", "123.675", "[0, 1]"]),
        ("data.std=[.inf, 1, 1]", ["data.std", "finite"]),
        ("optimizer.weight_decay=.inf", ["optimizer.weight_decay", "finite"]),
        ("optimizer=3", ["optimizer", "section", "optimizer.lr"]),
        ("optimizer.lr=fast", ["optimizer.lr", "'fast'", "a number"]),
        ("optimizer.lr=-1", ["optimizer.lr", "-1.0", "above 0"]),
        ("optimizer.lr=.nan", ["optimizer.lr", "nan"]),
        ("optimizer.name=lion", ["optimizer.name", "'lion'", "adam, adamw, sgd"]),
        ("training.batch_size=1.5", ["training.batch_size", "1.5", "whole number"]),
        ("training.batch_size=true", ["training.batch_size", "True", "whole number"]),
        ("training.batch_size=0", ["training.batch_size", "0", "1 or more"]),
        ("training.accumulation=3", ["training.accumulation", "3", "divisor of 8"]),
        ("data.input_size=[16, 240]", ["data.input_size", "32"]),
        ("data.input_size=[180]", ["data.input_size", "list of 2"]),
        ("data.name=3", ["data.name", "3", "text"]),
        ("model.options=3", ["model.options", "mapping"]),
        ("name=../up", ["name", "../up", "A-Z"]),
        ("optimizer.lr", ["FIELD=VALUE"]),
        ("optimizer.lr=[1", ["optimizer.lr", "YAML"]),
    ],
)
def test_bad_override_names_field_and_what_is_allowed(text, parts):
    with pytest.raises(ConfigError) as error:
        override(BASE, [text])
    for part in parts:
        assert part in str(error.value)
    assert "\n" not in str(error.value)


TWO = "[{name: a, epochs: 20, lr: 0.1, loss: {log_offset: 1.2}}, {name: b, epochs: 30}]"
PHASED = override(BASE, [f"phases={TWO}"])


def test_override_changes_one_phase():
    changed = override(PHASED, ["phases[1].lr=0.5", "phases[0].loss.log_offset=1.3", "phases[0].lr=null"])
    assert [phase.lr for phase in changed.phases] == [None, 0.5]
    assert changed.phases[0].loss.log_offset == 1.3
    expected = to_dict(PHASED)
    expected["phases"][0]["loss"]["log_offset"] = 1.3
    expected["phases"][0]["lr"], expected["phases"][1]["lr"] = None, 0.5
    assert to_dict(changed) == expected
    assert override(PHASED, ["phases[0].loss=null"]).phases[0].loss is None
    assert override(BASE, ["model.options.widths=[4, 8]", "model.options.widths[1]=6"]).model.options == {
        "widths": [4, 6]
    }


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("phases[2].lr=1", ["field phases[2]", "Accepted: [0], [1]"]),
        ("phases.0.lr=1", ["field phases.0", "Accepted: [0], [1]"]),
        ("phases[0].rate=1", ["field phases[0].rate", "epochs, lr"]),
        ("phases[0]=3", ["phases[0]: this is a section", "phases[0].lr"]),
        ("phases[1].loss.log_offset=2", ["phases[1].loss has no fields", "phases[1].loss=VALUE"]),
        ("phases[0].lr.x=1", ["phases[0].lr has no fields"]),
        ("phases[0].epochs=0", ["phases[0].epochs: got 0"]),
        ("training.epochs=3", ["got 3; allowed is 50", "phases[0].epochs", "phases=[]"]),
        ("optimizer=null", ["optimizer: got None", "mapping"]),
    ],
)
def test_bad_override_of_a_phase_says_what_there_is(text, parts):
    with pytest.raises(ConfigError) as error:
        override(PHASED, [text])
    for part in parts:
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("texts", "refused"),
    [
        (["optimizer.lr=1"], "optimizer.lr: phases with their own lr would not see it ('a')"),
        (["loss.terms={dice: 1}"], "phases with their own loss would not see it ('a')"),
        (["data.input_size[0]=32"], "say phases[1].input_size[0]=VALUE as well"),
        (["optimizer.lr=1", "phases[0].lr=null"], None),
        (["optimizer.lr=1", "phases=[]"], None),
        (["data.train_split=trainval"], None),
    ],
)
def test_what_a_phase_would_not_see_is_refused(texts, refused):
    sized = override(PHASED, ["data.input_size=[64, 96]", "phases[1].input_size=[32, 64]"])
    if refused is None:
        assert override(sized, texts) != sized
        return
    with pytest.raises(ConfigError) as error:
        override(sized, texts)
    assert refused in str(error.value)


def test_the_field_of_the_rate():
    assert [PHASED.lr_field(0), PHASED.lr_field(1), BASE.lr_field(0)] == [
        "phases[0].lr", "optimizer.lr", "optimizer.lr"
    ]  # fmt: skip


def test_parts_of_a_batch_are_not_recorded_as_one_graph():
    """The gradient of a part would lie where the graph writes that of the next one."""
    with pytest.raises(ConfigError, match=r"training\.cuda_graphs: got True; allowed is false .* of 2"):
        override(BASE, ["training.cuda_graphs=true", "training.accumulation=2"])
    assert override(BASE, ["training.cuda_graphs=true"]).training.cuda_graphs


def test_missing_field_is_named():
    with pytest.raises(ConfigError, match="study: missing"):
        from_dict(Experiment, {"name": "x"})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        (b"a: [", "not a YAML"),
        (b"\xff\xfe", "not a YAML"),
        (b"just text", "mapping"),
    ],
)
def test_unusable_file_is_named(tmp_path, content, reason):
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=reason) as error:
        read_yaml(path)
    assert str(path) in str(error.value)


def test_yaml_tags_run_no_code(tmp_path):
    canary = tmp_path / "canary"
    path = tmp_path / "config.yaml"
    path.write_text(f"!!python/object/apply:os.system ['touch {canary}']", encoding="utf-8")
    with pytest.raises(ConfigError):
        read_yaml(path)
    assert not canary.exists()


def test_hash_depends_on_values_and_not_on_spelling():
    spelt = yaml.safe_load(to_yaml(BASE))
    spelt["optimizer"] = dict(reversed(spelt["optimizer"].items()))
    spelt["training"]["ema_decay"] = None
    assert config_hash(from_dict(Experiment, spelt)) == config_hash(BASE)
    assert config_hash(override(BASE, ["seed=1"])) != config_hash(BASE)


def test_unknown_recipe_and_profile():
    with pytest.raises(ConfigError, match="did you mean minihrnet_a3"):
        recipe("minihrnet")
    with pytest.raises(ConfigError, match=r"profile 'fast'.*quick, laptop, full"):
        recipe("minihrnet_a3", profile="fast")
    with pytest.raises(ConfigError, match="data set 'camvit'; did you mean camvid"):
        recipe("minihrnet_a3", data="camvit")
