"""The demos in a real browser: their numbers, their controls, and how they look.

Each is opened on a bare page from a file, as a reader may do, with no site built. The
tests at the end look at the pages of the book.
"""

import ast
import contextlib
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from conftest import ROOT, read, tab
from scipy import integrate, stats
from scipy.spatial.distance import cdist

from gan_notes import plots
from gan_notes.data import toys
from gan_notes.evaluation.distances import mode_scores

pytestmark = pytest.mark.long

FOLDER = ROOT / "book" / "_static" / "demos"
DEMOS = ["dial", "field", "lab", "value"]
# With shipped weights, that a button reads: the words on it.
WEIGHTED = {"latent": "Start the generator", "market": "Draw another market"}
WIDTHS = {"wide": 1280, "narrow": 390}
PAGE = """<!doctype html><html lang="en" data-theme="{theme}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>A demo</title>
<body style="margin: 12px; max-width: 760px"><gan-{name}><img src="{folder}/{name}.svg"
alt="the still figure"></gan-{name}>
<script defer src="{folder}/stage.js"></script>
<script defer src="{folder}/{name}.js"></script></body></html>"""
DEMO = "document.querySelector('body').firstElementChild"


@pytest.fixture
def show(browser, tmp_path):
    """Open demos on bare pages; at the end, no page may have complained.

    A demo may ask for the page, two scripts, its still figure, and what `more` names.
    """
    checks = []

    def open_page(name, width=1280, theme="light", folder=FOLDER, more=(), **options):
        path = tmp_path / f"{name}-{theme}.html"
        text = PAGE.format(name=name, theme=theme, folder=folder.as_uri())
        path.write_text(text, encoding="utf-8")
        seen = opened.enter_context(tab(browser, width, **options))
        beside = ["stage.js", f"{name}.js", f"{name}.svg", *more]
        files = [path, *(folder / file for file in beside)]
        checks.append((seen, {file.as_uri() for file in files}))
        seen.page.goto(path.as_uri())
        return seen.page

    with contextlib.ExitStack() as opened:
        yield open_page
        for seen, files in checks:
            seen.clean()
            assert set(seen.asked) <= files


def ask(page, script, argument=None):
    """Evaluate an expression of `demo`, the element, and `x`, the argument."""
    return page.evaluate(f"x => {{ const demo = {DEMO}; return {script}; }}", argument)


def settled(page):
    """Wait until what was changed is drawn."""
    page.evaluate("() => new Promise(d => requestAnimationFrame(() => setTimeout(d)))")


def chapter_functions(chapter, *names):
    """Return functions of a chapter by name, as its cells define them."""
    notebook = read(ROOT / "book" / f"{chapter}.ipynb")
    found = {"np": np}
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    for source in code:
        if "google.colab" in source:
            continue
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef) and node.name in names:
                exec(compile(ast.Module([node], []), chapter, "exec"), found)
    missing = set(names) - set(found)
    assert not missing, f"{chapter} defines no {missing}"
    return [found[name] for name in names]


# Every demo


def check_fit(page, width):
    """Assert that a demo is drawn within the page and that its controls have names."""
    found = page.evaluate(
        """() => {
        const demo = document.body.firstElementChild, root = demo.shadowRoot;
        const right = box => box.getBoundingClientRect().right;
        return {
            page: document.documentElement.scrollWidth,
            out: [...root.querySelectorAll("*")].filter(b => right(b) > innerWidth + 1)
                .map(box => box.outerHTML.slice(0, 80)),
            blank: [...root.querySelectorAll("canvas")].filter(canvas => {
                const { width, height } = canvas, pen = canvas.getContext("2d");
                return !pen.getImageData(0, 0, width, height).data.some(value => value);
            }).map(canvas => canvas.id),
            silent: [...root.querySelectorAll("canvas")]
                .filter(c => !["img", "application"].includes(c.getAttribute("role")) ||
                    (c.getAttribute("aria-label") || "").length < 20).map(c => c.id),
            nameless: [...root.querySelectorAll("input, select, button")]
                .filter(c => !(c.labels?.length || c.textContent.trim()))
                .map(c => c.name),
            mute: [...root.querySelectorAll("input[type=range]")]
                .filter(c => !c.getAttribute("aria-valuetext")).map(c => c.name),
            low: [...root.querySelectorAll("button, select, input[type=range]")]
                .filter(c => c.getBoundingClientRect().height < 24).map(c => c.name),
            status: root.querySelector("[role=status]").textContent,
        };
    }"""
    )
    assert found["page"] <= width
    for fault in ("out", "blank", "silent", "nameless", "mute", "low"):
        assert found[fault] == [], fault
    assert len(found["status"]) > 20


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("name", DEMOS)
def test_demo_fits_and_names_every_control(show, name, width):
    page = show(name, width)
    settled(page)
    check_fit(page, width)


