"""The settings of the textbook as a row has them: hidden states one step on, and what an update does to the weights."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streamlstm.kernels import lstm, optimiser, stage
from streamlstm.model import thin
from streamlstm.model.advance import step
from streamlstm.model.arena import Layout
from streamlstm.model.heads import lay_by, say
from streamlstm.model.learn import STATE_MOST, update
from streamlstm.model.state import record, shape, work_dtype
from tests import reference_settings
from tests.small import STREAM, STREAM_TWO_LAYERS, with_model

HOUR_NS = 3_600_000_000_000
LABELLED, CELL = 10, 1
KINDS = {
    "one layer": STREAM,
    "three layers": with_model(STREAM, layers=3),
    "three layers, residual": with_model(STREAM, layers=3, residual=True),
    "two layers, residual, attention": with_model(STREAM_TWO_LAYERS, residual=True, attention=3),
    "attention": with_model(STREAM, attention=5),
}


@stage
def run(records, plans, works, xs, out):
    """The cells along inputs xs (K, F), each from the row's states; out (K, E, L): what the heads say."""
    plan, work, s = plans[0], works[0], records[0]
    n = shape(s, work, plan)
    for t in range(xs.shape[0]):
        lstm.put(xs[t], work.a[: n.features])
        lay_by(s, n, work)
        for cell in range(n.cells):
            step(s, n, work, cell)
        for cell in range(n.cells):
            say(s, n, work, cell)
            lstm.put(work.out[cell], out[t, cell])


@pytest.mark.parametrize("name", KINDS)
def test_a_row_goes_on_step_by_step_as_the_twin_does(name) -> None:
    stream, dice = KINDS[name], np.random.default_rng(4)
    layout = Layout.of(stream, HOUR_NS, True)
    n = layout.sizes
    rows, work = np.zeros(1, record(n)).view(np.recarray), np.zeros(1, work_dtype(n)).view(np.recarray)
    plan = layout.plan(stream).view(np.recarray)
    for field in ("average", "hidden_state", "cell_state"):
        rows[field] = dice.normal(0, 0.4, rows[field].shape)
    h, c = rows["hidden_state"][0].astype(np.float64), rows["cell_state"][0].astype(np.float64)
    xs = dice.normal(size=(12, n.features)).astype(np.float32)
    out = np.zeros((len(xs), n.cells, n.leads), np.float32)
    run(rows, plan, work, xs, out)
    for cell in range(n.cells):
        twin = reference_settings.Network.of(
            rows["average"][0, cell, : used(n)].astype(np.float64),
            n.features,
            n.hidden,
            n.layers,
            n.leads,
            residual=stream.model.residual,
            reach=n.attention,
        )
        said = twin.run(xs.astype(np.float64), h[cell], c[cell])
        since = (
            n.attention
        )  # until then the tape holds the state before the first step, too: the twin's begins after it
        assert np.abs(said).max() > 0.3
        np.testing.assert_allclose(out[since:, cell], said[since:], rtol=0, atol=1e-5)  # float32, through twelve steps


def test_with_relu_the_states_stay_within_what_can_be_kept() -> None:
    stream = with_model(STREAM_TWO_LAYERS, activation="relu")
    n, dice = Layout.of(stream, HOUR_NS, True).sizes, np.random.default_rng(5)
    rows, work = np.zeros(1, record(n)).view(np.recarray), np.zeros(1, work_dtype(n)).view(np.recarray)
    rows["average"] = dice.normal(0.3, 0.5, rows["average"].shape)  # a loop from hidden states to themselves that gains
    out = np.zeros((200, n.cells, n.leads), np.float32)
    run(
        rows,
        Layout.of(stream, HOUR_NS, True).plan(stream).view(np.recarray),
        work,
        np.ones((200, n.features), "f4"),
        out,
    )
    for state in (rows["hidden_state"], rows["cell_state"]):
        assert np.abs(state).max() == STATE_MOST
    assert np.isfinite(out).all()


