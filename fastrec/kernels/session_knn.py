"""The nearest sessions of a history, and what they vote for.

Jannach and Ludewig, "When Recurrent Neural Networks meet the Neighborhood for Session-Based
Recommendation" (RecSys 2017), and Ludewig and Jannach, "Evaluation of session-based recommendation
algorithms" (2018), for the sample of recent sessions and the weights of the history; Garg et al.,
"Sequence and Time Aware Neighborhood for Session-based Recommendations" (SIGIR 2019), for what
depends on the distance within a neighbour and on its age.

Legend: ``q`` query, ``p`` place in the histories, ``s`` session, ``x`` place in a list of sessions
or items, ``c`` candidates, ``m`` sample size, ``k`` neighbours. Sessions are numbered from the
oldest to the latest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrec.kernels import compiled


@compiled
def keep_largest(numbers: Any, n: int, m: int) -> None:
    """Move the ``m`` largest of the first ``n`` numbers to the front, in any order.

    Parameters
    ----------
    numbers : int32 ndarray
        Different ones; changed in place.
    n, m : int
        ``1 <= m <= n``. Cost: O(n) on average.
    """
    low, high = 0, n - 1
    while low < high:
        pivot = numbers[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while numbers[i] > pivot:
                i += 1
            while numbers[j] < pivot:
                j -= 1
            if i <= j:
                numbers[i], numbers[j] = numbers[j], numbers[i]
                i += 1
                j -= 1
        if m - 1 <= j:
            high = j
        elif m - 1 >= i:
            low = i
        else:
            return


@compiled
def is_farther(similarity: Any, one: int, other: int) -> bool:
    """Say whether session ``one`` is less similar than ``other``, or as similar and older."""
    a, b = similarity[one], similarity[other]
    return a < b or (a == b and one < other)


@compiled
def sink(similarity: Any, heap: Any, size: int, x: int) -> None:
    """Let the session at place ``x`` of a heap, farthest first, sink to where it belongs."""
    while True:
        child = 2 * x + 1
        if child >= size:
            return
        if child + 1 < size and is_farther(similarity, heap[child + 1], heap[child]):
            child += 1
        if not is_farther(similarity, heap[child], heap[x]):
            return
        heap[x], heap[child] = heap[child], heap[x]
        x = child


@compiled
def nearest(similarity: Any, sessions: Any, c: int, k: int) -> int:
    """Move the ``k`` most similar of the first ``c`` sessions to the front and return how many.

    Of equally similar ones the later is nearer. Cost: O(c log k).
    """
    size = min(c, k)
    for x in range(size // 2 - 1, -1, -1):
        sink(similarity, sessions, size, x)
    for x in range(size, c):
        if is_farther(similarity, sessions[0], sessions[x]):
            sessions[0], sessions[x] = sessions[x], sessions[0]
            sink(similarity, sessions, size, 0)
    return size


@compiled
def score(
    history_offsets: Any,
    history_items: Any,
    history_weights: Any,
    match_weights: Any,
    item_offsets: Any,
    item_sessions: Any,
    item_places: Any,
    item_values: Any,
    session_offsets: Any,
    session_items: Any,
    session_places: Any,
    session_values: Any,
    session_weights: Any,
    item_weights: Any,
    distance_weights: Any,
    m: int,
    k: int,
    similarity: Any,
    latest_weight: Any,
    latest_place: Any,
    found: Any,
    scores: Any,
    start: int,
    stop: int,
) -> None:
    """Write the scores of all items for the queries ``[start, stop)``.

    Parameters
    ----------
    history_offsets : int64 ndarray, shape (queries + 1,)
    history_items : int32 ndarray
        Oldest first; each item counts where its weight is above 0, at most once a history.
    history_weights, match_weights : float64 ndarray, beside ``history_items``
        What an item adds to the similarity of a session that has it; what the votes of a
        session are multiplied with when it is the latest item in common.
    item_offsets : int64 ndarray, shape (items + 1,)
    item_sessions, item_places : int32 ndarray; item_values : float32 ndarray
        The sessions that have each item, ascending; its place and value in each.
    session_offsets : int64 ndarray, shape (sessions + 1,)
    session_items, session_places : int32 ndarray; session_values : float32 ndarray
        The different items of each session; the place and the value of each.
    session_weights : float64 ndarray, shape (sessions,)
    item_weights : float64 ndarray, shape (items,)
    distance_weights : float64 ndarray, shape (at least 1,)
        By the distance from the latest item in common; the last one holds for all beyond.
    m, k : int
        Sample size and neighbours, at least 1.
    similarity : float64 ndarray, shape (sessions,)
        Zeros, and zeros again afterwards.
    latest_weight : float64 ndarray; latest_place : int32 ndarray; both of shape (sessions,)
        Overwritten.
    found : int32 ndarray, shape (at least min(sessions, m * longest history),)
        Overwritten.
    scores : float32 ndarray, shape (at least stop - start, items)
        Overwritten; 0 where no neighbour has the item.

    Notes
    -----
    A session among the ``m`` latest that have an item of the history is among the ``m`` latest
    of each of its items, so the lists need not be read further than that. Cost: O(items +
    m * history + k * session) a query.
    """
    farthest = len(distance_weights) - 1
    for q in range(start, stop):
        row = scores[q - start]
        row[:] = 0
        n = 0
        for p in range(history_offsets[q + 1] - 1, history_offsets[q] - 1, -1):
            weight = history_weights[p]
            if weight <= 0:
                continue
            item = history_items[p]
            end = item_offsets[item + 1]
            for x in range(max(item_offsets[item], end - m), end):
                s = item_sessions[x]
                added = weight * item_values[x]
                if added <= 0:
                    continue
                if similarity[s] == 0:
                    found[n] = s
                    n += 1
                    latest_weight[s] = match_weights[p]
                    latest_place[s] = item_places[x]
                similarity[s] += added
        if n > m:
            keep_largest(found, n, m)
        c = min(n, m)
        for x in range(c):
            similarity[found[x]] *= session_weights[found[x]]
        for x in range(nearest(similarity, found, c, k)):
            s = found[x]
            votes = similarity[s] * latest_weight[s]
            for y in range(session_offsets[s], session_offsets[s + 1]):
                distance = abs(session_places[y] - latest_place[s])
                item = session_items[y]
                row[item] += np.float32(
                    votes
                    * session_values[y]
                    * distance_weights[min(distance, farthest)]
                    * item_weights[item]
                )
        for x in range(n):
            similarity[found[x]] = 0
