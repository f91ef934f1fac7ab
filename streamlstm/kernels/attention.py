"""Attention over the tape: what the heads see of the newest hidden states besides the last one.

    q = h_t W / √H,  s_r = q · h_r,  α = softmax(s),  context_t = Σ_r α_r h_r

over the R states before h_t; the heads read [h_t, context_t]. The score is Luong, Pham and Manning's "general" one
(2015, eq. 8), scaled as by Vaswani et al. (2017, eq. 1). Departing from Luong in one place: the heads, which are linear
already, take the place of the tanh layer over [context, h]. A state's place on the tape does not enter, so a ring may
come in any order. Before the first state there is no tape, and the context is zero.

Twin: `tests/reference_settings.py:attend`. All arrays of a call share a dtype: float32 in production, float64 in
gradient checks. Axis letters: H hidden, R states on the tape, L leads.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel
from streamlstm.kernels.activation import exp
from streamlstm.kernels.lstm import dot


@kernel
def attend(w, h, tape, share, query, context):
    """What h asks for, how much of each state that brings, and their mixture.

    w (H, H)       the question; row i is multiplied by h[i]
    h (H,)         the hidden state that asks
    tape (R, H)    the states asked; R may be 0
    share (≥R,)    α, written here
    query (H,)     q, written here
    context (H,)   written here
    """
    n, m, real = h.shape[0], tape.shape[0], h.dtype.type
    zero = real(0)
    for j in range(n):
        query[j] = zero
        context[j] = zero
    if m == 0:
        return
    scale = real(1.0 / math.sqrt(n))
    for i in range(n):
        a, row = h[i] * scale, w[i]
        for j in range(n):
            query[j] += a * row[j]
    most = zero
    for r in range(m):
        share[r] = dot(tape[r], query)
        most = share[r] if r == 0 else max(most, share[r])
    total = zero
    for r in range(m):
        share[r] = exp(share[r] - most)
        total += share[r]
    for r in range(m):
        share[r] /= total
        a, row = share[r], tape[r]
        for j in range(n):
            context[j] += a * row[j]


@kernel
def attend_back(w, h, tape, share, query, dcontext, gw, dh, dtape, dquery):
    """Back through the attention of one step: gw, dh and dtape are added to.

    With δ = ∂loss/∂context:  ∂s_r = α_r (δ·h_r - Σ_k α_k δ·h_k),  ∂h_r += α_r δ + ∂s_r q,  ∂q = Σ_r ∂s_r h_r.

    w, h, tape, share, query    as `attend` had and left them; of share, α becomes ∂s
    dcontext (H,)               δ
    gw (H, H), dh (H,)          ∂loss/∂w and ∂loss/∂h
    dtape (R, H)                ∂loss/∂h_r of the states asked
    dquery (H,)                 scratch
    """
    n, m, real = h.shape[0], tape.shape[0], h.dtype.type
    if m == 0:
        return
    zero, scale = real(0), real(1.0 / math.sqrt(n))
    mean = zero
    for r in range(m):
        mean += share[r] * dot(tape[r], dcontext)
    for j in range(n):
        dquery[j] = zero
    for r in range(m):
        a, row, to = share[r], tape[r], dtape[r]
        ds = a * (dot(row, dcontext) - mean)
        for j in range(n):
            to[j] += a * dcontext[j] + ds * query[j]
            dquery[j] += ds * row[j]
        share[r] = ds
    for i in range(n):
        a, row = h[i] * scale, gw[i]
        for j in range(n):
            row[j] += a * dquery[j]
        dh[i] += scale * dot(w[i], dquery)


@kernel
def push(tape, filled, h):
    """Put the newest hidden state in the oldest one's place of a ring (R, H). Returns how many have been put in all."""
    row = tape[filled % tape.shape[0]]
    for j in range(h.shape[0]):
        row[j] = h[j]
    return filled + 1
