"""The help page."""

import re

from plugin_package import write_plugin


def test_the_page_lists_every_choice_and_every_option_with_its_value(codex_run):
    ended = codex_run("--help")
    assert (ended.code, ended.err) == (0, "")
    assert re.search(
        r"^  model: +bert_base_uncased, bert_tiny, gpt2, gpt2_tiny, minilm, minilm_small$", ended.out, re.M
    )
    assert re.search(r"^  trainer\.schedule=linear +one of linear, cosine, constant\. ", ended.out, re.M)
    assert re.search(r"^  model\.pretrained=true +true or false\. ", ended.out, re.M)
    assert re.search(r"^  metric\.f1\.average=macro +one of macro,", ended.out, re.M)


def test_the_page_shows_what_is_chosen_now(codex_run):
    out = codex_run("--help", "model=minilm_small", "trainer.lr=0.5", "metric=f1_micro").out
    assert "model.config={'num_hidden_layers': 3}" in out
    assert "trainer.lr=0.5 " in out
    assert "metric.f1_micro.average=micro " in out
    assert "metric.accuracy" not in out


def test_a_component_with_a_required_option_can_be_looked_at(codex_run, site):
    modules = {"needy_module": "def needy(config, *, file: str): ..."}
    write_plugin(site, "needy", modules=modules, entry_points={"tokenizers": {"needy": "needy_module:needy"}})
    ended = codex_run("--help", "tokenizer=needy")
    assert ended.code == 0
    assert "tokenizer.file=(required)" in ended.out


def test_help_is_given_to_who_has_made_a_mistake(codex_run):
    assert codex_run("--help", "trainer.lr=fast").code == 0


def test_the_page_fits_the_terminal(codex_run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = codex_run("--help").out.splitlines()
    options = lines[lines.index("Options of what is chosen, as they are now:") + 1 : -2]
    assert all(len(line) <= 80 or " " not in line.strip() for line in options)
