from __future__ import annotations

import subprocess
import sys

import pytest

from codex_ml import registries

HEAVY = [
    *("datasets", "fsspec", "hydra", "numpy", "pandas", "peft", "pyarrow", "rich", "rouge_score", "sacrebleu"),
    *("safetensors", "scipy", "sentencepiece", "sklearn", "tokenizers", "torch", "transformers"),
]


@pytest.mark.parametrize("kind", registries.GROUPS)
def test_importing_components_leaves_heavy_libraries_alone(kind):
    own = [entry for entry in registries.options(kind).values() if entry.distribution == "codex-ml"]
    modules = sorted(entry.target.partition(":")[0] for entry in own)
    assert modules
    code = f"import sys, {', '.join(modules)}\nprint(sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
