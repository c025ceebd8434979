"""Where threads stand by for the next short call of compiled code."""

from libc.stdint cimport int32_t, int64_t, uintptr_t
from libc.string cimport memset

cdef extern from "relay.h" nogil:
    ctypedef void (*RelayTask)(void *, int64_t, int64_t)
    ctypedef struct State "Relay":
        int32_t bells
    int32_t ATOMIC_ADD(int32_t *, int32_t)
    int32_t ATOMIC_READ(int32_t *)
    void relay_stand_by(State *, int32_t, double)
    int relay_run(State *, RelayTask, void *, int64_t, int64_t, int32_t)


cdef class Relay:
    """Callers and the threads that stand by for them."""

    cdef State state

    def __cinit__(self):
        memset(&self.state, 0, sizeof(self.state))

    @property
    def bells(self):
        """How often the bell was rung."""
        return ATOMIC_READ(&self.state.bells)

    def ring(self):
        """Send everybody away who stands by."""
        ATOMIC_ADD(&self.state.bells, 1)

    def stand_by(self, int32_t bells, double seconds):
        """Work along with calls until none came for ``seconds`` or the bell has been rung.

        ``bells`` is how often it had been rung when the caller last looked for other work.
        """
        with nogil:
            relay_stand_by(&self.state, bells, seconds)

    def run(self, tuple entry, int64_t stop, int64_t grain, int32_t room):
        """Work on ``[0, stop)`` in pieces of ``grain``, with up to ``room`` of those who stand by.

        Parameters
        ----------
        entry : tuple of two ints
            The addresses of a function ``(context, start, stop)`` that does not raise, and of its
            context.

        Returns
        -------
        bool
            False, and nothing was done, where nobody stands by or another call is under way.
        """
        cdef uintptr_t task = entry[0], context = entry[1]
        cdef bint is_done
        with nogil:
            is_done = relay_run(&self.state, <RelayTask>task, <void *>context, stop, grain, room)
        return is_done