@pytest.mark.parametrize("name", [*DEMOS, *WEIGHTED])
def test_without_scripts_the_figure_is_shown(show, name):
    page = show(name, java_script_enabled=False)
    image = page.get_by_alt_text("the still figure")
    assert image.is_visible()
    assert image.bounding_box()["width"] > 200


@pytest.mark.parametrize("name", WEIGHTED)
def test_missing_weights_are_said_beside_the_figure(browser, tmp_path, name):
    script = (FOLDER / f"{name}.js").read_text(encoding="utf-8")
    first = re.search(r'static weights = \["(.*?)"', script)[1]
    path = tmp_path / f"{name}.html"
    text = PAGE.format(name=name, theme="light", folder=FOLDER.as_uri())
    path.write_text(text, encoding="utf-8")
    with tab(browser, 1280) as seen:
        seen.page.goto(path.as_uri())
        seen.page.get_by_role("button", name=WEIGHTED[name]).click()
        seen.page.get_by_text(f"{first}.js is not beside").wait_for()
        assert seen.page.get_by_alt_text("the still figure").is_visible()
        assert seen.failed == [(FOLDER / f"{first}.js").as_uri()]


def test_demos_add_one_global_name(browser, tmp_path):
    """A name more could be one of the theme's scripts, as `button` was."""
    found = {path.stem for path in FOLDER.glob("*.js")}
    scripts = ["stage", *sorted(found - {"stage"})]
    listed = "() => Object.getOwnPropertyNames(window)"
    blank = tmp_path / "blank.html"
    blank.write_text("<!doctype html><title>Empty</title>", encoding="utf-8")
    with tab(browser, 1280) as seen:
        seen.page.goto(blank.as_uri())
        before = set(seen.page.evaluate(listed))
        for script in scripts:
            seen.page.add_script_tag(url=(FOLDER / f"{script}.js").as_uri())
        added = set(seen.page.evaluate(listed)) - before
        # const, let and class are no properties of the window, and clash all the same.
        protocol = seen.page.context.new_cdp_session(seen.page)
        context = "Runtime.executionContextCreated"
        ids = []
        protocol.on(context, lambda event: ids.append(event["context"]["id"]))
        protocol.send("Runtime.enable")
        names = [
            name
            for one in ids
            for name in protocol.send(
                "Runtime.globalLexicalScopeNames", {"executionContextId": one}
            )["names"]
        ]
        defined = seen.page.evaluate(
            "names => names.filter(name => !customElements.get(name))",
            [f"gan-{name}" for name in scripts[1:]],
        )
        seen.clean()
    assert defined == []
    assert added == {"GanNotes"}
    assert names == []


@pytest.mark.parametrize("name", DEMOS)
def test_demo_follows_the_theme(show, name):
    page = show(name, theme="dark")
    settled(page)
    colours = "[demo.hasAttribute('dark'), ...Object.values(demo.colour)]"
    dark = ask(page, colours)
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    settled(page)
    light = ask(page, colours)
    assert (dark[0], light[0]) == (True, False)
    assert all(one != other for one, other in zip(dark, light, strict=True))
    # The book's colours, one for each role.
    roles = ["real", "synthetic", "d"]
    found = ask(page, "x.map(role => demo.colour[role])", roles)
    ours = [plots.REAL, plots.SYNTHETIC, plots.DISCRIMINATOR]
    assert found == [colour.lower() for colour in ours]


