"""What every recommender promises; a new model joins by one line in ``recommenders.py``."""

import copy
import inspect
import itertools
import multiprocessing
import pickle
import threading

import numpy as np
import pytest
import scipy.sparse

import fastrec as fr
from fastrec.search import arguments
from tests.contract.recommenders import MODELS, islands

ROWS = islands()


@pytest.fixture(params=MODELS)
def make(request):
    """The factory of each model in turn."""
    return MODELS[request.param]


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    """Each model in turn, fitted on the islands."""
    return MODELS[request.param]().fit(ROWS)


def same(one, other):
    np.testing.assert_array_equal(one.items, other.items)
    np.testing.assert_array_equal(one.scores, other.scores)
    np.testing.assert_array_equal(one.counts, other.counts)


# Parameters


def test_parameters_are_keyword_only_and_stored_as_given(make):
    model = make()
    parameters = list(inspect.signature(type(model).__init__).parameters.values())[1:]
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters)
    assert type(model)(**model.get_params()).get_params() == model.get_params()


def test_an_unknown_parameter_is_named(make):
    with pytest.raises(fr.InputError, match="has no parameter 'epoch'"):
        make().set_params(epoch=3)


def test_repr_shows_how_to_build_the_model(make):
    model = make()
    rebuilt = eval(repr(model), {type(model).__name__: type(model)})
    assert rebuilt.get_params() == model.get_params()


# Before a fit


@pytest.mark.parametrize("call", ["recommend", "recommend_users", "similar_items"])
def test_answers_before_fit_are_refused(make, call):
    with pytest.raises(fr.NotFittedError, match="call fit"):
        getattr(make(), call)([[1]])


def test_saving_before_fit_is_refused(make, tmp_path):
    with pytest.raises(fr.NotFittedError, match="call fit"):
        make().save(tmp_path / "m.fastrec")


def test_an_unfitted_model_pickles(make):
    model = make()
    assert pickle.loads(pickle.dumps(model)).get_params() == model.get_params()


# Fit


def test_fit_returns_the_model(make):
    model = make()
    assert model.fit(ROWS) is model


def test_fit_takes_logs_lists_frames_and_matrices_alike(make):
    pandas = pytest.importorskip("pandas")
    log = fr.Interactions.from_sequences(ROWS)
    frame = pandas.DataFrame(
        [(user, item) for user, row in enumerate(ROWS) for item in row], columns=["user", "item"]
    )
    answers = [make().fit(data).recommend([[1, 2]], 5) for data in (ROWS, log, frame)]
    same(answers[0], answers[1])
    same(answers[0], answers[2])
    users = np.repeat(np.arange(len(ROWS)), [len(row) for row in ROWS])
    matrix = scipy.sparse.csr_array((np.ones(len(users)), (users, np.concatenate(ROWS))))
    assert make().fit(matrix).recommend([[1, 2]], 5).counts.tolist() == [5]


def test_an_empty_log_is_refused(make):
    with pytest.raises(fr.InputError, match=r"no |empty"):
        make().fit([])


def test_a_failed_fit_leaves_the_model_as_it_was(make):
    model = make().fit(ROWS)
    before = model.recommend([[1, 2]], 5)
    with pytest.raises(fr.InputError):
        model.fit([])
    same(before, model.recommend([[1, 2]], 5))


def test_a_second_fit_starts_anew(make):
    model = make().fit([[100, 101, 102]] * 5)
    model.fit(ROWS)
    same(model.recommend([[1, 2]], 5), make().fit(ROWS).recommend([[1, 2]], 5))
    assert 100 not in model.item_ids


def test_the_same_seed_gives_the_same_bits(make):
    same(make().fit(ROWS).recommend([[1, 2]], 9), make().fit(ROWS).recommend([[1, 2]], 9))


def test_history_has_one_row_per_epoch(model):
    epochs = getattr(model, "epochs", 1)
    assert model.history.column("epoch") == list(range(1, epochs + 1))
    assert all(np.isfinite(model.history.column("loss")))
    assert not any(model.history.column("partial"))


