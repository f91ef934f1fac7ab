"""The benchmarks of one update: ours, its twins in C and NumPy, peers in processes, and what the machine could give."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.kernel import __main__ as kernel
from benchmarks.kernel import peers, twin
from benchmarks.kernel.sizes import PLAIN, copy, observations, state
from benchmarks.roofline import __main__ as roofline
from benchmarks.roofline import rates, work
from benchmarks.roofline.stages import PLACES, STAGES, WHOLE, repeat

SHORT_S = 1e-4
LEVELS_KIB = {"L1": 24, "L2": 96, "L3": 384, "memory": 768}
SCRATCH = {"wt", "z", "out", "squashed"}  # with one window the twin needs no turned copy, and it uses nothing up


@pytest.fixture(scope="module")
def begun():
    """A series in the middle of its life, and what its heads should say."""
    rows, (x, label) = state(PLAIN), observations(PLAIN, 64)
    compiled().run(rows, x, label, np.zeros_like(label), 1, 16, 60)
    return rows, label


def compiled():
    name = twin.compiler()
    assert name, f"none of {', '.join(twin.COMPILERS)} is installed; .ci/run installs clang"
    return twin.compiled(name, PLAIN)


@pytest.mark.parametrize("every", kernel.EVERY)
def test_ours_and_its_twins_forecast_the_same(every, record_property):
    record_property("compiler", twin.version(twin.compiler() or ""))
    kernel.agree(PLAIN, every)
    with pytest.raises(RuntimeError, match="from ours; at most 0"):  # sums in another order are never quite the same
        kernel.agree(PLAIN, every, tolerance=0.0)


@pytest.mark.parametrize("name", [*STAGES, WHOLE])
def test_a_stage_of_the_twin_in_c_does_to_a_series_what_ours_does(begun, name):
    rows, label = begun
    kept = copy(rows)
    kept["gradient"] = np.random.default_rng(1).normal(0, 1, PLAIN.weights)
    own, other = copy(rows), copy(rows)
    repeat(own, kept, label, PLACES[name], 1)
    compiled().repeat(other, kept, label, PLACES[name], 1)
    changed = [field for field in rows.dtype.names if (own[field] != rows[field]).any()]
    compared = set(rows.dtype.names) - (SCRATCH if name in ("gates back", WHOLE) else SCRATCH - {"squashed"})
    assert compared & set(changed)
    for field in compared:
        scale = max(1.0, float(np.abs(own[field]).max()))
        assert np.abs(own[field] - other[field]).max() <= 1e-5 * scale, field  # float32, sums in another order


def test_what_a_stage_uses_up_is_put_back(begun):
    rows, label = begun
    for name, place in roofline.RESTORES.items():
        own, other = copy(rows), copy(rows)
        for one, run in ((own, repeat), (other, compiled().repeat)):
            run(one, rows, label, PLACES[name], 1)
            run(one, rows, label, place, 1)
        for field in ("gates", "squashed", "gradient"):
            assert (own[field] == rows[field]).all()
            assert (other[field] == rows[field]).all()


def test_the_kernel_benchmark_has_a_figure_for_each_row_and_puts_ratios_first():
    document = kernel.measure(None, (), rounds=1, seconds=SHORT_S)
    took = document["us_per_observation"]
    names = ["ours", "NumPy", *(["clang"] if twin.compiler() == "clang" else [])]
    assert {f"{name}, k1={every}" for name in names for every in (1, 16)} <= set(took)
    assert all(us > 0 for us in took.values())
    page = kernel.page(document)
    assert page.splitlines()[2].startswith("| ours | 1.00 |")
    assert "machine: " in page


def test_a_peer_in_another_process_answers_row_by_row():
    """river comes with streamlstm; the others' environments are made where they are asked for."""
    peer = peers.Peer(Path(sys.executable), "river_models.py")
    assert peer.rows == ["river HoltWinters, k1=1", "river SNARIMAX, k1=1"]
    assert all(peer.us_per_observation(row, SHORT_S) > 0 for row in [*peer.rows, *peer.rows])
    assert set(peer.versions) == {"python", "river"}
    peer.close()


def test_a_peer_that_cannot_start_is_an_error(capfd):
    with pytest.raises(RuntimeError, match=r"no_such_script\.py ended with 2"):
        peers.Peer(Path(sys.executable), "no_such_script.py")
    assert "No such file" in capfd.readouterr().err


def test_the_roofline_has_an_estimate_and_a_figure_for_each_stage(monkeypatch):
    monkeypatch.setattr(rates, "SECONDS", SHORT_S)
    document = roofline.measure(("plain",), rounds=1, seconds=SHORT_S, levels=LEVELS_KIB)
    assert set(document["per_second"]) == {"FMA", *LEVELS_KIB}
    assert all(per_s > 0 for per_s in document["per_second"].values())
    rows = document["cases"]["plain"]["stages"]
    assert [row["stage"] for row in rows] == [*STAGES, WHOLE]
    assert rows[-1]["estimate_us"] == pytest.approx(sum(row["estimate_us"] for row in rows[:-1]))
    assert all(row["estimate_us"] > 0 for row in rows)
    assert all(row["ours_us"] > 0 for row in (rows[0], rows[-1]))  # others are differences of very short times here
    assert set(document["observation"]) == {"k1=1", "k1=16"}
    page = roofline.page(document)
    assert all(f"| {name} |" in page for name in (*STAGES, WHOLE))


def test_the_machine_s_loops_do_the_work_that_is_counted():
    a = np.arange(4 * rates.CHAINS * rates.LANES, dtype=np.float32)
    total = a.sum() + rates.CHAINS * (rates.CHAINS - 1) / 2 * rates.LANES  # sums begin at 0, 1, 2 …
    assert rates.summed(a) == pytest.approx(total, rel=1e-5)
    assert rates.multiply_adds(100) == pytest.approx(2 * rates.CHAINS * rates.LANES)  # x ← x / 2 + 1 ends at 2


def test_an_estimate_is_the_slowest_of_arithmetic_and_either_cache():
    one = work.Work(operations=100, near=200, far=30)
    assert one.seconds(100.0, 400.0, 60.0) == 1.0
    assert one.bound(100.0, 400.0, 60.0) == "FMA"
    assert one.seconds(1000.0, 400.0, 15.0) == 2.0
    assert one.bound(1000.0, 400.0, 15.0) == "L2"


def test_products_are_counted_as_many_as_numpy_would_make():
    n = PLAIN
    H, D, K = n.hidden, n.inputs, n.steps
    found = work.stages(n)
    assert list(found) == list(STAGES)
    assert found["forward products"].operations == K * (D + H) * 4 * H
    assert found["backward products"].operations == (K - 1) * H * 4 * H
    assert found["weight gradient"].operations == K * ((D + H) * 4 * H + 4 * H + 3 * H)


def test_the_twin_leaves_the_process_its_small_numbers():
    """Linked with -ffast-math, a library sets the processor to treat them as zero, for ours and for all tests after."""
    compiled()
    assert (np.full(64, 1e-30, np.float32) * np.float32(1e-12) > 0).all()
