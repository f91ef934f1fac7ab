"""What `streamlstm run` runs: one daemon, or one after another where the configuration is read again."""

from __future__ import annotations

import threading
from collections.abc import Callable

from streamlstm.daemon.broker import BrokerError
from streamlstm.daemon.endpoint import EndpointError
from streamlstm.daemon.http import HttpError
from streamlstm.daemon.reload import Reload
from streamlstm.daemon.run import Daemon
from streamlstm.daemon.watch import Watch


def serve(stop: threading.Event, reload: Reload, watch: Callable[[], Watch]) -> None:
    """Until `stop` is set. A configuration that turns out not to work gives way to the one before."""
    daemon = Daemon(reload.load(), watch=watch())
    newer = daemon.run(stop, reload)
    while newer is not None:
        following = Daemon(newer, watch=watch(), before=daemon)
        try:
            newer = following.run(stop, reload)
        except (BrokerError, EndpointError, HttpError) as error:
            if following.has_begun:
                raise
            reload.refuse(error)
            newer = daemon.config  # the one that worked; it takes up what it has left
        else:
            daemon = following
