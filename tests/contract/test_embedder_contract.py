"""What every embedder promises; a new model joins by one line in ``embedders.py``."""

import copy
import inspect
import itertools
import multiprocessing
import pickle
import threading
import tracemalloc

import numpy as np
import pytest

import fastrec as fr
from fastrec.runtime import isa
from fastrec.training import loop
from tests.contract.embedders import MODELS, TRAINED, fit, topics

ROWS = topics()
TEXTS = [" ".join(row) for row in ROWS]
ASKED = [["a0", "a1", "b3"], ["b0"], ["a5"] * 7]


@pytest.fixture(params=MODELS)
def make(request):
    """The factory of each model in turn."""
    return MODELS[request.param]


@pytest.fixture(params=TRAINED)
def make_trained(request):
    """The factory of each model in turn that can be trained on."""
    return TRAINED[request.param]


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    """Each model in turn, fitted on the topics."""
    return fit(MODELS[request.param](), ROWS)


def same(one, other):
    assert one.ids == other.ids
    np.testing.assert_array_equal(one.matrix, other.matrix)


# Parameters


def test_parameters_are_keyword_only_and_stored_as_given(make):
    model = make()
    parameters = list(inspect.signature(type(model).__init__).parameters.values())[1:]
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters)
    assert type(model)(**model.get_params()).get_params() == model.get_params()


def test_an_unknown_parameter_is_named(make):
    with pytest.raises(fr.InputError, match="has no parameter 'treads'"):
        make().set_params(treads=3)


def test_repr_shows_how_to_build_the_model(make):
    model = make()
    rebuilt = eval(repr(model), {type(model).__name__: type(model)})
    assert rebuilt.get_params() == model.get_params()


def test_a_tokenizer_that_cannot_be_called_is_refused(make):
    with pytest.raises(fr.InputError, match="tokenize must be a function"):
        fit(make(tokenize="split"), ROWS)


# Before a fit


def test_vectors_before_fit_are_refused(make):
    with pytest.raises(fr.NotFittedError, match="call fit"):
        make().embed(["a0"])


def test_saving_before_fit_is_refused(make, tmp_path):
    with pytest.raises(fr.NotFittedError, match="call fit"):
        make().save(tmp_path / "m.fastrec")


def test_an_unfitted_model_pickles(make):
    model = make(tokenize=str.split)
    assert pickle.loads(pickle.dumps(model)).get_params() == model.get_params()


# Fit


def test_fit_returns_the_model(make):
    model = make()
    assert fit(model, ROWS) is model


def test_fit_takes_texts_words_generators_and_corpora_alike(make):
    forms = (ROWS, TEXTS, (row for row in ROWS), tuple(TEXTS), fr.Corpus.from_texts(TEXTS))
    one, *others = (fit(make(), data).embed(ASKED) for data in forms)
    for other in others:
        same(one, other)


def test_fit_reads_the_file_that_a_path_names(make, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(TEXTS), encoding="utf-8")
    same(fit(make(), path).embed(ASKED), fit(make(), ROWS).embed(ASKED))
    same(fit(make(), str(path)).embed(ASKED), fit(make(), ROWS).embed(ASKED))


@pytest.mark.parametrize("texts", [[], [""], [[], []], ["", " .,! "]], ids=str)
def test_texts_without_a_word_are_refused_by_fit(make, texts):
    with pytest.raises(fr.InputError, match=r"no word|at least one"):
        fit(make(), texts)


def test_empty_texts_among_others_change_nothing_of_the_words(make):
    model = fit(make(), [[], *ROWS, []])
    assert model.word_counts.sum() == sum(map(len, ROWS))
    assert np.isfinite(model.embed(ASKED).matrix).all()


def test_a_failed_fit_leaves_the_model_as_it_was(make):
    model = fit(make(), ROWS)
    before = model.embed(ASKED)
    with pytest.raises(fr.InputError):
        fit(model, [])
    same(before, model.embed(ASKED))


