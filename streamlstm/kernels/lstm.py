"""The LSTM cell: one step forward, windows forward with their tape, and the truncated gradient back through them.

Twin: `tests/reference.py:Cell`. All arrays of a call share a dtype: float32 in production, float64 in gradient checks.

Axis letters: H hidden, D inputs of the layer, K steps of a window, B windows side by side, L leads. Columns are stacked
input, forget, output, candidate (i f o g). `w` is input-major, (D+H, 4H): the inner loops run over its 4H columns and
vectorise without changing the order of any sum. Arrays of windows have the step first and the window second, so that a
step of all windows reads each weight once; what a window gets does not depend on the windows beside it.

    z = [x, h₋] w + b
    i = σ(z_i + p_i c₋),  f = σ(z_f + p_f c₋),  o = σ(z_o + p_o c₋),  g = φ(z_g)
    c = f c₋ + i g,  h = o φ(c)

Gers and Schmidhuber (2000), departing from it in one place: the output gate's peephole reads the previous cell state,
as the other two do, so that all gates of a step can be computed at once. φ is tanh, or ReLU where asked for.
"""

from __future__ import annotations

from streamlstm.kernels import kernel, reduction
from streamlstm.kernels.activation import sigmoid, tanh
from streamlstm.kernels.product import product


@kernel
def affine(w, b, a, z):
    """z = a w + b. w (D+H, M), a (D+H,), b and z (M,)."""
    put(b, z)
    product(a.reshape((1, a.shape[0])), w, z.reshape((1, z.shape[0])))


@kernel
def gates(z, p, c, relu):
    """Squash z in place into i, f, o and g. z (4H,), p (3H,) peepholes, c (H,) the previous cell state."""
    n, zero = c.shape[0], z.dtype.type(0)
    for j in range(n):
        z[j] = sigmoid(z[j] + p[j] * c[j])
    for j in range(n):
        z[n + j] = sigmoid(z[n + j] + p[n + j] * c[j])
    for j in range(n):
        z[2 * n + j] = sigmoid(z[2 * n + j] + p[2 * n + j] * c[j])
    if relu:
        for j in range(n):
            z[3 * n + j] = max(z[3 * n + j], zero)
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
    n, zero = c.shape[0], z.dtype.type(0)
    h = a[a.shape[0] - n :]
    affine(w, b, a, z)
    gates(z, p, c, relu)
    for j in range(n):
        new = z[n + j] * c[j] + z[j] * z[3 * n + j]
        c[j] = new
        h[j] = z[2 * n + j] * (max(new, zero) if relu else tanh(new))


@kernel
def forward(w, b, p, a, c, z, out, relu, steps):
    """Run one layer over B windows side by side, and keep what the way back needs.

    a (K+1, B, D+H)   row t: the inputs of step t, then the hidden states before it. Row 0 comes with its hidden states
                      filled in; step t writes its own into row t+1
    c (K+1, B, H)     row t: the cell states before step t; row 0 comes filled in, the others are written here
    z (K, B, 4H)      i, f, o and g of each step, written here
    out (K, B, H)     φ(c) of each step, written here

    The inputs of all steps first, then the hidden states: either half of w is small enough to stay in the first cache.
    """
    rows, n = c.shape[1], c.shape[2]
    first = a.shape[2] - n
    for t in range(steps):
        for r in range(rows):
            put(b, z[t, r])
        product(a[t][:, :first], w[:first], z[t])
    for t in range(steps):
        product(a[t][:, first:], w[first:], z[t])
        for r in range(rows):
            gates(z[t, r], p, c[t, r], relu)
            cell_on(z[t, r], c[t, r], c[t + 1, r], out[t, r], a[t + 1, r, first:], relu)


@kernel
def cell_on(z, before, after, out, h, relu):
    """The cell state, φ of it and the hidden state of one step from its gates. z (4H,), the others (H,)."""
    n, zero = before.shape[0], z.dtype.type(0)
    for j in range(n):
        after[j] = z[n + j] * before[j] + z[j] * z[3 * n + j]
    for j in range(n):
        out[j] = max(after[j], zero) if relu else tanh(after[j])
    for j in range(n):
        h[j] = z[2 * n + j] * out[j]


@kernel
def turn(w, wt):
    """wt = wᵀ. w (H, M), wt (M, H). Four rows at a time, whose numbers stand together in each row of wt."""
    whole = w.shape[0] - w.shape[0] % 4
    for k in range(0, whole, 4):
        w0, w1, w2, w3 = w[k], w[k + 1], w[k + 2], w[k + 3]
        for j in range(w.shape[1]):
            four = wt[j][k : k + 4]
            four[0], four[1], four[2], four[3] = w0[j], w1[j], w2[j], w3[j]
    for k in range(whole, w.shape[0]):
        row = w[k]
        for j in range(w.shape[1]):
            wt[j, k] = row[j]


@kernel
def put(source, target):
    """target = source. In its own loop: numba's slice assignment compiles to twenty times the code."""
    for j in range(source.shape[0]):
        target[j] = source[j]


