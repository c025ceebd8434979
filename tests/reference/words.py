"""The words of a text, character by character: what both tokenizers of the package follow."""

import unicodedata

JOINERS = "'\u200c\u200d"


def plain_words(text):
    """Return the words of a text as :mod:`fastrec.data.tokenize` defines them."""
    text = unicodedata.normalize("NFC", text.lower())
    text = "".join("'" if c == "\u2019" else c for c in text if c != "\u00ad")
    found, word = [], ""
    for place, character in enumerate(text):
        before, after = text[place - 1 : place], text[place + 1 : place + 2]
        goes_on = bool(word) and after.isalnum()
        if (
            character.isalnum()
            or (word and _is_mark(character) and before not in JOINERS)
            or (goes_on and character in JOINERS)
            or (goes_on and character == "_" and (before.isalnum() or _is_mark(before)))
        ):
            word += character
            continue
        if word:
            found.append(word)
        word = ""
    return [*found, word] if word else found


def _is_mark(character):
    return unicodedata.category(character)[0] == "M"
