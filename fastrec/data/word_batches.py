"""Documents of any form as batches of words in UTF-8, the form in which words are encoded.

Texts that are ASCII are cut by compiled code where they lie. Others are cut by
:func:`fastrec.data.tokenize.words` first and joined by spaces, which the same
code cuts at the same places. With a tokenizer of the user's, its lists of words
are flattened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from os import PathLike
from typing import Any

import numpy as np

import fastrec.native.objects as native_objects
import fastrec.native.text as native_text
from fastrec.data.ragged import offsets_of
from fastrec.data.tokenize import Tokenizer, words
from fastrec.errors import InputError

BATCH_CHARACTERS = 1 << 18  # the scratch memory of a batch is some ten times that
BATCH_WORDS = 1 << 15
BATCH_DOCUMENTS = 4096
SHOWN = 60  # characters of a wrong value that a message shows


@dataclass(slots=True)
class WordBatch:
    """The words of consecutive documents.

    Attributes
    ----------
    blob : uint8
        The words one after the other, in UTF-8.
    offsets : int64, shape (words + 1,)
        Where each word begins and ends in ``blob``.
    counts : int64, shape (documents,)
        The number of words of each document.
    """

    blob: np.ndarray
    offsets: np.ndarray
    counts: np.ndarray


def iterator_of(documents: Any) -> Iterator[Any]:
    """Return the iterator of an iterable of documents.

    Raises
    ------
    InputError
        It is none, or a single text or path, whose characters would pass for documents.
    """
    if isinstance(documents, (str, bytes, bytearray, PathLike)):
        raise InputError(
            "documents must be an iterable of documents, got the single "
            f"{type(documents).__name__} {_shown(documents)}; put one text into a list, and read "
            "files with Corpus.from_file or Corpus.from_parquet"
        )
    try:
        return iter(documents)
    except TypeError:
        raise InputError(
            "documents must be an iterable of str or of lists of str, got "
            f"{type(documents).__name__}"
        ) from None


def of_documents(documents: Any, tokenize: Tokenizer | None = None) -> Iterator[WordBatch]:
    """Yield the words of texts or of lists of words: what the first document is, all must be.

    Raises
    ------
    InputError
        ``documents`` is no iterable of documents, a document is not of the kind of the
        first, or there is a tokenizer for words that are cut already.
    """
    iterator = iterator_of(documents)
    for first in iterator:
        whole = chain((first,), iterator)
        if isinstance(first, (str, bytes)) or first is None:
            yield from of_texts(whole, tokenize)
        elif tokenize is not None:
            raise InputError(
                "tokenize cuts texts, but the first document is no str, it is a "
                f"{type(first).__name__}; leave tokenize out for lists of words"
            )
        else:
            yield from of_tokens(whole)


def of_texts(texts: Iterable[str], tokenize: Tokenizer | None = None) -> Iterator[WordBatch]:
    """Yield the words of texts.

    Raises
    ------
    InputError
        A document is no str, or the tokenizer returns something else than strings.
    """
    cut = tokenizer_of(tokenize)
    done = 0
    for batch in _batches(iterator_of(texts), BATCH_CHARACTERS, _size_of_text):
        yield batch_of_texts(batch, cut, done)
        done += len(batch)


def of_tokens(documents: Iterable[Any], first: int = 0) -> Iterator[WordBatch]:
    """Yield the words of documents that are lists of words.

    Parameters
    ----------
    documents : iterable of sequences of str
    first : int
        The number of the first of them, for messages.

    Raises
    ------
    InputError
        A document is no list of words, or a word is no valid str.
    """
    done = first
    numbered = enumerate(iterator_of(documents), first)
    lists = (_word_list(document, row) for row, document in numbered)
    for batch in _batches(lists, BATCH_WORDS, lambda document, _: len(document)):
        yield _flattened(batch, done, "")
        done += len(batch)


def batch_of_texts(texts: list[str], tokenize: Tokenizer | None, first: int) -> WordBatch:
    """Return the words of a few texts; ``first`` is the number of the first, for messages."""
    if tokenize is not None:
        told = "; tokenize must return a list of str"
        lists = [_word_list(tokenize(text), first + row, told) for row, text in enumerate(texts)]
        return _flattened(lists, first, told)
    blobs = [
        text.encode("ascii") if text.isascii() else " ".join(words(text)).encode() for text in texts
    ]
    lengths = np.fromiter(map(len, blobs), np.int64, len(blobs))
    return cut_bytes(np.frombuffer(b"".join(blobs), np.uint8), offsets_of(lengths))


def batch_of_utf8(
    blob: np.ndarray, offsets: np.ndarray, tokenize: Tokenizer | None, first: int
) -> WordBatch:
    """Return the words of texts in UTF-8, text ``i`` being ``blob[offsets[i]:offsets[i + 1]]``.

    Raises
    ------
    UnicodeDecodeError
        A text is not UTF-8.
    """
    inside = blob[offsets[0] : offsets[-1]]
    if tokenize is None and (len(inside) == 0 or inside.max() < 0x80):
        return cut_bytes(blob, offsets)
    rows = np.arange(len(offsets) - 1, dtype=np.int32)
    return batch_of_texts(native_objects.strings_of_codes(blob, offsets, rows), tokenize, first)


def cut_bytes(text: np.ndarray, offsets: np.ndarray) -> WordBatch:
    """Return the words of documents in ASCII, or of words beyond it that spaces separate."""
    size, documents = int(offsets[-1] - offsets[0]), len(offsets) - 1
    blob = np.empty(size, np.uint8)
    ends = np.empty(size // 2 + documents + 1, np.int64)
    counts = np.empty(documents, np.int64)
    number = native_text.split_words(text, offsets, blob, ends, counts)
    return WordBatch(blob[: ends[number]], ends[: number + 1], counts)


def tokenizer_of(tokenize: Any) -> Tokenizer | None:
    """Return a tokenizer, None for the default one.

    Raises
    ------
    InputError
        It cannot be called.
    """
    if tokenize is None or tokenize is words:
        return None
    if not callable(tokenize):
        raise InputError(
            f"tokenize must be a function from str to a list of str, got {tokenize!r}; "
            "for example str.split"
        )
    return tokenize


def _batches(
    documents: Iterator[Any], size: int, size_of: Callable[[Any, int], int]
) -> Iterator[list[Any]]:
    """Yield lists of documents that are about ``size`` together; a longer one comes alone."""
    batch: list[Any] = []
    total = 0
    for row, document in enumerate(documents):
        grown = size_of(document, row)
        if batch and (total + grown > size or len(batch) == BATCH_DOCUMENTS):
            yield batch
            batch, total = [], 0
        batch.append(document)
        total += grown
    if batch:
        yield batch


def _size_of_text(text: Any, row: int) -> int:
    if isinstance(text, str):
        return len(text)
    fix = {
        bytes: "decode it, for example with .decode('utf-8')",
        type(None): "drop missing documents, or give an empty str",
    }.get(type(text), "give texts as str; lists of words go into Corpus.from_tokens")
    raise InputError(f"document {row} must be a str, got {_shown(text)}; {fix}")


def _word_list(document: Any, row: int, told: str = "") -> list[Any]:
    """Return a document of words as a list; the words are checked when they are flattened."""
    if isinstance(document, list):
        return document
    if isinstance(document, np.ndarray):
        return document.tolist() if document.ndim == 1 else _refuse_document(document, row, told)
    if isinstance(document, (str, bytes, dict, set, frozenset)):
        _refuse_document(document, row, told)
    try:
        return list(document)
    except TypeError:
        return _refuse_document(document, row, told)


def _refuse_document(document: Any, row: int, told: str) -> list[Any]:
    if not told and isinstance(document, str):
        told = "; texts go into Corpus.from_texts"
    raise InputError(
        f"document {row} must be a list of words, got {_shown(document)} of type "
        f"{type(document).__name__}{told}"
    )


def _flattened(documents: list[list[Any]], first: int, told: str) -> WordBatch:
    """Return the words of lists of words; ``told`` ends the message for one that is none."""
    counts = np.fromiter(map(len, documents), np.int64, len(documents))
    flat = list(chain.from_iterable(documents))
    blob, offsets, missing, bad = native_objects.utf8_of_objects(flat)
    if bad < 0 and missing is not None:
        bad = missing.index(1)
    if bad >= 0:
        row = int(np.searchsorted(np.cumsum(counts), bad, side="right"))
        word = flat[bad]
        why = "with a lone surrogate" if isinstance(word, str) else f"of type {type(word).__name__}"
        raise InputError(
            f"document {first + row} must hold words of valid Unicode, got {_shown(word)} {why}"
            f"{told}"
        )
    return WordBatch(np.frombuffer(blob, np.uint8), np.frombuffer(offsets, np.int64), counts)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
