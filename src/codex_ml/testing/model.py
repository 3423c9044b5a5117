"""Checks of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from codex_ml.testing.component import ComponentTests
from codex_ml.testing.expectation import check
from codex_ml.testing.tiny_run import RECORDS, ran, tiny_assembly, tiny_tokenizer_component

__all__ = ["ModelTests"]

_SEED = 7


class ModelTests(ComponentTests):
    """Checks that a model factory is one: `factory(config) -> (model, tokenizer)` or `(model, None)`.

    It is built as codex-run builds it, on the CPU, for a classifier with two labels. Choose options that make it tiny.

    Attributes:
        head: What the task needs of the model. Beside it stands `vocab_size`, that of the kit's tokenizer (a token a
            byte), with which a model is checked that brings none.
    """

    kind: ClassVar[str] = "model"
    head: Mapping[str, Any] = {
        "kind": "sequence_classification",
        "labels": ["sport", "tech"],
        "num_labels": 2,
    }

    def use(self, folder: Path, arguments: Mapping[str, Any]) -> Any:
        """Builds the model."""
        return self._built(arguments)

    def logits_shape(self, records: int, length: int, vocabulary: int) -> tuple[int, ...]:
        """The shape that its logits must have.

        Args:
            records: How many records the batch has.
            length: How many tokens.
            vocabulary: How many token ids the tokenizer has.
        """
        labels = self.head.get("num_labels")
        return (records, length, vocabulary) if labels is None else (records, labels)

    def test_it_returns_a_model_and_a_tokenizer_or_none(self) -> None:
        """A model that brings its tokenizer is built without knowing of another."""
        model, tokenizer = self._built(self.arguments())
        check(callable(model), f"{self} returns a {type(model).__name__}, which cannot be called")
        if tokenizer is not None:
            check(callable(tokenizer), f"{self} returns a {type(tokenizer).__name__}, which cannot be called")
            self._built(self.arguments(), head=dict(self.head))

    def test_its_options_are_not_changed(self) -> None:
        """The same config may be used again."""
        config = {**self.arguments(), "device": "cpu", "dtype": "float32", "head": self._head()}
        before = repr(config)
        self.component(config)
        check(repr(config) == before, f"{self} changes the config that it is given: {before} became {config!r}")

    def test_its_logits_fit(self) -> None:
        """A batch of texts of different lengths gives logits of the right shape, the same each time."""
        import torch

        model, tokenizer = self._pair()
        inputs = self._batch(tokenizer)
        logits = self._logits(model, inputs)
        records, length = inputs["input_ids"].shape
        wanted = self.logits_shape(records, length, len(tokenizer))
        check(tuple(logits.shape) == wanted, f"{self} gives logits of shape {tuple(logits.shape)}, not {wanted}")
        check(bool(torch.isfinite(logits).all()), f"{self} gives logits that are no finite numbers")
        again = self._logits(model, inputs)
        check(torch.equal(logits, again), f"{self} gives other logits for the same batch in eval mode")

    def test_it_can_be_trained(self) -> None:
        """The loss reaches its weights."""
        from codex_ml.interfaces import logits_of

        model, tokenizer = self._pair()
        logits_of(model(**self._batch(tokenizer))).float().pow(2).sum().backward()
        moved = [each for each in model.parameters() if each.grad is not None and bool(each.grad.any())]
        check(moved, f"{self} has no weight that the loss depends on")

    def test_the_same_seed_gives_the_same_weights(self) -> None:
        """Whatever is drawn comes from the generators that codex-run seeds: those of random, numpy and torch."""
        import torch

        first, second = (self._pair()[0].state_dict() for _ in range(2))
        check(first.keys() == second.keys(), f"{self} has other weights when it is built again")
        for name, value in first.items():
            same = not isinstance(value, torch.Tensor) or torch.equal(value, second[name])
            check(same, f"{self}: the weight {name} differs when it is built again with the same seed")

    def test_its_weights_can_be_saved_and_loaded(self, tmp_path: Path) -> None:
        """A run keeps its best weights in a file, and exports with `save_pretrained` where there is one."""
        import torch

        from codex_ml.launch.export import read_weights, write_weights

        model, tokenizer = self._pair()
        inputs = self._batch(tokenizer)
        expected = self._logits(model, inputs)
        write_weights(model, tmp_path / "model.safetensors")
        another = self._pair(seed=_SEED + 1)[0]
        read_weights(another, tmp_path / "model.safetensors")
        told = f"{self} gives other logits once its weights are saved and loaded: keep what counts in the state dict"
        check(torch.equal(self._logits(another, inputs), expected), told)
        if hasattr(model, "save_pretrained") and hasattr(model, "from_pretrained"):
            model.save_pretrained(str(tmp_path / "model"))
            loaded = type(model).from_pretrained(str(tmp_path / "model"))
            told = f"{self} gives other logits once it is saved by save_pretrained and loaded by from_pretrained"
            check(torch.allclose(self._logits(loaded, inputs), expected, atol=1e-6), told)

    def test_a_tiny_run_trains_it(self, tmp_path: Path) -> None:
        """The whole way: a trial before training, training, measuring, export."""
        if self.head.get("kind") == "sequence_classification":
            named = None if self._built(self.arguments())[1] is not None else tiny_tokenizer_component()
            record = ran(tmp_path, tiny_assembly(tmp_path, model=self.chosen(), tokenizer=named, records=RECORDS[:16]))
            check(record["status"] == "completed", f"the run of {self} ended with {record['error']}")

    def _head(self) -> dict[str, Any]:
        from codex_ml.testing.tiny_parts import tiny_tokenizer

        return {**self.head, "vocab_size": len(tiny_tokenizer({}))}

    def _built(
        self, arguments: Mapping[str, Any], *, head: Mapping[str, Any] | None = None, seed: int = _SEED
    ) -> tuple[Any, Any]:
        from codex_ml.launch.building import build_model
        from codex_ml.launch.seeding import seed_everything

        chosen = self.chosen(arguments)
        seed_everything(seed, "model")
        return build_model(chosen, head=self._head() if head is None else head, device="cpu")

    def _pair(self, seed: int = _SEED) -> tuple[Any, Any]:
        """The model and the tokenizer that it is used with."""
        from codex_ml.testing.tiny_parts import tiny_tokenizer

        model, tokenizer = self._built(self.arguments(), seed=seed)
        return model, tiny_tokenizer({}) if tokenizer is None else tokenizer

    def _batch(self, tokenizer: Any) -> dict[str, Any]:
        import torch

        rows = [tokenizer(text, truncation=True, max_length=16)["input_ids"] for text in self._texts()]
        width = max(map(len, rows))
        padding = getattr(tokenizer, "pad_token_id", None) or 0
        ids = torch.tensor([[*row, *[padding] * (width - len(row))] for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        return {"input_ids": ids, "attention_mask": mask}

    def _texts(self) -> Sequence[str]:
        return ["the ball and the goal", "a chip", "the disk in the cloud"]

    def _logits(self, model: Any, inputs: Mapping[str, Any]) -> Any:
        from codex_ml.interfaces import logits_of
        from codex_ml.launch.evaluation import evaluating

        with evaluating(model):
            return logits_of(model(**inputs))
