"""The update in JAX, one jitted call a window: scan over the steps, grad, norm clip, Adam by hand; float32, one thread.

A window comes in as NumPy arrays, as it would from outside; the forecast comes back as one.
"""

from __future__ import annotations

import os
from functools import partial

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import jax
import jax.numpy as jnp
import numpy as np
from rounds import CLIP, HIDDEN, INPUTS, LEADS, RATE, STEPS, serve


def start() -> dict[str, jax.Array]:
    dice = np.random.default_rng(1)
    shapes = {
        "w": (INPUTS + HIDDEN, 4 * HIDDEN),
        "b": (4 * HIDDEN,),
        "p": (3, HIDDEN),
        "v": (HIDDEN, LEADS),
        "d": (LEADS,),
    }
    return {name: jnp.asarray(dice.normal(0, 0.1, shape), jnp.float32) for name, shape in shapes.items()}


def said(weights, x, h, c):
    def step(carry, at):
        h, c = carry
        z = (jnp.concatenate([at, h]) @ weights["w"] + weights["b"]).reshape(4, HIDDEN)
        i, f, o = jax.nn.sigmoid(z[:3] + weights["p"] * c)
        c = f * c + i * jnp.tanh(z[3])
        h = o * jnp.tanh(c)
        return (h, c), h

    _, hidden = jax.lax.scan(step, (h, c), x)
    return hidden @ weights["v"] + weights["d"]


def loss(weights, x, h, c, label):
    out = said(weights, x, h, c)
    e = jnp.abs(out - label)
    return jnp.where(e < 1, 0.5 * e * e, e - 0.5).mean(), out


@partial(jax.jit, donate_argnums=(0, 1, 2))
def update(weights, m, v, updates, x, h, c, label):
    g, out = jax.grad(loss, has_aux=True)(weights, x, h, c, label)
    size = jnp.sqrt(sum(jnp.vdot(one, one) for one in jax.tree.leaves(g)))
    scale = jnp.minimum(1.0, CLIP / jnp.maximum(size, 1e-30))
    g = jax.tree.map(lambda one: one * scale, g)
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = jax.tree.map(lambda v, g: 0.99 * v + 0.01 * g * g, v, g)
    first, second = 1 - 0.9**updates, 1 - 0.99**updates
    weights = jax.tree.map(lambda w, m, v: w - RATE * (m / first) / (jnp.sqrt(v / second) + 1e-8), weights, m, v)
    return weights, m, v, out


class Learner:
    def __init__(self) -> None:
        self.state = (start(), *(jax.tree.map(jnp.zeros_like, start()) for _ in range(2)))
        dice = np.random.default_rng(2)
        self.x, self.label = (dice.normal(0, 1, (STEPS, n)).astype(np.float32) for n in (INPUTS, LEADS))
        self.h, self.c, self.updates = np.zeros(HIDDEN, np.float32), np.zeros(HIDDEN, np.float32), 0

    def learn(self, observations: int) -> int:
        self.updates += 1
        *self.state, out = update(*self.state, np.float32(self.updates), self.x, self.h, self.c, self.label)
        self.forecast = np.asarray(out)[-observations:]
        return observations


if __name__ == "__main__":
    learner = Learner()
    serve(["jax", "jaxlib"], {f"JAX jit, k1={k}": partial(learner.learn, k) for k in (1, STEPS)})
