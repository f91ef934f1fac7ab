"""`python -m tests.faults.coverage --inputs N`: any bytes through the decoders, led by what they cover (atheris).

Of an input the first byte says to which topic, the second at which time it comes, the rest is the payload; or, for one
value of the first byte, the topic. A raise, and what `checks` finds, ends it with a trace and a file of the input; so
does an input that takes longer than SLOW seconds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["streamlstm.codec", "json"]):
    from streamlstm.codec.decode import Decoder

from streamlstm.events import Arrival
from tests.faults import checks
from tests.faults.kinds import KINDS, Kind

NOW_NS = 1_700_000_000 * 10**9
CLOCKS_NS = (NOW_NS, 0, 1, 2**62, 8_270_000_000 * 10**9)  # Linux lets nobody set it to before 1970 or after 2232
SLOW = 5  # seconds
PAYLOAD_LIMIT = 64 * 2**10
TOKENS = (  # that a few changed bytes would not come upon
    *("NaN", "Infinity", "-inf", "null", "true", "unavailable", "1e999", "-1e-999", "1e30", "9223372036854775807"),
    *("9214646400", "-0", "0001-01-01", "9999-12-31T23:59:60Z", "T24:00:00", "+14:00", "-23:59", ".123456789"),
    *('"time":', '"t":', '"v":', '"t.t":', '"hourly":[', '"price":[', '"from":[', '"run":', '"w":', '"day":'),
    *("\\ud800", "\\u0000", "[[[[", "{}{}", "\\\\", "\xff\xfe", "\xed\xa0\x80", "streamlstm/", "/", "#", "+"),
)


def _examples(kind: Kind) -> list[tuple[str, str]]:
    """One message for each topic of a kind."""
    return [*dict(sent for n in range(24) for sent in kind.reading("a", n, NOW_NS)).items()]


TOPICS = [(name, topic, payload) for name, kind in KINDS.items() for topic, payload in _examples(kind)]
DECODERS = {name: Decoder(kind.streams, "streamlstm", PAYLOAD_LIMIT) for name, kind in KINDS.items()}


def one(data: bytes) -> None:
    if len(data) < 2:
        return
    which, clock, payload = data[0] % (len(TOPICS) + 1), CLOCKS_NS[data[1] % len(CLOCKS_NS)], data[2:]
    if which == len(TOPICS):
        name, topic = TOPICS[data[1] % len(TOPICS)][0], payload.decode("utf-8", "surrogateescape")
    else:
        name, topic, _ = TOPICS[which]
    found = DECODERS[name].inputs([Arrival(topic, payload, clock, 1)])
    if problems := checks.of_inputs(found, KINDS[name].values):
        raise AssertionError(f"{topic!r} {payload!r} at {clock}: {problems}")


def _quoted(token: str) -> str:
    """As libFuzzer's dictionaries have it."""
    return "".join(f"\\x{byte:02x}" for byte in token.encode("latin-1"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.coverage", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=int, default=4096, help="bytes of an input")
    parser.add_argument("--corpus", type=Path, help="a folder for what covers something new; absent: none is kept")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faults-coverage-") as scratch:
        corpus = given.corpus or Path(scratch, "corpus")
        corpus.mkdir(parents=True, exist_ok=True)
        for which, (_, _, payload) in enumerate(TOPICS):
            (corpus / f"example-{which}").write_bytes(bytes([which, 0]) + payload.encode())
        words = Path(scratch, "tokens")
        words.write_text("".join(f'"{_quoted(token)}"\n' for token in TOKENS))
        limits = [f"-runs={given.inputs}", f"-seed={given.seed}", f"-max_len={given.longest}", f"-timeout={SLOW}"]
        atheris.Setup([sys.argv[0], *limits, f"-dict={words}", "-print_final_stats=1", str(corpus)], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
