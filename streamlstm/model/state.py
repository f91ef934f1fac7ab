"""What a series remembers, as one table: the fixed part is a record, the rings hang on the step that was found.

Allocation, offsets, snapshots and the sizes that `check-config` prints all follow from `record` and `rings`.
"""

from __future__ import annotations

from collections import namedtuple
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamlstm.kernels import conformal, kernel, score

if TYPE_CHECKING:
    from streamlstm.model.arena import Layout, Sizes

FORMAT = 1  # of the row; goes up with every change of the tables below
CYCLE = 8  # observations from one update to the next, and steps from one kept hidden state to the next

LSTM, PERSISTENCE, SEASONAL = range(3)
SOURCES = ("lstm", "persistence", "seasonal")
# Rows of a season's ring: the profile, how many values it has seen, the latest value, the usual error ratio.
PROFILE, COUNT, LATEST, ERROR = range(4)
# Columns of `pending`: differences to the origin's value, the scale; then lower (Q), upper (Q), scale features (X).
P_PUBLISHED, P_LSTM, P_SHORT, P_LONG, P_SCALE, P_LOWER = range(6)
# Columns of `inputs`: a covariate's mean, variance, mean square difference, how many values.
INPUT_MEAN, INPUT_VARIANCE, INPUT_SQUARE, INPUT_SEEN = range(4)


@cache
def record(n: Sizes) -> np.dtype:
    """The fixed part of a row, as a numpy record: everything whose size the configuration decides."""
    L, Q, H, N, W, P, X = n.leads, n.levels, n.hidden, n.layers, n.weights, n.regressors, conformal.FEATURES
    whole, number, single = np.int64, np.float64, np.float32
    return np.dtype(
        [
            ("format", whole),
            ("fingerprint", whole),  # of the layout
            ("position", whole),  # the host's, of the last observation; -1 none
            ("seen", whole),  # observations with a value
            ("missing", whole),  # readings without one
            ("gaps", whole),  # how often at least one step went unreported
            ("index", whole),  # of the last step; -1 none
            ("first", whole),  # the oldest step in memory
            ("time_ns", whole),  # event time of the last observation
            ("phase", whole),  # of the update's cycle
            ("labelled", whole),  # labels in the gradient so far
            ("updates", whole),
            ("skipped", whole),  # updates refused because they were not finite
            ("random", whole),  # state of the generator that draws windows
            ("labels", whole, (L,)),  # matured, per lead
            ("source", whole, (L,)),  # whose forecast is published: an index of SOURCES
            ("mean", number),
            ("variance", number),
            ("square_difference", number),  # running mean square of one-step differences
            ("y", number),  # the last observation
            ("lowest", number),
            ("highest", number),
            ("gradient_norm", number),  # of the last update, before the clip
            ("profile_error", number, (2,)),  # running |y - profile| of each season
            ("tail", number, (len(score.START),)),
            ("lead_square", number, (L,)),  # running mean square of persistence's error
            ("mae_published", number, (L,)),
            ("mae_lstm", number, (L,)),
            ("mae_persistence", number, (L,)),
            ("mae_seasonal", number, (2, L)),
            ("seasonal_labels", number, (2, L)),
            ("error_size", number, (L, 3)),
            ("exponents", number, (L, X)),
            ("exponent_squares", number, (L, X)),
            ("ratio_mean", number, (L, X)),
            ("quantile_low", number, (Q, L)),
            ("quantile_high", number, (Q, L)),
            ("covered", number, (Q, L)),
            ("inputs", number, (max(n.inputs, 1), 4)),
            ("coefficients", number, (L, P)),  # of the linear branch
            ("covariance", number, (P, P)),
            ("weights", single, (W,)),
            ("average", single, (W,)),  # of the weights: what forecasts are made with
            ("first_moment", single, (W,)),
            ("second_moment", single, (W,)),
            ("gradient", single, (W,)),
            ("hidden_state", single, (N, H)),
            ("cell_state", single, (N, H)),
        ],
        align=True,
    )


