"""Steps per second of the trainer `functional` beside a loop written by hand in plain PyTorch.

    python benchmarks/functional_step.py [--steps 30] [--threads 2]

Both train the same MiniLM (6 layers, 64 tokens, batches of 16, weights from the seed) on the same batches with the
same fused AdamW, clipping and schedule. After each step of the one comes a step of the other, so that whatever else
the machine does meets both alike; the medians are compared.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from codex_ml.interfaces import Batch, Example, Task
from codex_ml.models.minilm import minilm
from codex_ml.tasks.classification import Classification
from codex_ml.trainers.functional import functional

BATCH, LENGTH, WARM = 16, 64, 3
LABELS = ["business", "entertainment", "politics", "sports", "tech"]


class ByHand:
    """The loop that one would write without a trainer, a step at a time."""

    def __init__(self, model, steps):
        self.model = model
        matrices = [each for each in model.parameters() if each.ndim > 1]
        others = [each for each in model.parameters() if each.ndim < 2]
        groups = [{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=5e-5, fused=True)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: 1 - step / steps)
        model.train()

    def step(self, batch):
        self.optimizer.zero_grad()
        loss = cross_entropy(self.model(**batch.inputs).logits, batch.labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        return loss.item()


class Interleaved:
    """A context whose `advance` times the step that was, then makes and times one by hand."""

    should_stop = False
    tokenizer = None
    seed = 0
    device = "cpu"
    folder = Path()

    def __init__(self, steps):
        torch.manual_seed(0)
        self.task: Task = Classification(max_length=LENGTH)
        self.task.fit([{"id": label, "label": label} for label in LABELS])
        self.model, _ = minilm({"pretrained": False, "head": self.task.head()})
        self.hand = ByHand(copy.deepcopy(self.model), steps)
        self.train: Sequence[Example] = [{}] * (BATCH * steps)
        ids = torch.randint(1000, 30000, (steps, BATCH, LENGTH))
        labels = torch.randint(len(LABELS), (steps, BATCH))
        mask = torch.ones(BATCH, LENGTH, dtype=torch.int64)
        self.prepared = [
            Batch({"input_ids": each, "attention_mask": mask}, target, [str(row) for row in range(BATCH)], BATCH)
            for each, target in zip(ids, labels, strict=True)
        ]
        self.functional_times, self.hand_times = [], []

    def batches(self, epoch, *, batch_size=None):
        return iter(self.prepared)

    def begin(self, total_steps):
        self.mark = time.perf_counter()

    def advance(self, step, *, records=0, **values):
        end = time.perf_counter()
        self.functional_times.append(end - self.mark)
        self.hand.step(self.prepared[step - 1])
        self.mark = time.perf_counter()
        self.hand_times.append(self.mark - end)

    def log(self, values, *, step):
        pass

    def evaluate(self, *, step):
        return {}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    context = Interleaved(options.steps + WARM)
    functional(context, batch_size=BATCH, warmup_steps=0)
    ours = statistics.median(context.functional_times[WARM:])
    theirs = statistics.median(context.hand_times[WARM:])
    print(f"functional {1 / ours:.3f} steps/s, by hand {1 / theirs:.3f} steps/s (medians of {options.steps} steps,")
    print(f"{options.threads} threads, torch {torch.__version__}); functional / by hand: {theirs / ours:.3f}")


if __name__ == "__main__":
    main()
