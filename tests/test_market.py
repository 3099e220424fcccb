"""The demo that draws another market: its generator against Keras, and its controls."""

import base64
import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT, tab
from scipy import stats
from test_demos import DEMO, FOLDER, WEIGHTED, WIDTHS, ask, check_fit, settled, show

from gan_notes.data import transforms
from gan_notes.models import pretrained
from gan_notes.models.returns import DAY_NOISE, WINDOW_NOISE

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import book_site
import page_weights

pytestmark = pytest.mark.long

__all__ = ["show"]  # a fixture
NAME = "returns-offline-0"
SCRIPT = f"{NAME}.js"
PRESS = WEIGHTED["market"]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Copy the demos and write the weights beside them, as the site's build does."""
    out = tmp_path_factory.mktemp("site")
    copy = shutil.copytree(FOLDER, out / "_static" / "demos")
    html = SimpleNamespace(format="html")
    book_site.write_weights(SimpleNamespace(outdir=out, builder=html), None)
    return copy


@pytest.fixture(scope="session")
def model():
    return page_weights.rounded(NAME)


@pytest.fixture
def market(show, folder):
    """Open the demo, with its weights unless told to wait."""

    def open_demo(width=1280, *, press=True, **options):
        options = {"reduced_motion": "reduce", **options}
        page = show("market", width, folder=folder, more=[SCRIPT], **options)
        if press:
            page.get_by_role("button", name=PRESS).click()
            page.wait_for_function(f"{DEMO}.market")
            settled(page)
        return page

    return open_demo


def chosen(page):
    """Return number and level of the market on show, and its log-returns."""
    settled(page)
    shown = ask(page, "[demo.seed, demo.market.level, demo.market.returns]")
    return shown[0], shown[1], np.array(shown[2])


# The generator


def test_page_draws_what_keras_draws_from_the_same_noise(market, model):
    page = market()
    width, days = len(model.transform.tickers), 120
    noise = np.random.default_rng(0).normal(size=(4, days, DAY_NOISE + WINDOW_NOISE))
    noise[:, :, DAY_NOISE:] = noise[:, :1, DAY_NOISE:]  # a window's stays
    noise[:, :, -1] = np.array([-2, 0, 2, 1])[:, None]
    noise[3] *= 3  # beyond both ends of the rank tables
    noise = noise.astype("float32")

    raw = model.generator(noise).numpy()[..., :width]
    tables = model._calibration()
    scores = [transforms.to_scores(raw[..., i], t) for i, t in enumerate(tables)]
    scores = np.stack(scores, axis=-1)
    ends = [(min(t["returns"]), max(t["returns"])) for t in tables]
    low, high = np.transpose(ends)
    assert (raw < low).any()
    assert (raw > high).any()

    found = [
        ask(page, "demo.generator.market(x)", draw)
        for draw in noise.astype(float).tolist()
    ]
    theirs = {key: np.array([one[key] for one in found]) for key in found[0]}
    assert np.abs(theirs["scores"] - scores).max() < 1e-3
    returns = model.transform.unscale(scores)
    assert np.abs(theirs["returns"] - returns).max() < 1e-3 * np.abs(returns).max()
    assert np.allclose(theirs["prices"], model.transform.inverse(scores), rtol=1e-3)


def test_float16_moves_a_price_by_less_than_a_percent(model):
    noise = model.noise(50, [1, 2])
    exact = pretrained.load(NAME)
    ours, theirs = (one.generator(noise).numpy() for one in (model, exact))
    assert 0 < np.abs(ours - theirs).max()
    assert np.sqrt(np.mean((ours - theirs) ** 2)) < 0.01 * theirs[..., :-1].std()


def test_weights_are_unpacked_to_the_last_bit(market):
    page = market(press=False)
    bits = np.arange(2**16, dtype="uint16")
    numbers = bits.view("float16")
    every = numbers[np.isfinite(numbers)][:, None]
    array = np.array([[0.1, -2.0], [1e-7, 3e4]])
    for values, kind in [(every, "float16"), (array, "float16"), (array, "float32")]:
        found, shape = page.evaluate(
            "x => { const a = GanNotes.unpack(x); return [[...a], a.shape]; }",
            page_weights.packed(values, kind),
        )
        assert shape == list(values.shape)
        assert found == values.astype(kind).ravel().tolist()


