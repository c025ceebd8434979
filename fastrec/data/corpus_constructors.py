"""The ways to make a corpus; a part of :class:`~fastrec.data.corpus.Corpus`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from fastrec.data.tokenize import Tokenizer

if TYPE_CHECKING:
    from fastrec.data.corpus import Corpus

Path = str | PathLike[str]


class CorpusConstructors:
    """What :class:`Corpus` is made by; not meant to be used by itself."""

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        *,
        ids: Any = None,
        tokenize: Tokenizer | None = None,
        memory_limit: int | None = None,
    ) -> Corpus:
        """Return the corpus of texts, read once: a generator will do.

        Cost: one look at each character and one hash look-up a word.

        Parameters
        ----------
        texts : iterable of str
            One document each.
        ids : list, ndarray, Series or Arrow column, shape (n_documents,), optional
            Different whole numbers from 0 on, or strings; None numbers the documents.
        tokenize : callable or None
            From str to a list of str; None means :func:`fastrec.data.tokenize.words`.
        memory_limit : int or None
            Bytes of codes to hold in memory before they go to a temporary file, in the
            folder that ``TMPDIR`` names; None means 1 GiB.

        Raises
        ------
        InputError
            No document, no word, a document that is no str, a tokenizer that returns no
            strings, or ids that are too few, too many or the same.
        FastrecError
            The temporary file cannot be written.
        """
        from fastrec.data import corpus_builder, word_batches

        return corpus_builder.build(word_batches.of_texts(texts, tokenize), ids, memory_limit)

    @classmethod
    def from_tokens(
        cls,
        documents: Iterable[Sequence[str]],
        *,
        ids: Any = None,
        memory_limit: int | None = None,
    ) -> Corpus:
        """Return the corpus of documents that are cut into words already, read once.

        Parameters
        ----------
        documents : iterable of sequences of str
            Words of any Unicode, taken as they are.
        ids, memory_limit
            As in :meth:`from_texts`.

        Raises
        ------
        InputError
            No document, no word, a document that is no list of words, or a word that is
            no str of valid Unicode.
        """
        from fastrec.data import corpus_builder, word_batches

        return corpus_builder.build(word_batches.of_tokens(documents), ids, memory_limit)

    @classmethod
    def from_file(
        cls,
        path: Path | Sequence[Path],
        *,
        tokenize: Tokenizer | None = None,
        memory_limit: int | None = None,
    ) -> Corpus:
        """Return the corpus of text files in UTF-8, one document a line, empty lines too.

        A line ends with a line feed, before which a carriage return may stand, and is never
        cut, however long. A byte order mark at the start of a file is passed over.

        Parameters
        ----------
        path : path or list of paths
            Files; those that end in ``.gz`` are decompressed while they are read. Read
            from :meth:`Corpus.to_file`, give ``tokenize=str.split``.
        tokenize, memory_limit
            As in :meth:`from_texts`.

        Raises
        ------
        InputError
            A file is not there, is a folder, or changed while it was read; no word in any.
        FormatError
            A line is not UTF-8, or a ``.gz`` file is damaged.
        """
        from fastrec.data import corpus_builder, corpus_readers

        files = corpus_readers.files_of(path)
        batches = corpus_readers.of_lines(files, tokenize)
        return corpus_builder.build(batches, None, memory_limit, files[0])

    @classmethod
    def from_parquet(
        cls,
        path: Path | Sequence[Path],
        text: str = "text",
        id: str | None = None,
        *,
        tokenize: Tokenizer | None = None,
        memory_limit: int | None = None,
    ) -> Corpus:
        """Return the corpus of a column of a Parquet file, read some rows at a time.

        Needs pyarrow: ``pip install "fastrec-engine[data]"``.

        Parameters
        ----------
        path : path or list of paths
            A file, several, or a folder of ``*.parquet``.
        text : str
            The column of texts, one document a row, or of lists of words.
        id : str or None
            The column of the documents' ids; None numbers them.
        tokenize, memory_limit
            As in :meth:`from_texts`.

        Raises
        ------
        InputError
            pyarrow or a column is missing, a row is null, the column holds no text, ids are
            not different, or a file changed while it was read.
        FormatError
            The file is no Parquet, or damaged.
        """
        from fastrec.data import corpus_builder, corpus_readers

        source = corpus_readers.ParquetTexts(path, text, id, tokenize)
        read_ids = None if id is None else source.ids
        return corpus_builder.build(source.batches(), None, memory_limit, source.where, read_ids)