@pytest.mark.parametrize("name", DEMOS)
def test_play_and_pause_by_keyboard(show, name):
    page = show(name)
    page.get_by_role("button", name="Play").focus()
    page.keyboard.press("Enter")
    assert ask(page, "demo.playing")
    page.get_by_role("button", name="Pause").focus()
    page.keyboard.press("Space")
    assert not ask(page, "demo.playing")


@pytest.mark.parametrize("name", DEMOS)
def test_a_slider_by_keyboard_moves_the_picture(show, name):
    page = show(name)
    slider = {"dial": "theta", "field": "eta", "lab": "rate", "value": "mean"}[name]
    before = ask(page, "[demo.state[x], demo.inputs[x].ariaValueText]", slider)
    page.locator(f"input[name={slider}]").focus()
    page.keyboard.press("ArrowRight")
    after = ask(page, "[demo.state[x], demo.inputs[x].ariaValueText]", slider)
    assert after[0] > before[0]
    assert after[1] != before[1]


@pytest.mark.parametrize("name", DEMOS)
def test_nothing_moves_before_the_reader_asks(show, name):
    page = show(name)
    canvas = page.locator("canvas").first
    first = canvas.screenshot()
    page.wait_for_timeout(300)
    assert canvas.screenshot() == first


# Field: chapter 03


def field_path(page, begin, moves, **settings):
    settings = {"game": "bilinear", "order": "simultaneous", "g": 0, "k": 1, **settings}
    call = "demo.constructor.path(x.settings, x.begin, x.moves)"
    return np.array(
        ask(page, call, {"settings": settings, "begin": begin, "moves": moves})
    )


def test_field_plays_the_bilinear_game_of_chapter_03(show):
    page = show("field")
    play, *rules = chapter_functions(
        "03_dynamics", "play", "simultaneous", "alternating"
    )
    for rate in (0.05, 0.2, 1.0):
        for rule in rules:
            theirs = play(rule, rate, 60, (1.0, 0.0))
            ours = field_path(page, [1, 0], 60, eta=rate, order=rule.__name__)
            assert np.abs(ours - theirs).max() < 1e-6 * np.abs(theirs).max()


def test_field_plays_the_dirac_gan_of_chapter_03(show):
    page = show("field")
    *_, play_dirac = chapter_functions("03_dynamics", "play", "dirac", "play_dirac")
    for g in (0.0, 0.3, 1.0, 2.0):
        ours = field_path(page, [1, 1], 600, game="dirac", eta=0.1, g=g)
        assert np.abs(ours - play_dirac(g)).max() < 1e-6


def test_field_looks_ahead_as_chapter_03(show):
    page = show("field")
    *_, look_ahead = chapter_functions("03_dynamics", "optimistic", "look_ahead")
    for rate in (0.3, 0.62):
        theirs = look_ahead(rate, 400)
        ours = field_path(page, [1, 0], 400, eta=rate, order="optimistic")
        assert np.abs(ours - theirs).max() < 1e-6 * np.abs(theirs).max()
        assert np.isclose(
            *np.hypot(*np.stack([ours[-1], theirs[-1]]).T), rtol=1e-6, atol=1e-15
        )


@pytest.mark.parametrize("game", ["bilinear", "dirac"])
@pytest.mark.parametrize("order", ["simultaneous", "alternating"])
def test_field_eigenvalues_are_those_of_its_moves(show, game, order):
    page = show("field")
    for eta, g, k in [(0.2, 0, 1), (0.1, 0.3, 1), (0.5, 1.0, 3), (1.9, 0.5, 2)]:
        settings = {"game": game, "order": order, "eta": eta, "g": g, "k": k}
        small = 1e-5
        ends = [
            field_path(page, begin, 1, **settings)[1]
            for begin in ([small, 0], [0, small])
        ]
        truth = np.linalg.eigvals(np.transpose(ends) / small)
        found = ask(page, "demo.constructor.factors(x)", settings)
        found = np.array([complex(*pair) for pair in found])
        assert np.allclose(np.sort_complex(found), np.sort_complex(truth), atol=1e-6)


