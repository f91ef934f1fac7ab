"""Arrays that are looked at, not owned: without the reference counts that cost a third of the time.

Every view of an array that owns memory counts one reference up and one down, atomically, twenty cycles each. The caller
of compiled code holds on to its arrays until the call returns, so that nothing has to be counted inside.
"""

from __future__ import annotations

from typing import Any

from numba.core import cgutils
from numba.extending import intrinsic, overload


def borrowed(array: Any) -> Any:
    """The same array, not counted. The owner must outlive all use of it."""
    return array


@intrinsic
def _without_owner(_context: Any, array: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        view.meminfo = cgutils.get_null_value(view.meminfo.type)
        view.parent = cgutils.get_null_value(view.parent.type)
        return view._getvalue()

    return array(array), generate


@overload(borrowed, inline="always")
def _borrowed(array):  # noqa: ARG001
    return lambda array: _without_owner(array)
