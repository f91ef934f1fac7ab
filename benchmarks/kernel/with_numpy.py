"""The same update as a NumPy user would write it: whole arrays a step, float32."""

from __future__ import annotations

import numpy as np

from benchmarks.kernel.ours import AVERAGING, DELTA, RATE
from benchmarks.kernel.sizes import Sizes, state
from streamlstm.kernels.adam import BETA1, BETA2, EPSILON
from streamlstm.model.learn import CLIP_NORM, STATE_MOST

Array = np.ndarray


class Plain:
    """One window (B = 1), from the weights of `state`. Twin: ours.py."""

    def __init__(self, n: Sizes) -> None:
        H, D, _, K, _ = n
        self.n = n
        self.weights = state(n)["weights"][0].copy()
        self.average, self.updates = self.weights.copy(), 0
        self.m, self.v, self.gradient = (np.zeros_like(self.weights) for _ in range(3))
        self.w, self.b, self.p, self.heads, self.d = self._named(self.weights)
        self.slopes = self._named(self.gradient)
        self.a, self.c = np.zeros((K + 1, D + H), np.float32), np.zeros((K + 1, H), np.float32)
        self.gates, self.out = np.zeros((K, 4, H), np.float32), np.zeros((K, H), np.float32)

    def _named(self, flat: Array) -> list[Array]:
        H, D, L, _, _ = self.n
        shapes = ((D + H, 4 * H), (4 * H,), (3, H), (L, H), (L,))
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        return [flat[end - np.prod(shape) : end].reshape(shape) for end, shape in zip(ends, shapes, strict=True)]

    def run(self, x: Array, label: Array, said: Array, every: int, begin: int, end: int) -> None:
        K, D = self.n.steps, self.n.inputs
        a, c = np.zeros(D + self.n.hidden, np.float32), np.zeros(self.n.hidden, np.float32)
        for k in range(begin, end):
            if every > 1:
                a[:D] = x[k]
                _, c, _, a[D:] = self._step(a, c)
                c = c.clip(-STATE_MOST, STATE_MOST)
                said[k] = self.heads @ a[D:] + self.d
            if (k + 1) % every == 0:
                steps = min(every, K)
                self.a[0, D:], self.c[0] = self.a[steps, D:], self.c[steps].clip(-STATE_MOST, STATE_MOST)
                self.a[:K, :D] = x[k + 1 - K : k + 1]
                out = self.update(label[k + 1 - K : k + 1])
                if every == 1:
                    said[k] = out

    def _step(self, a: Array, c: Array) -> tuple[Array, Array, Array, Array]:
        z = (a @ self.w + self.b).reshape(4, -1)
        z[:3] = 0.5 * np.tanh(0.5 * (z[:3] + self.p * c)) + 0.5  # the sigmoid
        z[3] = np.tanh(z[3])
        c = z[1] * c + z[0] * z[3]
        out = np.tanh(c)
        return z, c, out, z[2] * out

    def update(self, label: Array) -> Array:
        D, K = self.n.inputs, self.n.steps
        for t in range(K):
            self.gates[t], self.c[t + 1], self.out[t], self.a[t + 1, D:] = self._step(self.a[t], self.c[t])
        h = self.a[1:, D:]
        said = h @ self.heads.T + self.d
        e = np.clip(said - label, -DELTA, DELTA)
        dh = e @ self.heads
        dz, dc = np.empty_like(self.gates), np.zeros(self.n.hidden, np.float32)
        for t in range(K - 1, -1, -1):
            (i, f, o, g), u = self.gates[t], self.out[t]
            dc = dc + dh[t] * o * (1 - u * u)
            dz[t] = dc * g * i * (1 - i), dc * self.c[t] * f * (1 - f), dh[t] * u * o * (1 - o), dc * i * (1 - g * g)
            dc = dc * f + (self.p * dz[t, :3]).sum(0)
            if t > 0:
                dh[t - 1] += self.w[D:] @ dz[t].ravel()
        flat = dz.reshape(K, -1)
        w, b, p, heads, d = self.slopes
        w[:], b[:] = self.a[:K].T @ flat, flat.sum(0)
        p[:], heads[:], d[:] = (dz[:, :3] * self.c[:K, None]).sum(0), e.T @ h, e.sum(0)
        self._adam(1 / e.size)
        return said[-1]

    def _adam(self, share: float) -> None:
        self.updates += 1
        g = self.gradient * np.float32(share * min(1.0, CLIP_NORM / max(np.linalg.norm(self.gradient) * share, 1e-30)))
        self.m += np.float32(1 - BETA1) * (g - self.m)
        self.v += np.float32(1 - BETA2) * (g * g - self.v)
        first, second = np.float32(1 - BETA1**self.updates), np.float32(1 - BETA2**self.updates)
        self.weights -= np.float32(RATE) * (self.m / first) / (np.sqrt(self.v / second) + np.float32(EPSILON))
        self.average += np.float32(AVERAGING) * (self.weights - self.average)
