"""The Trainer of transformers, with the batches, optimizer, schedule and checkpoints of `functional`."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from codex_addons.component import component
from codex_addons.errors import closest
from codex_ml.errors import DataError
from codex_ml.interfaces import Context
from codex_ml.trainers.options import TrainerOptions

__all__ = ["HfTrainerOptions", "hf_trainer"]

# What other options, the launcher or its plugins decide; beside these, what would reach the network or run programs.
_FIXED = frozenset(
    (
        *("accelerator_config", "auto_find_batch_size", "bf16", "bf16_full_eval", "data_seed", "ddp_backend", "debug"),
        *("dataloader_num_workers", "deepspeed", "disable_tqdm", "do_eval", "do_predict", "do_train", "eval_on_start"),
        *("eval_steps", "eval_strategy", "fp16", "fp16_full_eval", "fsdp", "fsdp_config", "greater_is_better"),
        *(
            "gradient_accumulation_steps",
            "gradient_checkpointing",
            "hub_always_push",
            "hub_model_id",
            "hub_private_repo",
        ),
        *("hub_revision", "hub_strategy", "hub_token", "ignore_data_skip", "learning_rate", "load_best_model_at_end"),
        *("local_rank", "logging_dir", "logging_steps", "logging_strategy", "lr_scheduler_kwargs", "lr_scheduler_type"),
        *(
            "max_grad_norm",
            "max_steps",
            "metric_for_best_model",
            "num_train_epochs",
            "optim",
            "optim_args",
            "output_dir",
        ),
        *("optim_target_modules", "parallelism_config", "per_device_eval_batch_size", "per_device_train_batch_size"),
        *("project", "push_to_hub", "remove_unused_columns", "report_to", "resume_from_checkpoint", "run_name"),
        *("save_only_model", "save_steps", "save_strategy", "save_total_limit", "seed", "torch_compile"),
        *("torch_compile_backend", "torch_compile_mode", "trackio_space_id", "train_sampling_strategy", "use_cpu"),
        *("warmup_ratio", "warmup_steps", "weight_decay"),
    )
)


@dataclass(frozen=True)
class HfTrainerOptions(TrainerOptions):
    """The options of the trainer `hf_trainer`."""

    args: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "Any other argument of transformers' TrainingArguments."}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in sorted(_FIXED & self.args.keys()):
            raise ValueError(f"trainer.args.{name} cannot be set: another option or the launcher decides it")


@component(
    config=HfTrainerOptions,
    checkpoints=True,
    requires=("torch", "transformers", "accelerate"),
    extra="hf-trainer",
)
def hf_trainer(context: Context, **options: Any) -> dict[str, Any]:
    """Trains the context's model with `transformers.Trainer`.

    Batches, loss, optimizer, schedule, measurements and log lines are those of `functional`; the loop, mixed
    precision and devices are the library's.

    Args:
        context: The run.
        **options: The options of `HfTrainerOptions`.

    Returns:
        `steps` and `epochs` done, and `records` seen.

    Raises:
        ValueError: An option is out of range, or `args` has an argument that there is none of.
        DataError: There are no training records.
        ModelError: The loss is no longer finite, or the device cannot do what an option asks for.
        ImportError: accelerate is missing.
    """
    config = HfTrainerOptions(**options)
    if not len(context.train):
        raise DataError("there are no training records")
    try:
        import accelerate  # noqa: F401 - transformers' own message names no extra
    except ImportError as error:
        raise ImportError("the trainer hf_trainer needs accelerate: pip install 'codex-ml[hf-trainer]'") from error
    _check(config)
    from codex_ml.trainers.hf_loop import train

    return train(context, config)


def _check(config: HfTrainerOptions) -> None:
    from transformers import TrainingArguments

    known = [each.name for each in fields(TrainingArguments)]
    for name in config.args:
        if name not in known:
            near = closest(name, known, 1)
            hint = f"; do you mean {near[0]}?" if near else ""
            raise ValueError(f"trainer.args.{name}: TrainingArguments has no such argument{hint}")
