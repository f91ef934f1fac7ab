"""Advance: record what came, move scales and profiles, and take the cell one step on. Numba code.

An imputed step (mask 0) moves the hidden state and nothing else: no scale, no profile, no weight learns from it.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel, linear, lstm, stage
from streamlstm.kernels.season import COUNT, PROFILE, settle_slot, slot
from streamlstm.kernels.unit import floored
from streamlstm.model import beside
from streamlstm.model.experts import take_recent
from streamlstm.model.features import LINEAR_UNIT, features, regressors
from streamlstm.model.heads import lay_by
from streamlstm.model.learn import STATE_MOST, STATE_UNIT, first_cell, upper_cell
from streamlstm.model.settle import running
from streamlstm.model.state import BASES, CYCLE, shape

PROFILE_RATES = (0.06, 0.15)  # of the shorter and the longer season's profile
DIFFERENCE_RATE = 0.001
PROFILE_ERROR_RATE = 0.002
WILD = 10.0  # differences beyond so many RMS differences count as so many


@kernel
def record(s, m, plan, k, y, real, civil):
    """Put step k into raw memory, without covariates. y: the observation, or what stands in for it."""
    memory = plan.memory
    place = k % memory
    m.past_y[place] = y
    m.past_mask[place] = 1 if real else 0
    if real:
        s.observed = k
    else:
        s.imputed = k
    m.past_time[place] = civil
    for j in range(m.past_inputs.shape[1]):
        m.past_inputs[place, j] = math.nan
    for j in range(m.past_linear.shape[1]):
        m.past_linear[place, j] = 0
    if k == 0:
        s.first = 0
    s.first = max(s.first, k - memory + 1)


@stage
def advance(s, m, plan, work, k, y, real, alone, civil):
    """One step of everything that is not a weight. alone: the step before it was an observation, too."""
    n = shape(s, work, plan)
    if real:
        measure(s, m, n, plan, k, y, alone, civil)
    take_scales(s, plan, work.scales)
    regress(s, m, plan, work, k, real)
    keep_state(s, m, plan, k)
    features(work.a[: n.features], s, m, plan, work, k)
    lay_by(s, n, work)
    for cell in range(n.own):
        step(s, n, work, cell)
    if n.outside > 0:
        beside.features(work.outside, s, m, plan, work, k)
        lstm.put(work.outside, work.a[n.features - n.outside :])
        for cell in range(n.own, n.cells):
            step(s, n, work, cell)
    s.index = k


@kernel
def step(s, n, work, cell):
    """One cell's hidden states one step on, its features in work.a."""
    H, F = n.hidden, n.features
    a, state, cells = work.a, s.hidden_state[cell], s.cell_state[cell]
    lstm.put(state[0], a[F:])
    w, b, p = first_cell(s.average[cell], n)
    lstm.step(w, b, p, a, cells[0], work.z, n.relu)
    lstm.put(a[F:], state[0])
    if n.relu:
        hold(state[0], cells[0])
    for layer in range(1, n.layers):
        up = work.up
        if layer > 1 and n.residual:
            lstm.add(state[layer - 1], up)  # to the input of the layer below, which is still there
        else:
            lstm.put(state[layer - 1], up)
        lstm.put(state[layer], up[H:])
        w, b, p = upper_cell(s.average[cell], n, layer)
        lstm.step(w, b, p, up, cells[layer], work.z, n.relu)
        lstm.put(up[H:], state[layer])
        if n.relu:
            hold(state[layer], cells[layer])


@kernel
def hold(h, c):
    """Clip a hidden and a cell state (H,) to what can be kept of them: with ReLU, nothing else stops them from growing.

    Sak, Senior and Beaufays (2014) clip cell states at ±50.
    """
    most = h.dtype.type(STATE_MOST)
    for j in range(h.shape[0]):
        h[j] = min(max(h[j], -most), most)
        c[j] = min(max(c[j], -most), most)


