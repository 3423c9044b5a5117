"""A tokenizer for transformers that gives SentencePiece's own ids. Its import brings transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import SentencePieceBackend

__all__ = ["SentencePieceTokenizer"]


class SentencePieceTokenizer(SentencePieceBackend):
    """SentencePiece behind the transformers call interface.

    `tokenizer(text, add_special_tokens=False)` gives the ids of `SentencePieceProcessor.encode` for every text, and
    `decode` the text of its `decode`. What `save_pretrained` writes names transformers' own `SentencePieceBackend`, so
    that `AutoTokenizer` reads it without this package: with the same ids, but `decode` there strips texts and
    shows byte pieces as "<0xE2>"; `SentencePieceTokenizer.from_pretrained` of the same folder gives them back.
    """

    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012 as transformers has it

    def _tokenize(self, text: str, **kwargs: Any) -> list[str]:
        # By the id: a run of unknown characters may read like a piece that it is not.
        return self.sp_model.id_to_piece(self.sp_model.encode(text))

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """The text of pieces; special tokens that the model file doesn't know stay as they are."""
        texts: list[str] = []
        pieces: list[str] = []
        shown = set(self.all_special_tokens)
        for token in tokens:
            if token in shown:
                texts += [self._joined(pieces), token]
                pieces = []
            else:
                pieces.append(token)
        return "".join([*texts, self._joined(pieces)])

    def _joined(self, pieces: list[Any]) -> str:
        return self.sp_model.decode(pieces) if pieces else ""

    def _decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        spaces_between_special_tokens: bool = False,
        **kwargs: Any,
    ) -> str:
        """The text of ids: unlike the pieces' names, they tell an unknown character from the text "<unk>"."""
        # The unknown token stands for text, which SentencePiece shows as " ⁇ ".
        special: set[Any] = {*self.all_special_ids} - {self.unk_token_id}  # pyright: ignore[reportUnhashable]
        size = self.sp_model.get_piece_size()
        texts: list[str] = []
        ids: list[int] = []
        for each in [token_ids] if isinstance(token_ids, int) else map(int, token_ids):
            if each in special and skip_special_tokens:
                continue
            if each in special or each >= size:
                texts += [self._joined(ids), str(self.convert_ids_to_tokens(each))]
                ids = []
            else:
                ids.append(each)
        return "".join([*texts, self._joined(ids)])

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str]:
        """Writes the model that is in use, whatever has become of the file that it came from."""
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        path = Path(save_directory) / f"{prefix}{self.vocab_files_names['vocab_file']}"
        path.write_bytes(self.sp_model.serialized_model_proto())
        return (str(path),)

    def save_pretrained(self, save_directory: Any, *arguments: Any, **keywords: Any) -> Any:
        """Writes `tokenizer.model` and `tokenizer_config.json`."""
        written = super().save_pretrained(save_directory, *arguments, **keywords)
        path = Path(save_directory) / "tokenizer_config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        config |= {
            "tokenizer_class": SentencePieceBackend.__name__,
            "special_tokens_pattern": self.special_tokens_pattern,
        }
        config |= {"split_special_tokens": self.split_special_tokens, "model_input_names": self.model_input_names}
        path.write_text(json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
        return written
