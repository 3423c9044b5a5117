"""Words of any script, for metrics that compare texts by their words."""

from __future__ import annotations

import unicodedata

__all__ = ["unicode_words"]

# Scripts written without spaces, of which each character is a word; told by how Unicode names their characters.
_SPACELESS = (
    "BOPOMOFO",
    "CJK COMPATIBILITY IDEOGRAPH",
    "CJK UNIFIED IDEOGRAPH",
    "HIRAGANA",
    "IDEOGRAPHIC",
    "KATAKANA",
    "KHMER",
    "LAO",
    "MYANMAR",
    "THAI",
    "YI SYLLABLE",
)


class _Spacing(dict[int, str]):
    """What `str.translate` puts for a character, found out when it is first met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category, name = unicodedata.category(character), unicodedata.name(character, "")
        # Joiners, soft hyphens, marks of direction; what only changes how the character before it looks.
        if category in ("Cf", "Me") or name.startswith("VARIATION SELECTOR"):
            spaced = ""
        elif category[0] not in "LMN":
            spaced = " "
        elif name.startswith(_SPACELESS):
            spaced = f" {character} "
        else:
            spaced = character
        self[code] = spaced
        return spaced


_SPACING = _Spacing()


def unicode_words(text: str) -> list[str]:
    """The words of a text: letters, marks and numbers of any script, without case, in Unicode's form NFKC.

    Of ASCII texts these are the same as rouge-score's own. Each character of a script that is written without spaces
    (Chinese, Japanese, Thai, Lao, Khmer, Burmese, Yi) is a word, as there is no telling where one ends without a
    dictionary. Invisible format characters are left out.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.translate(_SPACING).split()