def rings(layout: Layout) -> dict[str, tuple[type, tuple[int, ...]]]:
    """The rings of a row, by name: M steps of memory, R pending origins, slots of the seasons."""
    n, M, R = layout.sizes, layout.memory, layout.pending
    return {
        "past_y": (np.float64, (M,)),
        "past_inputs": (np.float64, (M, max(n.inputs, 1))),
        "past_time": (np.int64, (M,)),  # civil
        "past_mask": (np.int8, (M,)),  # 1 real, 0 imputed
        "past_linear": (np.int8, (M, n.leads)),  # the linear branch's forecasts
        "past_states": (np.int16, (M // CYCLE, n.layers, 2 * n.hidden)),  # before every eighth step
        "origin": (np.int64, (R,)),  # the step each pending place belongs to; -1 none
        "pending_y": (np.float64, (R,)),
        "pending": (np.float32, (R, n.leads, P_LOWER + 2 * n.levels + conformal.FEATURES)),
        "pending_gain": (np.float32, (R, 2, n.regressors)),  # of the linear branch: gain, regressors
        "season_0": (np.float64, (4, layout.slots[0])),
        "season_1": (np.float64, (4, layout.slots[1])),
    }


Rings = namedtuple(
    "Rings",
    "past_y past_inputs past_time past_mask past_linear past_states origin pending_y pending pending_gain season_0 "
    "season_1",
)


class Views(NamedTuple):
    """A chunk's rows: their records, and their bytes as arrays of each type (rows, elements)."""

    records: NDArray[np.void]
    f8: NDArray[np.float64]
    i8: NDArray[np.int64]
    f4: NDArray[np.float32]
    i2: NDArray[np.int16]
    i1: NDArray[np.int8]


@cache
def plan_dtype(leads: int) -> np.dtype:
    """What is the same for all rows of one layout, but known only once its step is."""
    return np.dtype(
        [
            ("begins", np.int64, (len(Rings._fields),)),  # of the rings, in elements of their own type
            ("memory", np.int64),
            ("pending", np.int64),
            ("slots", np.int64, (2,)),
            ("leads", np.int64, (leads,)),  # in steps
            ("season_ns", np.int64, (2,)),
            ("step_ns", np.int64),
            ("inputs", np.int64),  # covariates
            ("seasons", np.int64),
            ("relu", np.int64),
            ("replay", np.int64),  # windows drawn from memory an update
            ("learning_rate", np.float64),
            ("rate", np.float64),  # of the running mean: a half-life of four longest seasons
            ("lowest", np.float64),  # physical bounds
            ("highest", np.float64),
        ],
        align=True,
    )


@cache
def work_dtype(n: Sizes) -> np.dtype:
    """Scratch for one window; nothing in it outlives a step. T steps, room for the newest window."""
    T, H, N, F, P = n.truncation + CYCLE, n.hidden, n.layers, n.features, n.regressors
    return np.dtype(
        [
            ("first", np.float32, (T + 1, F + H)),  # inputs and hidden states of the first layer
            ("upper", np.float32, (max(N - 1, 1), T + 1, 2 * H)),  # of the layers above it
            ("top", np.float32, (T, H)),  # hidden states of the last layer
            ("cells", np.float32, (N, T + 1, H)),
            ("tape", np.float32, (N, T, 6 * H)),
            ("dh", np.float32, (N, T, H)),
            ("dz", np.float32, (T, 4 * H)),
            ("z", np.float32, (4 * H,)),
            ("dc", np.float32, (2 * H,)),
            ("out", np.float32, (n.leads,)),
            ("scales", np.float64, (3 + n.leads,)),
            ("x", np.float64, (P,)),
            ("px", np.float64, (P,)),
            ("gain", np.float64, (P,)),
            ("path", np.float64, (n.leads,)),
        ],
        align=True,
    )


Shape = namedtuple("Shape", "leads levels hidden layers features truncation regressors inputs seasons relu replay")


@kernel
def shape(s, work, plan):
    """The sizes of a series. All but the last four are constants in the machine code: they come from types."""
    return Shape(
        s.covered.shape[1], s.covered.shape[0], s.hidden_state.shape[1], s.hidden_state.shape[0],
        work.first.shape[1] - s.hidden_state.shape[1], work.dz.shape[0] - CYCLE, s.coefficients.shape[1],
        plan.inputs, plan.seasons, plan.relu, plan.replay,
    )  # fmt: skip


@kernel
def carve(f8, i8, f4, i2, i1, n, plan):
    """Name the rings of one row, given its bytes as arrays of each type."""
    L, P, C = n.leads, n.regressors, max(n.inputs, 1)
    M, R, B = plan.memory, plan.pending, plan.begins
    width = P_LOWER + 2 * n.levels + conformal.FEATURES
    n0, n1, states = plan.slots[0], plan.slots[1], M // CYCLE
    return Rings(
        f8[B[0] : B[0] + M],
        f8[B[1] : B[1] + M * C].reshape((M, C)),
        i8[B[2] : B[2] + M],
        i1[B[3] : B[3] + M],
        i1[B[4] : B[4] + M * L].reshape((M, L)),
        i2[B[5] : B[5] + states * n.layers * 2 * n.hidden].reshape((states, n.layers, 2 * n.hidden)),
        i8[B[6] : B[6] + R],
        f8[B[7] : B[7] + R],
        f4[B[8] : B[8] + R * L * width].reshape((R, L, width)),
        f4[B[9] : B[9] + R * 2 * P].reshape((R, 2, P)),
        f8[B[10] : B[10] + 4 * n0].reshape((4, n0)),
        f8[B[11] : B[11] + 4 * n1].reshape((4, n1)),
    )
