"""What a recurrent recommender can do beyond ranking: playlists, likelihoods, sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastrec.data import Ragged
from fastrec.errors import InputError
from fastrec.generation.likelihood import log_probabilities
from fastrec.generation.network import Listeners
from fastrec.generation.playlists import Playlists
from fastrec.generation.sampling import sample
from fastrec.generation.search import beam, greedy
from fastrec.generation.steps import Stepper, novelty_penalty
from fastrec.models.listening import KeepsSessions
from fastrec.models.playlist_requests import STRATEGIES, choice_of, rules_of
from fastrec.models.requests import rows_of_ids
from fastrec.runtime import checks

RANKING_LOSSES = ("bpr_max", "top1_max")
BEAM_WIDTH = 8


class GeneratesPlaylists(KeepsSessions):
    """Playlists, likelihoods and sessions of a model that has a recurrent net.

    The class that takes these methods has ``_network`` (see
    :class:`fastrec.nn.ensemble.Ensemble`), ``_features`` and ``loss``, and is a
    :class:`VectorRecommender`.
    """

    loss: str

    def generate(
        self,
        start: Any,
        length: int,
        *,
        strategy: str = "greedy",
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        beam_width: int | None = None,
        length_normalization: float | None = None,
        allow_repeats: bool = False,
        exclude: Any = None,
        allow: Any = None,
        groups: Any = None,
        max_in_row: int | None = None,
        max_per_group: int | None = None,
        fixed: Mapping[int, Any] | Sequence[Mapping[int, Any]] | None = None,
        end: Any = None,
        novelty: float = 0.0,
        on_unknown: str = "error",
        threads: int | None = None,
        users: Any = None,
        context: Mapping[str, Any] | None = None,
    ) -> Playlists:
        """Continue each start by ``length`` tracks.

        Parameters
        ----------
        start : sequence of sequences of ids
            What each playlist begins with, at least one track.
        length : int
            Tracks that each gets beyond its start.
        strategy : {"greedy", "sample", "beam"}
            "greedy" takes the most likely track at each step; "sample" draws each from the
            softmax over all tracks that the rules let in; "beam" keeps several beginnings and
            returns the playlist with the highest total log-probability that it meets.
        temperature : float or None
            For "sample": scores are divided by it; None is 1.
        top_k : int or None
            For "sample": draw from the best so many only.
        top_p : float or None
            For "sample": draw from the fewest best whose probabilities add up to this, of the
            tracks that the rules and ``top_k`` leave.
        seed : int or None
            For "sample"; None is 0. What is drawn does not depend on the threads.
        beam_width : int or None
            For "beam": beginnings that are kept of each playlist; None is 8.
        length_normalization : float or None
            For "beam", where every beginning meets a dead end: they compete by ``total / tracks
            ** length_normalization``. None is 0, the plain total.
        allow_repeats : bool
            Whether tracks of the playlist, its start included, may come again.
        exclude, allow : ids, one list of ids a playlist, or None
            Tracks never to play; the only ones to play. Ids that the model does not know are
            left out of them.
        groups : dict of id to group, pair (ids, groups), or None
            For the next two, for example ``(log.item_ids, log.items["artist"])``. Tracks
            without a group are not limited.
        max_in_row, max_per_group : int or None
            How many tracks of one group may follow one another, and be in a playlist in all, its
            start included.
        fixed : mapping of place to id, one such mapping a playlist, or None
            Tracks that stand at given places, counted from 0 behind the start. They are heard
            and scored like the others.
        end : id, one id a playlist, or None
            The track that the playlist ends on.
        novelty : float
            Scores are lowered by ``novelty * log(share of all plays)`` before they are compared
            or drawn from: above 0 favours what is rarely played. Log-probabilities stay the
            model's own.
        on_unknown : {"error", "ignore"}
            What to do with tracks of a start that the model does not know.
        threads : int or None
            None takes all CPUs that the process may use.
        users, context
            As in ``recommend``; each holds for all tracks of its playlist.

        Returns
        -------
        Playlists
            One for each start. Where no track may come next a playlist stops and says why; its
            place is never filled with a track that breaks a rule.

        Raises
        ------
        InputError
            An argument out of range or of another strategy, rules that contradict one another,
            or sampling from a model that was trained with a ranking loss, whose scores are no
            probabilities.
        UnknownIdError
            A track that the model does not know, in a start or among the fixed ones.

        Notes
        -----
        A step costs one step of the net and one pass over the vectors of all tracks. Greedy and
        beam search are exact at any number of tracks, through the top-k index; sampling sees the
        scores of all tracks, a block of playlists at a time.
        """
        self._check_fitted()
        length = checks.whole_number("length", length, maximum=1 << 20)
        checks.one_of("strategy", strategy, STRATEGIES)
        options = {
            "sample": {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed},
            "beam": {"beam_width": beam_width, "length_normalization": length_normalization},
        }
        for other, given in options.items():
            for name, value in given.items():
                if value is not None and other != strategy:
                    raise InputError(
                        f"{name} is for strategy={other!r}, not for {strategy!r}; leave it out"
                    )
        if strategy == "sample":
            self._need_probabilities("draws tracks")
        choice = choice_of(temperature, top_k, top_p)
        seed = checks.whole_number("seed", 0 if seed is None else seed, minimum=0)
        width = BEAM_WIDTH if beam_width is None else beam_width
        checks.whole_number("beam_width", width, maximum=1 << 16)
        power = 0.0 if length_normalization is None else length_normalization
        power = checks.real_number("length_normalization", power, 0, 100)
        checks.real_number("novelty", novelty, -1e6, 1e6)
        starts = self._heard("start", start, on_unknown)
        if not starts.lengths.all():
            raise InputError(
                f"start {int(np.argmin(starts.lengths))} holds no track that the model knows; a "
                "playlist begins with at least one"
            )
        rules = rules_of(
            self,
            starts,
            length,
            allow_repeats=allow_repeats,
            exclude=exclude,
            allow=allow,
            groups=groups,
            max_in_row=max_in_row,
            max_per_group=max_per_group,
            fixed=fixed,
            end=end,
        )
        features = self._features_of_sessions(len(starts), users, context)
        penalty = novelty_penalty(novelty, self.item_counts)
        stepper = Stepper(self._search_index(), rules, penalty, threads)
        listeners = Listeners.of(self._network, starts, features, threads)
        if strategy == "greedy":
            outcome = greedy(listeners, stepper)
        elif strategy == "beam":
            outcome = beam(listeners, stepper, width, power)
        else:
            outcome = sample(listeners, stepper, choice, seed)
        return Playlists.of_codes(*outcome, self.item_ids)

    def log_likelihood(
        self,
        playlists: Any,
        *,
        per_step: bool = False,
        on_unknown: str = "error",
        threads: int | None = None,
        users: Any = None,
        context: Mapping[str, Any] | None = None,
    ) -> np.ndarray | Ragged:
        """Return the log of the probability that the model gives to each playlist.

        Parameters
        ----------
        playlists : sequence of sequences of ids
        per_step : bool
            Return one number for every track but the first instead of their sum.
        on_unknown : {"error", "ignore"}
            What to do with tracks that the model does not know; ignored ones are left out as if
            they had not been played.
        threads, users, context
            As in :meth:`generate`.

        Returns
        -------
        float64 ndarray, shape (n,), or Ragged of float64
            Of each track but the first, given those before it, under the softmax over all
            tracks. A playlist of one track has the sum 0.

        Raises
        ------
        InputError
            The model was trained with a ranking loss, whose scores are no probabilities.
        UnknownIdError
            A track that the model does not know.
        """
        checks.flag("per_step", per_step)
        steps = self._log_probabilities(playlists, on_unknown, threads, users, context)
        if per_step:
            return steps
        return np.bincount(steps.row_numbers, weights=steps.flat, minlength=len(steps))

    def perplexity(
        self,
        playlists: Any,
        *,
        on_unknown: str = "error",
        threads: int | None = None,
        users: Any = None,
        context: Mapping[str, Any] | None = None,
    ) -> float:
        """Return the exponential of the mean negative log-probability of a track.

        Takes and raises what :meth:`log_likelihood` does. A model that knows nothing has the
        number of tracks, a perfect one 1.

        Raises
        ------
        InputError
            No playlist has a second track that could be predicted.
        """
        steps = self._log_probabilities(playlists, on_unknown, threads, users, context)
        if steps.total == 0:
            raise InputError("playlists hold no second track, so there is nothing to predict")
        return float(np.exp(-steps.flat.mean()))

    def _log_probabilities(
        self, playlists: Any, on_unknown: str, threads: int | None, users: Any, context: Any
    ) -> Ragged:
        self._check_fitted()
        self._need_probabilities("knows how likely a playlist is")
        heard = self._heard("playlists", playlists, on_unknown)
        features = self._features_of_sessions(len(heard), users, context)
        return log_probabilities(self._network, self._search_index(), heard, features, threads)

    # What the above have in common

    def _need_probabilities(self, what: str) -> None:
        if self.loss in RANKING_LOSSES:
            raise InputError(
                f"loss={self.loss!r} ranks tracks and gives no probabilities, and only a model "
                f"that has them {what}; train with loss='sampled_softmax' or 'softmax'"
            )

    def _heard(self, name: str, rows: Any, on_unknown: str) -> Ragged:
        """Return tracks as codes; those that are unknown are an error, or are left out."""
        checks.one_of("on_unknown", on_unknown, ("ignore", "error"))
        return self._encode_rows(rows_of_ids(name, rows), None, on_unknown)[0]
