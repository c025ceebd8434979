"""Whatever word and paragraph vectors may be trained on, as one corpus; new documents in codes."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from fastrec.data import corpus_builder, word_batches
from fastrec.data.corpus import Corpus
from fastrec.data.id_columns import utf8_column
from fastrec.data.ids import IdMap, require_map
from fastrec.data.ragged import offsets_of
from fastrec.data.tokenize import Tokenizer
from fastrec.errors import InputError
from fastrec.runtime.checks import file_path


def as_corpus(data: Any, tokenize: Tokenizer | None = None) -> Corpus:
    """Return ``data`` as a corpus; a corpus is returned as it is.

    Parameters
    ----------
    data : Corpus, path, iterable of str, or iterable of lists of str
        A path ending in ``.parquet`` has a column ``text``; other files have one document
        a line. Iterables are read once, so generators will do.
    tokenize : callable or None
        From str to a list of str, for texts; None means :func:`fastrec.data.tokenize.words`.

    Raises
    ------
    InputError
        None of these, no word at all, or a tokenizer for words that are cut already.
    FormatError
        A file is not UTF-8, or no Parquet.
    """
    if isinstance(data, Corpus):
        if tokenize is not None:
            raise InputError("tokenize cuts texts, but a Corpus is cut already; leave it out")
        return data
    if isinstance(data, (str, os.PathLike)):
        if file_path(data).endswith(".parquet"):
            return Corpus.from_parquet(data, tokenize=tokenize)
        return Corpus.from_file(data, tokenize=tokenize)
    return corpus_builder.build(word_batches.of_documents(data, tokenize))


def encode_documents(
    documents: Any, word_ids: IdMap, tokenize: Tokenizer | None = None
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return new documents in the codes of words that are known already.

    Cost: one look at each character and one hash look-up a word.

    Parameters
    ----------
    documents : Corpus, iterable of str, or iterable of lists of str
        Read once.
    word_ids : IdMap
        Words by code.
    tokenize : callable or None
        As in :func:`as_corpus`.

    Returns
    -------
    tokens : ndarray of int32, shape (n,)
        The documents one after the other; unknown words are left out.
    offsets : ndarray of int64, shape (n_documents + 1,)
        Document ``i`` is ``tokens[offsets[i]:offsets[i + 1]]``.
    unknown : int
        How many words were left out.

    Raises
    ------
    InputError
        What :func:`as_corpus` raises, or no map of ids; no documents at all are fine.
    """
    require_map("word_ids", word_ids)
    if isinstance(documents, Corpus):
        if tokenize is not None:
            raise InputError("tokenize cuts texts, but a Corpus is cut already; leave it out")
        return _known(documents.word_ids.codes_in(word_ids)[documents.tokens], documents.offsets)
    codes, lengths = [np.empty(0, np.int32)], [np.empty(0, np.int64)]
    unknown = 0
    for batch in word_batches.of_documents(documents, tokenize):
        column = utf8_column(batch.blob, batch.offsets)
        found = word_ids.encode_column(column, "words", on_unknown="ignore")
        tokens, offsets, missed = _known(found, offsets_of(batch.counts))
        codes.append(tokens)
        lengths.append(np.diff(offsets))
        unknown += missed
    return np.concatenate(codes), offsets_of(np.concatenate(lengths)), unknown


def _known(codes: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Return codes and offsets without the codes that are -1, and how many these were."""
    keep = codes >= 0
    kept_before = np.concatenate(([0], np.cumsum(keep, dtype=np.int64)))
    return codes[keep], kept_before[offsets], len(codes) - int(kept_before[-1])