def test_validation_metrics_stand_in_the_history(make):
    queries = fr.Queries.last_item(fr.Interactions.from_sequences(ROWS[:40]))
    model = make().fit(ROWS, validation=queries)
    expected = fr.evaluate(model, queries, ["recall@20"])["recall@20"]
    assert model.history[-1]["recall@20"] == expected


def test_validation_that_is_no_queries_is_refused(make):
    with pytest.raises(fr.InputError, match="validation must be Queries"):
        make().fit(ROWS, validation=ROWS)


def test_callbacks_see_every_epoch_and_can_stop(make):
    class Watcher(fr.Callback):
        rows = ()

        def on_epoch_end(self, run, row):
            self.rows = (*self.rows, row["epoch"])
            assert run.model.recommend([[1]], 2).counts.tolist() == [2]
            run.stop("seen enough")

    watcher = Watcher()
    model = make().fit(ROWS, callbacks=[watcher])
    assert watcher.rows == (1,)
    assert len(model.history) == 1


def test_an_error_in_a_callback_reaches_the_caller_and_undoes_the_fit(make):
    class Broken(fr.Callback):
        def on_epoch_end(self, run, row):
            raise RuntimeError("on purpose")

    model = make()
    with pytest.raises(RuntimeError, match="on purpose"):
        model.fit(ROWS, callbacks=[Broken()])
    with pytest.raises(fr.NotFittedError):
        model.recommend([[1]])


def test_items_are_ordered_by_frequency(model):
    assert (np.diff(model.item_counts) <= 0).all()
    assert model.item_counts.sum() == sum(map(len, ROWS))


# Partial fit


def test_partial_fit_of_a_new_model_is_fit(make):
    same(make().partial_fit(ROWS).recommend([[1]], 5), make().fit(ROWS).recommend([[1]], 5))


def test_partial_fit_brings_new_items_and_keeps_the_old(make):
    model = make().fit(ROWS)
    old = model.item_ids.ids.tolist()
    model.partial_fit([[500, 501, 1], [501, 500, 2]] * 10)
    assert model.item_ids.ids[: len(old)].tolist() == old
    assert {500, 501} <= set(model.item_ids.ids.tolist())
    assert model.item_counts[model.item_ids.code(500)] == 20
    assert 500 in model.recommend([[1]], k=len(old) + 2).items[0]


def test_partial_fit_goes_on_with_the_history(make):
    model = make().fit(ROWS)
    model.partial_fit(ROWS)
    epochs = model.history.column("epoch")
    assert epochs == list(range(1, len(epochs) + 1))
    assert len(epochs) == 2 * getattr(model, "epochs", 1)


def test_a_failed_partial_fit_loses_nothing(make):
    model = make().fit(ROWS)
    before = model.recommend([[1, 2]], 5)
    with pytest.raises(fr.InputError):
        model.partial_fit([])
    same(before, model.recommend([[1, 2]], 5))


# Recommend


def test_results_have_the_promised_shapes_and_types(model):
    answer = model.recommend([[1, 2], [13]], k=4)
    assert (answer.items.shape, answer.items.dtype) == ((2, 4), np.int64)
    assert (answer.scores.shape, answer.scores.dtype) == ((2, 4), np.float32)
    assert (answer.counts.tolist(), answer.counts.dtype) == ([4, 4], np.int32)
    assert (np.diff(answer.scores, axis=1) <= 0).all()
    assert len(answer) == 2
    assert answer.to_lists()[0][0][0] == answer.items[0, 0]


def test_no_histories_give_no_rows(model):
    assert model.recommend([], k=3).items.shape == (0, 3)


def test_recommend_excludes_seen_items(model):
    assert not set(model.recommend([[1, 2, 0]], k=24).items[0]) & {0, 1, 2}


def test_seen_items_are_answers_where_asked(model):
    assert 0 in model.recommend([[0, 1]], k=24, exclude_seen=False).items[0]


