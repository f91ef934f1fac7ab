"""What a series remembers, as one table: the fixed part is a record, the rings hang on the step that was found.

Allocation, offsets, snapshots and the sizes that `check-config` prints all follow from `record` and `rings`.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamlstm.events import State
from streamlstm.kernels import conformal, covariates, detect, doubt, drift, kernel, mix, score, season
from streamlstm.kernels.analogue import NEAR
from streamlstm.kernels.medians import FEW

if TYPE_CHECKING:
    from streamlstm.model.arena import Layout, Sizes

FORMAT = 4  # of the row; goes up with every change of the tables below
CYCLE = 8  # observations from one update to the next, and steps from one kept hidden state to the next
WINDOW = 96  # most values in the longest rolling median

# Experts, in the order of the mixture, the naive ones first. After them a cell each, of several cells their mean, and
# with covariates the same of those that see them, then linear ones; and last the committees of `kernels.mix`.
E_LAST, E_SHORT, E_LONG, E_SHORT_USUAL, E_LONG_USUAL, E_SHORT_RISE, E_LONG_RISE = range(7)
E_LINEAR, E_LINEAR_SHORT, E_LINEAR_LONG, E_ANALOGUE, E_MEDIAN_3, E_MEDIAN_7, E_MEDIAN, E_SHORT_MEDIAN = range(7, 15)
E_LONG_MEDIAN, E_CELL = 15, 16
NAIVES = 3
LSTM, COMMITTEE, COVARIATES = 6, 7, 8  # places in SOURCES
STATES = (State.WARMING, State.ACTIVE, State.FALLBACK, State.GAP, State.QUARANTINED)
WARMING, ACTIVE, FALLBACK, GAP, QUARANTINED = range(5)
# What becomes of the cells' weights with an observation: learned; not, since more comes than can be learned; not, since
# somebody wants it so.
MADE, SHED, FROZEN = range(3)
SOURCES = ("persistence", "seasonal", "profile", "linear", "analogue", "median", "lstm", "committee", "covariates")
GROUP = (0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 5, 5, 5, 5, 5)  # whose source each expert below E_CELL is
# What labels can be counted from, and the experts that are just that: the last value, the profiles, the linear branch.
BASES = (E_LAST, E_SHORT_USUAL, E_LONG_USUAL, E_SHORT_RISE, E_LINEAR)
B_LAST, B_SHORT, B_LONG, B_RISE, B_LINEAR = range(5)

# Columns of `pending`: what is published less the origin's value, the scale, to which side the experts lean; then the
# experts (M) and the quantiles (T), less the origin's value, and what the scale hangs on (X).
P_PUBLISHED, P_SCALE, P_LEANING, P_EXPERT = range(4)


@cache
def record(n: Sizes) -> np.dtype:
    """The fixed part of a row, as a numpy record: everything whose size the configuration decides."""
    L, H, N, W, P, X = n.leads, n.hidden, n.layers, n.weights, n.regressors, conformal.FEATURES
    E, M, T = n.cells, n.experts, n.taus
    truths = L if n.binary else 0
    whole, number, single = np.int64, np.float64, np.float32
    return aligned(
        [
            ("format", whole),
            ("fingerprint", whole),  # of the layout
            ("position", whole),  # the host's, of the last observation; -1 none
            ("seen", whole),  # observations with a value
            ("missing", whole),  # readings without one
            ("gaps", whole),  # how often at least one step went unreported
            ("index", whole),  # of the last step; -1 none
            ("first", whole),  # the oldest step in memory
            ("observed", whole),  # the newest step that was observed, and the newest that was not; -1 none
            ("imputed", whole),
            ("time_ns", whole),  # event time of the last observation
            ("turn_ns", whole),  # when civil time changes next, and by how much
            ("turn_by_ns", whole),
            ("season_ns", whole, (2,)),  # the shorter and the longer period; 0 none
            ("season_slots", whole, (2,)),
            ("rivals_ns", whole, (2,)),  # seasons that were found, and how often in a row; 0 none
            ("looks", whole),
            ("look_at", whole),  # how many steps there must be for the next look
            ("anchor_ns", whole),  # civil time is counted from half a step before the first observation
            ("phase", whole),  # of the update's cycle
            ("updates", whole, (E,)),  # of each cell
            ("inherited", whole, (E,)),  # updates before its birth, of the series that it began with
            ("skipped", whole),  # updates refused because they were not finite
            ("random", whole),  # state of the generator that draws windows
            ("recent_count", whole),  # values in `recent`
            ("labels", whole, (L,)),  # matured, per lead
            ("naive", whole, (L,)),  # 1 where what is published is, for the most part, a naive forecast
            ("mean", number),
            ("variance", number),
            ("square_difference", number),  # running mean square of one-step differences
            ("y", number),  # the last observation
            ("lowest", number),
            ("highest", number),
            ("gradient_norm", number, (E,)),  # of the last update, before the clip
            ("profile_error", number, (2,)),  # running |y - profile| of each season
            ("tails", number, (L, len(score.START))),  # of each lead's errors; then what detection keeps
            ("windows", number, np.shape(detect.WINDOWS_START)),
            ("runs", number, (len(detect.RUNS_START),)),
            ("event", number, (len(detect.EVENT_START),)),
            ("doubt", number, (len(doubt.START),)),
            ("drift", number, (len(drift.START),)),
            ("drifting", whole),  # 1 while errors are larger than they used to be
            ("drift_told", whole),
            ("drifts", whole),  # how often they have begun to be
            ("seen_at_drift", whole),  # observations when that last began
            ("quarantined", whole),  # 1 while readings are not believed
            ("alarm", whole),  # what detection said of the last observation
            ("told", whole),  # 1 while fallen back, as it was last told
            ("recent", number, (WINDOW,)),  # the latest real values, and the same in order
            ("ordered", number, (WINDOW,)),
            ("base_square", number, (len(BASES), L)),  # running mean square error of each base
            ("base_labels", number, (len(BASES), L)),
            ("mae_published", number, (L,)),
            ("mae_persistence", number, (L,)),
            ("mae_seasonal", number, (2, L)),
            ("seasonal_labels", number, (2, L)),
            ("mixture_error", number, (L,)),  # usual |error| of the mixture, wild ones clipped
            ("mix", number, (L, mix.ROWS, M)),
            ("mix_weights", number, (L, M)),  # as last weighed
            ("naive_share", number, (L,)),
            ("stack", number, (L, M - 1)),  # coefficients of the last committee, and their covariance
            ("stack_covariance", number, (L, M - 1, M - 1)),
            ("logit", number, (truths, 2, M + 1)),  # of truth values: weights of the log odds, sums of their squares
            ("error_size", number, (L, 3)),
            ("exponents", number, (L, X)),
            ("exponent_squares", number, (L, X)),
            ("ratio_mean", number, (L, X)),
            ("slow", number, (L, T)),  # quantiles of error over scale: the part that remembers, the part that follows
            ("fast", number, (L, T)),
            ("lean", number, (L, 2)),
            ("covered", number, (n.levels, L)),
            ("inputs", number, (n.inputs, covariates.COLUMNS)),  # past covariates, then those known ahead
            ("ahead", number, (n.ahead, covariates.COLUMNS)),
            ("beside_coefficients", number, (n.beside_bases, L, n.beside)),  # of the linear branch that sees them
            ("beside_covariance", number, (n.beside_gains, n.beside, n.beside)),
            ("coefficients", number, (3, L, P)),  # of the linear branch, on each of its bases
            ("covariance", number, (P, P)),
            ("weights", single, (E, W)),
            ("average", single, (E, W)),  # of the weights: what forecasts are made with
            ("first_moment", single, (E, W)),
            ("second_moment", single, (E, W)),
            ("hidden_state", single, (E, N, H)),
            ("cell_state", single, (E, N, H)),
            ("tape", single, (E, n.attention, H)),  # topmost hidden states before the last, in any order
            ("taped", whole),  # how many there have been
        ]
    )


def rings(layout: Layout) -> dict[str, tuple[type, tuple[int, ...]]]:
    """The rings of a row, by name: M steps of memory, R pending origins of all leads, and one that
    waits for nothing; slots of the seasons.
    """
    n, M, R = layout.sizes, layout.memory, layout.pending
    slots = layout.slots
    return {
        "past_y": (np.float64, (M,)),
        "past_inputs": (np.float32, (M if n.given else 0, n.given)),  # covariates, their ages, what is known ahead
        "past_time": (np.int64, (M,)),  # civil
        "past_mask": (np.int8, (M,)),  # 1 real, 0 imputed
        "past_linear": (np.int8, (M, n.leads)),  # the linear branch's forecasts
        "past_states": (np.int16, (M // CYCLE, n.cells, n.layers, 2 * n.hidden)),  # before every eighth step
        "origin": (np.int64, (R,)),  # the step each pending place belongs to; -1 none
        "pending": (np.float32, (R + 1, P_EXPERT + n.experts + n.taus + conformal.FEATURES)),
        "pending_gain": (np.float32, (max(layout.leads), 2, n.regressors)),  # of the linear branch: gain, regressors
        "pending_beside": (np.float32, (R if n.beside else 0, 2, n.beside)),  # of the branch that sees covariates
        "season_0": (np.float64, (season.FIXED + DEPTH[0], slots[0])),
        "season_1": (np.float64, (season.FIXED + DEPTH[1], slots[1])),
    }


DEPTH = (7, 5)  # latest values kept in each slot of the seasons

Rings = namedtuple(
    "Rings",
    "past_y past_inputs past_time past_mask past_linear past_states origin pending pending_gain pending_beside "
    "season_0 season_1",
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
def plan_dtype(n: Sizes) -> np.dtype:
    """What is the same for all rows of one layout, but known only once its step is."""
    whole, number = np.int64, np.float64
    return np.dtype(
        [
            ("begins", whole, (len(Rings._fields),)),  # of the rings, in elements of their own type
            ("memory", whole),
            ("leads", whole, (n.leads,)),  # in steps
            ("place", whole, (n.leads,)),  # where each lead's pending origins begin
            ("shorter", whole, (n.leads,)),  # the longest lead of at most half of this one; -1 none
            ("longest", whole),  # lead
            ("shown", whole, (n.shown,)),  # which leads the cells see
            ("window", whole),  # values in the longest rolling median
            ("step_ns", whole),
            ("relu", whole),
            ("residual", whole),
            ("optimiser", whole),  # kernels.optimiser.NAMES
            ("pruning", number),  # share of the matrices that becomes zero
            ("matrices", whole, (n.layers, 2)),  # where they begin and end among a cell's weights
            ("most_periods", whole),  # that the analogue looks back
            ("base", whole, (n.cells,)),  # of each cell's labels
            ("group", whole, (n.experts,)),  # SOURCES
            ("huber", number, (n.cells,)),  # δ of each cell's loss
            ("learning_rate", number, (n.cells,)),
            ("prior", number, (n.experts,)),
            ("penalty", number, (n.experts,)),
            ("taus", number, (n.taus,)),  # probabilities of the quantiles, ascending
            ("levels", whole, (2, n.levels)),  # where the intervals' ends are among them
            ("rate", number),  # of the running mean: a half-life of four longest seasons
            ("lowest", number),  # physical bounds
            ("highest", number),
            ("whole", whole),  # 1: values are whole numbers, and so are the ends of intervals
            ("updates", whole),  # of the observation that is taken: MADE, SHED or FROZEN
        ],
        align=True,
    )


@cache
def work_dtype(n: Sizes) -> np.dtype:
    """Scratch for one update; nothing in it outlives a step. K steps of B windows side by side."""
    K, B, H, N, F, P, L, M = n.truncation, n.windows, n.hidden, n.layers, n.features, n.regressors, n.leads, n.experts
    single, number = np.float32, np.float64
    return aligned(
        [
            ("first", single, (K + 1, B, F + H)),  # inputs and hidden states of the first layer
            ("upper", single, (max(N - 1, 1), K + 1, B, 2 * H)),  # of the layers above it
            ("cells", single, (N, K + 1, B, H)),
            ("gates", single, (N, K, B, 4 * H)),
            ("squashed", single, (N, K, B, H)),
            ("dh", single, (N, K, B, H)),
            ("dc", single, (B, H)),
            ("wt", single, (4 * H, H)),
            ("gradient", single, (n.weights,)),
            ("label", number, (n.cells, K, B, n.heads)),  # of each cell's heads, in scales of its base; NaN none
            ("start", np.int64, (B,)),  # the first step of each window; -1 none
            ("shed", np.int64),  # updates that were not made under overload; counted over a call
            ("a", single, (F + H,)),  # of the step on, as `first`
            ("outside", single, (n.outside,)),  # features that only some cells see, and, by its size alone, how many
            ("beside_cells", np.int8, (n.beside_cells,)),
            ("up", single, (2 * H,)),
            ("z", single, (4 * H,)),
            ("out", single, (n.cells, n.heads)),
            ("slope", single, (n.heads,)),
            ("top", single, (H,)),  # topmost hidden state at one step
            ("tape", single, (B, K if n.attention else 0, H)),  # and of all steps of all windows
            ("dtape", single, (B, K if n.attention else 0, H)),
            ("read", single, (2 * H if n.attention else 0,)),  # by the heads: a hidden state, its context
            ("dread", single, (2 * H if n.attention else 0,)),
            ("share", single, (n.attention,)),
            ("query", single, (H if n.attention else 0,)),
            ("dquery", single, (H if n.attention else 0,)),
            ("scales", number, (3 + len(BASES) * L,)),
            ("x", number, (P,)),
            ("px", number, (P,)),
            ("gain", number, (P,)),
            ("given", number, (2 * n.inputs + n.ahead * L,)),  # what came with the target
            ("beside", number, (n.beside_gains, n.beside)),  # x, px and gain of the branch that sees it
            ("beside_px", number, (n.beside,)),
            ("beside_gain", number, (n.beside,)),
            ("path", number, (L,)),
            ("analogue", number, (L,)),
            ("distance", number, (NEAR,)),
            ("nearest", np.int64, (NEAR,)),
            ("few", number, (FEW,)),
            ("sorted", number, (FEW,)),
            ("middles", number, (3,)),  # medians of the latest three, seven and all values in the window
            ("expert", number, (M,)),
            ("regret", number, (L, M)),
            ("asked", number, (M,)),
            ("multiples", number, (n.taus,)),
            ("ratios", number, (L,)),
            ("differences", number, (M - 1,)),
            ("product", number, (M - 1,)),
            ("stack_gain", number, (M - 1,)),
            ("odds", number, (M + 1 if n.binary else 0,)),
        ]
    )


def aligned(fields: Sequence[tuple[str, type] | tuple[str, type, tuple[int, ...]]]) -> np.dtype:
    """A record whose fields each begin at a multiple of 64 bytes: vectors that straddle cache lines cost a third."""
    kinds = [np.dtype((field[1], field[2]) if len(field) == 3 else field[1]) for field in fields]
    offsets, end = [], 0
    for kind in kinds:
        offsets.append(end)
        end += -(-kind.itemsize // 64) * 64
    return np.dtype({"names": [field[0] for field in fields], "formats": kinds, "offsets": offsets, "itemsize": end})


class Head(NamedTuple):
    """What a row begins with, whatever its sizes are."""

    format: int
    fingerprint: int
    position: int
    seen: int
    missing: int
    gaps: int


_HEAD = aligned([(name, np.int64) for name in Head._fields])


def head(row: bytes) -> Head | None:
    """None where it is of another format, or no row."""
    if len(row) < _HEAD.itemsize:
        return None
    found = Head(*np.frombuffer(row, _HEAD, count=1)[0].item())
    return found if found.format == FORMAT else None


Shape = namedtuple(
    "Shape",
    "leads levels taus hidden layers cells heads experts features shown truncation windows regressors attention "
    "binary inputs ahead given outside beside beside_bases beside_gains beside_cells own relu residual",
)


@kernel
def shape(s, work, plan):
    """The sizes of a series. All but the last two are constants in the machine code: they come from types."""
    return Shape(
        s.covered.shape[1], s.covered.shape[0], s.slow.shape[1], s.hidden_state.shape[2], s.hidden_state.shape[1],
        s.hidden_state.shape[0], work.out.shape[1], s.mix.shape[2], work.a.shape[0] - s.hidden_state.shape[2],
        plan.shown.shape[0], work.gates.shape[1], work.gates.shape[2], s.coefficients.shape[2], s.tape.shape[1],
        1 if s.logit.shape[0] > 0 else 0, s.inputs.shape[0], s.ahead.shape[0],
        2 * s.inputs.shape[0] + s.ahead.shape[0] * plan.shown.shape[0],
        work.outside.shape[0], s.beside_covariance.shape[1], s.beside_coefficients.shape[0],
        s.beside_covariance.shape[0], work.beside_cells.shape[0],
        s.hidden_state.shape[0] - work.beside_cells.shape[0], plan.relu, plan.residual,
    )  # fmt: skip


@kernel
def carve(f8, i8, f4, i2, i1, s, n, plan):
    """Name the rings of one row, given its bytes as arrays of each type."""
    L, P, V, D = n.leads, n.regressors, n.given, n.beside
    M, B = plan.memory, plan.begins
    R, longest, kept = plan.place[L - 1] + plan.leads[L - 1], plan.longest, M if V > 0 else 0
    width, waiting = P_EXPERT + n.experts + n.taus + conformal.FEATURES, R if D > 0 else 0
    n0, n1, states = s.season_slots[0], s.season_slots[1], M // CYCLE
    d0, d1 = season.FIXED + DEPTH[0], season.FIXED + DEPTH[1]
    return Rings(
        f8[B[0] : B[0] + M],
        f4[B[1] : B[1] + kept * V].reshape((kept, V)),
        i8[B[2] : B[2] + M],
        i1[B[3] : B[3] + M],
        i1[B[4] : B[4] + M * L].reshape((M, L)),
        i2[B[5] : B[5] + states * n.cells * n.layers * 2 * n.hidden].reshape((states, n.cells, n.layers, 2 * n.hidden)),
        i8[B[6] : B[6] + R],
        f4[B[7] : B[7] + (R + 1) * width].reshape((R + 1, width)),
        f4[B[8] : B[8] + longest * 2 * P].reshape((longest, 2, P)),
        f4[B[9] : B[9] + waiting * 2 * D].reshape((waiting, 2, D)),
        f8[B[10] : B[10] + d0 * n0].reshape((d0, n0)),
        f8[B[11] : B[11] + d1 * n1].reshape((d1, n1)),
    )


@kernel
def target_civil(s, plan, time_ns, civil, ahead):
    """Civil time `ahead` steps later; across a change of the clocks the same hour stays the same hour."""
    later = ahead * plan.step_ns
    return civil + later + (s.turn_by_ns if time_ns + later >= s.turn_ns else 0)