def test_a_second_fit_starts_anew(make):
    model = fit(make(), [["a3", "a4", "a5"]] * 5)
    same(fit(model, ROWS).embed(ASKED), fit(make(), ROWS).embed(ASKED))


def test_the_same_seed_gives_the_same_bits(make):
    same(fit(make(), ROWS).embed(ASKED), fit(make(), ROWS).embed(ASKED))


def test_history_has_one_row_per_epoch(model):
    epochs = getattr(model, "epochs", 1)
    assert model.history.column("epoch") == list(range(1, epochs + 1))
    assert all(np.isfinite(model.history.column("loss")))
    assert not any(model.history.column("partial"))


def test_callbacks_see_every_epoch_and_can_stop(make):
    class Watcher(fr.Callback):
        rows = ()

        def on_epoch_end(self, run, row):
            self.rows = (*self.rows, row["epoch"])
            assert len(run.model.embed(ASKED)) == 3
            run.stop("seen enough")

    watcher = Watcher()
    model = fit(make(), ROWS, callbacks=[watcher])
    assert watcher.rows == (1,)
    assert len(model.history) == 1


def test_an_error_in_a_callback_reaches_the_caller_and_undoes_the_fit(make):
    class Broken(fr.Callback):
        def on_epoch_end(self, run, row):
            raise RuntimeError("on purpose")

    model = make()
    with pytest.raises(RuntimeError, match="on purpose"):
        fit(model, ROWS, callbacks=[Broken()])
    with pytest.raises(fr.NotFittedError):
        model.embed(ASKED)


def test_early_stopping_on_the_loss_needs_no_validation(make):
    model = fit(make(), ROWS, callbacks=[fr.EarlyStopping("loss", min_delta=100.0)])
    assert len(model.history) == min(3, getattr(model, "epochs", 1))


def test_early_stopping_restores_the_best_epoch(make_trained):
    class Spoil(fr.Callback):
        """Writes noise into the vectors after the second epoch."""

        def on_epoch_end(self, run, row):
            if row["epoch"] == 2:
                self.best = run.model.embed(ASKED)
                for matrix in run.model._parameters().values():
                    matrix[:, :8] += np.random.default_rng(0).normal(scale=9, size=(1, 8))

    spoil, model = Spoil(), make_trained(epochs=9)
    model.fit(ROWS, callbacks=[fr.EarlyStopping("loss", patience=1), spoil])
    assert len(model.history) == 3
    same(model.embed(ASKED), spoil.best)


def test_memory_says_what_fit_needs(make_trained):
    """Parameters to the byte; the total, with what a fit needs beside them, to a fifth."""
    random = np.random.default_rng(0)
    corpus = fr.Corpus.from_tokens(
        [f"w{number}" for number in row] for row in random.integers(2000, size=(300, 10))
    )
    model = make_trained(dim=100, epochs=1)
    model.fit(corpus)  # loads what a fit loads
    memory = model.memory(corpus)
    tracemalloc.start()
    try:
        model.fit(corpus)  # the old parameters are not traced
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert memory["parameters"] == sum(array.nbytes for array in model._parameters().values())
    assert memory["log"] == corpus.nbytes
    assert memory["total"] == memory["parameters"] + memory["log"] + memory["work"]
    assert 1 / 1.2 < (peak + memory["log"]) / memory["total"] < 1.2


def test_words_are_counted(model):
    counts = dict(zip(model.word_ids.ids, model.word_counts.tolist(), strict=True))
    flat = list(itertools.chain.from_iterable(ROWS))
    assert {word: count for word, count in counts.items() if count} == {
        word: flat.count(word) for word in set(flat)
    }