def test_field_optimistic_eigenvalues_are_those_of_two_moves_in_memory(show):
    page = show("field")
    for eta, g in [(0.3, 0), (0.62, 0), (0.4, 1.0)]:
        flow = np.array([[0, -1], [1, -g]])
        block = [
            [np.eye(2) + 2 * eta * flow, -eta * flow],
            [np.eye(2), np.zeros((2, 2))],
        ]
        settings = {
            "game": "bilinear",
            "order": "optimistic",
            "eta": eta,
            "g": g,
            "k": 1,
        }
        found = [
            complex(*p) for p in ask(page, "demo.constructor.factors(x)", settings)
        ]
        truth = np.linalg.eigvals(np.block(block))
        assert np.allclose(np.sort(np.abs(found)), np.sort(np.abs(truth)), atol=1e-9)


def test_field_flow_has_the_eigenvalues_of_chapter_03(show):
    page = show("field")
    for g in (0.0, 0.3, 1.0, 2.0):
        found = ask(page, "demo.constructor.flow({game: 'dirac', g: x})", g)
        root = np.sqrt(complex(g**2 / 4 - 1 / 4))
        assert np.allclose([complex(*p) for p in found], [-g / 2 + root, -g / 2 - root])


def test_field_starts_where_it_is_put_by_mouse_touch_and_keys(show):
    page = show("field", 390, has_touch=True)
    box = page.locator("#plane").bounding_box()
    page.touchscreen.tap(
        box["x"] + 0.75 * box["width"], box["y"] + 0.25 * box["height"]
    )
    x, y = ask(page, "demo.begin")
    assert 1 < x < 2.2
    assert 1 < y < 2.2
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.25 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.up()
    assert ask(page, "demo.begin[0]") < 0
    before = ask(page, "demo.begin")
    page.locator("#plane").focus()
    page.keyboard.press("ArrowUp")
    after = ask(page, "demo.begin")
    assert after == pytest.approx([before[0], before[1] + 0.1])
    assert np.allclose(ask(page, "demo.points[0]"), after)


def test_field_shows_the_published_run(show):
    page = show("field")
    page.get_by_role("button", name="It circles").click()
    settled(page)
    assert "0.957" in page.locator("#now").inner_text()
    page.get_by_role("button", name="It runs away").click()
    settled(page)
    assert "3.243" in page.locator("#now").inner_text()
    assert "runs away" in page.locator("#status").inner_text()


def test_field_without_motion_shows_the_end_at_once(show):
    page = show("field", reduced_motion="reduce")
    page.get_by_role("button", name="Play").click()
    assert ask(page, "[demo.state.moves, Boolean(demo.playing)]") == [600, False]


# Value: chapter 02


@pytest.mark.parametrize("data", ["one", "two", "spike"])
@pytest.mark.parametrize(
    ("mean", "std"), [(1.0, 1.0), (0.0, 2.1), (-3.3, 0.3), (6.0, 1.0)]
)
def test_value_agrees_with_scipy(show, data, mean, std):
    page = show("value")
    hills = ask(page, "demo.constructor.REAL[x].hills", data)
    found = ask(page, "demo.constructor.evaluate(...x)", [hills, mean, std])

    def p(x):
        return sum(w * stats.norm(m, s).pdf(x) for w, m, s in hills)

    def below(x):
        return sum(w * stats.norm(m, s).cdf(x) for w, m, s in hills)

    q = stats.norm(mean, std)
    x = np.linspace(-30, 30, 600_001)
    both = [np.maximum(density, 1e-300) for density in (p(x), q.pdf(x))]
    parts = [f * np.log(2 * f / sum(both)) for f in both]
    jsd = integrate.trapezoid(sum(parts), x) / 2
    assert np.isclose(found["jsd"], jsd, atol=1e-6)
    assert np.isclose(found["v"], -np.log(4) + 2 * jsd, atol=1e-6)
    w1 = integrate.trapezoid(np.abs(below(x) - q.cdf(x)), x)
    assert np.isclose(found["w1"], w1, atol=1e-6)


