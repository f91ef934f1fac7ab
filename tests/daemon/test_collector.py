from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from streamlstm.daemon.metrics import register
from streamlstm.daemon.status import LAG_BOUNDS, Connection
from streamlstm.events import Reason, State
from streamlstm.member import Totals
from tests.daemon.watched import LEADS, LEVELS, forecasts, report, status, water
from tests.forecasts import BY_LEAD, changed

NOW_NS = 1_700_000_000_000_000_000


def scraped(told, series_labels_max=0, encode=generate_latest):
    registry = CollectorRegistry()
    register(registry, lambda: told, series_labels_max)
    return encode(registry).decode()


def samples(told, series_labels_max=0):
    """{(name, label values in the order of the label names): value}"""
    return {
        (one.name, *(value for _, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(scraped(told, series_labels_max))
        for one in family.samples
    }


@pytest.fixture(scope="module")
def last():
    return forecasts(water()[:200])[-1]


def test_every_reason_and_state_is_there_from_the_start():
    seen = samples(status(time_ns=NOW_NS))
    assert all(seen["streamlstm_messages_rejected_total", reason.value] == 0 for reason in Reason)
    assert all(seen["streamlstm_series_state", state.value] == 0 for state in State)
    assert seen["streamlstm_updates_skipped_total", "not_finite"] == 0
    assert seen["streamlstm_updates_skipped_total", "overload"] == 0


def test_updates_that_were_shed_are_counted_as_skipped_and_it_is_told_while_they_are(last):
    told = status([report(last, updates_skipped=1)], time_ns=NOW_NS)
    seen = samples(replace(told, report=replace(told.report, sheds=True, shed=12)))
    assert seen["streamlstm_updates_skipped_total", "not_finite"] == 1
    assert seen["streamlstm_updates_skipped_total", "overload"] == 12
    assert seen["streamlstm_learning_shed",] == 1


def test_counts_of_the_status_are_shown_as_they_are(last):
    told = status(
        [report(last, gaps=4, updates=7, updates_skipped=1), report(None, "new", gaps=1)],
        time_ns=NOW_NS,
        connection=Connection(connected=True, reconnects=2, received=210, dropped=3, unpublished=4, errors=1),
        queue_depth=5,
    )
    seen = samples(told)
    assert seen["streamlstm_mqtt_connected",] == 1
    assert seen["streamlstm_mqtt_reconnects_total",] == 2
    assert seen["streamlstm_messages_received_total",] == 210
    assert seen["streamlstm_messages_rejected_total", "duplicate"] == told.report.discarded[Reason.DUPLICATE]
    assert seen["streamlstm_observations_total", "learned"] == 200
    assert seen["streamlstm_observations_total", "discarded"] == sum(told.report.discarded.values())
    assert seen["streamlstm_messages_dropped_total",] == 3
    assert seen["streamlstm_publications_dropped_total",] == 4
    assert seen["streamlstm_network_thread_errors_total",] == 1
    assert seen["streamlstm_queue_depth",] == 5
    assert seen["streamlstm_gaps_total",] == 5
    assert seen["streamlstm_drift_events_total", "water/{meter}"] == 2
    assert seen["streamlstm_updates_total",] == 7
    assert seen["streamlstm_updates_skipped_total", "not_finite"] == 1
    assert seen["streamlstm_series",] == 2
    assert seen["streamlstm_series_state", "active"] == 1
    assert seen["streamlstm_series_state", "warming"] == 1
    assert seen["streamlstm_forecast_publish_total",] == told.published
    assert seen["streamlstm_last_observation_timestamp_seconds", "water/{meter}"] == last.origin_ns / 1e9


def test_what_closed_series_have_counted_is_counted_on(last):
    told = status([report(last, gaps=4, updates=7)], time_ns=NOW_NS)
    ended = {"water/{meter}": Totals(10, 1, 2, 3), "gone": Totals(5, 0, 1, 1)}
    seen = samples(replace(told, report=replace(told.report, ended=ended)))
    assert seen["streamlstm_updates_total",] == 22
    assert seen["streamlstm_updates_skipped_total", "not_finite"] == 1
    assert seen["streamlstm_gaps_total",] == 7
    assert seen["streamlstm_drift_events_total", "water/{meter}"] == 4
    assert seen["streamlstm_drift_events_total", "gone"] == 1


def test_histograms_are_cumulative_and_end_with_the_count(last):
    told = status([report(last)], time_ns=NOW_NS, lag_buckets=(1, 2, 2, 5, 5, 5, 6, 6, 8), lag_sum=91.5)
    seen = samples(told)
    buckets = [seen["streamlstm_observation_lag_seconds_bucket", str(bound)] for bound in LAG_BOUNDS]
    assert buckets == [1, 2, 2, 5, 5, 5, 6, 6]
    assert seen["streamlstm_observation_lag_seconds_bucket", "+Inf"] == 8
    assert seen["streamlstm_observation_lag_seconds_count",] == 8
    assert seen["streamlstm_observation_lag_seconds_sum",] == 91.5


def test_skill_and_error_are_the_median_and_coverage_the_mean_over_a_streams_series(last):
    ones = np.ones(len(LEADS))
    known = [
        changed(
            last, series=name, skill_seasonal=skill * ones, absolute_error=error * ones, coverage=share * last.coverage
        )
        for name, skill, error, share in (("a", 0.1, 1.0, 0.5), ("b", 0.2, 2.0, 1.0), ("c", -9.0, 50.0, 0.0))
    ]
    unknown = changed(
        last, series="d", skill_seasonal=np.nan * ones, absolute_error=np.nan * ones, coverage=np.nan * last.coverage
    )
    one_lead = {name: getattr(last, name)[..., :1] for name in BY_LEAD} | {"skill_seasonal": np.array([0.7])}
    elsewhere = changed(last, series="e", stream="other", leads=(1,), **one_lead)
    seen = samples(status([report(one) for one in (*known, unknown, elsewhere)], time_ns=NOW_NS))
    for lead in map(str, LEADS):
        assert seen["streamlstm_skill_ratio", "seasonal", lead, "water/{meter}"] == pytest.approx(0.1)
        assert seen["streamlstm_absolute_error", lead, "water/{meter}"] == pytest.approx(2.0)
    assert seen["streamlstm_skill_ratio", "seasonal", "1", "other"] == pytest.approx(0.7)
    assert ("streamlstm_skill_ratio", "seasonal", "3", "other") not in seen
    for level, shares in zip(LEVELS, last.coverage, strict=True):
        assert seen["streamlstm_interval_coverage_ratio", str(level), "water/{meter}"] == pytest.approx(
            0.5 * shares.mean()
        )


def test_what_is_not_known_yet_is_left_out():
    warming = forecasts(water()[:5])[-1]
    names = {key[0] for key in samples(status([report(warming, gradient_norm=float("nan"))], time_ns=NOW_NS), 10)}
    assert "streamlstm_per_series_value" in names
    assert not names & {"streamlstm_skill_ratio", "streamlstm_absolute_error", "streamlstm_gradient_norm"}
    assert "nan" not in scraped(status([report(warming)], time_ns=NOW_NS), 10).lower()


def test_single_series_are_shown_only_when_asked_for_up_to_the_cap_and_vanish_with_the_series(last):
    three = [report(changed(last, series=name)) for name in "abc"]
    assert "per_series" not in scraped(status(three, time_ns=NOW_NS))
    seen = samples(status(three, time_ns=NOW_NS), series_labels_max=2)
    assert [key[1] for key in seen if key[0] == "streamlstm_per_series_value"] == ["a", "b"]
    assert seen["streamlstm_per_series_omitted",] == 1
    assert seen["streamlstm_per_series_forecast", "1", "a", "water/{meter}"] == last.yhat[0]
    later = samples(status(three[1:], time_ns=NOW_NS), series_labels_max=2)
    assert [key[1] for key in later if key[0] == "streamlstm_per_series_value"] == ["b", "c"]


@pytest.mark.parametrize("name", ["half \ud83d a letter", 'quoted "', "line\nbreak", "back\\slash", "日本"])
def test_no_name_ends_the_scrape(last, name):
    told = status([report(changed(last, series=name, stream=name))], time_ns=NOW_NS)
    shown = name.encode("utf-8", "replace").decode()
    for encode in (generate_latest, openmetrics):
        assert scraped(told, 10, encode).count("streamlstm_per_series_value{") == 1
    assert ("streamlstm_per_series_value", shown, shown) in samples(told, 10)


def test_no_label_is_called_quantile(last):
    assert "quantile=" not in scraped(status([report(last)], time_ns=NOW_NS), 10)


def test_openmetrics_readers_understand_it(last):
    text = scraped(status([report(last)], time_ns=NOW_NS), 10, openmetrics)
    families = {family.name: family for family in openmetrics_families(text)}
    assert families["streamlstm_observations"].type == "counter"
    assert families["streamlstm_observation_lag_seconds"].type == "histogram"
    assert families["streamlstm_build"].type == "info"
    assert all(family.documentation for family in families.values())
