"""Ids to codes and back: hashing while a map is made, searching a finished map where it lies.

Integers are int64 of at least 0. Strings are UTF-8, one after the other in a
blob; string i is ``blob[offsets[i]:offsets[i + 1]]``. A code is the place of an
id in its map (int32); -1 is padding or unknown. The search functions check what
they read from a map, because a map may lie in a file that is damaged: they
return False where it is.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawMalloc
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

cdef extern from "random.h" nogil:
    uint64_t mix64(uint64_t)

cdef extern from "ids.h" nogil:
    ctypedef struct sort_entry:
        uint64_t key
        int32_t code
    uint64_t hash_bytes(const uint8_t *, int64_t)
    bint equal_bytes(const uint8_t *, int64_t, const uint8_t *, int64_t)
    int compare_bytes(const uint8_t *, int64_t, const uint8_t *, int64_t)
    uint64_t sort_key(const uint8_t *, const int64_t *, int32_t, int64_t)
    void sort_strings(sort_entry *, int64_t, int64_t, const uint8_t *, const int64_t *)

cdef uint64_t TAG = 0xFFFFFFFF00000000
cdef int64_t MOST_IDS = 0x7FFFFFFE


cdef class _Table:
    """The slots of a hash table that grows, at most two thirds full; see ids.h."""

    cdef uint64_t *slots
    cdef int bits
    cdef readonly int64_t count

    def __cinit__(self):
        self.bits = 10
        self.slots = <uint64_t *>PyMem_RawCalloc(<size_t>1 << self.bits, sizeof(uint64_t))
        if self.slots is NULL:
            raise MemoryError("no memory for a table of ids")

    def __dealloc__(self):
        PyMem_RawFree(self.slots)

    cdef int make_room(self, int64_t extra) except -1:
        """Grow the table so that ``extra`` more ids fit, moving each slot by its kept hash."""
        cdef uint64_t *grown
        cdef uint64_t slot, place, mask
        cdef int64_t i
        cdef int bits = self.bits
        if self.count + extra > MOST_IDS:
            raise OverflowError("more than 2**31 - 2 different ids")
        while (self.count + extra) * 3 > (<int64_t>2 << bits):
            bits += 1
        if bits == self.bits:
            return 0
        if bits > 32:
            raise OverflowError("more than 2**31 - 2 different ids")
        grown = <uint64_t *>PyMem_RawCalloc(<size_t>1 << bits, sizeof(uint64_t))
        if grown is NULL:
            raise MemoryError("no memory for a table of ids")
        mask = (<uint64_t>1 << bits) - 1
        for i in range(<int64_t>1 << self.bits):
            slot = self.slots[i]
            if slot:
                place = slot >> (64 - bits)
                while grown[place]:
                    place = (place + 1) & mask
                grown[place] = slot
        PyMem_RawFree(self.slots)
        self.slots = grown
        self.bits = bits
        return 0


cdef class IntEncoder(_Table):
    """Gives codes to integers in order of first appearance.

    ``values`` is a bytearray that holds the int64 ids by code.
    """

    cdef readonly bytearray values

    def __init__(self):
        self.values = bytearray()

    def add(self, const int64_t[::1] ids, int32_t[::1] codes):
        """Write the code of each of ``ids`` to ``codes``; new ids get the next codes.

        The caller hands in at most some ten thousands at a time: room is made for all of them.
        """
        cdef int64_t n = ids.shape[0], i
        cdef uint64_t tag, slot, place, mask
        cdef int64_t *values
        self.make_room(n)
        PyByteArray_Resize(self.values, (self.count + n) * 8)
        values = <int64_t *>PyByteArray_AS_STRING(self.values)
        mask = (<uint64_t>1 << self.bits) - 1
        with nogil:
            for i in range(n):
                tag = mix64(<uint64_t>ids[i])
                place = tag >> (64 - self.bits)
                tag &= TAG
                while True:
                    slot = self.slots[place]
                    if slot == 0:
                        values[self.count] = ids[i]
                        codes[i] = <int32_t>self.count
                        self.count += 1
                        self.slots[place] = tag | <uint64_t>self.count
                        break
                    if (slot & TAG) == tag and values[(slot & ~TAG) - 1] == ids[i]:
                        codes[i] = <int32_t>((slot & ~TAG) - 1)
                        break
                    place = (place + 1) & mask
        PyByteArray_Resize(self.values, self.count * 8)


cdef class StrEncoder(_Table):
    """Gives codes to UTF-8 strings in order of first appearance.

    ``blob`` holds the bytes of the ids by code, ``ends`` (int64) where each ends.
    """

    cdef readonly bytearray blob
    cdef readonly bytearray ends

    def __init__(self):
        self.blob = bytearray()
        self.ends = bytearray(8)

    def add(self, const uint8_t[::1] texts, const int64_t[::1] offsets, int32_t[::1] codes):
        """Write the code of each string to ``codes``; new strings get the next codes.

        ``offsets`` holds one number more than there are strings. The caller hands in at most
        some ten thousands at a time: room is made for all of them.
        """
        cdef int64_t n = codes.shape[0], i, size, known, used
        cdef uint64_t tag, slot, place, mask
        cdef const uint8_t *source = &texts[0] if texts.shape[0] else NULL
        cdef const uint8_t *text
        cdef uint8_t *blob
        cdef int64_t *ends
        used = PyByteArray_GET_SIZE(self.blob)
        self.make_room(n)
        PyByteArray_Resize(self.blob, used + offsets[n] - offsets[0])
        PyByteArray_Resize(self.ends, (self.count + n + 1) * 8)
        blob = <uint8_t *>PyByteArray_AS_STRING(self.blob)
        ends = <int64_t *>PyByteArray_AS_STRING(self.ends)
        mask = (<uint64_t>1 << self.bits) - 1
        with nogil:
            for i in range(n):
                text = source + offsets[i]
                size = offsets[i + 1] - offsets[i]
                tag = hash_bytes(text, size)
                place = tag >> (64 - self.bits)
                tag &= TAG
                while True:
                    slot = self.slots[place]
                    known = <int64_t>(slot & ~TAG) - 1
                    if slot == 0:
                        memcpy(blob + used, text, size)
                        used += size
                        codes[i] = <int32_t>self.count
                        self.count += 1
                        ends[self.count] = used
                        self.slots[place] = tag | <uint64_t>self.count
                        break
                    if (slot & TAG) == tag and equal_bytes(
                            text, size, blob + ends[known], ends[known + 1] - ends[known]):
                        codes[i] = <int32_t>known
                        break
                    place = (place + 1) & mask
        PyByteArray_Resize(self.blob, used)
        PyByteArray_Resize(self.ends, (self.count + 1) * 8)


def build_slots(const uint8_t[::1] blob, const int64_t[::1] offsets, uint64_t[::1] slots, int bits):
    """Fill ``slots`` (2**bits zeros) with the strings of a map, for :func:`find_strings`."""
    cdef int64_t n = offsets.shape[0] - 1, i
    cdef uint64_t tag, place, mask = (<uint64_t>1 << bits) - 1
    cdef const uint8_t *bytes = &blob[0] if blob.shape[0] else NULL
    with nogil:
        for i in range(n):
            if offsets[i] < 0 or offsets[i + 1] < offsets[i] or offsets[i + 1] > blob.shape[0]:
                with gil:
                    return False
            tag = hash_bytes(bytes + offsets[i], offsets[i + 1] - offsets[i])
            place = tag >> (64 - bits)
            while slots[place]:
                place = (place + 1) & mask
            slots[place] = (tag & TAG) | <uint64_t>(i + 1)
    return True


def find_strings(const uint8_t[::1] blob, const int64_t[::1] offsets, const uint64_t[::1] slots,
                 int bits, const uint8_t[::1] texts, const int64_t[::1] text_offsets,
                 int32_t[::1] codes):
    """Write the code of each string, or -1, as the ``slots`` of :func:`build_slots` have it."""
    cdef int64_t n = codes.shape[0], i, size, known
    cdef uint64_t tag, slot, place, mask = (<uint64_t>1 << bits) - 1
    cdef const uint8_t *bytes = &blob[0] if blob.shape[0] else NULL
    cdef const uint8_t *source = &texts[0] if texts.shape[0] else NULL
    cdef const uint8_t *text
    with nogil:
        for i in range(n):
            text = source + text_offsets[i]
            size = text_offsets[i + 1] - text_offsets[i]
            tag = hash_bytes(text, size)
            place = tag >> (64 - bits)
            tag &= TAG
            codes[i] = -1
            while True:
                slot = slots[place]
                if slot == 0:
                    break
                known = <int64_t>(slot & ~TAG) - 1
                if (slot & TAG) == tag and equal_bytes(
                        text, size, bytes + offsets[known], offsets[known + 1] - offsets[known]):
                    codes[i] = <int32_t>known
                    break
                place = (place + 1) & mask


def search_strings(const uint8_t[::1] blob, const int64_t[::1] offsets, const int32_t[::1] order,
                   const uint8_t[::1] texts, const int64_t[::1] text_offsets,
                   int32_t[::1] codes):
    """Write the code of each string, or -1, by binary search in ``order`` (codes in byte order)."""
    cdef int64_t n = codes.shape[0], count = order.shape[0], i, size, low, high, middle
    cdef int64_t start, stop
    cdef int32_t code
    cdef int compared
    cdef const uint8_t *bytes = &blob[0] if blob.shape[0] else NULL
    cdef const uint8_t *source = &texts[0] if texts.shape[0] else NULL
    cdef bint is_sound = True
    with nogil:
        for i in range(n):
            size = text_offsets[i + 1] - text_offsets[i]
            low = 0
            high = count
            codes[i] = -1
            while low < high:
                middle = (low + high) >> 1
                code = order[middle]
                if code < 0 or code >= count:
                    is_sound = False
                    break
                start = offsets[code]
                stop = offsets[code + 1]
                if start < 0 or stop < start or stop > blob.shape[0]:
                    is_sound = False
                    break
                compared = compare_bytes(bytes + start, stop - start,
                                         source + text_offsets[i], size)
                if compared == 0:
                    codes[i] = code
                    break
                if compared < 0:
                    low = middle + 1
                else:
                    high = middle
            if not is_sound:
                break
    return is_sound


def search_ints(const int64_t[::1] ids, const int32_t[::1] order, const int64_t[::1] queries,
                int32_t[::1] codes):
    """Write the code of each of ``queries``, or -1, by binary search.

    ``order`` holds the codes in ascending order of their ids; None says that ``ids`` ascend.
    """
    cdef int64_t n = queries.shape[0], count = ids.shape[0], i, low, length, half, query
    cdef const int64_t *values = &ids[0] if count else NULL
    cdef const int32_t *ranks = NULL
    cdef int32_t code
    cdef bint is_sound = True
    if order is not None and count:
        ranks = &order[0]
    with nogil:
        for i in range(n):
            query = queries[i]
            codes[i] = -1
            if query < 0 or count == 0:
                continue
            low = 0
            length = count
            if ranks is NULL:
                while length > 1:
                    half = length >> 1
                    low += half if values[low + half] <= query else 0
                    length -= half
                if values[low] == query:
                    codes[i] = <int32_t>low
                continue
            while length > 1:
                half = length >> 1
                code = ranks[low + half]
                if code < 0 or code >= count:
                    is_sound = False
                    break
                low += half if values[code] <= query else 0
                length -= half
            code = ranks[low]
            if not is_sound or code < 0 or code >= count:
                is_sound = False
                break
            if values[code] == query:
                codes[i] = code
    return is_sound


def sort_order(const uint8_t[::1] blob, const int64_t[::1] offsets, int32_t[::1] order):
    """Write to ``order`` the codes of distinct strings in byte order; needs 16 bytes a string."""
    cdef int64_t n = order.shape[0], i
    cdef const uint8_t *bytes = &blob[0] if blob.shape[0] else NULL
    cdef sort_entry *entries
    if n == 0:
        return
    entries = <sort_entry *>PyMem_RawMalloc(n * sizeof(sort_entry))
    if entries is NULL:
        raise MemoryError("no memory to sort the ids")
    with nogil:
        for i in range(n):
            entries[i].code = <int32_t>i
            entries[i].key = sort_key(bytes, &offsets[0], <int32_t>i, 0)
        sort_strings(entries, n, 0, bytes, &offsets[0])
        for i in range(n):
            order[i] = entries[i].code
    PyMem_RawFree(entries)
