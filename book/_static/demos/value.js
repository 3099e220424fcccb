// <gan-value>: what the game is worth against the best discriminator. Chapter 02.
//
// Real samples have density p, synthetic ones q, a Gaussian that the reader moves and
// stretches. Everything is computed by integration on a grid, nothing is sampled; a
// test holds the numbers to SciPy's.

"use strict";

{
  const { Stage, slider, choice, pushButton, minus, phi } = GanNotes;

  // Hills are [share, mean, deviation].
  const REAL = {
    one: { name: "one hill, N(0, 1)", hills: [[1, 0, 1]] },
    two: { name: "two hills", hills: [[0.5, -2, 0.6], [0.5, 2, 0.6]] },
    spike: { name: "a spike", hills: [[1, 0, 0.15]] },
  };

  const STEP = 0.02; // a fifth of the narrowest deviation: exact to ten digits
  const GRID = Float64Array.from({ length: 3001 }, (_, i) => (i - 1500) * STEP);

  const ROOT = Math.log(Math.sqrt(2 * Math.PI));
  const add = (a, b) => Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b))); // log(e^a + e^b)
  const softplus = (t) => Math.max(t, 0) + Math.log1p(Math.exp(-Math.abs(t)));
  const sigmoid = (t) => 1 / (1 + Math.exp(-t));

  const one = ([share, mean, std], x) => Math.log(share) - ((x - mean) / std) ** 2 / 2 - Math.log(std) - ROOT;
  const logDensity = (hills, x) => hills.map((hill) => one(hill, x)).reduce(add);
  // The slope of log density.
  const score = (hills, x) => {
    const whole = logDensity(hills, x);
    return hills.reduce((sum, hill) => sum - (Math.exp(one(hill, x) - whole) * (x - hill[1])) / hill[2] ** 2, 0);
  };

  const below = (hills, x) => hills.reduce((sum, [share, mean, std]) => sum + share * phi((x - mean) / std), 0);
  // The integral of `below` up to x.
  const belowAll = (hills, x) =>
    hills.reduce((sum, [share, mean, std]) => {
      const z = (x - mean) / std;
      return sum + share * std * (z * phi(z) + Math.exp(-(z ** 2) / 2 - ROOT));
    }, 0);

  // What the grid needs to know of the real hills, once for each.
  const known = new Map();
  function prepare(p) {
    if (!known.has(p)) {
      const over = (f) => GRID.map((x) => f(p, x));
      known.set(p, { log: over(logDensity), score: over(score), below: over(below) });
    }
    return known.get(p);
  }

  // W1 is the area between the distribution functions; its slope in the mean of q is the
  // mean over q of the sign of their gap. Where the gap changes sign, both are cut.
  function wasserstein(p, q) {
    const { below: real } = prepare(p);
    const gap = (x) => below(p, x) - below(q, x);
    const cuts = [GRID[0]];
    const stride = 5;
    let before = 0;
    for (let i = 0; i < GRID.length; i += stride) {
      const now = real[i] - below(q, GRID[i]);
      if (Math.abs(now) < 1e-14) continue; // both tails are over
      if (before * now < 0) {
        let [a, b] = [GRID[i - stride], GRID[i]];
        while (b - a > 1e-11) {
          const middle = (a + b) / 2;
          if (before * gap(middle) > 0) a = middle;
          else b = middle;
        }
        cuts.push((a + b) / 2);
      }
      before = now;
    }
    cuts.push(GRID[GRID.length - 1]);
    let [w1, slope] = [0, 0];
    for (let i = 0; i + 1 < cuts.length; i++) {
      const [a, b] = [cuts[i], cuts[i + 1]];
      const area = belowAll(p, b) - belowAll(q, b) - belowAll(p, a) + belowAll(q, a);
      w1 += Math.abs(area);
      if (Math.abs(area) > 1e-12) slope += Math.sign(area) * (below(q, b) - below(q, a));
    }
    return { w1, slope };
  }

  // All that the page shows, of real hills p and a generator mean + std z. Slopes are of
  // G's losses in the mean; `stretch` are those in the logarithm of the deviation.
  function evaluate(p, mean, std) {
    const real = prepare(p);
    const q = [[1, mean, std]];
    const height = -Math.log(std) - ROOT;
    let [v, jsd] = [0, 0];
    const slope = { minimax: 0, ns: 0 };
    const stretch = { minimax: 0, ns: 0 };
    for (let i = 0; i < GRID.length; i++) {
      const z = (GRID[i] - mean) / std;
      const lp = real.log[i];
      const lq = height - (z * z) / 2;
      if (lp < -80 && lq < -80) continue; // nobody is there
      const [fp, fq] = [Math.exp(lp) * STEP, Math.exp(lq) * STEP];
      const logit = lp - lq; // of the best D
      v -= fp * softplus(-logit) + fq * softplus(logit);
      const mixture = add(lp, lq) - Math.log(2);
      jsd += (fp * (lp - mixture) + fq * (lq - mixture)) / 2;
      const rise = real.score[i] + z / std; // of the logit in x
      const share = sigmoid(logit);
      slope.minimax -= fq * share * rise;
      slope.ns -= fq * (1 - share) * rise;
      stretch.minimax -= fq * share * rise * z * std;
      stretch.ns -= fq * (1 - share) * rise * z * std;
    }
    const distance = wasserstein(p, q);
    slope.w1 = distance.slope;
    return { v, jsd, w1: distance.w1, slope, stretch };
  }

  const LOSS = { minimax: "minimax", ns: "non-saturating", w1: "W1 (a perfect critic)" };
  const signed = (v) => minus(Math.abs(v) < 5e-4 && v !== 0 ? v.toExponential(0) : v.toFixed(3));

  class GanValue extends Stage {
    static title = "Value: the game against the best discriminator";
    static template = `
      <canvas id="densities" role="img"></canvas>
      <p id="status" role="status"></p>
      <div class="grid">
        ${slider("mean", "<b class=synthetic>move</b> q", { min: -6, max: 6, step: 0.05, value: 2.5 })}
        ${slider("std", "<b class=synthetic>stretch</b> q", { min: 0.1, max: 3, step: 0.05, value: 1 })}
        ${choice("data", "real samples", Object.fromEntries(Object.entries(REAL).map(([key, { name }]) => [key, name])))}
      </div>
      <div class="row">
        ${pushButton("toggle", "Play", { kind: "main", title: "G goes down its loss, D is at its best at every step" })}
        ${choice("loss", "G goes down", LOSS)}
        ${pushButton("away", "Far away")}${pushButton("home", "On the data")}
      </div>
      <dl>
        <div><dt>V(D*) <small>nats</small></dt><dd id="v"></dd></div>
        <div><dt>JSD <small>0 to log 2</small></dt><dd id="jsd"></dd></div>
        <div><dt>W1</dt><dd id="w1"></dd></div>
        <div><dt>slope: minimax</dt><dd id="minimax"></dd></div>
        <div><dt>non-saturating</dt><dd id="ns"></dd></div>
        <div><dt>W1, perfect critic</dt><dd id="slope"></dd></div>
      </dl>
      <div class="charts">
        <canvas id="distances" role="img"></canvas>
        <canvas id="slopes" role="img"></canvas>
      </div>
      <p class="soft">Both over the mean of q: left how far it is from the data, right how hard each loss pulls at G.</p>`;
    static style = `
      section { display: grid; gap: 0.7rem; }
      #densities { height: 230px; touch-action: pan-y; cursor: grab; }
      #distances, #slopes { height: 190px; }
      dl { grid-template-columns: repeat(3, 1fr); border-block: 1px solid var(--line); padding-block: 0.5rem; }
      .row .choice { flex-direction: row; align-items: center; gap: 0.4rem; }
      .charts { display: grid; gap: 0.75rem; grid-template-columns: minmax(0, 1fr); }
      #status { min-height: 2.8em; }
      @container (min-width: 560px) { .charts { grid-template-columns: 1fr 1fr; } #status { min-height: 1.4em; } }`;

    setup() {
      this.hand("densities", {
        put: ([x, y], pressed) => {
          const { mean, std } = this.state;
          if (pressed) {
            const { X } = this.planes.densities;
            const onHandle = Math.abs(Math.abs(x - mean) - std) * (X(1) - X(0)) < 18 && y < 0.85 * this.height(mean);
            this.grip = onHandle ? { stretch: true } : { from: x - mean };
            this.pause();
          } else if (this.grip.stretch) this.set({ std: Math.abs(x - mean) });
          else this.set({ mean: x - this.grip.from });
        },
      });
      this.coming = [];
      this.compute();
    }

    get p() {
      return REAL[this.state.data].hills;
    }

    height(x) {
      return Math.exp(logDensity([[1, this.state.mean, this.state.std]], x));
    }

    away() {
      this.set({ mean: 5.5, std: 0.6 });
    }
    home() {
      this.set({ mean: 0, std: { one: 1, two: 2.1, spike: 0.15 }[this.state.data] });
    }

    changed(name) {
      if (name === "data" || name === "std") this.coming = [];
      if (name !== "loss") this.compute();
    }

    compute() {
      const { mean, std } = this.state;
      this.now = evaluate(this.p, mean, std);
    }

    // The same over every place of the generator, for the two charts: some of them in
    // each frame, the old ones meanwhile.
    shape() {
      const began = performance.now();
      while (this.coming.length < 61 && performance.now() - began < 10) {
        const mean = -6 + 0.2 * this.coming.length;
        this.coming.push({ mean, ...evaluate(this.p, mean, this.state.std) });
      }
      if (this.coming.length === 61) this.curves = this.coming;
      else this.redraw();
      return this.curves ?? this.coming;
    }

    advance(milliseconds) {
      const { loss, mean, std } = this.state;
      const { slope, stretch } = this.now;
      const pace = Math.min(50, milliseconds) / 600;
      const step = (v) => Math.max(-0.2, Math.min(0.2, pace * v));
      this.exact ??= { mean, log: Math.log(std) };
      this.exact.mean -= step(slope[loss]);
      if (loss !== "w1") this.exact.log -= step(stretch[loss]);
      const [next, wide] = [this.exact.mean, Math.max(0.1, Math.min(3, Math.exp(this.exact.log)))];
      this.inputs.mean.value = next;
      this.inputs.std.value = wide;
      this.read(this.inputs.mean);
      this.read(this.inputs.std);
      Object.assign(this.state, { mean: next, std: wide }); // between the slider's notches
      this.compute();
      if (Math.abs(slope[loss]) < 1e-3 && Math.abs(stretch[loss] ?? 0) < 1e-3) this.pause();
    }

    play() {
      this.exact = null;
      super.play();
    }
    pause() {
      if (this.playing) this.coming = []; // the charts follow when the hill has settled
      super.pause();
    }

    draw() {
      this.drawDensities();
      this.drawDistances();
      this.drawSlopes();
      this.report();
    }

    drawDensities() {
      const { colour, p } = this;
      const { mean, std } = this.state;
      const q = [[1, mean, std]];
      const at = (f) => Array.from({ length: 321 }, (_, i) => [-8 + i * 0.05, f(-8 + i * 0.05)]);
      const density = (hills) => at((x) => Math.exp(logDensity(hills, x)));
      const [real, made] = [density(p), density(q)];
      const top = 1.45 * Math.min(1.4, Math.max(0.45, ...real.map(([, y]) => y), ...made.map(([, y]) => y)));
      const plane = this.plane("densities", [-8, 8], [0, top], { margin: [6, 34, 22, 8] });
      plane.axes({ xticks: [-8, -6, -4, -2, 0, 2, 4, 6, 8] });
      plane.area(real, { colour: colour.real, base: 0 });
      plane.line(real, { colour: colour.real });
      plane.line(made, { colour: colour.synthetic, dash: [7, 4], width: 2.5 });
      // D* on its own axis, on the right: 1 at the top of the frame.
      const share = (d) => (d * top) / 1.32;
      plane.line(at((x) => share(sigmoid(logDensity(p, x) - logDensity(q, x)))), { colour: colour.d, dash: [2, 4], width: 3 });
      for (const d of [0, 0.5, 1]) plane.text(String(d), [plane.box.right + 6, plane.Y(share(d))], { pixels: true, colour: colour.d });
      plane.line([[-8, share(0.5)], [8, share(0.5)]], { colour: colour.line, width: 1 });
      const peak = Math.min(this.height(mean), 0.97 * top);
      plane.dot([mean, peak], { colour: colour.synthetic, radius: 7, hollow: true, width: 2.5 });
      for (const side of [-1, 1]) {
        plane.dot([mean + side * std, Math.min(this.height(mean + std), 0.9 * top)], { colour: colour.synthetic, radius: 5, width: 2 });
      }
      plane.text("real p", [plane.box.left + 8, 16], { pixels: true, colour: colour.real, bold: true });
      plane.text("synthetic q: drag it, stretch it", [plane.box.left + 8, 34], { pixels: true, colour: colour.synthetic, bold: true });
      plane.text("D*(x)", [plane.box.right - 8, plane.Y(share(1)) - 9], { pixels: true, colour: colour.d, bold: true, align: "right" });
      this.find("densities").setAttribute(
        "aria-label",
        `Densities of real samples, ${REAL[this.state.data].name}, and of synthetic ones, mean ${mean.toFixed(2)}, deviation ${std.toFixed(2)}; the best discriminator between them.`,
      );
    }

    drawDistances() {
      const { colour } = this;
      const curves = this.shape();
      const plane = this.plane("distances", [-6, 6], [0, 0.78], { margin: [8, 30, 22, 32] });
      plane.axes({ xticks: [-6, -3, 0, 3, 6], yticks: [0, 0.2, 0.4, 0.6] });
      const top = Math.max(...curves.map(({ w1 }) => w1));
      const scale = 0.7 / top;
      plane.line([[-6, Math.log(2)], [6, Math.log(2)]], { colour: colour.line, width: 1 });
      plane.line(curves.map(({ mean, jsd }) => [mean, jsd]), { colour: colour.synthetic, width: 2.5 });
      plane.line(curves.map(({ mean, w1 }) => [mean, w1 * scale]), { colour: colour.soft, dash: [6, 4] });
      plane.text(top.toFixed(1), [plane.box.right + 4, plane.Y(0.7)], { pixels: true });
      plane.text("0", [plane.box.right + 4, plane.Y(0)], { pixels: true });
      plane.text("JSD", [38, 12], { pixels: true, colour: colour.synthetic, bold: true });
      plane.text("W1 (right axis)", [plane.box.right - 4, 12], { pixels: true, align: "right" });
      plane.dot([this.state.mean, this.now.jsd], { colour: colour.synthetic, radius: 5 });
      plane.dot([this.state.mean, this.now.w1 * scale], { colour: colour.soft, radius: 5, hollow: true });
      this.find("distances").setAttribute("aria-label", `Over the place of the generator: JSD is flat where the hills do not meet, W1 keeps rising. Here JSD ${this.now.jsd.toFixed(3)}, W1 ${this.now.w1.toFixed(3)}.`);
    }

    drawSlopes() {
      const { colour, now } = this;
      const curves = this.shape();
      const plane = this.plane("slopes", [-6, 6], [-3, 3], { margin: [8, 10, 22, 32] });
      plane.axes({ xticks: [-6, -3, 0, 3, 6], yticks: [-2, 0, 2] });
      plane.line([[-6, 0], [6, 0]], { colour: colour.line, width: 1 });
      const styles = {
        minimax: { colour: colour.synthetic, width: 2.5 },
        ns: { colour: colour.synthetic, dash: [7, 4] },
        w1: { colour: colour.soft, dash: [3, 3], width: 1.5 },
      };
      for (const [name, style] of Object.entries(styles)) plane.line(curves.map(({ mean, slope }) => [mean, slope[name]]), style);
      for (const name of Object.keys(styles)) {
        const y = Math.max(-2.9, Math.min(2.9, now.slope[name]));
        plane.dot([this.state.mean, y], { colour: styles[name].colour, radius: 4, hollow: name !== "minimax" });
      }
      plane.text("slope of G's loss", [38, 12], { pixels: true });
      plane.text("— minimax  - - non-saturating", [38, 28], { pixels: true, colour: colour.synthetic });
      this.find("slopes").setAttribute("aria-label", `Slopes of the generator's losses in its place: minimax ${signed(now.slope.minimax)}, non-saturating ${signed(now.slope.ns)}, W1 ${signed(now.slope.w1)}.`);
    }

    report() {
      const { v, jsd, w1, slope } = this.now;
      const show = (name, text) => (this.find(name).textContent = text);
      show("v", signed(v));
      show("jsd", jsd.toFixed(3));
      show("w1", w1.toFixed(3));
      show("minimax", signed(slope.minimax));
      show("ns", signed(slope.ns));
      show("slope", signed(slope.w1));
      const share = jsd / Math.log(2);
      const says =
        share > 0.97
          ? "The hills hardly meet: D* is sure everywhere, and the minimax slope has all but gone."
          : share < 0.01
            ? "D* says about one half wherever samples fall: the generator has won."
            : `D* is above one half where the real hill is the higher one; the minimax slope is ${Math.abs(slope.minimax) < Math.abs(slope.ns) ? "weaker" : "stronger"} than the non-saturating one.`;
      this.tell(`−log 4 + 2 JSD = ${signed(-Math.log(4) + 2 * jsd)}, the value V(D*). ${says}`);
    }
  }

  Object.assign(GanValue, { evaluate, REAL }); // for the tests
  customElements.define("gan-value", GanValue);
}