@kernel
def measure(s, m, n, plan, k, y, alone, civil):
    """Running scales and profiles, from a real observation only."""
    s.seen += 1
    if s.seen == 1:
        s.mean, s.lowest, s.highest = y, y, y
    elif alone:
        difference = abs(y - s.y)
        if s.seen > 30 and s.square_difference > 0.0:
            difference = min(difference, WILD * math.sqrt(s.square_difference))
        s.square_difference = running(s.square_difference, difference * difference, s.seen, DIFFERENCE_RATE)
    rate = max(plan.rate, 1.0 / s.seen)
    from_mean = y - s.mean
    s.mean += rate * from_mean
    s.variance = (1.0 - rate) * (s.variance + rate * from_mean * from_mean)
    s.lowest, s.highest = min(s.lowest, y), max(s.highest, y)
    s.y = y
    take_recent(s, plan, y)
    into_seasons(s, m, y, civil)
    beside.measure(s, m, n, plan, k)


@kernel
def into_seasons(s, m, y, civil):
    """Take y into its slot of each season that there is."""
    if s.season_ns[0] > 0:
        into_season(s, m.season_0, 0, slot(civil, s.season_ns[0], m.season_0.shape[1]), y)
    if s.season_ns[1] > 0:
        into_season(s, m.season_1, 1, slot(civil, s.season_ns[1], m.season_1.shape[1]), y)


@kernel
def into_season(s, season, which, at, y):
    """Take y into its slot of a season, and its error into the profile's."""
    if season[COUNT, at] > 0.0:
        error = abs(y - season[PROFILE, at])
        s.profile_error[which] = running(s.profile_error[which], error, s.seen, PROFILE_ERROR_RATE)
    settle_slot(season, at, y, PROFILE_RATES[which])


@kernel
def take_scales(s, plan, scales):
    """scales (3 + bases × L,): mean, deviation, RMS difference, each base's RMS error at each lead; not zero."""
    scales[0] = s.mean
    scales[1] = floored(math.sqrt(s.variance), s.mean)
    scales[2] = floored(math.sqrt(s.square_difference), s.mean)
    L = s.labels.shape[0]
    for base in range(len(BASES)):
        for j in range(L):
            if s.base_labels[base, j] > 0.0:
                size = floored(math.sqrt(s.base_square[base, j]), s.mean)
            else:  # a random walk's, until the first label
                size = scales[2] * math.sqrt(plan.leads[j] * 1.0)
            scales[3 + base * L + j] = size


@stage
def regress(s, m, plan, work, k, real):
    """The linear branch's forecasts of step k into memory; its gain, too, when the step is real."""
    n = shape(s, work, plan)
    regressors(work.x, s, m, plan, work, k)
    if real:
        linear.gain(s.covariance, work.x, work.px, work.gain)
        kept = m.pending_gain[k % plan.longest]
        for j in range(n.regressors):
            kept[0, j] = work.gain[j]
            kept[1, j] = work.x[j]
    row = m.past_linear[k % plan.memory]
    for j in range(n.leads):
        value = linear.inner(s.coefficients[0, j], work.x) * LINEAR_UNIT
        row[j] = math.floor(min(max(value, -120.0), 120.0) + 0.5)


@kernel
def keep_state(s, m, plan, k):
    """Every eighth step, the hidden and cell state before it: where a replayed window starts. 16 bits each."""
    if k % CYCLE != 0:
        return
    cells, layers, H = s.hidden_state.shape
    kept = m.past_states[(k // CYCLE) % (plan.memory // CYCLE)]
    for cell in range(cells):
        for layer in range(layers):
            for j in range(H):
                h, c = s.hidden_state[cell, layer, j] * STATE_UNIT, s.cell_state[cell, layer, j] * STATE_UNIT
                kept[cell, layer, j] = int(min(max(h, -32760.0), 32760.0))
                kept[cell, layer, H + j] = int(min(max(c, -32760.0), 32760.0))