@reduction
def dot(a, b):
    """Σ a b."""
    s = a.dtype.type(0)
    for j in range(a.shape[0]):
        s += a[j] * b[j]
    return s


@kernel
def backward(w, p, c, z, out, dh, dx, dc, wt, relu, steps, has_layer_below):
    """Send the gradient of the loss back through B windows of one layer, from its outputs to its pre-activations.

    w (D+H, 4H), p (3H,), c (K+1, B, H)   as `forward` had and left them
    z (K, B, 4H)    the gates as `forward` left them, overwritten by ∂loss/∂z
    out (K, B, H)   as `forward` left it, used up
    dh (K, B, H)    ∂loss/∂h of each step from above (the heads or the next layer); the recurrent part is added in place
    dx (K, B, H)    ∂loss/∂(inputs of the layer), added to where these are the hidden states of a layer below
    dc (B, H)       scratch: ∂loss/∂c on its way back
    wt (4H, H)      scratch: half of w, turned, so that inner loops run over outputs and not along a sum
    """
    rows, n = dc.shape
    first = w.shape[0] - n
    for r in range(rows):
        for j in range(n):
            dc[r, j] = 0
    turn(w[first:], wt)
    for back in range(steps):
        t = steps - 1 - back
        for r in range(rows):
            cell_back(p, c[t, r], z[t, r], out[t, r], dh[t, r], dc[r], relu)
        if t > 0:
            product(z[t], wt, dh[t - 1])
    if has_layer_below:
        turn(w[:first], wt)
        for t in range(steps):
            product(z[t], wt, dx[t])


@kernel
def cell_back(p, before, z, out, dh, dc, relu):
    """One step back: from ∂loss/∂h to ∂loss/∂z, and ∂loss/∂c from after the step to before it.

    p (3H,), z (4H,): the gates, overwritten; before, out, dh, dc (H,). A loop for each line of mathematics: with many
    arrays in one, finding out at run time whether any two of them overlap takes longer than the arithmetic.
    """
    n, zero, one = before.shape[0], z.dtype.type(0), z.dtype.type(1)  # float32 times an int would be float64
    i, f, o, g = z[:n], z[n : 2 * n], z[2 * n : 3 * n], z[3 * n :]
    for j in range(n):
        dc[j] += dh[j] * o[j] * ((one if out[j] > zero else zero) if relu else one - out[j] * out[j])
    for j in range(n):
        o[j] = dh[j] * out[j] * o[j] * (one - o[j])
    for j in range(n):
        out[j] = dc[j] * f[j]
    for j in range(n):
        f[j] = dc[j] * before[j] * f[j] * (one - f[j])
    for j in range(n):
        squashed, gate = g[j], i[j]
        g[j] = dc[j] * gate * ((one if squashed > zero else zero) if relu else one - squashed * squashed)
        i[j] = dc[j] * squashed * gate * (one - gate)
    for j in range(n):
        dc[j] = out[j] + p[j] * i[j] + p[n + j] * f[j] + p[2 * n + j] * o[j]


@kernel
def add(part, total):
    """total += part."""
    for j in range(part.shape[0]):
        total[j] += part[j]


@kernel
def weigh(a, c, dz, gw, gb, gp, steps):
    """Add the weight gradient of B windows: a product over all their steps.

    a (K+1, B, D+H), c (K+1, B, H), dz (K, B, 4H) as `forward` and `backward` left them;
    gw (D+H, 4H), gb (4H,), gp (3H,) are added to.
    """
    rows, n, m = c.shape[1], gw.shape[0], gw.shape[1]
    product(a[:steps].reshape((steps * rows, n)).T, dz[:steps].reshape((steps * rows, m)), gw)
    for t in range(steps):
        for r in range(rows):
            add(dz[t, r], gb)
            peepholes_back(dz[t, r], c[t, r], gp)


@kernel
def peepholes_back(dz, c, gp):
    """gp += ∂loss/∂p of one step. dz (4H,), c (H,) the cell state before it, gp (3H,)."""
    n = c.shape[0]
    for j in range(n):  # a loop each, as in `cell_back`
        gp[j] += dz[j] * c[j]
    for j in range(n):
        gp[n + j] += dz[n + j] * c[j]
    for j in range(n):
        gp[2 * n + j] += dz[2 * n + j] * c[j]


@kernel
def heads(v, d, h, out):
    """out = v h + d: one linear head a lead. v (L, H), d and out (L,), h (H,)."""
    for lead in range(v.shape[0]):
        out[lead] = d[lead] + dot(v[lead], h)


@kernel
def heads_back(v, h, de, gv, gd, dh):
    """Back through the heads of one step of one window: de (L,) is ∂loss/∂out; gv, gd and dh are added to."""
    for lead in range(v.shape[0]):
        e = de[lead]
        if e != 0:
            row, grow = v[lead], gv[lead]
            gd[lead] += e
            for j in range(h.shape[0]):
                grow[j] += e * h[j]
            for j in range(h.shape[0]):
                dh[j] += e * row[j]
