"""The LSTM cell: one step forward, a window forward with its tape, and the truncated gradient back through the window.

Twin: `tests/reference.py:Cell`. All arrays of a call share a dtype: float32 in production, float64 in gradient checks.

Axis letters: H hidden, D inputs of the layer, K steps of the window, L leads. Columns are stacked input, forget,
output, candidate (i f o g). `w` is input-major, (D+H, 4H): the inner loops run over its 4H columns and vectorise
without changing the order of any sum.

    z = [x, h₋] w + b
    i = σ(z_i + p_i c₋),  f = σ(z_f + p_f c₋),  o = σ(z_o + p_o c₋),  g = φ(z_g)
    c = f c₋ + i g,  h = o φ(c)

Gers and Schmidhuber (2000), departing from it in one place: the output gate's peephole reads the previous cell state,
as the other two do, so that all gates of a step can be computed at once. φ is tanh, or ReLU where asked for.
"""

from __future__ import annotations

from streamlstm.kernels import kernel, reduction
from streamlstm.kernels.activation import sigmoid, tanh


@kernel
def affine(w, b, a, z):
    """z = a w + b. w (D+H, M), a (D+H,), b and z (M,). Eight rows at a time, so that z is read and written less."""
    n, m = w.shape
    for j in range(m):
        z[j] = b[j]
    whole = n - n % 8
    for k in range(0, whole, 8):
        a0, a1, a2, a3 = a[k], a[k + 1], a[k + 2], a[k + 3]
        a4, a5, a6, a7 = a[k + 4], a[k + 5], a[k + 6], a[k + 7]
        w0, w1, w2, w3 = w[k], w[k + 1], w[k + 2], w[k + 3]
        w4, w5, w6, w7 = w[k + 4], w[k + 5], w[k + 6], w[k + 7]
        for j in range(m):
            z[j] += (a0 * w0[j] + a1 * w1[j] + a2 * w2[j] + a3 * w3[j]) + (
                a4 * w4[j] + a5 * w5[j] + a6 * w6[j] + a7 * w7[j]
            )
    for k in range(whole, n):
        ak, wk = a[k], w[k]
        for j in range(m):
            z[j] += ak * wk[j]


@kernel
def gates(z, p, c, relu):
    """Squash z in place into i, f, o and g. z (4H,), p (3H,) peepholes, c (H,) the previous cell state."""
    n = c.shape[0]
    for j in range(n):
        z[j] = sigmoid(z[j] + p[j] * c[j])
    for j in range(n):
        z[n + j] = sigmoid(z[n + j] + p[n + j] * c[j])
    for j in range(n):
        z[2 * n + j] = sigmoid(z[2 * n + j] + p[2 * n + j] * c[j])
    if relu:
        for j in range(n):
            z[3 * n + j] = max(z[3 * n + j], z[3 * n + j] * 0)
    else:
        for j in range(n):
            z[3 * n + j] = tanh(z[3 * n + j])


@kernel
def step(w, b, p, a, c, z, relu):
    """Advance one cell by one step, in place.

    w (D+H, 4H), b (4H,), p (3H,)    weights
    a (D+H,)                         the inputs, then the hidden state, which is overwritten
    c (H,)                           cell state, overwritten
    z (4H,)                          scratch
    """
    n = c.shape[0]
    h = a[a.shape[0] - n :]
    affine(w, b, a, z)
    gates(z, p, c, relu)
    for j in range(n):
        new = z[n + j] * c[j] + z[j] * z[3 * n + j]
        c[j] = new
        h[j] = z[2 * n + j] * (max(new, new * 0) if relu else tanh(new))


@kernel
def forward(w, b, p, a, c, tape, z, relu, steps):
    """Run one layer over a window and keep on the tape the factors that the way back multiplies by.

    a (K+1, D+H)     row t: the inputs of step t, then the hidden state before it. Row 0 comes with its hidden state
                     filled in; step t writes its own into row t+1
    c (K+1, H)       row t: the cell state before step t; row 0 comes filled in, the others are written here
    tape (K, 6H)     ∂h/∂z_o, ∂h/∂c, ∂c/∂z_i, ∂c/∂z_f, ∂c/∂z_g, ∂c/∂c₋ (without peepholes), written here
    z (4H,)          scratch
    """
    n = c.shape[1]
    first = a.shape[1] - n
    for t in range(steps):
        affine(w, b, a[t], z)
        gates(z, p, c[t], relu)
        factors(z, c[t], c[t + 1], a[t + 1][first:], tape[t], relu)


@kernel
def factors(z, before, after, h, tape, relu):
    """The cell and hidden state of one step from its gates, and their derivatives by everything they hang on."""
    n = before.shape[0]
    one = z[0] * 0 + 1
    for j in range(n):
        i, f, o, g = z[j], z[n + j], z[2 * n + j], z[3 * n + j]
        new = f * before[j] + i * g
        after[j] = new
        if relu:
            out = max(new, new * 0)
            slope_c = one if new > 0 else new * 0
            slope_g = one if g > 0 else g * 0
        else:
            out = tanh(new)
            slope_c = one - out * out
            slope_g = one - g * g
        h[j] = o * out
        tape[j] = out * o * (one - o)
        tape[n + j] = o * slope_c
        tape[2 * n + j] = g * i * (one - i)
        tape[3 * n + j] = before[j] * f * (one - f)
        tape[4 * n + j] = i * slope_g
        tape[5 * n + j] = f


