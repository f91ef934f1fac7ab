"""Messages in, forecasts out, through a real broker: `docs/performance.md`, "End to end" and "Where the time goes".

    python -m benchmarks.end_to_end [--presets tiny,fleet] [--rates 1000,10000] [--json FILE] [--profile]

readings    what the sensors say
wire        the meter's own end of the broker, so that what is measured does not wait for it
contenders  who takes the messages: the daemon, each in a process of its own, beside
consumer    a paho client that does nothing with them
drained     what a broker holds, taken as fast as it goes
paced       so many a second, and how long each forecast takes
profile     where the daemon's time goes
"""
