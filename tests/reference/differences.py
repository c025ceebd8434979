"""Gradients against central finite differences in float64."""

import numpy as np

STEP = 1e-5
RELATIVE = 1e-6
ROUNDING = 8 * np.finfo(float).eps / STEP  # of a difference, times the value
ENTRIES = 12  # looked at in an array; all of them where it has no more


def assert_slopes(value_of, arrays, gradients, *, seed=0, relative=RELATIVE):
    """Fail unless ``gradients`` are the slopes of ``value_of()`` in the arrays, changed in place.

    Besides single entries one direction at random through each whole array is compared, so that
    no entry of a large array goes unseen. Errors are relative to the array's largest gradient; what
    rounding does to a difference of two values is none.
    """
    random = np.random.default_rng(seed)
    least = ROUNDING * max(1.0, abs(value_of()))
    for name, array in arrays.items():
        gradient = np.asarray(gradients[name])
        assert gradient.shape == array.shape
        scale = np.abs(gradient).max(initial=0)
        if array.size == 0:
            continue
        places = np.arange(array.size)
        if array.size > ENTRIES:
            places = random.choice(array.size, ENTRIES, replace=False)
            # One that matters is always among them.
            places[0] = np.abs(gradient).argmax()
        for place in places:
            direction = np.zeros(array.size)
            direction[place] = 1
            found = slope_along(value_of, array, direction.reshape(array.shape))
            assert abs(found - gradient.flat[place]) <= relative * scale + least, (name, place)
        direction = random.standard_normal(array.shape) / np.sqrt(array.size)
        along = (gradient * direction).sum()
        found = slope_along(value_of, array, direction)
        assert abs(found - along) <= relative * scale + least, name


def slope_along(value_of, array, direction):
    """The central difference of ``value_of()`` along a direction of ``array``."""
    middle = array.copy()
    array[...] = middle + STEP * direction
    above = value_of()
    array[...] = middle - STEP * direction
    below = value_of()
    array[...] = middle
    return (above - below) / (2 * STEP)
