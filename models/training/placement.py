"""Where a training runs: device, precision and processes, as accelerate finds them. Decides nothing about the weights.

accelerate reads what its launcher, its configuration or torchrun set: one CPU or GPU, several, FSDP, DeepSpeed. The
recipe stays the same. FSDP must be version 2; DeepSpeed's stages 1 and 2 train, without checkpoints to resume from.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.errors import MissingExtra, TrainingError
from models.training.recipe import TrainingRecipe


def accelerator_for(recipe: TrainingRecipe) -> Any:  # noqa: ANN401 - accelerate is imported late
    """The accelerator for a recipe, in each process of a launch.

    Raises:
        MissingExtra: torch or accelerate is not installed.
        TrainingError: the launcher's settings ask for what the engine does not do.
    """
    processes = this_process()
    import accelerate
    from accelerate.state import AcceleratorState
    from accelerate.utils import DistributedType

    mixed = "bf16" if precision_of(recipe) == "bf16" else "no"
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != mixed:
        AcceleratorState._reset_state()  # it remembers the precision of the process's first training
    # A weight that no text reaches (an encoder's unused pooler) must not stop several processes from agreeing.
    unused = accelerate.DistributedDataParallelKwargs(find_unused_parameters=True)
    on_cpu = processes.device.type == "cpu"
    accelerator = accelerate.Accelerator(cpu=on_cpu, mixed_precision=mixed, kwargs_handlers=[unused])
    accelerator.gradient_accumulation_steps = 1  # the loop divides once; a launcher's number would divide again
    if accelerator.distributed_type == DistributedType.FSDP and not accelerator.is_fsdp2:
        raise TrainingError("accelerate is set to FSDP version 1. Set fsdp_version to 2 (`accelerate config`).")
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        plugin = accelerator.state.deepspeed_plugin
        if plugin.zero_stage == 3:
            raise TrainingError("accelerate is set to DeepSpeed's ZeRO stage 3. Use stage 2, or FSDP version 2.")
        plugin.deepspeed_config["train_micro_batch_size_per_gpu"] = 1  # the loop forms the batches
        plugin.deepspeed_config["gradient_accumulation_steps"] = 1
        plugin.deepspeed_config["gradient_clipping"] = recipe.max_gradient_norm
    return accelerator


def this_process() -> Any:  # noqa: ANN401 - accelerate is imported late
    """What accelerate knows: how many processes there are, which this one is, and its device.

    Raises:
        MissingExtra: torch or accelerate is not installed.
        TrainingError: the launcher started several processes that do not know of each other.
    """
    try:
        import accelerate
        import torch
    except ImportError as error:
        raise MissingExtra("torch, peft and accelerate", "train", "Training a text network") from error
    # Without the word "cpu", accelerate lets each of torchrun's processes on a CPU believe that it is alone.
    state = accelerate.PartialState(cpu=not torch.accelerator.is_available())
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    if state.num_processes != launched:
        raise TrainingError(
            f"{launched} processes were launched and each believes that there are {state.num_processes}, "
            "so each would train alone. Set ACCELERATE_USE_CPU=true, or launch on as many GPUs."
        )
    return state


def precision_of(recipe: TrainingRecipe) -> str:
    """`bf16` or `fp32`: what `auto` means here."""
    if recipe.precision != "auto":
        return recipe.precision
    import torch

    return "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "fp32"


@contextmanager
def threads_and_dice(recipe: TrainingRecipe) -> Iterator[None]:
    """Inside, torch has the recipe's number of threads and random numbers of its own; both are given back."""
    import torch

    n_before = torch.get_num_threads()
    torch.set_num_threads(recipe.n_threads)
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(n_before)


def checkpoint_activations(module: Any, *, on: bool) -> None:  # noqa: ANN401 - a torch module
    """Recompute activations in the backward pass, or stop doing so.

    Raises:
        TrainingError: no part of the module can.
    """
    able = [part for part in module.modules() if hasattr(part, "activation_checkpointing_enable")]
    if not able:
        raise TrainingError(
            f"checkpoint_activations is set and {type(module).__name__} holds no transformers model that can. "
            "Leave it out, and lower tokens_at_once to save memory."
        )
    if on:
        able[0].activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    else:
        able[0].activation_checkpointing_disable()