def test_weights_are_those_that_ship(folder, model):
    text = (folder / SCRIPT).read_text(encoding="utf-8")
    assert text.startswith(f'GanNotes.shipped["{NAME}"] = ')
    content = json.loads(text.split(" = ", 1)[1].rstrip(";\n"))
    for packed, weight in zip(
        content["weights"], pretrained.load(NAME).generator.weights, strict=True
    ):
        values = np.frombuffer(base64.b64decode(packed["float16"]), "<f2")
        assert np.array_equal(
            values.reshape(packed["shape"]), weight.numpy().astype("float16")
        )
    assert content["tickers"] == model.transform.tickers
    assert len(text) < 100_000


def test_other_scales_are_refused(model):
    levels = SimpleNamespace(kind="levels", differences=())
    with pytest.raises(ValueError, match="normal scores, not 'levels'"):
        page_weights.returns(SimpleNamespace(name="other", transform=levels))


def test_noise_is_normal_and_its_level_goes_on_as_in_the_package(market, model):
    page = market()
    noise = np.array(ask(page, "demo.generator.noise(x, 1200)", 5))
    days, held = noise[:, :DAY_NOISE], noise[:, DAY_NOISE:]
    assert stats.kstest(days.ravel(), "norm").pvalue > 0.01
    assert abs(np.corrcoef(days[1:].ravel(), days[:-1].ravel())[0, 1]) < 0.02
    windows = held.reshape(-1, model.sequence_length, WINDOW_NOISE)
    assert (windows == windows[:, :1]).all()
    assert stats.kstest(windows[:, 0].ravel(), "norm").pvalue > 0.01

    # The first window's level moves the next ones by the persistence, and nothing else.
    calm, stormy = (
        np.array(ask(page, "demo.generator.noise(5, 72, x)", level))
        for level in (-1, 1)
    )
    assert np.array_equal(calm[:, :-1], stormy[:, :-1])
    gaps = (stormy - calm)[:: model.sequence_length, -1]
    assert np.allclose(gaps, 2 * float(model.persistence) ** np.arange(3))
    # Windows of other markets: as correlated as real ones, and of the same spread.
    starts = [ask(page, "demo.generator.noise(x, 48)", seed) for seed in range(1, 401)]
    level = np.array(starts)[:, [0, -1], -1]
    assert np.corrcoef(level.T)[0, 1] == pytest.approx(
        float(model.persistence), abs=0.1
    )
    assert level.std(axis=0) == pytest.approx(1, abs=0.1)


def test_a_longer_market_begins_with_the_same_days(market):
    page = market()
    short, long = (
        np.array(ask(page, "demo.generator.noise(3, x)", days)) for days in (24, 120)
    )
    assert np.array_equal(long[:24], short)


def test_level_steers_what_comes_out(market):
    page = market()
    draw = "demo.generator.market(demo.generator.noise(...x)).returns"
    sizes = [
        np.abs([ask(page, draw, [seed, 24, level]) for seed in range(1, 21)]).mean()
        for level in (-2, 0, 2)
    ]
    assert 1.5 * sizes[0] < sizes[1] < sizes[2] / 1.5


def test_what_is_said_of_a_market_is_so(market):
    page = market()
    *_, returns = chosen(page)
    found = ask(page, "demo.constructor.describe(demo.market.returns)")
    assert found["volatility"] == pytest.approx(returns.std(axis=0).mean() * 252**0.5)
    between = np.corrcoef(returns.T)[np.triu_indices(returns.shape[1], 1)]
    assert found["correlation"] == pytest.approx(between.mean())
    wildest = np.abs(returns).mean(axis=1).argmax()
    assert found["wildest"] == wildest
    assert f"wildest day, {wildest + 1}," in page.locator("#status").inner_text()
    levels = np.linspace(-3, 3, 13)
    assert np.allclose(
        page.evaluate("x => x.map(GanNotes.phi)", levels.tolist()),
        stats.norm.cdf(levels),
    )


# Its controls


