"""Writing a corpus as lines of words, the format that other word2vec programs read."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from fastrec.errors import InputError
from fastrec.runtime.files import replacing

if TYPE_CHECKING:
    from fastrec.data.corpus import Corpus

STEP = 1 << 16
BYTE_ORDER_MARK = "\ufeff"


def write(corpus: Corpus, path: str | PathLike[str]) -> None:
    """See :meth:`Corpus.to_file`."""
    _refuse_unwritable(corpus)
    with replacing(path) as file:
        for words in corpus.decode():
            file.write(" ".join(words).encode() + b"\n")


def _refuse_unwritable(corpus: Corpus) -> None:
    for start in range(0, corpus.n_words, STEP):
        codes = np.arange(start, min(start + STEP, corpus.n_words), dtype=np.int32)
        for code, word in zip(codes.tolist(), corpus.word_ids.decode(codes), strict=True):
            if word.split() != [word]:
                why = "it is empty or holds white space"
                raise _unwritable(word, _first_document(corpus, code), why)
    for word in corpus.word_ids.decode(corpus.tokens[: corpus.offsets[1]][:1]):
        if word.startswith(BYTE_ORDER_MARK):
            raise _unwritable(word, 0, "at the start of a file it passes for a byte order mark")


def _unwritable(word: str, row: int, why: str) -> InputError:
    return InputError(
        f"the word {word!r}, of document {row}, cannot be written as one of a line of words: "
        f"{why}; replace it before making the corpus"
    )


def _first_document(corpus: Corpus, code: int) -> int:
    for start in range(0, corpus.n_tokens, STEP):
        places = np.flatnonzero(corpus.tokens[start : start + STEP] == code)
        if len(places):
            return int(np.searchsorted(corpus.offsets, start + places[0], side="right")) - 1
    return -1
