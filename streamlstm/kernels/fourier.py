"""The fast Fourier transform and the power spectrum of a real series: numba has none of its own."""

from __future__ import annotations

from streamlstm.kernels import kernel, stage
from streamlstm.kernels.season import turn


@kernel
def size_for(n):
    """The least power of two that is at least n."""
    N = 1
    while n > N:
        N *= 2
    return N


@kernel
def taper(x):
    """Weigh x by Hann's window ½ − ½ cos 2πi/n: lines keep to two bins of their place, a trend to the first two."""
    n = x.shape[0]
    for i in range(n):
        _, c = turn(i / n)
        x[i] *= 0.5 - 0.5 * c


@stage
def power(re, im, cosines, sines, out):
    """|X_k|², k ≤ N/2, X the transform of a real series.

    re (N,)                the series, N a power of two; overwritten
    im (N,)                scratch
    cosines, sines (N/2,)  scratch
    out (N/2 + 1,)         the spectrum
    """
    N = re.shape[0]
    for j in range(N // 2):
        sines[j], cosines[j] = turn(j / N)
    im[:] = 0.0
    transform(re, im, cosines, sines)
    for k in range(N // 2 + 1):
        out[k] = re[k] * re[k] + im[k] * im[k]


@kernel
def transform(re, im, cosines, sines):
    """X_k = Σ_n x_n exp(−2πi nk/N), in place; N a power of two (Cooley and Tukey 1965, decimation in time).

    re, im (N,)            the series, then its transform
    cosines, sines (N/2,)  cos 2πj/N and sin 2πj/N
    """
    N = re.shape[0]
    j = 0  # i with its bits in reverse
    for i in range(1, N):
        bit = N >> 1
        while j & bit:
            j ^= bit
            bit >>= 1
        j |= bit
        if i < j:
            re[i], re[j] = re[j], re[i]
            im[i], im[j] = im[j], im[i]
    half = 1
    while half < N:
        stride = N // (2 * half)
        for begin in range(0, N, 2 * half):
            for k in range(half):
                c, s = cosines[k * stride], sines[k * stride]
                a, b = begin + k, begin + k + half
                x, y = re[b] * c + im[b] * s, im[b] * c - re[b] * s
                re[b], im[b] = re[a] - x, im[a] - y
                re[a], im[a] = re[a] + x, im[a] + y
        half *= 2
