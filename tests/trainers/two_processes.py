"""Trains several experiments in the processes of one `torchrun`, because starting them takes the most time.

    torchrun --nproc-per-node 2 --no-python python two_processes.py FOLDER

FOLDER holds one YAML file for each experiment and gets a run folder of the same name. Each process writes
what it saw beside it, as `NAME.rankR.json`; and its learning-rate range test of the first experiment, as
`lr.rankR.json`.
"""

import gc
import hashlib
import json
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from seglab.config import read_yaml
from seglab.trainers.learner import Learner
from seglab.trainers.loop import train
from seglab.trainers.lr_range import find_lr
from seglab.trainers.objectives import Objective
from seglab.trainers.processes import Processes


class Witness:
    """What one process sees of its trainings.

    Attributes:
        drawn: For each step, the first random numbers that dropout would draw.
        digests: Of weights and statistics after each epoch.
        wrappers: For each phase, how many data-parallel wrappers are alive once it has begun. An old one
            would add its gradients up over the processes once more.
    """

    def __init__(self) -> None:
        self.drawn: list[list[float]] = []
        self.digests: list[str] = []
        self.wrappers: list[int] = []

    def watch(self) -> None:
        divisors, share, begin = Objective.divisors, Learner.share_buffers, Learner.begin

        def watched_divisors(objective, mask):
            # Called once a step, after the seed and before the forward pass.
            state = torch.get_rng_state()
            self.drawn.append(torch.rand(2).tolist())
            torch.set_rng_state(state)
            return divisors(objective, mask)

        def watched_share(learner):
            share(learner)
            digest = hashlib.sha256()
            for tensor in learner.evaluated.state_dict().values():
                digest.update(tensor.numpy().tobytes())
            self.digests.append(digest.hexdigest())

        def watched_begin(learner, number):
            begin(learner, number)
            alive = sum(type(thing) is DistributedDataParallel for thing in gc.get_objects())
            self.wrappers.append(alive)

        Objective.divisors, Learner.share_buffers, Learner.begin = (
            watched_divisors,
            watched_share,
            watched_begin,
        )


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    witness = Witness()
    witness.watch()
    dist.init_process_group("gloo")
    Processes.leave = Processes.barrier  # the processes stay together for the next training

    def write(name: str, seen: object) -> None:
        path = folder / f"{name}.rank{os.environ['RANK']}.json"
        path.write_text(json.dumps(seen), encoding="utf-8")

    configs = sorted(folder.glob("*.yaml"))
    for config in configs:
        witness.__init__()
        train(read_yaml(config), config.with_suffix(""))
        write(config.stem, vars(witness))
    write("lr", find_lr(read_yaml(configs[0]), first=1e-5, last=1e-2, steps=30).loss.tolist())
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
