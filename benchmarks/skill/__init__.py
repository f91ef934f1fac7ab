"""How good the forecasts are, on public series, in one pass and with the same settings for all: `docs/skill.md`.

    python -m benchmarks.skill --data DIR [--only nyc_taxi,...] [--presets full,...] [--out FILE] [--json FILE]

datasets    the series, where each comes from, and its checksum
protocol    the one way in which the engine meets a series
measures    pairs of forecast and observation to figures: best naive, coverage, worst window
ettm        ETTh1 by the split of FSNet;  likelihood  the bucket likelihood of Cui et al.
rivals      forecasts of others;  apart/  those that run in environments of their own
run         everything that was asked for
shows       floors, aims and ours;  tables and page  Markdown and JSON;  plots  pictures
"""
