"""Pruning a cell: which of its weights are matrices that may lose some, and when. Numba code.

All arrays are slices without a fixed size, so that this is compiled once, and not for each stream's sizes.
"""

from __future__ import annotations

from streamlstm.kernels import stage
from streamlstm.kernels.prune import hold, prune, sparsity

EVERY, BEGIN, DURATION = 32, 250, 1000  # updates: of eight observations each


@stage
def withhold(matrices, w, m, g):
    """Before an update. matrices (N, 2): where each layer's begins and ends among the weights w (W,); m, g: (W,)."""
    for layer in range(matrices.shape[0]):
        begin, end = matrices[layer]
        hold(w[begin:end], m[begin:end], g[begin:end])


@stage
def thin(matrices, w, average, final, updates):
    """After an update, and now and then: mask the smallest weights of each matrix, in the end a share `final`."""
    if updates % EVERY != 0:
        return
    share = sparsity(updates, BEGIN, DURATION, final)
    for layer in range(matrices.shape[0]):
        begin, end = matrices[layer]
        prune(w[begin:end], average[begin:end], share)
