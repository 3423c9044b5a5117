import re

import yaml


def test_an_export_says_what_it_is_and_where_it_comes_from(run, tmp_path):
    final = run()
    card = (tmp_path / "run" / "model" / "README.md").read_text()
    _, front, body = card.split("---\n", 2)
    assert yaml.safe_load(front) == {"library_name": "transformers", "tags": ["codex-ml", "classification"]}
    assert "# tiny_model for classification" in body
    assert f"`{final['run_id']}`" in body
    for name, value in final["metrics"].items():
        assert re.search(rf"^\| {name} \| {value:.4f} \| .* \| test \| {name}", body, re.M)
    assert f"SHA-256 `{final['data']['test']['sha256'][0]}`" in body
    assert "AutoModelForSequenceClassification.from_pretrained" in body
    assert "The labels are sport, tech." in body
    assert "| model | tiny_model of tiny-plugin 1.2 |" in body


def test_a_model_that_was_not_measured_says_so(run, tmp_path):
    run(metrics=())
    assert "It was not measured" in (tmp_path / "run" / "model" / "README.md").read_text()


def test_a_value_that_json_lacks_is_no_obstacle(run, tmp_path):
    from tiny_run import component

    run(metrics=(component("metric", "odd", lambda predictions, labels: float("inf")),))
    assert "| odd |" in (tmp_path / "run" / "model" / "README.md").read_text()
