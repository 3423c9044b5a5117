"""What tells one family of pretrained models from another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["ENCODERS", "Family"]

# Encoders of text whose configs hold no other model's: such a part may lead to files that are unpickled. Those whose
# logits depend on padding on the right that the attention mask marks (convbert, fnet, funnel, nystromformer, xlnet), or
# that need more than text (xmod: its language), are left out.
_ENCODERS = (
    "albert bert big_bird camembert data2vec-text deberta deberta-v2 distilbert electra ernie eurobert flaubert gte "
    "ibert jina_embeddings_v3 longformer megatron-bert mobilebert modernbert mpnet nomic_bert rembert roberta "
    "roberta-prelayernorm roc_bert roformer squeezebert xlm xlm-roberta xlm-roberta-xl"
)
ENCODERS = tuple(_ENCODERS.split())
"""The `model_type` of every encoder that `minilm` and `bert_base_uncased` take."""


@dataclass(frozen=True)
class Family:
    """A registered model, and what may stand in its place.

    Attributes:
        name: Its name in the registry.
        takes: What kind of models `types` are, for messages.
        types: The values of `model_type` that it takes.
        heads: The kinds of heads that it can have, the first of them the one it is made for.
        elsewhere: For each other kind, the models that have such a head.
        default: The hub id that `model_name` has unless told otherwise.
        architecture: Makes the transformers config of `default`, without any file.
        package: An installed package that brings the files of `default` in its folder `model`.
        extra: What brings that package, for messages.
    """

    name: str
    takes: str
    types: tuple[str, ...]
    heads: tuple[str, ...]
    elsewhere: Mapping[str, str]
    default: str
    architecture: Callable[[], Any]
    package: str | None = None
    extra: str | None = None