@pytest.mark.parametrize("days", ["24", "120"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_market_fits_and_names_every_control(market, width, days):
    page = market(width)
    page.locator("select").select_option(days)
    page.get_by_role("button", name=PRESS).click()
    settled(page)
    check_fit(page, width)


def test_weights_are_read_when_the_reader_asks(market, folder):
    page = market(press=False)
    settled(page)
    assert page.get_by_alt_text("the still figure").is_visible()
    assert not page.locator("#days").is_visible()
    before = page.screenshot()
    page.wait_for_timeout(300)
    assert page.screenshot() == before
    with page.expect_request((folder / SCRIPT).as_uri()):
        page.get_by_role("button", name=PRESS).click()
    page.wait_for_function(f"{DEMO}.market")
    settled(page)
    assert not page.get_by_alt_text("the still figure").is_visible()
    assert page.locator("#days").is_visible()


def test_each_press_draws_another_and_a_number_brings_one_back(market):
    page = market()
    first = chosen(page)
    page.get_by_role("button", name=PRESS).focus()
    page.keyboard.press("Enter")
    second = chosen(page)
    assert [first[0], second[0]] == [1, 2]
    assert np.abs(first[2] - second[2]).max() > 1e-3
    assert "In grey: 1 market drawn before" in page.locator("#status").inner_text()
    page.get_by_label("market no.").fill("1")
    assert np.array_equal(chosen(page)[2], first[2])
    page.get_by_label("market no.").fill("")
    assert chosen(page)[0] == 1


def test_the_slider_makes_the_same_market_stormier(market):
    page = market()
    slider, check = (
        page.get_by_label("calm to stormy"),
        page.get_by_label("as it comes"),
    )
    assert check.is_checked()
    number, level, _ = chosen(page)
    assert ask(page, "demo.state.level") == pytest.approx(level, abs=0.051)
    slider.focus()
    page.keyboard.press("Home")
    calm = chosen(page)
    assert not check.is_checked()
    assert slider.get_attribute("aria-valuetext") == "calmer than 98 % of real windows"
    page.keyboard.press("End")
    stormy = chosen(page)
    assert [calm[:2], stormy[:2]] == [(number, -2), (number, 2)]
    assert np.abs(stormy[2]).mean() > 2 * np.abs(calm[2]).mean()
    # Of the same noise: it rises and falls on the same days.
    assert np.corrcoef(calm[2].ravel(), stormy[2].ravel())[0, 1] > 0.5
    check.check()
    assert chosen(page)[1] == level


def test_length_is_chosen_and_scales_start_anew(market):
    page = market()
    page.locator("select").select_option("120")
    assert len(chosen(page)[2]) == 120
    assert ask(page, "demo.past") == []


def test_a_market_unfolds_and_with_less_motion_is_there_at_once(market):
    page = market(reduced_motion="no-preference")
    assert ask(page, "demo.day < demo.market.returns.length")
    page.wait_for_function(f"{DEMO}.day === {DEMO}.market.returns.length")
    assert not ask(page, "demo.playing")
    still = market()
    assert ask(still, "demo.day === demo.market.returns.length && !demo.playing")


def test_by_touch_and_in_the_dark(market):
    page = market(390, theme="dark", has_touch=True)
    page.get_by_role("button", name=PRESS).tap()
    assert chosen(page)[0] == 2
    assert ask(page, "demo.hasAttribute('dark')")
    dark = page.locator("#days").screenshot()
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    settled(page)
    assert page.locator("#days").screenshot() != dark


def test_a_market_of_120_days_takes_less_than_a_blink(market):
    page = market()
    times = page.evaluate(
        f"""() => Array.from({{ length: 15 }}, (_, seed) => {{
        const {{ generator }} = {DEMO}, start = performance.now();
        generator.market(generator.noise(seed, 120));
        return performance.now() - start;
    }})"""
    )
    print(f"{np.median(times):.1f} ms for a market of 120 days")
    assert np.median(times) < 100


# In the book


def test_figure_is_light_and_names_the_tickers(model):
    text = (FOLDER / "market.svg").read_text(encoding="utf-8")
    assert len(text) < 120_000
    assert all(f">{ticker}</text>" in text for ticker in model.transform.tickers)


@pytest.mark.site
@pytest.mark.parametrize("path", ["book/index", "book/06_timegan"])
def test_market_is_drawn_on_the_page(html, browser, path):
    with tab(browser, 1280) as seen:
        seen.page.goto((html / f"{path}.html").as_uri())
        assert not any(SCRIPT in url for url in seen.asked)
        seen.page.get_by_role("button", name=PRESS).click()
        seen.page.wait_for_function("document.querySelector('gan-market').market")
        assert sum(SCRIPT in url for url in seen.asked) == 1
        seen.clean()