@pytest.mark.parametrize("form", [list, np.array, tuple])
def test_exclude_takes_one_list_for_all(model, form):
    answer = model.recommend([[0], [13]], k=24, exclude=form([3, 4]))
    assert not set(answer.items.ravel()) & {3, 4}


def test_exclude_takes_a_list_per_row(model):
    answer = model.recommend([[0], [13]], k=24, exclude=[[3], [4, 5]])
    assert 3 not in answer.items[0]
    assert {4, 5} <= set(answer.items[0])
    assert not {4, 5} & set(answer.items[1])
    assert 3 in answer.items[1]


def test_allow_restricts_the_answers(model):
    answer = model.recommend([[0], [13]], k=3, allow=[5, 6, 14, 99999])
    assert set(answer.items[0]) == {5, 6, 14}
    per_row = model.recommend([[0], [13]], k=2, allow=[[5, 6], [14]])
    assert set(per_row.items[0]) == {5, 6}
    assert per_row.items[1].tolist() == [14, -1]


def test_an_empty_allow_list_allows_nothing(model):
    assert model.recommend([[0]], k=3, allow=[]).counts.tolist() == [0]


def test_lists_that_do_not_match_the_rows_are_refused(model):
    with pytest.raises(fr.InputError, match="2 lists for 3 histories"):
        model.recommend([[0], [1], [2]], exclude=[[3], [4]])


def test_rows_are_short_where_the_catalogue_ends(model):
    answer = model.recommend([[0, 1]], k=40)
    count = len(model.item_ids) - 2
    assert answer.counts.tolist() == [count]
    assert (answer.items[0, count:] == -1).all()
    assert np.isnan(answer.scores[0, count:]).all()
    assert not np.isnan(answer.scores[0, :count]).any()


def test_unknown_items_are_passed_over(model):
    same(model.recommend([[1, 777, 2, -1]], 5), model.recommend([[1, 2]], 5))


def test_unknown_items_are_an_error_where_asked(model):
    with pytest.raises(fr.UnknownIdError, match="777"):
        model.recommend([[1, 777]], on_unknown="error")
    with pytest.raises(KeyError):
        model.recommend([[1, 777]], on_unknown="error")


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "3", None, 2**31])
def test_a_k_that_is_no_count_is_refused(model, k):
    with pytest.raises(fr.InputError, match="k must be a whole number"):
        model.recommend([[1]], k=k)


@pytest.mark.parametrize("histories", [[1, 2, 3], 7, "abc", ["a"], np.array([1, 2])])
def test_a_history_that_is_not_in_a_list_is_refused(model, histories):
    with pytest.raises(fr.InputError, match=r"given as \[history\]"):
        model.recommend(histories)


@pytest.mark.parametrize("histories", [[[1.5]], [["a"]], [[-7]], [[None, 2.5]]])
def test_ids_of_another_kind_are_refused(model, histories):
    with pytest.raises(fr.InputError, match=r"id|negative"):
        model.recommend(histories)


def test_a_padded_matrix_is_as_good_as_lists(model):
    matrix = np.array([[1, 2, -1], [13, -1, -1]])
    same(model.recommend(matrix, 5), model.recommend([[1, 2], [13]], 5))


def test_a_batch_gives_what_each_row_gives_alone(model):
    histories = [[i % 24, (i * 7) % 24] for i in range(70)]
    batch = model.recommend(histories, 6)
    for row in (0, 1, 33, 69):
        alone = model.recommend([histories[row]], 6)
        np.testing.assert_array_equal(batch.items[row], alone.items[0])


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_threads_do_not_change_the_answer(model, threads):
    histories = [[i % 24] for i in range(700)]
    same(model.recommend(histories, 6), model.recommend(histories, 6, threads=threads))


