"""What a cell's heads read and say: its topmost hidden state, and with attention that state's context. Numba code.

The topmost hidden state is the last layer's, or with residual connections the sum of all layers': each layer's input,
which is what the layers below it add up to, is added to its output (He et al. 2016; Wu et al. 2016, eq. 6).
"""

from __future__ import annotations

from streamlstm.kernels import kernel, lstm
from streamlstm.kernels.attention import attend, attend_back, push


@kernel
def say(s, n, work, cell):
    """What the heads say after the last step, into work.out[cell]."""
    v, d = output_layer(s.average[cell], n)
    if n.attention > 0:
        H, tape = n.hidden, s.tape[cell][: min(n.attention, s.taped)]
        topmost(s, n, cell, work.top)
        lstm.put(work.top, work.read)
        attend(question(s.average[cell], n)[0], work.top, tape, work.share, work.query, work.read[H:])
        lstm.heads(v, d, work.read, work.out[cell])
    elif n.residual and n.layers > 1:
        topmost(s, n, cell, work.top)
        lstm.heads(v, d, work.top, work.out[cell])
    else:
        lstm.heads(v, d, s.hidden_state[cell, n.layers - 1], work.out[cell])


@kernel
def lay_by(s, n, work):
    """Before a step: each cell's topmost hidden state onto its tape."""
    if n.attention > 0:
        for cell in range(n.cells):
            topmost(s, n, cell, work.top)
            push(s.tape[cell], s.taped, work.top)
        s.taped += 1


@kernel
def topmost(s, n, cell, top):
    """A cell's topmost hidden state after the last step. top (H,)."""
    lstm.put(s.hidden_state[cell, n.layers - 1], top)
    if n.residual:
        for layer in range(n.layers - 1):
            lstm.add(s.hidden_state[cell, layer], top)


@kernel
def topmost_of(n, work, t, r, top):
    """The same after step t of window r."""
    if n.layers == 1:
        lstm.put(work.first[t + 1, r, n.features :], top)
    else:
        last = n.layers - 2
        lstm.put(work.upper[last, t + 1, r, n.hidden :], top)
        if n.residual:
            lstm.add(work.upper[last, t, r, : n.hidden], top)


@kernel
def lay_out(n, work, steps):
    """Before the heads read windows: the tape of each, and no gradient on it yet."""
    if n.attention > 0:
        for r in range(n.windows):
            for t in range(steps):
                topmost_of(n, work, t, r, work.tape[r, t])
                for j in range(n.hidden):
                    work.dtape[r, t, j] = 0


@kernel
def say_of(weights, n, work, t, r, out):
    """What the heads say after step t of window r, whose tape is the window's own. out (A,): all heads."""
    v, d = output_layer(weights, n)
    if n.attention > 0:
        h, tape = work.tape[r, t], work.tape[r][max(t - n.attention, 0) : t]
        lstm.put(h, work.read)
        attend(question(weights, n)[0], h, tape, work.share, work.query, work.read[n.hidden :])
        lstm.heads(v, d, work.read, out)
    else:
        topmost_of(n, work, t, r, work.top)
        lstm.heads(v, d, work.top, out)


@kernel
def say_back(weights, n, work, t, r, de):
    """Back through the `say_of` just called: work.gradient, and work.dh of the last layer or work.dtape, are added to.

    de (A,)    ∂loss/∂out
    """
    v, _ = output_layer(weights, n)
    gv, gd = output_layer(work.gradient, n)
    if n.attention > 0:
        H, first = n.hidden, max(t - n.attention, 0)
        for j in range(2 * H):
            work.dread[j] = 0
        lstm.heads_back(v, work.read, de, gv, gd, work.dread)
        lstm.add(work.dread[:H], work.dtape[r, t])
        attend_back(
            question(weights, n)[0], work.tape[r, t], work.tape[r][first:t], work.share, work.query, work.dread[H:],
            question(work.gradient, n)[0], work.dtape[r, t], work.dtape[r][first:t], work.dquery,
        )  # fmt: skip
    else:
        lstm.heads_back(v, work.top, de, gv, gd, work.dh[n.layers - 1, t, r])


@kernel
def take_in(n, work, steps):
    """After the heads have read all windows: what has gathered on the tapes becomes ∂loss/∂h of the last layer."""
    if n.attention > 0:
        for r in range(n.windows):
            for t in range(steps):
                lstm.put(work.dtape[r, t], work.dh[n.layers - 1, t, r])


@kernel
def output_layer(flat, n):
    """The heads' v (A, H), or with attention (A, 2H), and d (A,) out of a cell's weights, or out of their gradient.

    The first L are the series' own; the others, L for each further target, teach the cells beside, and say nothing.
    """
    A, width = n.heads, n.hidden * (2 if n.attention > 0 else 1)
    _, at = after_layers(n)
    return flat[at : at + A * width].reshape((A, width)), flat[at + A * width : at + A * (width + 1)]


@kernel
def question(flat, n):
    """The attention's w (H, H) out of the same: between the layers and the heads. In a tuple: numba returns no view."""
    begin, end = after_layers(n)
    return (flat[begin:end].reshape((n.hidden, n.hidden)),)


@kernel
def after_layers(n):
    """Where the attention's w begins, and where the heads do."""
    H = n.hidden
    begin = (n.features + H) * 4 * H + 7 * H + (n.layers - 1) * (8 * H * H + 7 * H)
    return begin, begin + (H * H if n.attention > 0 else 0)