def used(n) -> int:
    """How many weights a cell has, without what rounds them up to whole cache lines."""
    begin, _ = n.matrices[-1]
    width = n.features if n.layers == 1 else n.hidden
    layers = begin + (width + n.hidden) * 4 * n.hidden + 7 * n.hidden
    return layers + (n.hidden**2 + n.leads * n.hidden if n.attention else 0) + n.leads * (n.hidden + 1)


def between_updates(stream, updates: int = 60) -> tuple[np.recarray, np.recarray, np.recarray]:
    """A row, its plan and scratch: by attribute, which the compiler and plain Python both read."""
    layout, dice = Layout.of(stream, HOUR_NS, True), np.random.default_rng(1)
    (s,) = np.zeros(1, record(layout.sizes)).view(np.recarray)
    (work,) = np.zeros(1, work_dtype(layout.sizes)).view(np.recarray)
    (plan,) = layout.plan(stream).view(np.recarray)
    for name in ("weights", "average", "first_moment"):
        s[name] = dice.normal(0, 0.1, s[name].shape)
    s["second_moment"] = dice.random(s["weights"].shape) * 1e-3
    s["seen"], s["updates"] = 500, updates
    work["gradient"] = dice.normal(0, 0.01, len(work["gradient"]))
    return s, plan, work


@pytest.mark.parametrize("name", sorted(set(optimiser.NAMES) - {"adam"}))
def test_an_update_is_the_chosen_optimiser_s(name) -> None:
    s, plan, work = between_updates(with_model(STREAM, optimiser=name))
    w, m, v, average = (s[f][CELL].copy() for f in ("weights", "first_moment", "second_moment", "average"))
    rate = 3e-3 / np.sqrt(1 + 500 / 2000)
    optimiser.another(
        optimiser.NAMES.index(name), w, m, v, work["gradient"].copy(), average, rate, 1 / LABELLED, 61, 20 / (20 + 61)
    )
    assert (w != s["weights"][CELL]).all()
    update(s, plan, work, CELL, LABELLED)
    np.testing.assert_array_equal(s["weights"][CELL], w)
    np.testing.assert_array_equal(s["average"][CELL], average)
    assert not work["gradient"].any()


def pruned(s, n) -> list[float]:
    """The share of zeros in each layer's matrix, of one cell's weights and of its average's."""
    return [
        float(np.mean(flat[begin:end] == 0)) for begin, end in n.matrices for flat in (s["weights"][1], s["average"][1])
    ]


def masks(s, n) -> NDArray[np.bool_]:
    return np.concatenate([s["weights"][CELL][begin:end] == 0 for begin, end in n.matrices])


def test_pruning_takes_a_share_of_each_matrix_and_nothing_else_and_keeps_it() -> None:
    stream = with_model(STREAM_TWO_LAYERS, pruning=0.6)
    n = Layout.of(stream, HOUR_NS, True).sizes
    s, plan, work = between_updates(stream, updates=thin.BEGIN + thin.DURATION // 2 // thin.EVERY * thin.EVERY - 1)
    s["updates"][CELL] -= s["updates"][CELL] % thin.EVERY + 1  # the next is one in which weights are pruned
    wanted = reference_settings.sparsity(int(s["updates"][CELL]) + 1, thin.BEGIN, thin.DURATION, 0.6)
    update(s, plan, work, CELL, LABELLED)
    shares = pruned(s, n)
    assert 0.4 < wanted < 0.6
    assert all(share == pytest.approx(wanted, abs=0.01) for share in shares)  # of a hundred weights and more
    assert np.count_nonzero(s["weights"][CELL] == 0) == np.count_nonzero(masks(s, n))
    assert s["weights"][[0, 2]].all()  # the other cells'
    mask = masks(s, n)
    for _ in range(thin.EVERY - 1):
        work["gradient"] = np.random.default_rng(2).normal(size=len(work["gradient"]))
        update(s, plan, work, CELL, LABELLED)
        np.testing.assert_array_equal(masks(s, n), mask)
    work["gradient"] = 0.1
    update(s, plan, work, CELL, LABELLED)  # the next in which weights are pruned
    assert (masks(s, n) & mask).sum() == mask.sum() < masks(s, n).sum()
