"""The model card of an export, written from the run's record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["model_card"]

_AUTO = {
    "sequence_classification": "AutoModelForSequenceClassification",
    "masked_lm": "AutoModelForMaskedLM",
    "causal_lm": "AutoModelForCausalLM",
}


def model_card(record: Mapping[str, Any], head: Mapping[str, Any]) -> str:
    """A README.md with the front matter that model hubs read.

    Args:
        record: The fields of the run's record, with its metrics.
        head: What the task needs of the model; its `kind` says which class of transformers loads it.
    """
    parts = record["components"]
    task, model = parts["task"]["name"], parts["model"]["name"]
    sections = [
        f"---\nlibrary_name: transformers\ntags:\n- codex-ml\n- {task}\n---\n",
        f"# {model} for {task}\n",
        f"Trained by the run `{record['run_id']}` of codex-ml, with seed {record['seed']}.\n",
        _metrics(record),
        _loading(head),
        _origin(record),
    ]
    return "\n".join(section for section in sections if section)


def _metrics(record: Mapping[str, Any]) -> str:
    if not record.get("metrics"):
        return "It was not measured: there were no validation or test records, or no metrics.\n"
    rows = ["| metric | value | standard error | split | signature |", "|---|---|---|---|---|"]
    for name, value in record["metrics"].items():
        about = record["metric_info"].get(name, {})
        error = about.get("standard_error")
        shown = record.get("non_finite", {}).get(f"metrics.{name}", "") if value is None else f"{value:.4f}"
        cells = (name, shown, "" if error is None else f"{error:.4f}", about.get("split", ""))
        # A bar would end the cell.
        signature = str(about.get("signature", "")).replace("|", "\\|")
        rows.append(f"| {' | '.join(map(str, cells))} | {signature} |")
    return "## Metrics\n\n" + "\n".join(rows) + "\n"


def _loading(head: Mapping[str, Any]) -> str:
    name = _AUTO.get(str(head.get("kind")))
    if name is None:
        return ""
    code = f"from transformers import AutoTokenizer, {name}\n\nmodel = {name}.from_pretrained(folder)"
    labels = f"\nThe labels are {', '.join(map(str, head['labels'][:50]))}.\n" if head.get("labels") else ""
    return f"## Use\n\n```python\n{code}\ntokenizer = AutoTokenizer.from_pretrained(folder)\n```\n{labels}"


def _origin(record: Mapping[str, Any]) -> str:
    rows = ["## Where it comes from\n", "| part | |", "|---|---|"]
    for kind in ("task", "model", "tokenizer", "trainer"):
        part = record["components"].get(kind)
        if part is not None:
            rows.append(f"| {kind} | {part['name']} of {part['distribution']} {part['version']} |")
    for split, data in (record.get("data") or {}).items():
        for path, digest in zip(data["paths"], data["sha256"], strict=True):
            rows.append(f"| {split} records | `{path}`, SHA-256 `{digest}` |")
    libraries = (record.get("environment") or {}).get("libraries") or {}
    rows.append(f"| libraries | {', '.join(f'{name} {version}' for name, version in libraries.items() if version)} |")
    git = record.get("git")
    if git:
        rows.append(f"| code | commit `{git['commit']}`{', with changes' if git.get('dirty') else ''} |")
    return "\n".join(rows) + "\n"
