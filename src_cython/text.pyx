"""Words of texts in UTF-8: cut and lower-cased in one pass, without a Python object a word.

Documents and words lie one after the other in a blob; the one numbered i is
``blob[offsets[i]:offsets[i + 1]]``. Of a byte only its class matters: part of a word,
a joiner (kept between two parts of a word, once), or neither. Every byte from 0x80 on
is part of a word: texts beyond ASCII come here as words with spaces between them.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset

cdef enum:
    GAP = 0
    PART = 1
    JOINER = 2

cdef uint8_t[256] CLASSES
cdef uint8_t[256] LOWERED


cdef void fill_tables() noexcept:
    """Make the class and the lower case of each byte."""
    cdef int byte
    memset(CLASSES, GAP, 256)
    for byte in range(256):
        LOWERED[byte] = <uint8_t>byte
        if byte >= 0x80 or c'0' <= byte <= c'9' or c'a' <= byte <= c'z':
            CLASSES[byte] = PART
        elif c'A' <= byte <= c'Z':
            CLASSES[byte] = PART
            LOWERED[byte] = <uint8_t>(byte + 32)
    CLASSES[c"'"] = JOINER
    CLASSES[c'_'] = JOINER


fill_tables()


def split_words(const uint8_t[::1] text, const int64_t[::1] offsets, uint8_t[::1] blob,
                int64_t[::1] ends, int64_t[::1] counts):
    """Cut documents into lower-cased words and return how many these are.

    Parameters
    ----------
    text : uint8
        The documents.
    offsets : int64, shape (documents + 1,)
        Where each document begins and ends in ``text``.
    blob : uint8, shape (offsets[-1] - offsets[0],), written
        The words.
    ends : int64, shape (len(blob) // 2 + documents + 1,), written
        The offsets of the words in ``blob``, from 0 on.
    counts : int64, shape (documents,), written
        The number of words of each document.
    """
    cdef int64_t documents = counts.shape[0], document, i, stop, used = 0, words = 0, before
    cdef uint8_t byte, kind
    cdef bint is_inside
    ends[0] = 0
    with nogil:
        for document in range(documents):
            before = words
            stop = offsets[document + 1]
            is_inside = False
            for i in range(offsets[document], stop):
                byte = text[i]
                kind = CLASSES[byte]
                if kind == PART:
                    blob[used] = LOWERED[byte]
                    used += 1
                    is_inside = True
                elif is_inside:
                    if kind == JOINER and i + 1 < stop and CLASSES[text[i + 1]] == PART:
                        blob[used] = byte
                        used += 1
                    else:
                        words += 1
                        ends[words] = used
                        is_inside = False
            if is_inside:
                words += 1
                ends[words] = used
            counts[document] = words - before
    return words
