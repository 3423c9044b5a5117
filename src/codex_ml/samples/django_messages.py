"""What Django says to users, in English and in ninety other languages."""

from __future__ import annotations

import gettext
import hashlib
import importlib.util
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from codex_ml.samples.splitting import grouped, near_pairs, split_of, trigrams, write_splits

__all__ = ["django_messages"]

# Catalogues of British and Australian English are no translations.
_SOURCE_LANGUAGE = "en"
# A language with fewer messages has splits of a handful.
_FEWEST = 100
# The numbers whose plural forms are asked for: 100 takes the form of most numbers, 2 to 20 have all the others that
# any language has, but for that of 1.
_PLURAL = (100, *range(2, 21))
_PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[a-z]|\{\w*\}|<[^<>]*>")

Translations = dict[str, dict[str, None]]


def django_messages(folder: Path) -> None:
    """Writes `<language>/train.jsonl`, `validation.jsonl` and `test.jsonl`, about 70, 15 and 15 % of the messages.

    The languages have Django's names (`de`, `pt_BR`, `zh_Hans`); those that are English, or have translated fewer than
    100 messages, are left out. A record has an `id`, the English `source`, the `target`, all `references` (a list
    with the target first, and the other translations where a message has several) and the `language`. Placeholders
    (`%(count)d`, `{name}`) and markup stand as they do in the catalogues; messages of nothing else are left out, as
    are those that are not translated, or only tentatively.

    A message with a plural makes two records: the English singular with the form for one, and the English plural with
    the form for 100 as its target and those for other numbers among its references.

    Sources that are nearly equal, and the two of one message, stay in one split, the same for all languages. The split
    of a source and its place in the file depend on its text alone. `<language>/train.txt` has the texts of the
    training records in both languages, for a tokenizer to be trained on.

    The source is Django's own message catalogues and those of its contrib apps, https://www.djangoproject.com.

    Args:
        folder: An empty folder.

    Raises:
        ImportError: Django is not installed.
    """
    translations, plurals = _catalogues(_source())
    sources = sorted({source for known in translations.values() for source in known})
    splits = _splits(sources, plurals)
    for language, known in sorted(translations.items()):
        if language.split("_")[0] != _SOURCE_LANGUAGE and len(known) >= _FEWEST:
            records = ((splits[source], source, _record(language, source, list(t))) for source, t in known.items())
            write_splits(folder / language, records, lambda record: [record["source"], *record["references"]])


django_messages.__codex_api__ = "v1"  # pyright: ignore[reportFunctionMemberAccess]
django_messages.__codex_meta__ = {"requires": ("django",)}  # pyright: ignore[reportFunctionMemberAccess]


def _source() -> list[Path]:
    """The compiled catalogues, Django's own before those of its apps."""
    spec = importlib.util.find_spec("django")
    found = [
        path
        for place in (spec and spec.submodule_search_locations) or ()
        for path in sorted(Path(place).glob("**/locale/*/LC_MESSAGES/*.mo"))
    ]
    if not found:
        raise ImportError(
            "the translated messages come with Django, which is not installed: "
            "pip install 'codex-ml[sample-translation]'"
        )
    return found


def _catalogues(paths: Iterable[Path]) -> tuple[dict[str, Translations], list[tuple[str, str]]]:
    """The translations of each source by language, and the pairs of singular and plural."""
    translations: defaultdict[str, Translations] = defaultdict(dict)
    plurals: dict[tuple[str, str], None] = {}
    # Messages that stand alone come before those bound to a context, whose translation may fit only there.
    for bound in (False, True):
        for path in paths:
            known = translations[path.parent.parent.name]
            for context, source, plural, found in _messages(path):
                if bool(context) is not bound:
                    continue
                for text, target in found:
                    if _telling(text) and target.strip():
                        known.setdefault(text, {})[target.strip()] = None
                if plural and _telling(source) and _telling(plural):
                    plurals[source, plural] = None
    return dict(translations), list(plurals)


def _messages(path: Path) -> Iterator[tuple[str, str, str, list[tuple[str, str]]]]:
    """The context, source and plural of each message (empty where it has none), and its pairs of source and target.

    The compiled files hold neither what is not translated nor what is marked as uncertain.
    """
    with path.open("rb") as file:
        catalogue = gettext.GNUTranslations(file)
    for key in _keys(path.read_bytes()):
        context, _, message = key.rpartition("\x04")
        source, _, plural = (part.strip() for part in message.partition("\0"))
        if not plural:
            raw = catalogue.pgettext(context, message) if context else catalogue.gettext(message)
            yield context, source, "", [(source, raw)]
            continue
        forms = [_form(catalogue, context, message, number) for number in (1, *_PLURAL)]
        yield context, source, plural, [(source, forms[0]), *((plural, form) for form in forms[1:])]


def _form(catalogue: gettext.GNUTranslations, context: str, message: str, number: int) -> str:
    source, _, plural = message.partition("\0")
    if context:
        return catalogue.npgettext(context, source, plural, number)
    return catalogue.ngettext(source, plural, number)


def _keys(content: bytes) -> Iterator[str]:
    """The keys of a compiled catalogue but for its header's, which the standard library reads, but does not give out.

    The format is that of https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html.
    """
    order = "<" if content.startswith(b"\xde\x12\x04\x95") else ">"
    count, table = struct.unpack_from(f"{order}2I", content, 8)
    for number in range(count):
        length, start = struct.unpack_from(f"{order}2I", content, table + 8 * number)
        if length:
            yield content[start : start + length].decode("utf-8")


def _plain(text: str) -> str:
    """The words of a message without placeholders and markup."""
    return " ".join(re.findall(r"\w+", _PLACEHOLDER.sub(" ", text).casefold()))


def _telling(text: str) -> bool:
    """Whether there is anything to translate."""
    return bool(_plain(text))


def _splits(sources: Iterable[str], plurals: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The split of each source."""
    words = {source: _plain(source) for source in sources}
    distinct = sorted(set(words.values()))
    near = near_pairs({each: trigrams(each) for each in distinct})
    forms = [(words[one], words[other]) for one, other in sorted(plurals)]
    split = {each: split_of(group[0]) for group in grouped(distinct, [*near, *forms]) for each in group}
    return {source: split[each] for source, each in words.items()}


def _record(language: str, source: str, targets: list[str]) -> Mapping[str, object]:
    place = f"{language}/{hashlib.sha256(source.encode()).hexdigest()[:12]}"
    return {"id": place, "source": source, "target": targets[0], "references": targets, "language": language}
