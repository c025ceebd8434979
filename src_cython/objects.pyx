"""Between Python's objects and the arrays that maps of ids are made of.

Strings become UTF-8, one after the other in a blob, and come back as ``str``;
string i is ``blob[offsets[i]:offsets[i + 1]]``. Numbers become int64, None is -1.
What is none of these is reported by its place, so that the caller can name it.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_Resize
from cpython.list cimport PyList_GET_ITEM
from cpython.long cimport PyLong_CheckExact
from cpython.object cimport PyObject
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

cdef extern from "ids.h" nogil:
    int write_utf8(uint32_t, uint8_t *)

cdef extern from "Python.h":
    int PyUnicode_Check(PyObject *)
    int PyUnicode_KIND(PyObject *)
    void *PyUnicode_DATA(PyObject *)
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject *)
    int PyUnicode_IS_ASCII(PyObject *)
    uint32_t PyUnicode_READ(int, void *, Py_ssize_t)
    str PyUnicode_DecodeUTF8(const char *, Py_ssize_t, const char *)
    int PyBool_Check(PyObject *)
    int PyIndex_Check(PyObject *)
    object PyNumber_Index(object)
    long long PyLong_AsLongLongAndOverflow(object, int *)


def utf8_of_objects(list objects):
    """Return strings as ``(blob, offsets, missing, bad)``.

    ``blob`` is a bytearray, ``offsets`` one of int64, ``missing`` one of a byte an
    object that is 1 where it is None, or None where there is none. ``bad`` is the place
    of the first object that is no string, or that holds a surrogate, or -1.
    """
    cdef Py_ssize_t n = len(objects), i, j, size
    cdef bytearray blob = bytearray(n * 16)
    cdef bytearray offsets = bytearray((n + 1) * 8)
    cdef bytearray missing = None
    cdef int64_t *ends = <int64_t *>PyByteArray_AS_STRING(offsets)
    cdef uint8_t *out = <uint8_t *>PyByteArray_AS_STRING(blob)
    cdef int64_t room = n * 16, used = 0
    cdef PyObject *item
    cdef int kind, width
    cdef void *data
    for i in range(n):
        item = <PyObject *>PyList_GET_ITEM(objects, i)
        if not PyUnicode_Check(item):
            if <object>item is not None:
                return blob, offsets, missing, i
            if missing is None:
                missing = bytearray(n)
            missing[i] = 1
            ends[i + 1] = used
            continue
        size = PyUnicode_GET_LENGTH(item)
        data = PyUnicode_DATA(item)
        if used + size * 4 > room:
            room = (used + size * 4) + (room >> 1)
            PyByteArray_Resize(blob, room)
            out = <uint8_t *>PyByteArray_AS_STRING(blob)
        if PyUnicode_IS_ASCII(item):
            memcpy(out + used, data, size)
            used += size
        else:
            kind = PyUnicode_KIND(item)
            for j in range(size):
                width = write_utf8(PyUnicode_READ(kind, data, j), out + used)
                if width == 0:
                    return blob, offsets, missing, i
                used += width
        ends[i + 1] = used
    PyByteArray_Resize(blob, used)
    return blob, offsets, missing, -1


def utf8_of_points(const uint32_t[:, ::1] points):
    """Return fixed-width strings of code points as ``(blob, offsets, bad)``; zeros end a string."""
    cdef Py_ssize_t n = points.shape[0], width = points.shape[1], i, j, size
    cdef bytearray blob = bytearray(n * width * 4)
    cdef bytearray offsets = bytearray((n + 1) * 8)
    cdef int64_t *ends = <int64_t *>PyByteArray_AS_STRING(offsets)
    cdef uint8_t *out = <uint8_t *>PyByteArray_AS_STRING(blob)
    cdef int64_t used = 0, bad = -1
    cdef int wrote
    with nogil:
        for i in range(n):
            size = width
            while size > 0 and points[i, size - 1] == 0:
                size -= 1
            for j in range(size):
                wrote = write_utf8(points[i, j], out + used)
                if wrote == 0:
                    bad = i
                    break
                used += wrote
            if bad >= 0:
                break
            ends[i + 1] = used
    PyByteArray_Resize(blob, used)
    return blob, offsets, bad


def ints_of_objects(list objects, int64_t[::1] out):
    """Write whole numbers to ``out`` and return the place of the first object that is none, or -1.

    None becomes -1. Booleans, floats and numbers outside int64 are refused.
    """
    cdef Py_ssize_t n = len(objects), i
    cdef PyObject *item
    cdef object number
    cdef int overflow
    for i in range(n):
        item = <PyObject *>PyList_GET_ITEM(objects, i)
        if <object>item is None:
            out[i] = -1
            continue
        if PyBool_Check(item) or not PyIndex_Check(item):
            return i
        overflow = 0
        if PyLong_CheckExact(<object>item):
            out[i] = PyLong_AsLongLongAndOverflow(<object>item, &overflow)
        else:
            try:
                number = PyNumber_Index(<object>item)
            except Exception:  # the method of a stranger may raise anything
                return i
            out[i] = PyLong_AsLongLongAndOverflow(number, &overflow)
        if overflow:
            return i
    return -1


def strings_of_codes(const uint8_t[::1] blob, const int64_t[::1] offsets,
                     const int32_t[::1] codes):
    """Return a list of the strings of ``codes``; -1 gives None. None at large: a damaged map."""
    cdef Py_ssize_t n = codes.shape[0], i
    cdef int64_t start, stop
    cdef const char *bytes = NULL
    cdef list strings = [None] * n
    if blob.shape[0]:
        bytes = <const char *>&blob[0]
    for i in range(n):
        if codes[i] < 0:
            continue
        start = offsets[codes[i]]
        stop = offsets[codes[i] + 1]
        if start < 0 or stop < start or stop > blob.shape[0]:
            return None
        strings[i] = PyUnicode_DecodeUTF8(bytes + start, stop - start, NULL) if stop > start else ""
    return strings