def test_ctrl_c_in_the_last_epoch_keeps_the_state_reached(make, monkeypatch):
    model = make()
    epochs = getattr(model, "epochs", 1)
    update, meters = loop.Meter.update, []

    def interrupt(meter, *args):
        if meter not in meters:
            meters.append(meter)
        if len(meters) == epochs:
            monkeypatch.setattr(loop.Meter, "update", update)
            raise KeyboardInterrupt
        update(meter, *args)

    monkeypatch.setattr(loop.Meter, "update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(model, ROWS)
    assert model.history.column("partial") == [False] * (epochs - 1) + [True]
    assert np.isfinite(model.embed(ASKED).matrix).all()


def test_ctrl_c_before_the_first_epoch_leaves_the_model_as_it_was(make, monkeypatch):
    class Interrupt(fr.Callback):
        def on_fit_begin(self, run):
            raise KeyboardInterrupt

    model = fit(make(), ROWS)
    before = model.embed(ASKED)
    with pytest.raises(KeyboardInterrupt):
        fit(model, [["a1", "b1"]] * 5, callbacks=[Interrupt()])
    same(before, model.embed(ASKED))


# Partial fit


def test_partial_fit_of_a_new_model_is_fit(make_trained):
    same(make_trained().partial_fit(ROWS).embed(ASKED), make_trained().fit(ROWS).embed(ASKED))


def test_partial_fit_brings_new_words_and_keeps_the_old(make_trained):
    model = make_trained().fit(ROWS)
    old = model.word_ids.ids.tolist()
    model.partial_fit([["new", "newer", "a0"], ["newer", "new", "b0"]] * 10)
    assert model.word_ids.ids[: len(old)].tolist() == old
    assert model.word_ids.ids[len(old) :].tolist() == ["new", "newer"]
    assert model.word_counts[model.word_ids.code("new")] == 20
    assert model.embed([["new"]]).matrix.any()


def test_partial_fit_brings_new_words_twice(make_trained):
    model = make_trained().fit(ROWS)
    for word in ("new", "newer"):
        model.partial_fit([[word, "a0", "a1"]] * 5)
    assert model.word_ids.ids[-2:].tolist() == ["new", "newer"]
    assert np.isfinite(model.embed([["new", "newer"]]).matrix).all()


def test_partial_fit_starts_from_the_state_at_hand(make_trained):
    model = make_trained().fit(ROWS).partial_fit(ROWS)
    losses = model.history.column("loss")
    assert losses[len(losses) // 2] < losses[0]
    assert model.word_counts.sum() == 2 * sum(map(len, ROWS))


def test_partial_fit_goes_on_with_the_history(make_trained):
    model = make_trained().fit(ROWS)
    model.partial_fit(ROWS)
    assert model.history.column("epoch") == list(range(1, 2 * model.epochs + 1))


def test_a_failed_partial_fit_loses_nothing(make_trained):
    model = make_trained().fit(ROWS)
    before = model.embed(ASKED)
    with pytest.raises(fr.InputError):
        model.partial_fit([[]])
    same(before, model.embed(ASKED))


def test_partial_fit_with_another_loss_is_refused(make_trained):
    model = make_trained().fit(ROWS)
    before, loss = model.embed(ASKED), model.loss
    model.set_params(loss="softmax" if loss != "softmax" else "negative_sampling")
    with pytest.raises(fr.InputError, match=r"loss is .* was fitted with"):
        model.partial_fit(ROWS)
    same(before, model.set_params(loss=loss).embed(ASKED))


def test_a_diverging_fit_names_epoch_and_parameter_and_keeps_the_old_state(make_trained):
    model = make_trained().fit(ROWS)
    before = model.embed(ASKED)
    rates = {"learning_rate": model.learning_rate, "min_learning_rate": model.min_learning_rate}
    model.set_params(learning_rate=1e30, min_learning_rate=1e30)
    for train in (model.fit, model.partial_fit):
        with pytest.raises(fr.DivergedError, match=r"epoch \d+ .*lower learning_rate"):
            train(ROWS)
    same(before, model.set_params(**rates).embed(ASKED))


# Embed


def test_vectors_have_the_promised_shapes_and_types(model):
    got = model.embed(ASKED)
    assert isinstance(got, fr.Vectors)
    assert (got.matrix.shape, got.matrix.dtype) == ((3, 8), np.float32)
    assert np.isfinite(got.matrix).all()
    assert got.matrix.any(axis=1).all()
    assert list(got) == [0, 1, 2]


def test_texts_of_any_form_get_the_same_vectors(model):
    expected = model.embed([row[:5] for row in ROWS[:9]])
    texts = [" ".join(row[:5]).upper() for row in ROWS[:9]]
    arrays = [np.array(row[:5]) for row in ROWS[:9]]
    for form in (texts, tuple(texts), (text for text in texts), arrays, np.array(texts)):
        same(model.embed(form), expected)
    same(model.embed(fr.Corpus.from_texts(texts)), expected)


def test_a_corpus_gives_its_own_ids(model):
    corpus = fr.Corpus.from_texts(TEXTS[:3], ids=["x", "z", "y"])
    assert list(model.embed(corpus)) == ["x", "z", "y"]
    assert list(model.embed(corpus, ids=[5, 4, 3])) == [5, 4, 3]


@pytest.mark.parametrize("ids", [[7, 3, 5], ["seven", "three", "five"], np.array([2, 1, 0])])
def test_ids_name_the_texts_in_their_order(model, ids):
    got = model.embed(ASKED, ids=ids)
    assert list(got) == list(ids)
    np.testing.assert_array_equal(got[ids[1]], model.embed(ASKED).matrix[1])


@pytest.mark.parametrize(
    "ids", [[1, 2], [1, 2, 3, 4], [1, 1, 2], [1, -1, 2], [1.5, 2, 3], ["a", 2, 3], 5, "abc", [[1]]]
)
def test_ids_that_are_not_one_for_each_text_are_refused(model, ids):
    with pytest.raises(fr.InputError, match="ids"):
        model.embed(ASKED, ids=ids)


def test_unknown_words_are_passed_over(model):
    same(model.embed([["a0", "unheard", "a1"]]), model.embed([["a0", "a1"]]))


def test_unknown_words_are_an_error_where_asked(model):
    with pytest.raises(fr.UnknownIdError, match="2 words"):
        model.embed([["a0", "unheard", "unseen"]], on_unknown="error")
    same(model.embed(ASKED, on_unknown="error"), model.embed(ASKED))
    with pytest.raises(fr.InputError, match="on_unknown must be one of"):
        model.embed(ASKED, on_unknown="skip")


def test_no_texts_give_no_rows(model):
    assert model.embed([]).matrix.shape == (0, 8)


def test_texts_without_a_known_word_get_zeros(model):
    got = model.embed([[], ["unheard"], ["a0"], []]).matrix
    assert got.any(axis=1).tolist() == [False, False, True, False]
    assert not model.embed(["", "!"]).matrix.any()


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_threads_do_not_change_the_vectors(model, threads):
    same(model.embed(ROWS * 5, threads=threads), model.embed(ROWS * 5))


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_threads_that_are_no_count_are_refused(model, threads):
    with pytest.raises(fr.InputError, match="threads must be a whole number"):
        model.embed(ASKED, threads=threads)


def test_a_text_gets_the_same_vector_alone_and_in_company(model):
    company = model.embed([*ROWS, [], ["unheard", "a1"], *ROWS]).matrix
    for row in (0, 1, 77, 119):
        alone = model.embed([ROWS[row]]).matrix[0]
        np.testing.assert_array_equal(company[row], alone)
        np.testing.assert_array_equal(company[len(ROWS) + 2 + row], alone)


def test_three_threads_at_once_get_the_same_vectors(model):
    expected = model.embed(ROWS)
    answers = [[] for _ in range(3)]

    def ask(number):
        for _ in range(5):
            answers[number].append(model.embed(ROWS))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(answer) for answer in answers] == [5, 5, 5]
    for answer in itertools.chain.from_iterable(answers):
        same(answer, expected)


def test_embedding_changes_nothing_of_the_model(model):
    before = {name: array.copy() for name, array in model._parameters().items()}
    model.embed(ROWS)
    for name, array in model._parameters().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize(
    "texts",
    [None, 7, b"a0 a1", "a0 a1", [None], ["a0", None], [5], ["a0", 5], [b"a0"], [["a0", None]]],
    ids=str,
)
@pytest.mark.parametrize("call", ["fit", "embed"])
def test_what_are_no_texts_is_refused(make, call, texts):
    model = fit(make(), ROWS) if call == "embed" else make()
    with pytest.raises(fr.InputError):
        model.embed(texts) if call == "embed" else fit(model, texts)


@pytest.mark.parametrize(
    "texts", [[["a0", 5]], [["a0"], "a0"], ["a0", ["a0"]], [["a0", "\ud800"]], [{"a0": 1}]], ids=str
)
def test_texts_of_mixed_kinds_are_refused(model, texts):
    with pytest.raises(fr.InputError, match="document"):
        model.embed(texts)


# Tokenizers


def by_comma(text):
    return text.split(",")


def test_a_tokenizer_cuts_the_texts_of_fit_and_embed(make):
    model = fit(make(tokenize=by_comma), [",".join(row) for row in ROWS])
    plain = fit(make(), ROWS)
    same(model.embed([",".join(row) for row in ASKED]), plain.embed(ASKED))


def test_words_that_are_cut_already_need_no_tokenizer(make):
    model = fit(make(tokenize=by_comma), ROWS)
    same(model.embed(ASKED), fit(make(), fr.Corpus.from_tokens(ROWS)).embed(ASKED))
    same(model.embed(row for row in ASKED), model.embed(ASKED))
    same(model.embed(fr.Corpus.from_tokens(ASKED)), model.embed(ASKED))


def test_a_file_forgets_the_tokenizer_and_says_so(make, tmp_path):
    model = fit(make(tokenize=by_comma), [",".join(row) for row in ROWS])
    model.save(tmp_path / "m.fastrec")
    loaded = fr.load(tmp_path / "m.fastrec")
    for texts in (["a0,a1"], (text for text in ["a0,a1"]), np.array(["a0,a1"])):
        with pytest.raises(fr.InputError, match=r"set_params\(tokenize=...\) gives it back"):
            loaded.embed(texts)
    same(loaded.embed(ASKED), model.embed(ASKED))
    same(loaded.embed(row for row in ASKED), model.embed(ASKED))
    loaded.save(tmp_path / "again.fastrec")
    with pytest.raises(fr.InputError, match="a tokenizer of your own"):
        fr.load(tmp_path / "again.fastrec").embed(["a0,a1"])
    loaded.set_params(tokenize=by_comma)
    same(loaded.embed([",".join(row) for row in ASKED]), model.embed(ASKED))


# Files and copies


@pytest.mark.parametrize("mmap", [False, True])
def test_a_saved_model_embeds_the_same(model, tmp_path, mmap):
    path = tmp_path / "m.fastrec"
    model.save(path)
    loaded = fr.load(path, mmap=mmap)
    assert type(loaded) is type(model)
    assert loaded.get_params() == model.get_params()
    assert loaded.history.to_rows() == model.history.to_rows()
    assert loaded.word_ids == model.word_ids
    np.testing.assert_array_equal(loaded.word_counts, model.word_counts)
    same(loaded.embed(ROWS), model.embed(ROWS))


@pytest.mark.parametrize("mmap", [False, True])
def test_a_loaded_model_trains_on(make_trained, tmp_path, mmap):
    model = make_trained().fit(ROWS)
    model.save(tmp_path / "m.fastrec")
    loaded = fr.load(tmp_path / "m.fastrec", mmap=mmap).partial_fit([["new", "a0"]] * 3)
    same(loaded.embed(ASKED), model.partial_fit([["new", "a0"]] * 3).embed(ASKED))
    assert "new" not in fr.load(tmp_path / "m.fastrec").word_ids


def test_a_model_that_took_new_words_in_is_saved_whole(make_trained, tmp_path):
    model = make_trained().fit(ROWS).partial_fit([["new", "newer", "a0"]] * 3)
    model.save(tmp_path / "m.fastrec")
    same(fr.load(tmp_path / "m.fastrec").embed([["new", "b1"]]), model.embed([["new", "b1"]]))


@pytest.mark.parametrize("copied", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy])
def test_copies_embed_the_same(model, copied):
    twin = copied(model)
    same(twin.embed(ROWS), model.embed(ROWS))
    assert twin.word_ids == model.word_ids


