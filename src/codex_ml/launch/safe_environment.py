"""Which variables a config may set for a run: those that tune or limit, and nothing that could name code."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from omegaconf import DictConfig

from codex_ml.launch.settled import INTERPOLATION, raw

__all__ = ["problems"]

_THREADS = """
    OMP_NUM_THREADS OMP_PLACES OMP_PROC_BIND OMP_DYNAMIC OMP_WAIT_POLICY KMP_AFFINITY KMP_BLOCKTIME MKL_NUM_THREADS
    MKL_DYNAMIC OPENBLAS_NUM_THREADS NUMEXPR_NUM_THREADS VECLIB_MAXIMUM_THREADS RAYON_NUM_THREADS TOKENIZERS_PARALLELISM
"""
_DEVICES = """
    CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER CUDA_LAUNCH_BLOCKING CUBLAS_WORKSPACE_CONFIG PYTORCH_CUDA_ALLOC_CONF
    PYTORCH_ALLOC_CONF NVIDIA_TF32_OVERRIDE HIP_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES NCCL_DEBUG NCCL_P2P_DISABLE
    NCCL_IB_DISABLE NCCL_SOCKET_IFNAME GLOO_SOCKET_IFNAME
"""
_OFFLINE = """
    HF_HUB_OFFLINE HF_DATASETS_OFFLINE TRANSFORMERS_OFFLINE TRANSFORMERS_VERBOSITY HF_HUB_DISABLE_PROGRESS_BARS
    HF_HUB_DISABLE_TELEMETRY WANDB_MODE WANDB_SILENT
"""
_DISPLAY = "NO_COLOR COLUMNS TZ"
# No list of dangerous names is ever complete: each library brings more of them.
_ALLOWED = frozenset((_THREADS + _DEVICES + _OFFLINE + _DISPLAY).split())


def problems(job: DictConfig) -> Iterator[tuple[str, str]]:
    """`(path, message)` for each variable of `hydra.job.env_set` that a config may not set."""
    path, variables = "hydra.job.env_set", raw(job._get_node("env_set"))
    if not isinstance(variables, Mapping):
        yield path, f"'{path}' must be a mapping that is written out"
        return
    names = raw(job._get_node("env_copy")) or ()
    for name, value in variables.items():
        # What hydra.job.env_copy took from this environment is there already.
        copied = name in names and value == os.environ.get(str(name)) and not INTERPOLATION.search(str(value))
        if not (copied or name in _ALLOWED):
            yield (
                f"{path}.{name}",
                f"'{path}.{name}' is refused: a config may set only variables that tune a run, for others can run "
                "code (docs/safety.md lists those); set it in the shell",
            )