def test_value_slopes_are_those_of_the_losses(show):
    page = show("value")
    hills = ask(page, "demo.constructor.REAL.two.hills")
    mean, std, h = 1.0, 0.8, 1e-4
    places = [mean, mean + h, mean - h]
    here, right, left = (
        ask(page, "demo.constructor.evaluate(...x)", [hills, place, std])
        for place in places
    )
    # Against the best D, the slope of the minimax loss is that of V(D*) itself.
    assert here["slope"]["minimax"] == pytest.approx((right["v"] - left["v"]) / 2 / h)
    assert here["slope"]["w1"] == pytest.approx((right["w1"] - left["w1"]) / 2 / h)

    # The non-saturating loss with D* held where it was.
    x = np.linspace(-20, 20, 400_001)
    real = sum(w * stats.norm(m, s).pdf(x) for w, m, s in hills)
    best = real / (real + stats.norm(mean, std).pdf(x))

    def loss(place):
        with np.errstate(divide="ignore"):
            surprise = np.where(best > 0, -np.log(best), 700)
        return integrate.trapezoid(stats.norm(place, std).pdf(x) * surprise, x)

    slope = (loss(mean + h) - loss(mean - h)) / 2 / h
    assert here["slope"]["ns"] == pytest.approx(slope, abs=1e-5)


def test_value_is_dragged_and_stretched(show):
    page = show("value", 390)
    settled(page)
    box = page.locator("#densities").bounding_box()
    place = """(({ X, Y }, at) => [X(at), Y(demo.height(at))])
        (demo.planes.densities, demo.state.mean + x)"""
    x, y = ask(page, place, 0)
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.down()
    page.mouse.move(box["x"] + x - 40, box["y"] + y)
    page.mouse.up()
    assert ask(page, "demo.state.mean") < 2
    std = ask(page, "demo.state.std")
    settled(page)
    x, y = ask(page, place, std)
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.down()
    page.mouse.move(box["x"] + x + 20, box["y"] + y)
    page.mouse.up()
    assert ask(page, "demo.state.std") > std


def test_value_far_away_one_loss_moves_and_the_other_does_not(show):
    page = show("value")
    ends = {}
    for loss in ("minimax", "ns"):
        page.get_by_role("button", name="Far away").click()
        page.locator("select[name=loss]").select_option(loss)
        page.evaluate(f"() => {{ for (let i = 0; i < 40; i++) {DEMO}.advance(16); }}")
        ends[loss] = ask(page, "demo.state.mean")
    assert ends["ns"] < 4.5 < 5.4 < ends["minimax"]


# Dial: chapter 01


def test_dial_has_the_slopes_of_chapter_01(show):
    page = show("dial")
    _, critic, forger = chapter_functions(
        "01_intuition", "sigmoid", "critic_slopes", "forger_slope"
    )
    rng = np.random.default_rng(0)
    for w, b in rng.normal(size=(3, 2)):
        x, z = rng.normal(2, 1, 64), rng.normal(-1, 1, 64)
        given = [w, b, x.tolist(), z.tolist()]
        found = ask(page, "demo.constructor.criticSlopes(...x)", given)
        assert np.allclose(found, critic(w, b, x, z))
        given = [w, b, z.tolist()]
        found = ask(page, "demo.constructor.forgerSlope(...x)", given)
        assert np.isclose(found, forger(w, b, z))


def test_dial_let_go_finds_the_originals(show):
    page = show("dial")
    page.get_by_label("let the slope turn the dial").check()
    thetas = page.evaluate(
        f"""() => {{
        const demo = {DEMO};
        for (let i = 0; i < 1500; i++) demo.update();
        return demo.past.slice(-300).map(([theta]) => theta);
    }}"""
    )
    # As in the chapter: within a quarter, on average, when it has come to rest.
    assert abs(np.mean(thetas) - 2) < 0.25


def test_dial_hides_the_originals_until_asked(show):
    page = show("dial")
    settled(page)
    canvas = page.locator("#game")
    hidden = canvas.screenshot()
    page.get_by_label("show the originals").check()
    settled(page)
    assert canvas.screenshot() != hidden


# Lab: chapters 01 and 03

