"""Faults F6 and F7: checkpoints that are damaged, exchanged, of another network, or hold code."""

import hashlib
import io
import os
import pickle
import shutil
import zipfile

import numpy as np
import torch

from seglab import checkpoints, config, runs
from seglab.errors import SeglabError

from .harness import difference, experiment, go, outcome, reference, run, survivors


def named(content: bytes, step: int) -> str:
    """The file name that content has by right."""
    return f"step-{step:08d}-{hashlib.sha256(content).hexdigest()[:16]}.pt"


def saved(state) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def test_f6_flipped_bits_and_cut_files(faults, tmp_path):
    for step in (1, 2):
        state = {"step": step, "weight": torch.full((500,), float(step))}
        newest = checkpoints.save(tmp_path, step, state)
    content = newest.read_bytes()
    rng = np.random.default_rng(0)

    def damaged(kind, place):
        if kind == "bit":
            changed = bytearray(content)
            changed[place // 8] ^= 1 << place % 8
        else:
            changed = content[:place]
        newest.write_bytes(changed)
        state, passed_over = checkpoints.load_newest(tmp_path)
        return None if state["step"] == 1 and passed_over == [newest] else "loaded in silence"

    bits = rng.choice(8 * len(content), faults.count(100, 300), replace=False).tolist()
    cuts = rng.choice(len(content), faults.count(30, 100), replace=False).tolist()
    survivors(faults, "F6", damaged, [("bit", b) for b in bits] + [("cut", c) for c in cuts], at_once=1)


def _without(name):
    return lambda state: {key: value for key, value in state.items() if key != name}


ALTERED = {
    "no dict": lambda state: list(state.values()),
    "empty": lambda state: {},
    "other network": lambda state: {
        **state,
        "model": {name: torch.zeros(7) for name in state["model"]},
    },
    "no weights": lambda state: {**state, "model": {}},
    "weights a list": lambda state: {**state, "model": [1, 2]},
    "other optimizer": lambda state: {**state, "optimizer": {"state": {}, "param_groups": []}},
    "no such phase": lambda state: {**state, "phase": 7},
    "other experiment": lambda state: {**state, "config_hash": "0" * 12},
    **{f"without {name}": _without(name) for name in ("execution", "history", "average", "steps", "epoch")},
    "no archive": None,
}


def test_f6_exchanged_or_of_another_shape(faults, scenes12, tmp_path):
    short = experiment(scenes12, epochs=1)
    expected = reference(short, tmp_path / "reference")
    source = tmp_path / "reference" / "checkpoints"
    older, newest = sorted(source.glob("step-*"))
    state = checkpoints.load_newest(source)[0]

    def unfinished(name):
        folder = tmp_path / name
        (folder / "checkpoints").mkdir(parents=True)
        shutil.copy(tmp_path / "reference" / "config.yaml", folder)
        return folder

    def refused(kind):
        folder = unfinished(kind)
        content = b"no archive" if ALTERED[kind] is None else saved(ALTERED[kind](state))
        path = folder / "checkpoints" / named(content, 6)
        path.write_bytes(content)
        log = folder / "log"
        code = run(go, short, folder, log=log)
        said = log.read_text(encoding="utf-8") if log.exists() else ""
        if code != 7 or str(folder) not in said or "\n" in said or path.read_bytes() != content:
            return f"exit {code}, said {said!r}"
        return None

    def exchanged(first, second):
        """Contents under each other's names: the one that is whole is found, or none is."""
        folder = unfinished(f"{first}{second}")
        for name, content in zip((older, newest), (first, second), strict=True):
            whole = {"o": older, "n": newest, "-": None}[content]
            if whole is not None:
                shutil.copy(whole, folder / "checkpoints" / name.name)
        code = run(go, short, folder)
        if first == "o" or second == "n" or first == second == "-":
            return f"exit {code}" if code else difference(expected, outcome(folder))
        return None if code == 7 else f"exit {code}"

    survivors(faults, "F6", refused, [(kind,) for kind in ALTERED])
    cases = [("n", "o"), ("o", "o"), ("n", "n"), ("-", "o"), ("n", "-"), ("-", "-")]
    survivors(faults, "F6", exchanged, cases[:: faults.count(2, 1)])


# ------------------------------------------------------------------------------------- F7: code inside


class Gadget:
    """Pickles as a call."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def gadgets(canary) -> dict[str, object]:
    touch = f"touch '{canary}'"
    write = f"open({str(canary)!r}, 'w').close()"
    return {
        "os.system": Gadget(os.system, touch),
        "os.popen": Gadget(os.popen, touch),
        "eval": Gadget(eval, write),
        "exec": Gadget(exec, write),
        "open": Gadget(open, str(canary), "w"),
        "getattr": Gadget(getattr, Gadget(__import__, "os"), "system"),
        "pickle in pickle": Gadget(pickle.loads, pickle.dumps(Gadget(os.system, touch))),
        "numpy": Gadget(np.save, str(canary), 0),
        "torch.load": Gadget(torch.load, str(canary)),
    }


def contents(gadget) -> dict[str, bytes]:
    """A pickle as torch takes it: bare, in its archive beside tensors, and in an archive in an archive."""
    bare = pickle.dumps(gadget, protocol=2)
    beside = saved({"weights": torch.zeros(2), "more": gadget})
    nested = io.BytesIO()
    with zipfile.ZipFile(nested, "w") as archive:
        archive.writestr("archive/data.pkl", bare)
        archive.writestr("archive/version", b"3")
        archive.writestr("archive/data/0", beside)
    return {"bare": bare, "beside tensors": beside, "nested": nested.getvalue()}


TAGS = (
    "!!python/object/apply:os.system [{touch}]",
    "!!python/object/apply:eval [{write}]",
    "!!python/object/new:os.system [{touch}]",
    "!!python/name:os.system",
    "!!python/module:os",
    "study: !!python/object/apply:subprocess.call [[touch, {canary}]]",
)


def test_f7_code_in_checkpoints_weights_and_configs(faults, tmp_path):
    canary = tmp_path / "canary"

    def quiet(kind, wrapping, place):
        folder = tmp_path / f"{kind} {wrapping} {place}"
        (folder / "checkpoints").mkdir(parents=True)
        content = contents(gadgets(canary)[kind])[wrapping]
        if place == "state":
            (folder / "checkpoints" / named(content, 1)).write_bytes(content)
        else:
            (folder / runs.WEIGHTS).write_bytes(content)
        return not_run(lambda: checkpoints.load_weights(folder))

    def quiet_config(number):
        path = tmp_path / f"{number}.yaml"
        values = {"touch": f"touch {canary}", "write": f"open('{canary}', 'w')", "canary": str(canary)}
        path.write_text(TAGS[number].format(**{k: repr(v) for k, v in values.items()}), encoding="utf-8")
        return not_run(lambda: config.read_yaml(path))

    def not_run(read):
        try:
            read()
            return "taken"
        except SeglabError as error:
            if "\n" in str(error):
                return f"said {error}"
        return "code was run" if canary.exists() or list(tmp_path.glob("canary*")) else None

    cases = [
        (kind, wrapping, place)
        for kind in gadgets(canary)
        for wrapping in ("bare", "beside tensors", "nested")
        for place in ("state", "weights")
    ]
    survivors(faults, "F7", quiet, cases, at_once=1)
    survivors(faults, "F7", quiet_config, [(number,) for number in range(len(TAGS))], at_once=1)


def test_the_gadgets_are_live(tmp_path):
    """What F7 refuses would do harm where it is not refused."""
    for kind in ("os.system", "eval", "pickle in pickle"):
        canary = tmp_path / kind.replace(" ", "-")
        pickle.loads(pickle.dumps(gadgets(canary)[kind]))
        assert canary.exists()
