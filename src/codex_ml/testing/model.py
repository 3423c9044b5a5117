"""Checks of a model."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from codex_ml.errors import CodexError
from codex_ml.testing.component import ComponentTests
from codex_ml.testing.declaration import declared_options
from codex_ml.testing.expectation import check
from codex_ml.testing.model_checks import alike, batch_of, check_causal, language_parts, places
from codex_ml.testing.tiny_run import RECORDS, ran, tiny_assembly, tiny_tokenizer_component

__all__ = ["ModelTests"]

_SEED = 7
_PADDING = 8


class ModelTests(ComponentTests):
    """Checks that a model factory is one: `factory(config) -> (model, tokenizer)` or `(model, None)`.

    It is built as codex-run builds it, on the CPU, for a classifier with two labels unless `head` is another. Choose
    options that make it tiny.

    Attributes:
        head: What the task needs of the model. Beside it stand size and special ids of the kit's tokenizer (a token a
            byte), with which a model is checked that brings none.
        heeds_attention_mask: Whether padding leaves its logits as they are; False for a model that means to see it.
    """

    kind: ClassVar[str] = "model"
    head: Mapping[str, Any] = {
        "kind": "sequence_classification",
        "labels": ["sport", "tech"],
        "num_labels": 2,
    }
    heeds_attention_mask: bool = True

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

    def test_its_logits_are_as_many_as_the_labels(self) -> None:
        """Not only for as many labels as the author tried it with; a `ValueError` says that it cannot serve them."""
        if self.head.get("num_labels") is None:
            return
        for number in (2, 3):
            labels = [f"label {index}" for index in range(number)]
            try:
                model, tokenizer = self._pair(head={**self._head(), "labels": labels, "num_labels": number})
            except CodexError as error:
                if isinstance(error.__cause__, ValueError) and number != self.head["num_labels"]:
                    continue
                raise
            shape = tuple(self._logits(model, self._batch(tokenizer)).shape)
            told = f"{self} gives logits of shape {shape} for {number} labels: take `num_labels` from config['head']"
            check(shape[-1] == number, told)

    def test_padding_changes_no_logits(self) -> None:
        """A record is padded as its batch happens to need it; the attention mask says where."""
        if not self.heeds_attention_mask:
            return
        model, tokenizer = self._lively()
        inputs, padded = self._batch(tokenizer), self._batch(tokenizer, padding=_PADDING)
        logits, others = (self._of_tokens(self._logits(model, each), each) for each in (inputs, padded))
        told = f"{self} gives other logits for the same texts with more padding: leave out what attention_mask marks"
        check(
            alike(logits, others),
            f"{told} with 0 (or set `heeds_attention_mask = False`): {logits.tolist()} became {others.tolist()}",
        )

    def test_its_logits_depend_on_their_own_text_alone(self) -> None:
        """In eval mode what else is in the batch has no part in a text's logits."""
        model, tokenizer = self._lively()
        inputs = self._batch(tokenizer)
        whole = self._logits(model, inputs)
        for row in range(len(whole)):
            alone = self._logits(model, {key: value[row : row + 1] for key, value in inputs.items()})
            among = whole[row : row + 1]
            told = f"{self} gives other logits for a text alone ({alone.tolist()}) than for it among others"
            check(alike(alone, among), f"{told} ({among.tolist()})")

    def test_it_does_not_see_what_it_is_to_predict(self) -> None:
        """The logits of a model that is trained to predict the next token depend on no later one."""
        if self.head.get("kind") == "causal_lm":
            model, tokenizer = self._lively()
            check_causal(str(self), self._batch(tokenizer), lambda inputs: self._logits(model, inputs))

    def test_its_weights_are_of_the_wanted_type(self) -> None:
        """`dtype` stands in every config, and nobody converts the model afterwards; a `ValueError` refuses a type."""
        for wanted in ("float32", "bfloat16"):
            try:
                model, _ = self._built(self._with(dtype=wanted))
            except (AssertionError, CodexError) as error:
                if isinstance(error, AssertionError) or isinstance(error.__cause__, ValueError):
                    continue
                raise
            strays = [
                f"{name} ({str(value.dtype).removeprefix('torch.')})"
                for name, value in model.named_parameters()
                if value.is_floating_point() and str(value.dtype) != f"torch.{wanted}"
            ]
            told = f"{self} ignores config['dtype'], which is {wanted!r}: {len(strays)} of its weights are of another"
            check(not strays, f"{told} type, such as {strays and strays[0]}; use it, or raise ValueError")

    def test_its_weights_are_on_the_wanted_device(self) -> None:
        """A model that declares an option `device` puts itself there; codex-run moves any other.

        It is tried on torch's device `meta`, which there is everywhere.
        """
        from codex_ml.launch.building import build_model

        found: list[tuple[str, str]] = []

        @functools.wraps(self.component)
        def watched(*given: Any, **keywords: Any) -> Any:
            built = self.component(*given, **keywords)
            found.extend(places(built[0]))
            return built

        try:
            chosen = replace(self.chosen(self._with(device="meta")), factory=watched)
            model, _ = build_model(chosen, head=self._head(), device="meta")
        except (AssertionError, CodexError):
            # It refuses that device, or computes with its weights, which have no values there.
            return
        declares = "device" in dict(declared_options(self.component, self.schema))
        strays = [f"{name} is on {where}" for name, where in (found if declares else places(model)) if where != "meta"]
        check(not strays, f"{self} ignores config['device'], which is 'meta': its weight {strays and strays[0]}")

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
        kind = str(self.head.get("kind"))
        if kind not in ("sequence_classification", "causal_lm", "masked_lm"):
            return
        named = None if self._built(self.arguments())[1] is not None else tiny_tokenizer_component()
        parts = {} if kind == "sequence_classification" else language_parts(kind)
        whole = tiny_assembly(tmp_path, model=self.chosen(), tokenizer=named, records=RECORDS[:16], **parts)
        record = ran(tmp_path, whole)
        check(record["status"] == "completed", f"the run of {self} ended with {record['error']}")

    def _head(self) -> dict[str, Any]:
        from codex_ml.launch.building import vocabulary
        from codex_ml.testing.tiny_parts import tiny_tokenizer

        return {**self.head, **vocabulary(tiny_tokenizer({}))}

    def _built(
        self, arguments: Mapping[str, Any], *, head: Mapping[str, Any] | None = None, seed: int = _SEED
    ) -> tuple[Any, Any]:
        from codex_ml.launch.building import build_model
        from codex_ml.launch.seeding import seed_everything

        chosen = self.chosen(arguments)
        seed_everything(seed, "model")
        return build_model(chosen, head=self._head() if head is None else head, device="cpu")

    def _with(self, **changes: Any) -> dict[str, Any]:
        """The options with others over them, also with those that only codex-run gives."""
        known = {name: value for name, value in changes.items() if name in self.schema.options}
        return {**changes, **self.arguments(**known)}

    def _pair(self, *, seed: int = _SEED, head: Mapping[str, Any] | None = None) -> tuple[Any, Any]:
        """The model and the tokenizer that it is used with."""
        from codex_ml.testing.tiny_parts import tiny_tokenizer

        model, tokenizer = self._built(self.arguments(), seed=seed, head=head)
        return model, tiny_tokenizer({}) if tokenizer is None else tokenizer

    def _lively(self) -> tuple[Any, Any]:
        """The same with larger weights, as a model's first ones may be so small that no text makes a difference."""
        import torch

        model, tokenizer = self._pair()
        with torch.no_grad():
            for weight in model.parameters():
                if weight.is_floating_point() and weight.ndim > 1 and float(weight.std()) > 0:
                    # Of such a size that a layer's outputs are about as large as its inputs.
                    weight.mul_((len(weight) / weight.numel()) ** 0.5 / weight.std())
        return model, tokenizer

    def _batch(self, tokenizer: Any, *, padding: int = 0) -> dict[str, Any]:
        return batch_of(self._texts(), tokenizer, padding=padding)

    def _of_tokens(self, logits: Any, inputs: Mapping[str, Any]) -> Any:
        """Logits without those of padding, where each token has some."""
        mask = inputs["attention_mask"]
        return logits[mask.bool()] if logits.shape[:2] == mask.shape and logits.ndim > 2 else logits

    def _texts(self) -> Sequence[str]:
        return ["the ball and the goal", "a chip", "the disk in the cloud"]

    def _logits(self, model: Any, inputs: Mapping[str, Any]) -> Any:
        from codex_ml.interfaces import logits_of
        from codex_ml.launch.evaluation import evaluating

        with evaluating(model):
            return logits_of(model(**inputs))