GRADIENTS = """loss => {
    const { Game, Random, DATA, sample } = customElements.get("gan-lab");
    const game = new Game({ data: DATA.ring, loss, penalty: 0.7, units: 8, seed: 3 });
    const random = new Random(5);
    const real = sample(DATA.ring, 16, random), noise = random.normals(32);
    const synthetic = Float64Array.from(game.g.forward(noise, 16));
    const seed = game.random.state;
    const losses = {
        d: () => { game.random.state = seed; return game.dLoss(real, synthetic); },
        g: () => game.gLoss(noise, real),
    };
    const found = {};
    for (const [name, value] of Object.entries(losses)) {
        const { weights, gradient } = game[name];
        gradient.fill(0);
        value();
        const ours = [...gradient], h = 1e-6;
        const theirs = ours.map((_, i) => {
            const kept = weights[i], both = [kept + h, kept - h].map(w => {
                weights[i] = w;
                return value();
            });
            weights[i] = kept;
            return (both[0] - both[1]) / 2 / h;
        });
        found[name] = [ours, theirs];
    }
    return found;
}"""


@pytest.mark.parametrize("loss", ["ns", "minimax", "wgan", "r3"])
def test_lab_gradients_are_those_of_differences(show, loss):
    page = show("lab")
    for name, (ours, theirs) in page.evaluate(GRADIENTS, loss).items():
        assert np.abs(ours).max() > 1e-3, name
        assert np.abs(np.subtract(ours, theirs)).max() < 1e-7, name


def test_lab_penalties_matter_to_the_gradients(show):
    # The test above with a penalty that adds nothing would hold as well.
    page = show("lab")
    slopes = {}
    for penalty in (0, 0.7):
        script = GRADIENTS.replace("penalty: 0.7", f"penalty: {penalty}")
        slopes[penalty] = np.array(page.evaluate(script, "r3")["d"][0])
    assert np.abs(slopes[0.7] - slopes[0]).max() > 1e-2


def test_lab_counts_modes_by_the_ruler_of_the_book(show):
    page = show("lab")
    rng = np.random.default_rng(0)
    centres = ask(page, "demo.constructor.DATA.ring.centres")
    assert np.allclose(centres, toys.ring_centres(), atol=1e-6)
    for n, spread in [(400, 0.1), (400, 0.4), (37, 0.1)]:
        points = np.array(centres)[rng.integers(6, size=n)]
        points = points + spread * rng.normal(size=(n, 2))
        given = {"points": points.ravel().tolist()}
        call = """(({ modeScores, DATA }) =>
            modeScores(Float64Array.from(x.points), DATA.ring))(demo.constructor)"""
        found = ask(page, call, given)
        truth = mode_scores(points, centres=np.array(centres), std=0.1)
        assert found["modes"] == truth["modes"] == sum(found["covered"])
        assert np.isclose(found["quality"], truth["high quality"])
        assert np.isclose(found["spread"], truth["spread"])


def test_lab_energy_distance_is_that_of_its_definition(show):
    page = show("lab")
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(60, 2)), rng.normal(1, 1, size=(80, 2))
    call = "demo.constructor.energy(...x.map(p => Float64Array.from(p)))"
    found = ask(page, call, [a.ravel().tolist(), b.ravel().tolist()])
    within = [cdist(p, p).sum() / len(p) / (len(p) - 1) for p in (a, b)]
    assert np.isclose(found, 2 * cdist(a, b).mean() - sum(within))


def test_lab_covers_the_ring_within_ten_seconds_of_play(show):
    page = show("lab")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function(
        f"{DEMO}.moments.some(({{ scores }}) => scores.modes === 8)", timeout=10_000
    )


