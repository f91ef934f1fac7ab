"""The stages of an update one by one, each over and over in compiled code: ours, in the order of twin.c's `repeat`."""

from __future__ import annotations

from benchmarks.kernel.ours import heads, move, shape, update
from streamlstm.kernels import lstm, stage
from streamlstm.kernels.product import product
from streamlstm.model.learn import first_cell

STAGES = ("forward products", "gates", "heads", "backward products", "gates back", "weight gradient", "norm and Adam")
WHOLE = "update"
# A stage that uses up what it works on is given it anew each time; what that takes is timed apart and subtracted.
RESTORES = {"gates back": 7, "norm and Adam": 8}
PLACES = {**{name: place for place, name in enumerate(STAGES)}, WHOLE: 9}


@stage
def repeat(rows, kept, label, which, times):
    """One stage so many times on one record. kept: another record, that restores."""
    s, saved = rows[0], kept[0]
    n, K, B = shape(s), s.gates.shape[0], s.gates.shape[1]
    w, b, p = first_cell(s.weights, n)
    gw, gb, gp = first_cell(s.gradient, n)
    F = n.features
    for _ in range(times):
        if which == 0:
            for t in range(K):
                for r in range(B):
                    lstm.put(b, s.gates[t, r])
                product(s.first[t][:, :F], w[:F], s.gates[t])
            for t in range(K):
                product(s.first[t][:, F:], w[F:], s.gates[t])
        elif which == 1:
            for t in range(K):
                for r in range(B):
                    lstm.gates(s.gates[t, r], p, s.cells[t, r], False)
                    lstm.cell_on(
                        s.gates[t, r], s.cells[t, r], s.cells[t + 1, r], s.squashed[t, r], s.first[t + 1, r, F:], False
                    )
        elif which == 2:
            heads(s, label, K * B - 1)
        elif which == 3:
            lstm.turn(w[F:], s.wt)
            for back in range(K - 1):
                product(s.gates[K - 1 - back], s.wt, s.dh[K - 2 - back])
        elif which == 4 or which == 7:
            for t in range(K):
                for r in range(B):
                    lstm.put(saved.gates[t, r], s.gates[t, r])
                    lstm.put(saved.squashed[t, r], s.squashed[t, r])
            if which == 4:
                for back in range(K):
                    t = K - 1 - back
                    for r in range(B):
                        lstm.cell_back(p, s.cells[t, r], s.gates[t, r], s.squashed[t, r], s.dh[t, r], s.dc[r], False)
        elif which == 5:
            lstm.weigh(s.first, s.cells, s.gates, gw, gb, gp, K)
        elif which == 6 or which == 8:
            lstm.put(saved.gradient, s.gradient)
            if which == 6:
                move(s)
        else:
            update(s, label, K * B - 1)
