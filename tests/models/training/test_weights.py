"""Trained weights and the optimiser's memory survive being kept, whole or as a process's part."""

import pytest
import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from core.errors import TrainingError
from models.training.weights import Weights


@pytest.fixture
def one_process_group():
    """A gloo group of one, on which FSDP shards into one part."""
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    torch.distributed.destroy_process_group()


def steps(module, optimizer, n):
    for _ in range(n):
        module(torch.ones(3, 4)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()


def made(mesh=None):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    if mesh is not None:
        fully_shard(module, mesh=mesh)
    return module, torch.optim.AdamW(module.parameters(), lr=0.1)


def check_kept_after_two_steps(mesh):
    module, optimizer = made(mesh)
    steps(module, optimizer, 2)
    kept = Weights(module, optimizer).state()
    steps(module, optimizer, 3)
    expected = Weights(module, optimizer).arrays()
    again, again_optimizer = made(mesh)

    Weights(again, again_optimizer).load_state(kept)

    steps(again, again_optimizer, 3)
    found = Weights(again, again_optimizer).arrays()
    assert {name: array.tolist() for name, array in found.items()} == {n: a.tolist() for n, a in expected.items()}
    return Weights(again, again_optimizer), kept


def test_a_kept_state_goes_on_bit_for_bit():
    weights, kept = check_kept_after_two_steps(None)

    assert not weights.is_sharded
    assert weights.n_trained == 4 * 4 + 4 + 4 * 2 + 2
    assert len(kept) == 4 * 4  # value, two moments and a count of each of four weights


@pytest.mark.filterwarnings("ignore")  # of torch's, about gloo on a CPU
def test_a_kept_part_of_a_sharded_state_goes_on_bit_for_bit(one_process_group):
    weights, _ = check_kept_after_two_steps(one_process_group)

    assert weights.is_sharded


class Fellow:
    """An accelerator of two processes, of which the other holds `theirs`."""

    num_processes = 2

    def __init__(self, theirs):
        self.theirs = theirs

    def gather(self, ours):
        return torch.cat([ours, torch.tensor([self.theirs], dtype=ours.dtype)])


def test_processes_that_drifted_apart_are_refused():
    module, optimizer = made()
    weights = Weights(module, optimizer)
    total = float(torch.stack([w.detach().double().sum() for w in module.parameters()]).sum())

    weights.check_processes_agree(Fellow(total))
    with pytest.raises(TrainingError, match="The 2 processes hold different weights"):
        weights.check_processes_agree(Fellow(total + 1e-12))