def test_lab_is_the_same_from_the_same_seed(show):
    page = show("lab")
    runs = [
        page.evaluate(
            """() => {
            const { Game, DATA } = customElements.get("gan-lab");
            const settings = { data: DATA.ring, loss: "r3", penalty: 0.1, seed: 4 };
            const game = new Game(settings);
            for (let i = 0; i < 5; i++) game.step();
            return [...game.g.weights];
        }"""
        )
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


def test_lab_goes_back_through_the_training_and_on_from_there(show):
    page = show("lab")
    weights = "[...demo.game.g.weights.slice(0, 20)]"
    start = ask(page, weights)
    for _ in range(6):
        page.get_by_role("button", name="Step").click()
    end, steps = ask(page, weights), ask(page, "demo.game.steps")
    assert steps == 3, "D and G move in turn"
    slider = page.get_by_label("back through the training")
    slider.focus()
    page.keyboard.press("Home")
    assert np.allclose(ask(page, weights), start, atol=1e-6)
    assert ask(page, "demo.game.steps") == 0
    page.keyboard.press("End")
    assert np.allclose(ask(page, weights), end, atol=1e-6)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Step").click()
    assert ask(page, "[demo.history.d.length, demo.game.steps, demo.phase]") == [
        2,
        2,
        1,
    ]
    assert ask(page, "demo.moments.length") == 6, "what came after is forgotten"


def test_lab_trains_on_what_the_reader_draws(show):
    page = show("lab")
    page.get_by_label("data").select_option("drawn")
    page.get_by_role("button", name="Play").click()
    settled(page)
    assert not ask(page, "demo.playing || demo.game.steps"), "nothing is drawn yet"
    box = page.locator("#world").bounding_box()
    x, y = box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=6)
    page.mouse.up()
    drawn = ask(page, "demo.own.points")
    assert len(drawn) >= 6
    assert all(-3 < px < 0 < py < 3 for px, py in drawn)
    page.locator("#world").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert np.allclose(ask(page, "demo.own.points.at(-1)"), [0.1, 0])
    page.get_by_role("button", name="Play").click()
    page.wait_for_function(f"{DEMO}.game.steps > 3")


def test_lab_slow_motion_moves_one_player_at_a_time(show):
    page = show("lab")
    page.get_by_label("speed").select_option("slow")
    turns = page.evaluate(
        f"""() => {{
        const demo = {DEMO}, turns = [];
        for (let i = 0; i < 4; i++) {{
            demo.advance(800);
            turns.push([demo.phase, demo.game.steps]);
        }}
        return turns;
    }}"""
    )
    assert turns == [[1, 0], [0, 1], [1, 1], [0, 2]]


def test_lab_without_motion_paints_once_a_second(show):
    page = show("lab", reduced_motion="reduce")
    page.evaluate(
        f"""() => {{
        const demo = {DEMO}, draw = demo.draw.bind(demo);
        window.painted = 0;
        demo.draw = () => {{ window.painted++; draw(); }};
    }}"""
    )
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(2_500)
    assert 1 <= page.evaluate("painted") <= 5
    assert ask(page, "demo.game.steps") > 10


def test_lab_keeps_up_with_the_eye(show):
    page = show("lab")
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(500)
    work = page.evaluate(
        f"""() => new Promise(done => {{
        const demo = {DEMO}, work = [];
        let spent = 0;
        for (const name of ["advance", "paint"]) {{
            const inner = demo[name].bind(demo);
            demo[name] = argument => {{
                const began = performance.now();
                inner(argument);
                spent += performance.now() - began;
            }};
        }}
        const frame = () => {{
            if (spent) work.push(spent);
            spent = 0;
            if (work.length < 60) requestAnimationFrame(frame);
            else done(work);
        }};
        requestAnimationFrame(frame);
    }})"""
    )
    # What others do meanwhile on a shared machine is in the slower frames.
    quick = np.quantile(work, 0.25)
    print(f"{quick:.1f} ms of work in a frame with 2 x 32 units")
    assert quick < 1000 / 30


# In the book


EMBEDDED = {
    "book/index": ["lab", "market"],
    "book/01_intuition": ["dial", "lab"],
    "book/02_minimax": ["value"],
    "book/03_dynamics": ["field", "lab"],
    "book/04_dcgan": ["latent"],
    "book/06_timegan": ["market"],
}


@pytest.mark.parametrize("path", sorted(EMBEDDED))
def test_page_shows_the_figure_as_a_link_to_the_demo(path):
    source = ROOT / f"{path}.ipynb"
    if source.exists():
        cells = read(source).cells
        text = "\n\n".join(c.source for c in cells if c.cell_type == "markdown")
    else:
        text = (ROOT / f"{path}.md").read_text(encoding="utf-8")
    site = "https://gan-notes.github.io/gan_notes"
    for name in EMBEDDED[path]:
        there = f"({site}/{path}.html#play-{name})"
        assert f"](_static/demos/{name}.svg)]{there}" in text
        # In Colab the picture may be missing; on the site this line is left out.
        assert f"[Play it on the site]{there}" in text or not source.exists()