def test_three_threads_at_once_get_the_same_answers(model):
    histories = [[i % 24, (i * 5) % 24] for i in range(300)]
    expected = model.recommend(histories, 6)
    answers = [[] for _ in range(3)]

    def ask(number):
        for _ in range(5):
            answers[number].append(model.recommend(histories, 6))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer in itertools.chain.from_iterable(answers):
        same(answer, expected)


def test_rank_and_evaluate_see_what_recommend_answers(model):
    queries = fr.Queries.from_columns([[1, 2], [13]], [3, 14], exclude_seen=True)
    top = model.rank(queries.translate(model.item_ids, model.user_ids), 5)
    np.testing.assert_array_equal(
        model.item_ids.decode(top.items.ravel()).reshape(2, 5),
        model.recommend([[1, 2], [13]], 5).items,
    )


def test_string_ids_come_back_as_strings(make):
    rows = [[f"track {item}" for item in row] for row in ROWS]
    model = make().fit(rows)
    answer = model.recommend([["track 1", "no such track"]], k=40)
    assert isinstance(answer.items[0, 0], str)
    assert answer.items[0, -1] is None
    numbers = MODELS_OF[type(model)]().fit(ROWS).recommend([[1]], k=40)
    assert sorted(answer.items[0, : answer.counts[0]]) == sorted(
        f"track {item}" for item in numbers.items[0, : numbers.counts[0]]
    )


MODELS_OF = {type(factory()): factory for factory in MODELS.values()}


# Very large k


def test_a_k_beyond_the_catalogue_leaves_places_empty(model):
    wide, narrow = model.recommend([[1, 2], []], 5000), model.recommend([[1, 2], []], 30)
    assert wide.items.shape == wide.scores.shape == (2, 5000)
    assert wide.to_lists() == narrow.to_lists()
    assert (wide.items[0, wide.counts[0] :] == -1).all()


def test_the_largest_k_is_refused_with_the_one_to_ask_for(model):
    with pytest.raises(fr.InputError, match=rf"ask for k={len(model.item_ids)}"):
        model.recommend([[1, 2]], 2**31 - 1)


# Files and copies


@pytest.mark.parametrize("mmap", [False, True])
def test_a_saved_model_answers_the_same(model, tmp_path, mmap):
    path = tmp_path / "m.fastrec"
    model.save(path)
    loaded = fr.load(path, mmap=mmap)
    assert type(loaded) is type(model)
    assert loaded.get_params() == model.get_params()
    assert loaded.history.to_rows() == model.history.to_rows()
    same(loaded.recommend([[1, 2], [13]], 6), model.recommend([[1, 2], [13]], 6))


@pytest.mark.parametrize("mmap", [False, True])
def test_a_loaded_model_trains_on(model, tmp_path, mmap):
    model.save(tmp_path / "m.fastrec")
    loaded = fr.load(tmp_path / "m.fastrec", mmap=mmap).partial_fit([[500, 1]] * 3)
    assert 500 in loaded.item_ids
    assert fr.load(tmp_path / "m.fastrec").item_ids == model.item_ids


@pytest.mark.parametrize("copied", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy])
def test_copies_answer_the_same(model, copied):
    twin = copied(model)
    same(twin.recommend([[1, 2]], 6), model.recommend([[1, 2]], 6))
    assert twin.partial_fit([[900, 901]]) is twin
    assert 900 not in model.item_ids


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


def _ask(model, queue):
    queue.put(model.recommend([[1, 2]], 6, threads=2).items.tolist())


def _load_and_ask(path, queue):
    queue.put(fr.load(path, mmap=True).recommend([[1, 2]], 6, threads=2).items.tolist())


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork"
)
def test_a_forked_child_answers_the_same(model):
    expected = model.recommend([[1, 2]], 6, threads=2).items.tolist()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_ask, args=(model, queue))
    child.start()
    assert queue.get(timeout=60) == expected
    child.join(timeout=60)
    assert child.exitcode == 0


