"""The rules of playlists, read off a whole sequence: what a track-by-track search must obey."""

import numpy as np


def longest_run(groups):
    """Return the longest run of one group (None is none)."""
    longest = run = 0
    for place, group in enumerate(groups):
        run = run + 1 if place and group is not None and group == groups[place - 1] else 1
        longest = max(longest, run if group is not None else 0)
    return longest


def may_follow(candidate, start, played, fixed, group_of, rules):
    """Say whether ``candidate`` may come next; ``fixed`` are the tracks of later places or None.

    Later fixed tracks are kept possible: what is left of the limits is theirs.
    """
    heard = [*start, *played]
    later = [track for track in fixed[len(played) + 1 :] if track is not None]
    if fixed[len(played)] is not None:
        return candidate == fixed[len(played)]
    if not rules.get("allow_repeats") and (candidate in heard or candidate in later):
        return False
    if candidate in rules.get("exclude", ()):
        return False
    if "allow" in rules and candidate not in rules["allow"]:
        return False
    group = group_of.get(candidate)
    if group is None:
        return True
    groups = [group_of.get(track) for track in [*heard, *later]]
    if "max_per_group" in rules and groups.count(group) >= rules["max_per_group"]:
        return False
    if "max_in_row" in rules:
        ahead = []
        for track in fixed[len(played) + 1 :]:
            if track is None:
                break
            ahead.append(group_of.get(track))
        before = [group_of.get(track) for track in heard]
        run = 1
        while run <= len(before) and before[-run] == group:
            run += 1
        while ahead and ahead[0] == group:
            run += 1
            ahead.pop(0)
        return run <= rules["max_in_row"]
    return True


def greedy_truth(logs_after, start, length, fixed, group_of, rules, penalty=0.0):
    """Return the greedy playlist (codes, log-probabilities) by trying every track."""
    played, chances = [], []
    for _ in range(length):
        logs = logs_after([*start, *played])
        ranked = logs - penalty
        options = [
            track
            for track in range(len(logs))
            if may_follow(track, start, played, fixed, group_of, rules)
        ]
        if not options:
            break
        best = options[int(np.argmax(ranked[options]))]
        played.append(best)
        chances.append(logs[best])
    return played, chances


def beam_truth(logs_after, start, length, width, fixed, group_of, rules):
    """Return the best playlist of a beam of ``width``, or None where all end early."""
    beams = [((), 0.0)]
    for _ in range(length):
        grown = []
        for played, total in beams:
            logs = logs_after([*start, *played])
            grown += [
                ((*played, track), total + logs[track])
                for track in range(len(logs))
                if may_follow(track, start, list(played), fixed, group_of, rules)
            ]
        beams = sorted(grown, key=lambda each: -each[1])[:width]
    return beams[0] if beams else None