def test_demos_link_to_chapters_that_exist():
    text = "".join(
        (FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in DEMOS
    )
    linked = set(re.findall(r"href='([^']+)\.html'", text))
    assert {"02_minimax", "03_dynamics"} <= linked
    assert all((ROOT / "book" / f"{name}.ipynb").exists() for name in linked)


def test_figures_are_light_and_say_what_they_show():
    words = {"dial": "your canvases", "field": "in turns", "value": "synthetic q"}
    for name in DEMOS:
        text = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
        assert len(text) < 120_000
        assert words.get(name, "synthetic") in text


def test_figures_are_what_their_script_draws(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book")
    import demo_figures

    assert demo_figures.FOLDER == FOLDER
    for name in ("lab", "market", "latent"):  # TensorFlow, seconds
        monkeypatch.setattr(demo_figures, name, demo_figures.dial)
    demo_figures.main(tmp_path)
    for name in set(DEMOS) - {"lab"}:
        drawn, kept = (
            (folder / f"{name}.svg").read_text(encoding="utf-8")
            for folder in (tmp_path, FOLDER)
        )
        texts = [
            [line.split(">")[1] for line in one.splitlines() if "<text" in line]
            for one in (drawn, kept)
        ]
        assert texts[0] == texts[1]


@pytest.mark.site
@pytest.mark.parametrize("path", sorted(EMBEDDED))
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_page_mounts_its_demos(html, browser, path, width):
    with tab(browser, width) as seen:
        seen.page.goto((html / f"{path}.html").as_uri())
        found = seen.page.evaluate(
            """() => [...document.querySelectorAll("article.bd-article *")]
            .filter(box => box.shadowRoot).map(box => [
                box.localName, box.id, box.getBoundingClientRect().right <= innerWidth,
                getComputedStyle(box.querySelector("img")).display])"""
        )
        seen.clean()
    names = [[f"gan-{name}", f"play-{name}", True] for name in EMBEDDED[path]]
    assert [mounted[:3] for mounted in found] == names


@pytest.mark.site
def test_other_pages_load_no_demo(html):
    for page in (html / "book").glob("*.html"):
        loads = "demos/stage.js" in page.read_text(encoding="utf-8")
        assert loads == (f"book/{page.stem}" in EMBEDDED), page.name


@pytest.mark.site
@pytest.mark.parametrize(
    ("path", "name", "width"),
    [("index", "lab", 1280), ("index", "lab", 390), ("01_intuition", "dial", 1280)],
)
def test_demo_begins_on_the_first_screen(html, browser, path, name, width):
    with tab(browser, width) as seen:
        seen.page.goto((html / "book" / f"{path}.html").as_uri())
        top = seen.page.locator(f"gan-{name} canvas").first.bounding_box()["y"]
        height = seen.page.viewport_size["height"]
    print(f"{path} at {width} px: the picture begins at {top:.0f} of {height} px")
    assert top + 190 <= height, "less than a picture is seen without scrolling"


@pytest.mark.site
@pytest.mark.parametrize("path", sorted(EMBEDDED))
def test_page_weighs_less_than_2_mb_without_mathjax(html, browser, path):
    with tab(browser, WIDTHS["wide"]) as seen:
        seen.page.goto((html / f"{path}.html").as_uri())
        seen.page.evaluate("document.fonts.ready.then(() => true)")
        seen.page.wait_for_timeout(200)
        icons = seen.page.evaluate(
            """() => [...document.fonts]
            .filter(face => face.status === "loaded").map(face => face.family)"""
        )
    assert any("Font Awesome" in family for family in icons), "icons are not shown"
    files = {unquote(urlsplit(url).path) for url in seen.asked if "mathjax" not in url}
    assert any(file.endswith("demos/stage.js") for file in files)
    weight = sum(Path(file).stat().st_size for file in files)
    print(f"{path}: {weight / 1e6:.2f} MB without MathJax")
    assert weight < 2e6
