"""The page in a real browser, on forecasts of a real series."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from streamlstm.config import Stream
from streamlstm.daemon.history import History
from streamlstm.daemon.http import serve
from streamlstm.daemon.status import Connection, Status
from streamlstm.events import Forecast, State
from tests.daemon.watched import WATER, forecasts, report, status, water
from tests.forecasts import changed
from tests.system.servers import need

pytestmark = pytest.mark.system
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=need("chromium"), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def told() -> list[Forecast]:
    return forecasts(water()[690:860])


@contextmanager
def opened(
    browser: Browser,
    now: Callable[[], Status],
    history: History,
    at: str = "",
    width: int = 1280,
    calm: bool = True,
    stream: Stream = WATER,
) -> Iterator[Page]:
    """The page on what `now` gives. Calm: nothing in the console, and no request that leaves the server."""
    server = serve(
        "127.0.0.1:0", lambda: replace(now(), time_ns=time.time_ns()), history, streams={stream.name: stream}
    )
    context = browser.new_context(viewport={"width": width, "height": 900}, timezone_id="UTC")
    page = context.new_page()
    page.set_default_timeout(20_000)
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: request.url.startswith(server.address) or trouble.append(request.url))
    try:
        page.goto(server.address + at)
        yield page
        if calm:
            assert trouble == []
    finally:
        context.close()
        server.close()


def recorded(told: list[Forecast]) -> History:
    history = History()
    for forecast in told:
        history.record(forecast)
    return history


def drawn(page: Page, name: str) -> list[float | None]:
    """The y values of one line of the chart, once there is one."""
    find = f"document.querySelector('#chart')?.data?.find((trace) => trace.name === {name!r})"
    page.wait_for_function(f"() => {find}")
    return page.evaluate(f"() => {find}.y")


def test_one_series_is_shown_in_words_and_as_a_chart(browser, told):
    last = told[-1]
    with opened(browser, lambda: status([report(last)], time_ns=0), recorded(told)) as page:
        expect(page.locator("#name")).to_have_text("water/inflow")
        expect(page.locator("#connection")).to_have_text("connected")
        expect(page.locator("#ready")).to_have_text("ready")
        expect(page.locator("#figures")).to_contain_text(f"{round(last.y, 1):g} L/s")
        expect(page.locator("#figures")).to_contain_text("forecast 1 h ahead")
        observed = [y for y in drawn(page, "observed") if y is not None]
        assert observed == [f.y for f in told]
        assert drawn(page, "forecast") == list(last.yhat)
        assert drawn(page, "join") == [last.y, last.yhat[0]]
        assert len(drawn(page, "next 95 %")) == 2 * (1 + len(last.leads)) + 1  # there, back, and the end of the outline
        made = [f.yhat[0] for f in told[:-1] if f.state is State.ACTIVE]
        assert [y for y in drawn(page, "past forecasts") if y is not None] == made
        assert page.locator("#chart .scatterlayer .point").count() == len(observed) + len(last.leads)
        expect(page.locator("#scores tbody tr")).to_have_count(len(last.leads))
        expect(page.locator("#scores")).to_contain_text(f"{100 * last.coverage[0, 0]:.1f} %")
        assert page.locator("nav").is_hidden()


def test_the_reader_chooses_the_lead_of_the_past_forecasts(browser, told):
    with opened(browser, lambda: status([report(told[-1])], time_ns=0), recorded(told)) as page:
        drawn(page, "past forecasts")
        page.select_option("#lead", label="12 h ahead")
        expect(page.locator("#legend")).to_contain_text("forecast made 12 h before")
        made = [
            f.yhat[3] for f in told if f.state is State.ACTIVE and f.origin_ns + 12 * f.step_ns <= told[-1].origin_ns
        ]
        assert [y for y in drawn(page, "past forecasts") if y is not None] == made


def test_the_next_observation_appears_without_a_reload(browser, told):
    history = recorded(told[:-1])
    newest = [told[-2]]
    with opened(browser, lambda: status([report(newest[0])], time_ns=0), history) as page:
        before = len(drawn(page, "observed"))
        page.evaluate("document.querySelector('#chart').dataset.same = 'yes'")
        history.record(told[-1])
        newest[0] = told[-1]
        page.wait_for_function(
            f"() => document.querySelector('#chart').data.find((t) => t.name === 'observed').y.length === {before + 1}"
        )
        assert drawn(page, "forecast") == list(told[-1].yhat)
        assert page.locator("#chart").get_attribute("data-same") == "yes"


def test_a_hostile_name_is_shown_as_text(browser, told):
    named = [changed(forecast, series=HOSTILE) for forecast in told]
    other = changed(told[-1], series="other")
    with opened(browser, lambda: status([report(named[-1]), report(other)], time_ns=0), recorded(named)) as page:
        expect(page.locator("#list")).to_contain_text(HOSTILE)
        page.click(f"#list a:has-text({HOSTILE!r})")
        expect(page.locator("#name")).to_have_text(HOSTILE)
        drawn(page, "observed")
        page.locator("#chart .nsewdrag").hover()
        assert page.locator("img:not([src='/icon.svg'])").count() == 0
        assert page.title() == f"{HOSTILE} · streamlstm"


def test_many_series_are_searched_and_paged(browser, told):
    reports = [report(changed(told[-1], series=f"room {at}/flow")) for at in range(200)]
    reports[17] = replace(reports[17], state=State.FALLBACK)
    with opened(browser, lambda: status(reports, time_ns=0), History()) as page:
        expect(page.locator("#list li")).to_have_count(50)
        expect(page.locator("#shown")).to_have_text("1–50 of 200")
        expect(page.locator("#name")).to_have_text("room 0/flow")
        page.click("#next")
        expect(page.locator("#list li").first).to_contain_text("room 50/flow")
        page.fill("#search", "ROOM 19")
        expect(page.locator("#list li")).to_have_count(11)
        page.click("#list a:has-text('room 193/flow')")
        expect(page.locator("#name")).to_have_text("room 193/flow")
        expect(page.locator("#list .chosen")).to_contain_text("room 193/flow")
        page.fill("#search", "")
        page.select_option("#state", "fallback")
        expect(page.locator("#list li")).to_have_count(1)
        expect(page.locator("#list li")).to_contain_text("room 17/flow")
        page.fill("#search", "nowhere")
        expect(page.locator("#list")).to_have_text("No series matches.")


def test_a_phone_shows_the_list_or_the_series_and_nothing_sticks_out(browser, told):
    reports = [report(told[-1]), report(changed(told[-1], series="a/very/long/name/" * 8))]
    with opened(browser, lambda: status(reports, time_ns=0), recorded(told), width=360) as page:
        expect(page.locator("#list li")).to_have_count(2)
        assert page.locator("#chosen").is_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        page.click("#list a:has-text('water/inflow')")
        expect(page.locator("#name")).to_have_text("water/inflow")
        assert len(drawn(page, "observed")) < len(told)  # as many as the width can show
        assert page.locator("#list").is_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        page.click(".back")
        expect(page.locator("#list li")).to_have_count(2)
        expect(page.locator("#list")).to_be_visible()


def test_before_the_first_observation_the_page_says_what_it_waits_for(browser):
    now = [status(time_ns=0, ready=False, why="the broker has not answered", connection=Connection(why="refused"))]
    with opened(browser, lambda: now[0], History()) as page:
        expect(page.locator("#empty")).to_have_text("Waiting until the daemon is ready: the broker has not answered.")
        expect(page.locator("#connection")).to_have_text("not connected: refused")
        now[0] = status(time_ns=0)
        expect(page.locator("#empty")).to_contain_text("Waiting for the first observations.")
        now[0] = status([report(None, "new/series")], time_ns=0)
        expect(page.locator("#name")).to_have_text("new/series")
        expect(page.locator("#sentence")).to_contain_text("too few observations")


def test_a_warming_series_shows_its_values_and_promises_nothing(browser, told):
    early = told[:20]
    with opened(browser, lambda: status([report(early[-1])], time_ns=0), recorded(early)) as page:
        expect(page.locator("#sentence")).to_contain_text("20 so far")
        assert [y for y in drawn(page, "observed") if y is not None] == [f.y for f in early]
        assert (
            page.evaluate("document.querySelector('#chart').data.some((trace) => trace.name === 'forecast')") is False
        )
        assert page.locator("#scores").is_hidden()


def typed(**settings: object) -> Stream:
    """The same stream, its values of another type."""
    return Stream.model_validate({"name": WATER.name, "topic": WATER.topic} | settings)


def retold(told: Sequence[Forecast], y: Sequence[float], yhat: float, half: float) -> list[Forecast]:
    """The last forecasts with other values, and the same forecast at every lead."""
    leads = np.zeros(len(told[0].leads))
    levels = np.zeros_like(told[0].lower)
    said = {"yhat": leads + yhat, "lower": levels + yhat - half, "upper": levels + yhat + half}
    return [changed(f, y=value, **said) for f, value in zip(told[-len(y) :], y, strict=True)]


def test_of_a_category_words_are_shown_and_how_likely_they_are(browser, told):
    words = ("heat", "<b>cool", "off")
    chances = np.linspace([0.1, 0.7, 0.2], [0.2, 0.6, 0.2], len(told[0].leads)).T
    said = [
        changed(f, classes=dict(zip(words, chances, strict=True)))
        for f in retold(told, [0.0, 2.0, 1.0, 2.0], yhat=1.0, half=np.nan)
    ]
    stream = typed(type="category", classes=words)
    with opened(browser, lambda: status([report(said[-1])], time_ns=0), recorded(said), stream=stream) as page:
        expect(page.locator("#figures")).to_contain_text("off")
        expect(page.locator("#figures")).to_contain_text("<b>cool")
        expect(page.locator("#figures")).to_contain_text("70 % likely")
        expect(page.locator("#list .value")).to_have_text("off")
        expect(page.locator("#list .ahead")).to_have_text(" → <b>cool")
        assert drawn(page, "observed") == [0.0, 2.0, 1.0, 2.0]
        expect(page.locator("#chart .ytick text")).to_have_text(list(words))
        expect(page.locator("#chart")).not_to_contain_text("1.5")
        expect(page.locator("#scores thead")).not_to_contain_text("inside")
        expect(page.locator("#legend")).not_to_contain_text("interval")


def test_of_a_truth_value_the_chance_is_shown_and_its_interval_in_values(browser, told):
    said = [
        changed(f, lower=np.zeros_like(f.lower), upper=np.ones_like(f.upper))
        for f in retold(told, [0.0, 1.0, 1.0], yhat=0.73, half=0)
    ]
    stream = typed(type="boolean")
    with opened(browser, lambda: status([report(said[-1])], time_ns=0), recorded(said), stream=stream) as page:
        expect(page.locator("#figures")).to_contain_text("chance of 1 in 1 h73 %80 %: 0 or 1")
        expect(page.locator("#list .ahead")).to_have_text(" → 73 %")
        expect(page.locator("#scores thead")).to_contain_text("Brier’s score")
        assert drawn(page, "forecast") == [0.73] * len(told[0].leads)


def test_an_angle_goes_round_without_a_line_through_all_directions(browser, told):
    said = retold(told, [340.0, 355.0, 5.0, 350.0], yhat=5.0, half=20.0)
    stream = typed(type="angle", unit="°")
    with opened(browser, lambda: status([report(said[-1])], time_ns=0), recorded(said), stream=stream) as page:
        expect(page.locator("#figures")).to_contain_text("80 %: 345 to 25")
        assert drawn(page, "observed") == [340.0, 355.0, None, 5.0, None, 350.0]
        assert drawn(page, "forecast") == [365.0] * len(told[0].leads)  # on from 350
        assert drawn(page, "next 80 %")[:2] == [350.0, 345.0]
        expect(page.locator("#scores thead")).not_to_contain_text("inside")


def test_the_fan_does_not_begin_at_a_value_that_is_not_believed(browser, told):
    said = [*told[:-1], changed(told[-1], y=1e6, state=State.QUARANTINED, anomaly_score=np.nan)]
    with opened(browser, lambda: status([report(said[-1])], time_ns=0), recorded(said)) as page:
        expect(page.locator("#sentence")).to_contain_text("not believed")
        expect(page.locator("#figures")).to_contain_text("not believed")
        assert max(drawn(page, "next 95 %")[:-1]) < 1e6
        assert drawn(page, "join") == []


def test_the_page_says_when_the_daemon_does_not_answer(browser, told):
    broken = False

    def now() -> Status:
        if broken:
            raise RuntimeError("the test breaks the daemon here")
        return status([report(told[-1])], time_ns=0)

    with opened(browser, now, recorded(told), calm=False) as page:
        expect(page.locator("#name")).to_have_text("water/inflow")
        assert page.locator("#notice").is_hidden()
        broken = True
        expect(page.locator("#notice")).to_contain_text("500")
        expect(page.locator("#name")).to_have_text("water/inflow")
        broken = False
        expect(page.locator("#notice")).to_be_hidden()
        page.context.set_offline(True)
        expect(page.locator("#notice")).to_contain_text("The daemon has not answered since")
        page.context.set_offline(False)
        expect(page.locator("#notice")).to_be_hidden()