def test_a_spawned_child_answers_the_same(model, tmp_path):
    model.save(tmp_path / "m.fastrec")
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    child = context.Process(target=_load_and_ask, args=(tmp_path / "m.fastrec", queue))
    child.start()
    assert queue.get(timeout=60) == model.recommend([[1, 2]], 6).items.tolist()
    child.join(timeout=60)
    assert child.exitcode == 0


# Queries


def test_slices_of_weighted_queries_rank_like_the_whole(make):
    users = np.repeat(np.arange(len(ROWS)), [len(row) for row in ROWS])
    values = np.random.default_rng(0).uniform(0.1, 2, len(users)).astype(np.float32)
    log = fr.Interactions.from_arrays(user=users, item=np.concatenate(ROWS), value=values)
    model = make().fit(log)
    queries = fr.Queries.last_item(log).translate(model.item_ids, model.user_ids)
    whole, part = model.rank(queries, 5), model.rank(queries.slice(7, 20), 5)
    np.testing.assert_array_equal(part.items, whole.items[7:20])


def test_rank_refuses_codes_that_are_no_rows(model):
    larger, _ = fr.IdMap.from_ids(range(100))
    queries = fr.Queries(item_ids=larger, histories=fr.Ragged.from_lists([[99]]))
    with pytest.raises(fr.InputError, match="translate the queries"):
        model.rank(queries, 2)


def asking(model, *histories):
    """Queries in the model's own codes."""
    return fr.Queries.from_columns(list(histories)).translate(model.item_ids)


@pytest.mark.parametrize("name", ["exclude", "allow"])
@pytest.mark.parametrize("limit", [1, 512])
def test_padding_among_codes_to_exclude_or_allow_is_no_item(model, name, limit, monkeypatch):
    monkeypatch.setattr(arguments, "LONG_LIST", limit)
    queries = asking(model, [1, 2])
    padded = model.rank(queries, 30, **{name: [0, 1, -1]})
    same_items = model.rank(queries, 30, **{name: [0, 1]})
    np.testing.assert_array_equal(padded.items, same_items.items)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1000], "must hold rows from 0 to"),
        ([0.5], "must hold whole numbers"),
        (fr.Ragged.from_lists([[1], [2]]), "must have one list for each of the 1 queries, got 2"),
        (fr.Ragged.from_lists([[1000]]), "must hold rows from 0 to"),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["exclude", "allow"])
@pytest.mark.parametrize("limit", [0, 512])
def test_rank_refuses_lists_that_are_no_codes(model, name, given, message, limit, monkeypatch):
    monkeypatch.setattr(arguments, "LONG_LIST", limit)
    with pytest.raises(fr.InputError, match=f"{name} {message}"):
        model.rank(asking(model, [1, 2]), 5, **{name: given})


@pytest.mark.parametrize("queries", [[["a"]], None])
def test_rank_refuses_what_is_no_queries(model, queries):
    with pytest.raises(fr.InputError, match="rank takes Queries"):
        model.rank(queries, 2)


@pytest.mark.parametrize("allow", [None, [0, 1, 2, 3, 700], [[0, 1], [2, 700]]])
def test_a_long_list_to_exclude_gives_what_a_short_one_does(model, allow, monkeypatch):
    question = {"k": 30, "exclude": [1, 2], "allow": allow, "exclude_seen": False}
    short = model.recommend([[0], [13]], **question)
    monkeypatch.setattr(arguments, "LONG_LIST", 1)
    same(model.recommend([[0], [13]], **question), short)


@pytest.mark.parametrize("restriction", ["abc", 7, b"x"])
@pytest.mark.parametrize("name", ["exclude", "allow"])
def test_a_restriction_that_is_no_list_is_refused(model, name, restriction):
    with pytest.raises(fr.InputError, match=f"{name} must be ids"):
        model.recommend([[0]], **{name: restriction})


def test_negative_values_are_refused(make):
    log = fr.Interactions.from_arrays(user=[1, 1], item=[2, 3], value=[1.0, -1.0])
    with pytest.raises(fr.InputError, match="must be at least 0, got -1"):
        make().fit(log)
