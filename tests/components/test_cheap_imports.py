from __future__ import annotations

import subprocess
import sys

import pytest

MODULES = [
    "codex_ml.metrics.accuracy",
    "codex_ml.metrics.f1",
    "codex_ml.models.minilm",
    "codex_ml.plugins.progress",
    "codex_ml.tasks.classification",
    "codex_ml.tokenizers.hf",
    "codex_ml.trainers.functional",
    "codex_ml.trainers.schedules",
]
HEAVY = ["hydra", "numpy", "rich", "safetensors", "sklearn", "torch", "transformers"]


@pytest.mark.parametrize("module", MODULES)
def test_importing_a_component_leaves_heavy_libraries_alone(module):
    code = f"import sys, {module}\nprint(sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
