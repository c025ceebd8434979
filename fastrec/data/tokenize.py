"""From a text to its words: what a :class:`~fastrec.data.corpus.Corpus` cuts texts with by default.

A word is a run of letters, digits and combining marks of any script that begins
with a letter or a digit. An apostrophe, an underscore or a zero-width joiner
stays where it stands alone between two parts of a word, so that "don't",
"new_york" and Persian compounds are one word. Everything else separates:
white space, punctuation, symbols and emoji.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache

Tokenizer = Callable[[str], list[str]]

_ASCII_WORD = re.compile(r"[a-z0-9]+(?:['_][a-z0-9]+)*")
_SOFT_HYPHEN = "\u00ad"  # says only where a line may break
_TYPOGRAPHIC_APOSTROPHE = "\u2019"


def words(text: str) -> list[str]:
    """Return the lower-cased words of a text, in order; none is cut or left out for its length.

    Composed and decomposed letters give the same word (NFC, Unicode Standard
    Annex 15), soft hyphens vanish, and ’ becomes '. Scripts that put no spaces
    between words, such as Chinese or Thai, come out in runs as long as a phrase:
    give a tokenizer of their own instead.

    Parameters
    ----------
    text : str

    Examples
    --------
    >>> words("Don't stop: NEW_YORK, it’s 3 o'clock!")
    ["don't", 'stop', 'new_york', "it's", '3', "o'clock"]
    >>> words("'Ünïcödé' 東京 हिन्दी 🙂")
    ['ünïcödé', '東京', 'हिन्दी']
    """
    text = text.lower()
    if text.isascii():
        return _ASCII_WORD.findall(text)
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    text = text.replace(_SOFT_HYPHEN, "").replace(_TYPOGRAPHIC_APOSTROPHE, "'")
    word, loose_underscore = _patterns()
    if "_" in text:
        text = loose_underscore.sub(" ", text)
    return word.findall(text)


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    r"""Return the patterns of a word, and of underscores that stand not inside one.

    Python's ``\w`` knows no marks, and a class cannot be ``\w`` and marks but no
    underscore: so the loose underscores go first.
    """
    part = rf"[\w{_marks()}]"
    letter = r"[^\W_]"
    run = rf"{letter}{part}*"
    word = re.compile(rf"{run}(?:['\u200c\u200d]{run})*")
    return word, re.compile(rf"__+|(?<!{part})_|_(?!{letter})")


def _marks() -> str:
    """Return all combining marks as the inside of a character class."""
    ranges: list[list[int]] = []
    # Marks are in the planes 0 and 1 and, as variation selectors, at the start of plane 14.
    for point in (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0)):
        if unicodedata.category(chr(point))[0] == "M":
            if ranges and ranges[-1][1] == point - 1:
                ranges[-1][1] = point
            else:
                ranges.append([point, point])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)
