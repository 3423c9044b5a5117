"""The kit, as an author would use it, on the components that ship with the package."""

# The cases are attributes that an author fills with a list.
# ruff: noqa: RUF012

import pytest

from codex_ml.testing import (
    DataLoaderTests,
    MetricTests,
    ModelTests,
    PluginTests,
    TaskTests,
    TokenizerTests,
    TrainerTests,
)
from codex_ml.testing.tiny_parts import tiny_tokenizer
from codex_ml.testing.tiny_run import RECORDS


class TestAccuracy(MetricTests):
    name = "accuracy"
    cases = [(["a", "b"], ["a", "c"], 0.5), ([1, 2, 3], [1, 2, 3], 1.0), ([True], [False], 0.0)]
    bad_inputs = [([], []), (["a"], ["a", "b"])]


class TestF1(MetricTests):
    name = "f1"
    cases = [
        (["a", "b", "a"], ["a", "b", "b"], 2 / 3),
        ([1, 0, 1], [1, 1, 1], 0.8, {"average": "binary"}),
        (["a", "b", "c"], ["a", "b", "b"], 2 / 3, {"average": "micro"}),
    ]
    bad_options = [{"average": "mean"}, {"average": None}, {"averag": "macro"}]


class TestJsonl(DataLoaderTests):
    name = "jsonl"
    suffix = ".jsonl"
    cases = [
        ('{"text": "a", "n": 1}\n\n{"text": "ü"}\n', [{"text": "a", "n": 1}, {"text": "ü"}]),
        ('{"text": "ü"}\n'.encode("latin-1"), [{"text": "ü"}], {"encoding": "latin-1"}),
    ]
    malformed = [('{"text": "a"}\n{"text"\n', 2), ("[1]\n", 1), (b'{"text": "\xff"}\n', 1), ('{"a": 1, "a": 1}', 1)]
    bad_options = [{"encoding": "utf-9"}, {"encoding": 1.5}, {"columns": []}, {"limit": 0}, {"on_bad_rows": "ignore"}]


class TestLines(DataLoaderTests):
    name = "lines"
    suffix = ".txt"
    cases = [
        ("a\r\n\n b \u2028\n", [{"text": "a"}, {"text": " b \u2028"}]),
        ("ü\n\n", [{"line": "ü"}, {"line": ""}], {"keep_empty": True, "column": "line"}),
        ("ü".encode("latin-1"), [{"text": "ü"}], {"encoding": "latin-1"}),
    ]
    malformed = [(b"a\n\xff\n", 2), ("\0", 1)]
    bad_options = [{"encoding": "utf-9"}, {"column": ""}, {"skip": -1}, {"on_bad_rows": "ignore"}]


class TestCsv(DataLoaderTests):
    name = "csv"
    cases = [
        ('text,label\na,x\n"b\nc",y\n', [{"text": "a", "label": "x"}, {"text": "b\nc", "label": "y"}]),
        ("text\tlabel\na,b\tx\n", [{"text": "a,b", "label": "x"}], {"delimiter": "\t"}),
        ("1,a\n", [{"id": 1}], {"column_names": ["id", "text"], "columns": ["id"], "types": {"id": "int"}}),
    ]
    malformed = [("text,label\na\n", 2), ("", 1), ('text\n"a', 2)]
    bad_options = [{"delimiter": ";;"}, {"types": {"a": "date"}}, {"on_bad_rows": "drop"}, {"encoding": "utf-9"}]


def parquet_of(records):
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(records), buffer)
    return buffer.getvalue().to_pybytes()


class TestParquet(DataLoaderTests):
    name = "parquet"
    suffix = ".parquet"
    # The last bytes of the file say where its records are; the loader's own tests hold that it streams.
    streams = False
    cases = [
        (parquet_of([{"text": "ü", "n": 1, "tags": ["a"]}] * 2), [{"text": "ü", "n": 1, "tags": ["a"]}] * 2),
        (parquet_of([{"text": "a", "n": 1}]), [{"n": 1}], {"columns": ["n"]}),
    ]
    malformed = [("", None), ('{"text": "a"}\n', None), (parquet_of([{"text": "a"}])[:-9], None)]
    bad_options = [{"columns": []}, {"limit": 0}, {"on_bad_rows": "drop"}]


class TestHf(TokenizerTests):
    name = "hf"
    # As the tokenizer that it loads here has a token for each byte and no other.
    takes_empty_texts = False
    round_trips = ["the cat sat", "naïve 猫  spaces", "\ttabs\nand lines"]
    bad_options = [{"tokenizer_name": "./nowhere"}, {"padding_side": "up"}, {"tokenizer_name": ""}]

    @pytest.fixture(autouse=True)
    def saved(self, tmp_path):
        tiny_tokenizer({}).save_pretrained(tmp_path / "tokenizer")
        self.options = {"tokenizer_name": tmp_path / "tokenizer"}


class TestMiniLM(ModelTests):
    name = "minilm"
    bad_options = [
        {"model_name": "./nowhere"},
        {"config": {"hidden": 3}},
        {"dtype": "int8"},
        {"allow_pickle": 1},
        {"lora": {"r": 0}},
    ]

    @pytest.fixture(autouse=True)
    def saved(self, tmp_path):
        from transformers import BertConfig

        sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
        BertConfig(vocab_size=300, max_position_embeddings=64, **sizes).save_pretrained(tmp_path / "architecture")
        self.options = {"model_name": str(tmp_path / "architecture"), "pretrained": False}


class TestMiniLMWithItsTokenizer(TestMiniLM):
    @pytest.fixture(autouse=True)
    def with_tokenizer(self, saved, tmp_path):
        tiny_tokenizer({}).save_pretrained(tmp_path / "architecture")


class TestMiniLMWithAdapters(TestMiniLM):
    @pytest.fixture(autouse=True)
    def with_adapters(self, saved):
        self.options = {**self.options, "lora": {"r": 2, "alpha": 32}}


class TestMiniLMForMaskedTokens(TestMiniLM):
    head = {"kind": "masked_lm"}


class TestBertBaseUncased(ModelTests):
    name = "bert_base_uncased"
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    options = {"pretrained": False, "config": sizes}
    bad_options = [{"dtype": "int8"}, {"config": {"num_labels": 3}}, {"lora": {"r": 0}}]


class TestBertBaseUncasedForMaskedTokens(TestBertBaseUncased):
    head = {"kind": "masked_lm"}


class TestGPT2(ModelTests):
    name = "gpt2"
    head = {"kind": "causal_lm"}
    options = {"pretrained": False, "config": {"n_embd": 8, "n_layer": 1, "n_head": 1, "n_positions": 64}}
    bad_options = [{"config": {"n_embd": 7, "n_head": 2}}, {"config": {"num_labels": 3}}, {"lora": {"rank": 8}}]


class TestGPT2AsAClassifier(TestGPT2):
    head = ModelTests.head


class TestGPT2WithAdapters(TestGPT2):
    options = {**TestGPT2.options, "lora": {"r": 2, "alpha": 32}}


class TestClassification(TaskTests):
    name = "classification"
    options = {"max_length": 16}
    records = RECORDS[:12]
    bad_options = [{"max_length": 0}, {"max_length": "long"}]


class TestFunctional(TrainerTests):
    name = "functional"
    options = {"epochs": 2, "lr": 0.05, "threads": 1}
    bad_options = [{"lr": -1.0}, {"schedule": "steep"}, {"batch_size": 0}]


class TestProgress(PluginTests):
    name = "progress"
    bad_options = [{"refresh_per_second": 0}, {"refresh_per_second": 100}]