def test_a_copy_can_be_trained_without_the_other(make_trained):
    model = make_trained().fit(ROWS)
    before = model.embed(ASKED)
    copy.deepcopy(model).partial_fit([["new", "a0"]])
    same(model.embed(ASKED), before)


def test_a_file_cut_short_is_refused(model, tmp_path):
    path = tmp_path / "m.fastrec"
    model.save(path)
    content = path.read_bytes()
    for size in (0, 7, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(fr.FormatError):
            fr.load(path)


@pytest.mark.parametrize("how", [{}, {"mmap": True, "verify": True}])
def test_a_file_in_which_a_bit_has_changed_is_refused(model, tmp_path, how):
    path = tmp_path / "m.fastrec"
    model.save(path)
    content = bytearray(path.read_bytes())
    for place in (9, len(content) // 2, len(content) - 1):
        flipped = content.copy()
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(fr.FormatError):
            fr.load(path, **how)


def test_parameters_set_after_the_fit_do_not_spoil_the_file(make_trained, tmp_path):
    model = make_trained().fit(ROWS)
    before, loss = model.embed(ASKED), model.loss
    model.set_params(loss="softmax" if loss == "hierarchical_softmax" else "hierarchical_softmax")
    model.save(tmp_path / "m.fastrec")
    same(fr.load(tmp_path / "m.fastrec").set_params(loss=loss).embed(ASKED), before)


def _ask(model, queue):
    queue.put(model.embed(ASKED, threads=2).matrix.tolist())


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork"
)
def test_a_forked_child_embeds_the_same(model):
    expected = model.embed(ASKED, threads=2).matrix.tolist()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_ask, args=(model, queue))
    child.start()
    assert queue.get(timeout=60) == expected
    child.join(timeout=60)
    assert child.exitcode == 0


def _load_and_ask_all(paths, queue):
    queue.put([fr.load(path, mmap=True).embed(ASKED, threads=2).matrix.tolist() for path in paths])


def test_a_spawned_child_embeds_the_same(tmp_path):
    models = [fit(make(), ROWS) for make in MODELS.values()]  # one child for all: it starts slowly
    paths = [tmp_path / f"{number}.fastrec" for number in range(len(models))]
    for model, path in zip(models, paths, strict=True):
        model.save(path)
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    child = context.Process(target=_load_and_ask_all, args=(paths, queue))
    child.start()
    assert queue.get(timeout=60) == [model.embed(ASKED).matrix.tolist() for model in models]
    child.join(timeout=60)
    assert child.exitcode == 0


# Structure


@pytest.mark.parametrize("level", isa.available_levels())
def test_levels_find_the_same_neighbours(make, level, monkeypatch):
    here = fit(make(), ROWS).embed(ROWS[:40]).similar(range(40), 10).items
    monkeypatch.setattr(isa, "level", lambda: level)
    there = fit(make(), ROWS).embed(ROWS[:40]).similar(range(40), 10).items
    shared = [len({*one} & {*other}) for one, other in zip(here, there, strict=True)]
    assert np.mean(shared) > 9.5
