"""What all models share: parameters as scikit-learn asks for them, files, pickles, history."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from fastrec.errors import InputError, NotFittedError
from fastrec.runtime import checks
from fastrec.storage import model_file
from fastrec.training.history import History


class Model:
    """Parameters, files and copies: common to all models.

    A subclass takes keyword-only arguments and stores each as given under its own
    name, as scikit-learn asks; they are checked when ``fit`` uses them.
    """

    history: History

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's arguments; ``deep`` is there for scikit-learn's sake."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **params: Any) -> Self:
        """Set constructor arguments for the next fit and return the model.

        Raises
        ------
        InputError
            An argument that the model does not have.
        """
        known = self._parameter_names()
        for name in params:
            if name not in known:
                raise InputError(
                    f"{type(self).__name__} has no parameter {name!r}, it has "
                    f"{', '.join(known) or 'none'}{checks.did_you_mean(name, known)}"
                )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the fitted model to one file, which replaces ``path`` only when it is whole.

        Raises
        ------
        NotFittedError
            There is nothing to save yet.
        InputError
            A path that cannot be written.
        FastrecError
            The system could not write it (full disk); the old file is unchanged.
        """
        self._check_fitted()
        model_file.save(path, *self._content())

    def __reduce__(self) -> tuple[Any, ...]:
        if not self._is_fitted():
            return _new, (type(self), self.get_params())
        return _from_bytes, (model_file.to_bytes(*self._content()),)

    def _content(self) -> tuple[str, dict[str, Any], dict[str, np.ndarray], dict[str, Any]]:
        """Return what a model file holds: class, parameters, arrays, state."""
        return type(self).__name__, self._saved_params(), self._arrays(), self._state()

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({shown})"

    def _saved_params(self) -> dict[str, Any]:
        """Return the constructor's arguments that a file can hold."""
        return self.get_params()

    def _is_fitted(self) -> bool:
        raise NotImplementedError

    def _check_fitted(self) -> None:
        if not self._is_fitted():
            raise NotFittedError(
                f"this {type(self).__name__} has not been fitted; call fit(log) first"
            )

    def _parameters(self) -> dict[str, np.ndarray]:
        """Return the arrays that training changes, by the names that files use."""
        raise NotImplementedError

    def _forget_answers(self) -> None:
        """Drop what was built from parameters that have changed."""

    def _copy_state(self) -> Any:
        """Return a copy of the parameters, for early stopping."""
        return {name: array.copy() for name, array in self._parameters().items()}

    def _restore_state(self, state: Any) -> None:
        """Put back parameters that ``_copy_state`` has returned."""
        for name, array in self._parameters().items():
            array[...] = state[name]
        self._forget_answers()

    def _arrays(self) -> dict[str, np.ndarray]:
        """Return what the file keeps as arrays."""
        raise NotImplementedError

    def _state(self) -> dict[str, Any]:
        """Return what the file keeps as JSON."""
        return {"history": self.history.to_rows()}

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        """Take the state that ``_arrays`` and ``_state`` have returned."""
        self.history = History(state["history"])

    @contextmanager
    def _replacing_state(self, history: History) -> Iterator[None]:
        """Undo a fit that fails; one that Ctrl-C ends in an epoch keeps the state reached.

        ``history`` takes the rows of the fit.
        """
        before, rows = dict(self.__dict__), len(history)
        self.history = history
        try:
            yield
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt) or len(history) == rows:
                self.__dict__.clear()
                self.__dict__.update(before)
            raise


def _new(cls: type[Model], params: dict[str, Any]) -> Model:
    return cls(**params)


def _from_bytes(content: bytes) -> Model:
    from fastrec.models.registry import restore

    return restore(model_file.from_bytes(content), "the pickled model")
