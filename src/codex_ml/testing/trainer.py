"""Checks of a trainer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar

from codex_ml.testing.component import ComponentTests
from codex_ml.testing.expectation import check
from codex_ml.testing.tiny_run import prepared, ran, tiny_assembly

__all__ = ["TrainerTests"]

# Fewer do not tell a trainer that stops from one that was at its end anyway.
_LEAST_STEPS = 4


class TrainerTests(ComponentTests):
    """Checks that a trainer is one: `trainer(context, **options)` returns a mapping or None.

    It trains a model of a few hundred numbers on 64 records. Choose options with which it makes at least four forward
    passes and at most a few hundred; a batch has 16 records unless an option `batch_size` says otherwise.
    """

    kind: ClassVar[str] = "trainer"

    def use(self, folder: Path, arguments: Mapping[str, Any]) -> Any:
        """Trains."""
        return self._trained(folder, arguments)[1]

    def test_it_trains_the_model(self, tmp_path: Path) -> None:
        """The weights are others afterwards."""
        import torch

        assembly = tiny_assembly(tmp_path, trainer=self.chosen())
        before = {name: value.clone() for name, value in prepared(tmp_path, assembly).model.state_dict().items()}
        context, _, _ = self._trained(tmp_path, self.arguments())
        after = context.model.state_dict()
        moved = any(not torch.equal(value, after[name]) for name, value in before.items())
        check(moved, f"{self} leaves the model as it was")
        finite = all(bool(torch.isfinite(value).all()) for value in after.values())
        check(finite, f"{self} leaves weights that are no finite numbers; choose gentler `options` for this check")

    def test_it_returns_a_mapping_or_none(self, tmp_path: Path) -> None:
        """What it measured itself stands under `metrics`, by name, in floats."""
        result = self._trained(tmp_path, self.arguments())[1]
        told = f"{self} returns a {type(result).__name__}; a trainer returns a mapping or None"
        check(result is None or isinstance(result, Mapping), told)
        metrics = (result or {}).get("metrics") or {}
        check(isinstance(metrics, Mapping), f"{self} returns metrics as a {type(metrics).__name__}, not a mapping")
        for name, value in metrics.items():
            fits = isinstance(value, Real) and not isinstance(value, bool)
            check(fits, f"{self} returns the metric {name}={value!r}; it must be a float")

    def test_the_same_seed_gives_the_same_weights(self, tmp_path: Path) -> None:
        """Whatever is drawn comes from the generators that codex-run seeds, and batches from `context.batches`."""
        import torch

        first, second = (self._trained(tmp_path, self.arguments())[0].model.state_dict() for _ in range(2))
        same = all(torch.equal(value, second[name]) for name, value in first.items())
        check(same, f"{self} trains other weights when it is run again with the same seed")

    def test_it_stops_when_it_is_asked_to(self, tmp_path: Path) -> None:
        """It looks at `context.should_stop` between steps, and ends."""
        whole = self._trained(tmp_path, self.arguments())[2]
        told = f"{self} makes {whole} forward passes with these `options`; choose some that make {_LEAST_STEPS} or more"
        check(whole >= _LEAST_STEPS, told)
        short = self._trained(tmp_path, self.arguments(), stop=True)[2]
        told = f"{self} makes {short} of {whole} forward passes although context.should_stop is True from the first on"
        check(short <= whole // 2, told)

    def test_its_steps_go_up(self, tmp_path: Path) -> None:
        """`context.begin` comes first, and `context.advance` tells of one step after the other."""
        told = _Told()
        self._trained(tmp_path, self.arguments(), told=told)
        steps = [step for event, step in told.events if event == "step"]
        check(steps == sorted(set(steps)), f"{self} tells of the steps {steps}, which do not go up")
        begun = [place for place, (event, _) in enumerate(told.events) if event == "begin"]
        check(len(begun) <= 1 and begun in ([], [0]), f"{self} must call context.begin once, before anything else")

    def test_a_tiny_run_ends_well(self, tmp_path: Path) -> None:
        """The whole way: measuring, the best weights and the export are the run's own."""
        record = ran(tmp_path, tiny_assembly(tmp_path, trainer=self.chosen()))
        check(record["status"] == "completed", f"the run of {self} ended with {record['error']}")

    def _trained(
        self, folder: Path, arguments: Mapping[str, Any], *, stop: bool = False, told: object = None
    ) -> tuple[Any, Any, int]:
        """The context after training, what the trainer returned, and how many forward passes it made.

        Args:
            folder: The run's folder.
            arguments: The trainer's options.
            stop: Whether it is asked to stop during its first forward pass.
            told: A callback.
        """
        from codex_ml.launch.seeding import seed_everything

        assembly = replace(tiny_assembly(folder), trainer=self.chosen(arguments))
        context = prepared(folder, assembly, callbacks=() if told is None else (told,))
        passes = 0

        def count(module: Any, inputs: Any) -> None:
            nonlocal passes
            # Measuring is no training.
            passes += module.training
            context.should_stop = stop

        handle = context.model.register_forward_pre_hook(count)
        seed_everything(assembly.seed, "trainer")
        try:
            result = self.component(context, **arguments)
        finally:
            handle.remove()
            context.close()
        return context, result, passes


class _Told:
    """A callback that keeps what it is told of the training."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []

    def on_train_start(self, total_steps: int) -> None:
        self.events.append(("begin", total_steps))

    def on_step(self, step: int, records: int, values: Mapping[str, float]) -> None:
        self.events.append(("step", step))
