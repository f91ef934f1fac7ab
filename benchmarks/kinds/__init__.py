"""Every kind of series: what gaps, odd times, clocks, regimes, outliers, covariates and truth values do to forecasts.

    python -m benchmarks.kinds [--data DIR] [--only NAME ...] [--preset fleet] [--json FILE]

figure      one figure beside its floor and aim, and what a row is given
passes      the engine over one series, in one pass; forecasts and the observations that they met
made        series made here, each a function of its seed alone
all others  one row of the table each: `measure(given)` returns its figures

A new row is a file with such a function, and a line in `ROWS` of `__main__`.
"""