@reduction
def dots(w, first, dz, out):
    """out[k] = w[first + k] · dz. w (D+H, M), dz (M,), out (H,); four rows share one reading of dz."""
    n, m = out.shape[0], dz.shape[0]
    whole = n - n % 4
    for k in range(0, whole, 4):
        w0, w1, w2, w3 = w[first + k], w[first + k + 1], w[first + k + 2], w[first + k + 3]
        s0 = s1 = s2 = s3 = dz[0] * 0
        for j in range(m):
            d = dz[j]
            s0 += w0[j] * d
            s1 += w1[j] * d
            s2 += w2[j] * d
            s3 += w3[j] * d
        out[k], out[k + 1], out[k + 2], out[k + 3] = s0, s1, s2, s3
    for k in range(whole, n):
        out[k] = dot(w[first + k], dz)


@kernel
def put(source, target):
    """target = source. In its own loop: numba's slice assignment compiles to twenty times the code."""
    for j in range(source.shape[0]):
        target[j] = source[j]


@reduction
def dot(a, b):
    """Σ a b."""
    s = a[0] * 0
    for j in range(a.shape[0]):
        s += a[j] * b[j]
    return s


@kernel
def backward(w, p, tape, dh, dz, dx, dc, steps, has_layer_below):
    """Send the gradient of the loss back through a window of one layer, from its outputs to its pre-activations.

    w (D+H, 4H), p (3H,), tape (K, 6H)   as `forward` had and left them
    dh (K, H)    ∂loss/∂h of each step from above (the heads or the next layer); the recurrent part is added in place
    dz (K, 4H)   ∂loss/∂z, written here
    dx (K, H)    ∂loss/∂(inputs of the layer), added to where these are the hidden states of a layer below
    dc (2H,)     scratch: ∂loss/∂c on its way back, and the recurrent part of a step
    """
    n = dh.shape[1]
    first = w.shape[0] - n
    carry, part = dc[:n], dc[n:]
    for j in range(n):
        carry[j] = 0
    for back in range(steps):
        t = steps - 1 - back
        cell_back(p, tape[t], dh[t], dz[t], carry)
        if has_layer_below:
            dots(w, 0, dz[t], part)
            add(part, dx[t])
        if t > 0:
            dots(w, first, dz[t], part)
            add(part, dh[t - 1])


@kernel
def cell_back(p, tape, dh, dz, dc):
    """One step back: from ∂loss/∂h to ∂loss/∂z, and ∂loss/∂c from after the step to before it."""
    n = dh.shape[0]
    for j in range(n):
        total = dc[j] + dh[j] * tape[n + j]
        zi = total * tape[2 * n + j]
        zf = total * tape[3 * n + j]
        zo = dh[j] * tape[j]
        dz[j] = zi
        dz[n + j] = zf
        dz[2 * n + j] = zo
        dz[3 * n + j] = total * tape[4 * n + j]
        dc[j] = total * tape[5 * n + j] + p[j] * zi + p[n + j] * zf + p[2 * n + j] * zo


@kernel
def add(part, total):
    """total += part."""
    for j in range(part.shape[0]):
        total[j] += part[j]


@kernel
def weigh(a, c, dz, gw, gb, gp, steps):
    """Add a window's weight gradient: a rank-K product, eight steps at a time, then what is left.

    a (K+1, D+H), c (K+1, H), dz (K, 4H) as `forward` and `backward` left them;
    gw (D+H, 4H), gb (4H,), gp (3H,) are added to.
    """
    n, m = gw.shape
    whole = steps - steps % 8
    for t in range(0, whole, 8):
        z0, z1, z2, z3 = dz[t], dz[t + 1], dz[t + 2], dz[t + 3]
        z4, z5, z6, z7 = dz[t + 4], dz[t + 5], dz[t + 6], dz[t + 7]
        a0, a1, a2, a3, a4, a5, a6, a7 = a[t], a[t + 1], a[t + 2], a[t + 3], a[t + 4], a[t + 5], a[t + 6], a[t + 7]
        for k in range(n):
            x0, x1, x2, x3, x4, x5, x6, x7 = a0[k], a1[k], a2[k], a3[k], a4[k], a5[k], a6[k], a7[k]
            row = gw[k]
            for j in range(m):
                row[j] += (x0 * z0[j] + x1 * z1[j] + x2 * z2[j] + x3 * z3[j]) + (
                    x4 * z4[j] + x5 * z5[j] + x6 * z6[j] + x7 * z7[j]
                )
    for t in range(whole, steps):
        at, zt = a[t], dz[t]
        for k in range(n):
            x, row = at[k], gw[k]
            for j in range(m):
                row[j] += x * zt[j]
    for t in range(steps):
        add(dz[t], gb)
        peepholes_back(dz[t], c[t], gp)


@kernel
def peepholes_back(dz, c, gp):
    """gp += ∂loss/∂p of one step. dz (4H,), c (H,) the cell state before it, gp (3H,)."""
    n = c.shape[0]
    for j in range(n):
        gp[j] += dz[j] * c[j]
        gp[n + j] += dz[n + j] * c[j]
        gp[2 * n + j] += dz[2 * n + j] * c[j]


@kernel
def heads(v, d, h, out):
    """out = v h + d: one linear head a lead. v (L, H), d and out (L,), h (H,)."""
    for lead in range(v.shape[0]):
        out[lead] = d[lead] + dot(v[lead], h)


@kernel
def heads_back(v, h, de, gv, gd, dh):
    """Back through the heads of one step: de (L,) is ∂loss/∂out; gv, gd and dh are added to."""
    for lead in range(v.shape[0]):
        e = de[lead]
        if e != 0:
            row, grow = v[lead], gv[lead]
            gd[lead] += e
            for j in range(h.shape[0]):
                grow[j] += e * h[j]
                dh[j] += e * row[j]
