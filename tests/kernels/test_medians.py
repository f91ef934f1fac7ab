"""Running medians against numpy's of the same window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlstm.kernels import medians
from tests import reference_experts as reference
from tests.kernels import ready

slide, middle, median_of = map(ready, (medians.slide, medians.middle, medians.median_of))

# few different values, so that equal ones meet, and any
numbers = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e300, 1e300))


@settings(deadline=None)
@given(st.lists(numbers, max_size=60), st.integers(1, 20))
def test_a_sliding_window_is_what_sorting_makes_of_it(values, width) -> None:
    ordered, count = np.full(width, np.nan), 0
    assert np.isnan(middle(ordered, count))
    for n, new in enumerate(values):
        old = values[n - width] if n >= width else np.nan
        count = slide(ordered, count, old, new)
        window = values[max(0, n + 1 - width) : n + 1]
        assert ordered[:count].tolist() == sorted(window)
        assert middle(ordered, count) == reference.median(np.array(window))


@settings(deadline=None)
@given(st.lists(st.one_of(numbers, st.sampled_from([np.nan, np.inf, -np.inf])), max_size=8))
def test_the_median_of_a_few_passes_over_what_is_not_finite(values) -> None:
    row, scratch = np.array([*values, 7.0]), np.full(8, np.nan)
    np.testing.assert_array_equal(median_of(row, len(values), scratch), reference.median(row[:-1]))


def test_a_window_of_equal_values_loses_one_of_them_only() -> None:
    ordered = np.array([1.0, 1.0, 1.0, np.nan])
    assert slide(ordered, 3, 1.0, 5.0) == 3
    assert ordered[:3].tolist() == [1, 1, 5]


@pytest.mark.parametrize(("values", "expected"), [([2.0], 2), ([1.0, 2.0], 1.5), ([1.0, 2.0, 9.0], 2)])
def test_of_an_even_count_the_middle_two_are_averaged(values, expected) -> None:
    assert middle(np.array(values), len(values)) == expected
