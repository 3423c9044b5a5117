import pytest
from custom_format.loader import load_custom_format

from codex_ml.testing import DataLoaderTests

TWO = """\
# two records
text: a value goes on
  on the next line
label: sport

# a comment between records, and more empty lines


text: so: it has a colon
label:
"""


class TestCustomFormat(DataLoaderTests):
    name = "custom_format"
    suffix = ".txt"
    cases = [
        (
            TWO,
            [
                {"text": "a value goes on\non the next line", "label": "sport"},
                {"text": "so: it has a colon", "label": ""},
            ],
        ),
        (b"\xef\xbb\xbftext: \xc3\xa4\r\nlabel: x\r\n", [{"text": "ä", "label": "x"}]),
        ("% none\n#: a key\n", [{"#": "a key"}], {"comment": "%"}),
        ("#: a key\n", [{"#": "a key"}], {"comment": ""}),
        ("", []),
    ]
    malformed = [
        ("text: a\nno colon here\n", 2),
        ("text: a\n\n  continues nothing\n", 3),
        ("text: a\ntext: b\n", 2),
        (": no key\n", 1),
        (b"text: a\nlabel: \xff\n", 2),
    ]
    bad_options = [{"comment": ["#"]}]


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        list(load_custom_format(tmp_path))


def test_one_record_is_read_at_a_time(tmp_path):
    path = tmp_path / "records.txt"
    path.write_text("text: a\n\ntext: b\n\nno colon\n", encoding="utf-8")
    records = load_custom_format(path)
    assert [next(records), next(records)] == [{"text": "a"}, {"text": "b"}]
    with pytest.raises(ValueError, match=r"records\.txt:5: a line reads `key: value`, this one 'no colon'"):
        next(records)
