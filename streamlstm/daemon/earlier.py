"""A generation of a store, read as the newest state is: so recovery can begin there."""

from __future__ import annotations

from collections.abc import Iterator

from streamlstm.daemon.recovery import COMMONS, HEAD, ORIGIN
from streamlstm.store.records import Batch, Saved, Shared
from streamlstm.store.store import Store


class Earlier:
    """All series as a sweep saved them that is through long ago; of index 0, before there were any."""

    def __init__(self, store: Store, generation: int) -> None:
        self.path, self.last, self.swept = store.path, store.last, generation
        self.head = store.generations()[generation] if generation else None
        self._store = store

    @property
    def ends(self) -> int:
        """Index of the newest input that is in it."""
        return self.head.ends if self.head else 0

    def batches(self, after: int) -> Iterator[Batch]:
        return self._store.batches(after)

    def saved(self) -> list[tuple[str, str, int]]:
        return self._store.saved_then(self.swept)

    def series(self, name: str) -> Saved:
        return self._store.series_then(self.swept, name)

    def names(self) -> list[str]:
        return self._store.names()

    def shared(self, name: str) -> list[Shared]:
        if name == HEAD:
            return [Shared(HEAD, self.head.ends, self.head.head)] if self.head else []
        found = self._store.shared(name)
        is_of_then = name == ORIGIN or name.startswith(COMMONS)
        return [one for one in found if one.at == self.swept] if is_of_then else found
