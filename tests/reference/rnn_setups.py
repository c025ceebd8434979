"""Networks and steps at random, for tests of the reference and of what is compared with it."""

import numpy as np

from tests.reference import rnn, rnn_cells


def make_model(
    cell="gru",
    units=5,
    layers=1,
    *,
    items=11,
    width=None,
    tied=True,
    biased=False,
    features=0,
    scale=0.0,
    one_hot=False,
    seed=0,
):
    """A network whose arrays are drawn as wide as keeps its gates between flat and full."""
    random = np.random.default_rng(seed)
    gates = rnn_cells.GATES[cell]
    width = gates * units if one_hot else units if tied or width is None else width
    parameters = {}
    for number in range(layers):
        is_first = number == 0
        found = rnn_cells.shapes(cell, units, width if is_first else units, one_hot and is_first)
        for name, shape in found.items():
            spread = 0.3 if len(shape) == 1 else 0.8 / np.sqrt(shape[0])
            parameters[f"layer{number}.{name}"] = spread * random.standard_normal(shape)
    parameters["inputs"] = random.standard_normal((items, width)) * 0.7
    if not tied or one_hot:
        parameters["outputs"] = random.standard_normal((items, units)) / np.sqrt(units)
    if biased:
        parameters["bias"] = random.standard_normal(items) * 0.5
    if features:
        parameters["features"] = random.standard_normal((features, width)) * 0.5
    return rnn.Model(cell, layers, parameters, scale, one_hot)


def make_batch(
    model,
    lengths=(4, 3, 1, 1),
    *,
    weighted=False,
    columns=0,
    dropout=(0.0, 0.0),
    begun=True,
    seed=1,
):
    """Rows cut from sessions at random; ``begun`` rows start from states other than zero."""
    random = np.random.default_rng(seed)
    lengths = np.array(lengths, dtype=np.int64)
    starts = np.concatenate(([0], np.cumsum(lengths + 1)[:-1])).astype(np.int64)
    count = int((lengths + 1).sum())
    items, width = model.parameters["inputs"].shape
    tokens = random.integers(0, items, count)
    states = np.zeros((len(lengths), model.layers, 2, model.units))
    if begun:
        states[:, :, 0] = random.uniform(-0.5, 0.5, states[:, :, 0].shape)
        if model.cell == "lstm":
            states[:, :, 1] = random.uniform(-0.5, 0.5, states[:, :, 0].shape)
    ids = values = None
    if columns:
        ids = random.integers(-1, len(model.parameters["features"]), (count, columns))
        values = random.uniform(-1, 1, (count, columns))

    def mask(share, size):
        return None if share == 0 else (random.random((count, size)) >= share) / (1 - share)

    return rnn.Batch(
        tokens=tokens,
        starts=starts,
        lengths=lengths,
        states=states,
        weights=random.uniform(0.2, 2, count) if weighted else None,
        feature_ids=ids,
        feature_values=values,
        input_masks=mask(dropout[0], width),
        state_masks=mask(dropout[1], model.units),
    )


def make_loss(name, items=11, negatives=7, *, log_q=True, seed=2, **options):
    """A loss with negatives drawn with replacement, so that some stand twice."""
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.ones(items))
    return rnn.Loss(
        name,
        negatives=random.choice(items, negatives, p=shares),
        log_q=np.log(negatives * shares) if log_q else None,
        **options,
    )
