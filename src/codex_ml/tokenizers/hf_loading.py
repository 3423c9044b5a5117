"""Loading what transformers saved, from the hub, a folder or a file; nothing that lies there is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codex_ml.pretrained import VOCABULARY_FILES

__all__ = ["from_file", "from_source", "source_of"]

# What the special tokens of a lone tokenizer.json are called, as its file doesn't tell what each is for.
_NAMED = {
    "pad_token": ("[PAD]", "<pad>", "<|pad|>", "<|endoftext|>"),
    "unk_token": ("[UNK]", "<unk>", "<|endoftext|>"),
    "bos_token": ("<s>", "<bos>", "[BOS]", "<|begin_of_text|>", "<|endoftext|>"),
    "eos_token": ("</s>", "<eos>", "[EOS]", "<|end_of_text|>", "<|endoftext|>"),
    "cls_token": ("[CLS]", "<cls>"),
    "sep_token": ("[SEP]", "<sep>"),
    "mask_token": ("[MASK]", "<mask>"),
}
# What AutoTokenizer raises about damaged, foreign and missing files.
_UNLOADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, RecursionError)


def source_of(name: str) -> Path | str:
    """The folder or file that a name stands for, else the name, which is a hub id.

    Raises:
        ValueError: It looks like a path, and there is nothing; or a folder holds no tokenizer.
    """
    try:
        path = Path(name).expanduser()
        is_file = path.is_file()
    except (OSError, RuntimeError) as error:
        raise ValueError(f"tokenizer.tokenizer_name: {name} cannot be looked up ({error})") from error
    if is_file:
        # Its folder tells the special tokens.
        whole = path.name == "tokenizer.json" and (path.parent / "tokenizer_config.json").is_file()
        return path.parent if whole else path
    if not path.is_dir():
        if name.count("/") > 1 or name.startswith((".", "/", "~")) or name.endswith(".json"):
            raise ValueError(f"tokenizer.tokenizer_name: there is no folder {name}")
        return name
    # Without this check transformers makes an empty vocabulary of five tokens from a config.json alone.
    if not any((path / file).is_file() for file in VOCABULARY_FILES):
        raise ValueError(f"tokenizer.tokenizer_name: {name} holds no tokenizer ({', '.join(VOCABULARY_FILES)})")
    return path


def from_file(file: Path, chosen: dict[str, Any]) -> Any:
    """A tokenizer from a `tokenizer.json` alone; special tokens are known by their usual names.

    Raises:
        ValueError: The file holds no tokenizer.
    """
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    try:
        backend = Tokenizer.from_str(file.read_text(encoding="utf-8"))
    # The library raises Exception itself.
    except Exception as error:
        raise ValueError(_unloadable(file, error)) from error
    there = {token.content for token in backend.get_added_tokens_decoder().values() if token.special}
    special = {
        name: next(each for each in usual if each in there) for name, usual in _NAMED.items() if there & set(usual)
    }
    return PreTrainedTokenizerFast(tokenizer_object=backend, **special, **chosen)


def from_source(source: Path | str, revision: str, chosen: dict[str, Any], *, only_cache: bool) -> Any:
    """A tokenizer from a folder or the hub.

    Raises:
        ValueError: There is none, or it cannot be loaded, or asks for code of its own.
        ImportError: It needs a library that isn't installed.
    """
    from transformers import AutoTokenizer

    if only_cache and not isinstance(source, Path):
        source = _cached(source, revision)
    where: dict[str, Any] = {"revision": revision, "local_files_only": only_cache or isinstance(source, Path)}
    try:
        _check_class(source, where)
        tokenizer = AutoTokenizer.from_pretrained(str(source), trust_remote_code=False, **where, **chosen)
        if type(tokenizer).__name__ == "SentencePieceBackend":
            # What the tokenizer `sentencepiece` saved; this class decodes byte pieces too.
            from codex_ml.tokenizers.sentencepiece_tokenizer import SentencePieceTokenizer

            tokenizer = SentencePieceTokenizer.from_pretrained(str(source), **where, **chosen)
    except _UNLOADABLE as error:
        raise ValueError(_unloadable(source, error)) from error
    # The library tokenizers raises Exception itself.
    except Exception as error:
        if type(error) is not Exception:
            raise
        raise ValueError(_unloadable(source, error)) from error
    return tokenizer


def _cached(name: str, revision: str) -> Path:
    """The folder of the hub's cache that holds a tokenizer; the hub's own look-ups open connections all the same."""
    from huggingface_hub import try_to_load_from_cache

    try:
        found = [try_to_load_from_cache(name, file, revision=revision) for file in VOCABULARY_FILES]
    except ValueError as error:
        raise ValueError(_unloadable(name, error)) from error
    for file in found:
        if isinstance(file, str):
            return Path(file).parent
    told = "it is not in the cache, and tokenizer.local_files_only=true forbids to ask the hub."
    raise ValueError(_unloadable(name, OSError(told)))


def _check_class(source: Path | str, where: dict[str, Any]) -> None:
    """Refuses a `tokenizer_class` that is no tokenizer: transformers would load a model, say, as readily."""
    from transformers import PreTrainedTokenizerBase
    from transformers.models.auto.tokenization_auto import get_tokenizer_config, tokenizer_class_from_name

    name = get_tokenizer_config(str(source), **where).get("tokenizer_class")
    if name is None:
        return
    found = tokenizer_class_from_name(name) if isinstance(name, str) else name
    # Stand-ins for classes whose library is missing say what to install when they are used.
    missing = hasattr(found, "_backends")
    if (
        found is not None
        and not missing
        and not (isinstance(found, type) and issubclass(found, PreTrainedTokenizerBase))
    ):
        raise ValueError(f"tokenizer_config.json names the tokenizer_class {name!r}, which is no tokenizer")


def _unloadable(source: Path | str, error: Exception) -> str:
    reason = " ".join((str(error) or type(error).__name__).partition("\n")[0].split())
    if isinstance(source, Path):
        return f"tokenizer.tokenizer_name: cannot load {source}: {reason}"
    return (
        f"tokenizer.tokenizer_name: cannot get {source!r} from the Hugging Face hub or its cache: {reason} Check the "
        "name and the network; or put tokenizer.json and tokenizer_config.json into a local folder and give that; or "
        "copy them into the hub's cache (HF_HOME) from a machine with a network"
    )
