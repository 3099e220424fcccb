// <gan-lab>: a GAN in the plane, trained while you watch. Chapters 01 and 03.
//
// The networks, their gradients and Adam are written out below, in typed arrays; a test
// checks every gradient against differences. Attributes preset the controls:
// <gan-lab data="moons" loss="r3" dsteps="2">.

"use strict";

{
  const { Stage, Random, slider, choice, pushButton } = GanNotes;

  // Two products of matrices, row by row in flat arrays. Four rows at a time, five times
  // as fast as one by one, so n is a multiple of four.
  // x (n, a) times the transpose of w (b, a): (n, b). Two outputs at a time save another
  // third; the last one of an odd number is its own neighbour.
  function product(x, w, n, a, b) {
    const out = new Float64Array(n * b);
    for (let r = 0; r < n; r += 4) {
      const [x0, x1, x2, x3] = [r * a, (r + 1) * a, (r + 2) * a, (r + 3) * a];
      for (let j = 0; j < b; j += 2) {
        const next = Math.min(j + 1, b - 1);
        let s0 = 0, s1 = 0, s2 = 0, s3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
        for (let i = 0, k = j * a, l = next * a; i < a; i++, k++, l++) {
          const v0 = x[x0 + i], v1 = x[x1 + i], v2 = x[x2 + i], v3 = x[x3 + i];
          const s = w[k], t = w[l];
          s0 += v0 * s;
          s1 += v1 * s;
          s2 += v2 * s;
          s3 += v3 * s;
          t0 += v0 * t;
          t1 += v1 * t;
          t2 += v2 * t;
          t3 += v3 * t;
        }
        const to = r * b + j, beside = r * b + next;
        out[to] = s0;
        out[to + b] = s1;
        out[to + 2 * b] = s2;
        out[to + 3 * b] = s3;
        out[beside] = t0;
        out[beside + b] = t1;
        out[beside + 2 * b] = t2;
        out[beside + 3 * b] = t3;
      }
    }
    return out;
  }

  // Add the transpose of y (n, b) times x (n, a) to `sum` (b, a).
  function addProduct(sum, y, x, n, a, b) {
    for (let r = 0; r < n; r += 4) {
      const [x0, x1, x2, x3] = [r * a, (r + 1) * a, (r + 2) * a, (r + 3) * a];
      for (let j = 0; j < b; j++) {
        const from = r * b + j;
        const [y0, y1, y2, y3] = [y[from], y[from + b], y[from + 2 * b], y[from + 3 * b]];
        for (let i = 0, k = j * a; i < a; i++, k++) {
          sum[k] += y0 * x[x0 + i] + y1 * x[x1 + i] + y2 * x[x2 + i] + y3 * x[x3 + i];
        }
      }
    }
  }

  function transpose(w, a, b) {
    const out = new Float64Array(a * b);
    for (let j = 0; j < b; j++) for (let i = 0; i < a; i++) out[i * b + j] = w[j * a + i];
    return out;
  }

  // A multilayer perceptron with leaky ReLU; a batch is n rows, n a multiple of four.
  const LEAK = 0.2;
  class Network {
    constructor(sizes, random) {
      const length = sizes.slice(1).reduce((sum, outputs, l) => sum + (sizes[l] + 1) * outputs, 0);
      this.weights = new Float64Array(length);
      this.gradient = new Float64Array(length);
      let place = 0;
      const take = (array, n) => array.subarray(place, place + n);
      this.layers = sizes.slice(1).map((b, l) => {
        const [a, last] = [sizes[l], l === sizes.length - 2];
        const layer = { a, b, w: take(this.weights, a * b), dw: take(this.gradient, a * b) };
        place += a * b;
        Object.assign(layer, { bias: take(this.weights, b), dbias: take(this.gradient, b) });
        place += b;
        const spread = Math.sqrt((last ? 1 : 2 / (1 + LEAK * LEAK)) / a);
        for (let k = 0; k < a * b; k++) layer.w[k] = spread * random.normal();
        if (!last) for (let j = 0; j < b; j++) layer.bias[j] = 0.5 * random.normal();
        return layer;
      });
    }

    // Return the outputs of n rows; what `backward` needs is kept.
    forward(x, n) {
      this.n = n;
      this.values = [x];
      for (const [l, { a, b, w, bias }] of this.layers.entries()) {
        const to = product(this.values[l], w, n, a, b);
        for (let k = 0; k < to.length; k += b) for (let j = 0; j < b; j++) to[k + j] += bias[j];
        // Leaky ReLU keeps signs, so the values say later which units were open.
        if (l < this.layers.length - 1) for (let k = 0; k < to.length; k++) if (to[k] < 0) to[k] *= LEAK;
        this.values.push(to);
      }
      return this.values[this.layers.length];
    }

    // Multiply by the slope of the activation before layer l, in place.
    gate(l, v) {
      const values = this.values[l];
      for (let k = 0; k < v.length; k++) if (values[k] < 0) v[k] *= LEAK;
      return v;
    }

    // Back from the loss's slopes in the outputs: return those in the inputs, add those
    // in the weights to `gradient` (unless `inputsOnly`), and keep the slopes between.
    backward(slopes, { inputsOnly = false } = {}) {
      this.slopes = [];
      for (let l = this.layers.length - 1; l >= 0; l--) {
        const { a, b, w, dw, dbias } = this.layers[l];
        this.slopes[l] = slopes;
        if (!inputsOnly) {
          addProduct(dw, slopes, this.values[l], this.n, a, b);
          for (let k = 0; k < slopes.length; k += b) for (let j = 0; j < b; j++) dbias[j] += slopes[k + j];
        }
        const back = product(slopes, transpose(w, a, b), this.n, b, a);
        slopes = l ? this.gate(l, back) : back;
      }
      return slopes;
    }

    // The second derivative that penalties need. `forward` and `backward` (with slopes 1,
    // inputsOnly) have found s = dD/dx of each row; a penalty P of s has slopes u = dP/ds.
    // Between its kinks the network is linear, so s is a product: s = W1 m1 W2 m2 w3, with
    // m the gates. Its derivative in one factor is what stands left of it (u, sent forward
    // through the same gates) times what stands right of it (the slopes of `backward`).
    // Biases only move kinks: no slope, almost everywhere.
    backwardSlopes(u) {
      for (const [l, { a, b, w, dw }] of this.layers.entries()) {
        addProduct(dw, this.slopes[l], u, this.n, a, b);
        const on = product(u, w, this.n, a, b);
        u = l < this.layers.length - 1 ? this.gate(l + 1, on) : on;
      }
    }
  }

  // Adam, Kingma and Ba (2015), algorithm 1.
  class Adam {
    constructor(network, beta1, beta2) {
      Object.assign(this, { network, beta1, beta2, t: 0 });
      this.mean = new Float64Array(network.weights.length);
      this.square = new Float64Array(network.weights.length);
    }
    step(rate) {
      const { network, beta1, beta2, mean, square } = this;
      const { weights, gradient } = network;
      this.t++;
      const [one, two] = [1 - beta1 ** this.t, 1 - beta2 ** this.t];
      for (let i = 0; i < weights.length; i++) {
        mean[i] += (1 - beta1) * (gradient[i] - mean[i]);
        square[i] += (1 - beta2) * (gradient[i] ** 2 - square[i]);
        weights[i] -= (rate * mean[i]) / one / (Math.sqrt(square[i] / two) + 1e-8);
      }
    }
  }

  const sigmoid = (t) => 1 / (1 + Math.exp(-t));
  const softplus = (t) => Math.max(t, 0) + Math.log1p(Math.exp(-Math.abs(t)));

  // The losses: of one real and one synthetic logit, [value, slope in r, slope in s].
  // `penalty` is paid by D for its slopes in x: `on` what, and of a squared norm
  // [value, derivative].
  const half = (square) => [square / 2, 1 / 2]; // R1, R2: half the square
  const one = (square) => {
    const norm = Math.sqrt(square + 1e-12);
    return [(norm - 1) ** 2, (norm - 1) / norm];
  };
  const classifier = (r, s) => [softplus(-r) + softplus(s), -sigmoid(-r), sigmoid(s)];
  const LOSSES = {
    ns: {
      name: "non-saturating",
      d: classifier,
      g: (r, s) => [softplus(-s), 0, -sigmoid(-s)],
      penalty: { on: ["real"], of: half, name: "R1 weight γ", usual: 0 },
      says: "<b class=d>D</b> raises log D(x) + log(1 − D(G(z))), <b class=synthetic>G</b> raises log D(G(z)): the pull is strongest where D is sure that a sample is synthetic (<a href='02_minimax.html'>chapter 02</a>).",
    },
    minimax: {
      name: "minimax",
      d: classifier,
      g: (r, s) => [-softplus(s), 0, -sigmoid(s)],
      penalty: { on: ["real"], of: half, name: "R1 weight γ", usual: 0 },
      says: "<b class=d>D</b> raises log D(x) + log(1 − D(G(z))), <b class=synthetic>G</b> lowers the very same: zero-sum, and its pull dies where D is sure that a sample is synthetic (<a href='02_minimax.html'>chapter 02</a>).",
    },
    wgan: {
      name: "WGAN-GP",
      d: (r, s) => [s - r, -1, 1],
      g: (r, s) => [-s, 0, -1],
      penalty: { on: ["between"], of: one, name: "penalty weight λ", usual: 0.1 },
      says: "<b class=d>D</b> is a critic: it raises D(x) − D(G(z)) and pays λ(slope − 1)² between real and synthetic points. <b class=synthetic>G</b> raises D(G(z)): a Wasserstein distance (<a href='02_minimax.html'>chapter 02</a>).",
    },
    r3: {
      name: "R3 (R1 + R2)",
      d: (r, s) => [softplus(s - r), -sigmoid(s - r), sigmoid(s - r)],
      g: (r, s) => [softplus(r - s), sigmoid(r - s), -sigmoid(r - s)],
      penalty: { on: ["real", "synthetic"], of: half, name: "R1 + R2 weight γ", usual: 0.05 },
      says: "<b class=d>D</b> compares: it lowers log(1 + e^(D(G(z)) − D(x))) and pays γ/2 · slope² at real and at synthetic points, friction at both. <b class=synthetic>G</b> lowers the same with the pair exchanged (<a href='03_dynamics.html'>chapter 03</a>).",
    },
  };

  // The data, all within the square from -3 to 3. `centres` are modes to be counted.
  const spots = (centres, std) => ({
    centres,
    std,
    draw(random) {
      const [x, y] = centres[Math.floor(random.uniform() * centres.length)];
      return [x + std * random.normal(), y + std * random.normal()];
    },
  });
  const around = Array.from({ length: 8 }, (_, i) => [2 * Math.cos((i * Math.PI) / 4), 2 * Math.sin((i * Math.PI) / 4)]);
  const steps = [-2, -1, 0, 1, 2];
  const DATA = {
    ring: { name: "ring of 8", ...spots(around, 0.1) },
    grid: { name: "grid of 25", ...spots(steps.flatMap((x) => steps.map((y) => [x, y])), 0.1) },
    moons: {
      name: "two moons",
      draw(random) {
        const [angle, up] = [Math.PI * random.uniform(), random.uniform() < 0.5 ? 1 : -1];
        const x = 1.5 * Math.cos(angle) - 0.75 * up;
        const y = up * (1.5 * Math.sin(angle) - 0.4);
        return [x + 0.1 * random.normal(), y + 0.1 * random.normal()];
      },
    },
    drawn: {
      name: "draw your own",
      points: [],
      draw(random) {
        const [x, y] = this.points[Math.floor(random.uniform() * this.points.length)] || [0, 0];
        return [x + 0.06 * random.normal(), y + 0.06 * random.normal()];
      },
    },
  };
  function sample(data, n, random) {
    const points = new Float64Array(2 * n);
    for (let i = 0; i < n; i++) [points[2 * i], points[2 * i + 1]] = data.draw(random);
    return points;
  }

  // One training: both players, their optimizers, and the two updates.
  const NOISE = 2;
  class Game {
    constructor({ data, loss = "ns", penalty = 0, dSteps = 1, units = 32, rate = 0.003, batch = 64, seed = 1 }) {
      const random = new Random(seed);
      Object.assign(this, { data, loss, penalty, dSteps, rate, batch, random });
      this.g = new Network([NOISE, units, units, 2], random);
      this.d = new Network([2, units, units, 1], random);
      this.adam = { g: new Adam(this.g, 0.5, 0.9), d: new Adam(this.d, 0.5, 0.9) };
      this.steps = 0;
    }

    // D's loss on these points; its slopes are added to d.gradient.
    dLoss(real, synthetic) {
      const { d, penalty, random } = this;
      const [n, { d: loss, penalty: rule }] = [real.length / 2, LOSSES[this.loss]];
      const both = new Float64Array(4 * n);
      both.set(real);
      both.set(synthetic, 2 * n);
      const logits = d.forward(both, 2 * n);
      const slopes = new Float64Array(2 * n);
      let total = 0;
      for (let i = 0; i < n; i++) {
        const [value, r, s] = loss(logits[i], logits[n + i]);
        total += value / n;
        slopes[i] = r / n;
        slopes[n + i] = s / n;
      }
      d.backward(slopes);
      if (!penalty) return total;
      const between = () => {
        const mixed = new Float64Array(2 * n);
        for (let i = 0; i < n; i++) {
          const mix = random.uniform(); // uniform: a normal weight would leave the segment
          for (const k of [2 * i, 2 * i + 1]) mixed[k] = mix * real[k] + (1 - mix) * synthetic[k];
        }
        return mixed;
      };
      const places = { real: () => real, synthetic: () => synthetic, between };
      for (const place of rule.on) total += penalty * this.slopePenalty(places[place](), rule.of);
      return total;
    }

    // The mean over points of `of` D's squared slope there.
    slopePenalty(points, of) {
      const { d, penalty } = this;
      const n = points.length / 2;
      d.forward(points, n);
      const slopes = d.backward(new Float64Array(n).fill(1), { inputsOnly: true });
      const u = new Float64Array(2 * n);
      let total = 0;
      for (let i = 0; i < n; i++) {
        const [value, derivative] = of(slopes[2 * i] ** 2 + slopes[2 * i + 1] ** 2);
        total += value / n;
        u[2 * i] = ((2 * penalty) / n) * derivative * slopes[2 * i];
        u[2 * i + 1] = ((2 * penalty) / n) * derivative * slopes[2 * i + 1];
      }
      d.backwardSlopes(u);
      return total;
    }

    // G's loss with this noise; its slopes are added to g.gradient. Kept: where the
    // samples were, and the slope at each, which is all that G hears of D.
    gLoss(z, real) {
      const { g, d } = this;
      const [n, loss] = [z.length / NOISE, LOSSES[this.loss].g];
      // Only a relativistic G looks at D's opinion of real points.
      const r = this.loss === "r3" ? d.forward(real, n) : null;
      this.samples = g.forward(z, n);
      const s = d.forward(this.samples, n);
      const slopes = new Float64Array(n);
      let total = 0;
      for (let i = 0; i < n; i++) {
        const [value, , slope] = loss(r ? r[i] : 0, s[i]);
        total += value / n;
        slopes[i] = slope / n;
      }
      this.pull = d.backward(slopes, { inputsOnly: true });
      g.backward(this.pull);
      return total;
    }

    updateD() {
      const real = sample(this.data, this.batch, this.random);
      const synthetic = this.g.forward(this.random.normals(NOISE * this.batch), this.batch);
      this.d.gradient.fill(0);
      const value = this.dLoss(real, synthetic);
      this.adam.d.step(this.rate);
      return value;
    }

    updateG() {
      const real = this.loss === "r3" ? sample(this.data, this.batch, this.random) : null;
      this.g.gradient.fill(0);
      const value = this.gLoss(this.random.normals(NOISE * this.batch), real);
      this.adam.g.step(this.rate);
      this.steps++;
      return value;
    }

    step() {
      let d;
      for (let i = 0; i < this.dSteps; i++) d = this.updateD();
      return { d, g: this.updateG() };
    }

    // Everything that a later moment needs to go on from this one.
    save() {
      const keep = (array) => Float32Array.from(array);
      const player = (name) => {
        const { mean, square, t, network } = this.adam[name];
        return { weights: keep(network.weights), mean: keep(mean), square: keep(square), t };
      };
      return { steps: this.steps, g: player("g"), d: player("d") };
    }
    load(saved) {
      this.steps = saved.steps;
      for (const name of ["g", "d"]) {
        const adam = this.adam[name];
        adam.network.weights.set(saved[name].weights);
        adam.mean.set(saved[name].mean);
        adam.square.set(saved[name].square);
        adam.t = saved[name].t;
      }
    }
  }

  // The rule of gan_notes.evaluation.distances.mode_scores: a point is good within three
  // deviations of a centre, a mode is covered where at least a quarter of its fair share
  // of all points are good there.
  function modeScores(points, { centres, std }) {
    const n = points.length / 2;
    const found = new Array(centres.length).fill(0);
    let [good, squares] = [0, 0];
    for (let i = 0; i < n; i++) {
      let [nearest, gap] = [0, Infinity];
      for (let c = 0; c < centres.length; c++) {
        const away = Math.hypot(points[2 * i] - centres[c][0], points[2 * i + 1] - centres[c][1]);
        if (away < gap) [nearest, gap] = [c, away];
      }
      if (gap < 3 * std) {
        found[nearest]++;
        good++;
        squares += gap ** 2;
      }
    }
    const covered = found.map((count) => count / n >= 1 / 4 / centres.length);
    return {
      modes: covered.filter(Boolean).length,
      quality: good / n,
      spread: Math.sqrt(squares / good / 2) / std,
      covered,
    };
  }

  // Energy distance: twice the mean distance across, less those within. 0 for equal laws.
  function energy(a, b) {
    const mean = (p, q) => {
      let total = 0;
      for (let i = 0; i < p.length; i += 2) {
        for (let j = 0; j < q.length; j += 2) total += Math.sqrt((p[i] - q[j]) ** 2 + (p[i + 1] - q[j + 1]) ** 2);
      }
      return (4 * total) / p.length / q.length;
    };
    const same = (p) => (mean(p, p) * p.length) / (p.length - 2); // a point is no pair
    return 2 * mean(a, b) - same(a) - same(b);
  }

  // ---- The element

  const VIEW = 3;
  const HEAT = 48; // the landscape is computed on so many places a side, drawn smooth
  const SHOWN = 400;
  const JUDGED = 512;
  const MOMENTS = 240; // kept for the slider back; beyond, every other is dropped
  const BUDGET = 12; // milliseconds of training in a frame, fewer where drawing is slow
  const FRAME = 30; // milliseconds that training and drawing may take together
  const LOOK = 80; // milliseconds between two looks at all but the points, which move in each

  const hex = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  const percent = (share) => `${Math.round(100 * share)} %`;
  const count = (n) => n.toLocaleString("en-GB");

  class GanLab extends Stage {
    static title = "Lab: a GAN trained in this page";
    static template = `
      <div class="stage">
        <div class="world">
          <canvas id="world" tabindex="0" role="application"></canvas>
          <p class="row legend">
            <span class="real">● real</span><span class="synthetic">○ synthetic</span>
            <span><span class="synthetic">synthetic</span> <i class="bar"></i> <span class="real">real</span>: what <b class="d">D</b> says</span>
          </p>
        </div>
        <div class="side">
          <div class="row">
            ${pushButton("toggle", "Play", { kind: "main" })}
            ${pushButton("one", "Step", { title: "D moves, then G: one of them at a time" })}
            ${pushButton("again", "New start", { title: "New weights, step 0" })}
          </div>
          ${slider("time", "back through the training", { min: 0, max: 0, step: 1, value: 0 })}
          <div class="grid">
            ${choice("data", "data", Object.fromEntries(Object.entries(DATA).map(([key, { name }]) => [key, name])))}
            ${choice("loss", "loss", Object.fromEntries(Object.entries(LOSSES).map(([key, { name }]) => [key, name])))}
            ${choice("speed", "speed", { fast: "fast", normal: "a step a frame", slow: "slow motion" })}
            ${choice("units", "units in 2 layers", { 16: "2 × 16", 32: "2 × 32", 64: "2 × 64" })}
            ${slider("dsteps", "D steps", { min: 1, max: 10, step: 1, value: 1 })}
            ${slider("penalty", '<span id="penaltyname">penalty</span>', { min: 0, max: 80, step: 1, value: 0 })}
            ${slider("rate", "learning rate", { min: 0, max: 40, step: 1, value: 20 })}
            <label class="check"><input type="checkbox" name="arrows"> where D sends G</label>
          </div>
          <dl>
            <div><dt>modes covered</dt><dd id="modes"></dd></div>
            <div><dt>within 3 deviations</dt><dd id="quality"></dd></div>
            <div><dt>spread within modes</dt><dd id="spread"></dd></div>
            <div><dt>distance to the data</dt><dd id="energy"></dd></div>
            <div><dt>D ranks real higher</dt><dd id="ranks"></dd></div>
            <div><dt>speed</dt><dd id="pace"></dd></div>
          </dl>
          <p id="theory" class="soft"></p>
        </div>
        <div class="charts">
          <canvas id="losses" role="img"></canvas>
          <canvas id="story" role="img"></canvas>
        </div>
      </div>
      <p id="status" role="status"></p>`;
    static style = `
      section { display: grid; gap: 0.6rem; }
      .stage { display: grid; gap: 0.75rem 1rem; grid-template-columns: minmax(0, 1fr); }
      .side { display: grid; gap: 0.6rem; align-content: start; }
      #world { aspect-ratio: 1; }
      .drawing #world { touch-action: none; cursor: crosshair; }
      .legend { gap: 0.2rem 0.9rem; margin-top: 0.3rem; }
      .bar { display: inline-block; width: 3.5rem; height: 0.7em; border-radius: 2px; border: 1px solid var(--line);
        background: linear-gradient(to right, var(--synthetic), var(--paper), var(--real)); }
      .grid { grid-template-columns: repeat(auto-fit, minmax(7.4rem, 1fr)); gap: 0.4rem 0.9rem; align-items: end; }
      dl { border-block: 1px solid var(--line); padding-block: 0.5rem; }
      .charts { display: grid; grid-template-columns: 1fr 1fr; gap: 0.6rem; }
      #losses, #story { height: 104px; }
      #status { min-height: 1.4em; font-weight: 600; }
      @container (min-width: 600px) {
        .stage { grid-template: auto 1fr / minmax(0, 1.12fr) minmax(0, 1fr); }
        .side { grid-row: 1 / 3; grid-column: 2; }
      }`;

    setup() {
      this.seed = 1;
      this.own = { ...DATA.drawn, points: [] };
      this.cursor = [0, 0];
      this.noise = new Random(7).normals(NOISE * JUDGED);
      this.listen();
      const preset = Object.keys(this.inputs).filter((name) => this.hasAttribute(name));
      this.set({ rate: 0.003, loss: "ns", units: "32" });
      for (const name of preset) this.set({ [name]: this.getAttribute(name) });
      this.restart();
    }

    listen() {
      const world = this.find("world");
      const ready = () => this.state.data === "drawn";
      const step = (way) => {
        this.cursor = this.cursor.map((v, i) => Math.max(-VIEW, Math.min(VIEW, v + way[i])));
        this.redraw();
      };
      this.hand("world", { put: (place) => this.add(place), step, ready });
      world.addEventListener("keydown", (event) => {
        if (!ready() || ![" ", "Enter"].includes(event.key)) return;
        event.preventDefault();
        this.add(this.cursor);
      });
      for (const type of ["focus", "blur"]) world.addEventListener(type, () => this.redraw());
    }

    // A spot of the reader's own; the training goes on with it.
    add(place) {
      this.own.points.push(place);
      this.lookAtData();
      this.redraw();
    }

    scale(name, at) {
      if (name === "penalty") return at ? 10 ** (at / 20 - 3) : 0; // .001 to 10
      if (name === "rate") return 3e-4 * 10 ** (at / 20); // .0003 to .03
      return at;
    }
    unscale(name, value) {
      if (name === "penalty") return Number(value) ? 20 * (Math.log10(value) + 3) : 0;
      if (name === "rate") return 20 * Math.log10(value / 3e-4);
      return value;
    }
    say(name, value) {
      if (name === "time") return this.game ? `step ${count(this.game.steps)}` : "";
      return name === "dsteps" || !value ? String(value) : String(Number(value.toPrecision(2)));
    }

    changed(name) {
      const { loss, data } = this.state;
      if (name === "loss") {
        const { penalty, says } = LOSSES[loss];
        this.find("penaltyname").textContent = penalty.name;
        this.find("theory").innerHTML = says;
        if (this.state.penalty !== penalty.usual) this.set({ penalty: penalty.usual });
      }
      if (name === "time") return this.moment(this.state.time);
      if (name === "data" || name === "units") return this.restart();
      if (this.game) Object.assign(this.game, this.settings());
      this.find("world").parentElement.classList.toggle("drawing", data === "drawn");
    }

    settings() {
      const { loss, penalty, dsteps, rate } = this.state;
      return { loss, penalty, rate, dSteps: dsteps };
    }

    again() {
      this.seed++;
      if (this.state.data === "drawn" && !this.game.steps) this.own.points.length = 0;
      this.restart();
    }

    // New weights, step 0.
    restart() {
      const { data, units } = this.state;
      this.data = data === "drawn" ? this.own : DATA[data];
      this.game = new Game({ ...this.settings(), data: this.data, units: Number(units), seed: this.seed });
      this.phase = 0;
      this.history = { d: [], g: [] };
      this.moments = [];
      this.find("world").parentElement.classList.toggle("drawing", data === "drawn");
      this.lookAtData();
      this.remember();
      this.redraw();
    }

    get empty() {
      return Boolean(this.data.points && !this.data.points.length);
    }

    lookAtData() {
      this.real = sample(this.data, JUDGED, new Random(11));
    }

    // Playing goes on from the moment shown; what came after it is forgotten.
    play() {
      if (this.playing) return;
      this.forget();
      super.play();
    }

    pause() {
      if (this.playing) this.remember();
      super.pause();
    }

    one() {
      if (this.playing) this.pause();
      this.forget();
      this.half();
      this.remember();
    }

    forget() {
      this.moments.length = this.state.time + 1;
      for (const losses of Object.values(this.history)) losses.length = this.game.steps;
    }

    // One of the players moves.
    half() {
      const { game } = this;
      if (this.phase < game.dSteps) {
        this.lastD = game.updateD();
        this.phase++;
        return "d";
      }
      this.history.d.push(this.lastD);
      this.history.g.push(game.updateG());
      this.phase = 0;
      return "g";
    }

    advance(milliseconds) {
      if (this.empty) return this.pause();
      const { speed } = this.state;
      const before = this.game.steps;
      const began = performance.now();
      if (speed === "slow") {
        this.wait = (this.wait ?? 0) - milliseconds;
        if (this.wait > 0) return;
        this.wait = 700;
        this.half();
        this.remember();
      } else {
        do {
          while (this.half() === "d"); // D's updates, then G's one
        } while (speed === "fast" && performance.now() - began < this.budget);
      }
      const pace = (1000 * (this.game.steps - before)) / Math.max(1, milliseconds);
      this.pace = this.pace ? 0.95 * this.pace + 0.05 * pace : pace; // smoothly
      if (began - (this.remembered ?? 0) > LOOK) this.remember();
    }

    // Keep this moment for the slider, and judge it.
    remember() {
      const { moments, game, inputs } = this;
      this.remembered = performance.now();
      const moment = { ...game.save(), phase: this.phase, scores: this.judge() };
      const last = moments[moments.length - 1];
      if (last?.steps === game.steps && last.phase === this.phase) moments.pop();
      moments.push(moment);
      if (moments.length > MOMENTS) this.moments = moments.filter((_, i) => i % 2 === 0 || i === moments.length - 1);
      inputs.time.max = this.moments.length - 1;
      inputs.time.value = this.moments.length - 1;
      this.read(inputs.time);
    }

    // Show a moment of the past.
    moment(index) {
      if (this.playing) this.pause();
      const moment = this.moments[Math.min(index, this.moments.length - 1)];
      this.game.load(moment);
      this.phase = moment.phase;
      this.inputs.time.value = index;
      this.read(this.inputs.time);
    }

    judge() {
      const { game, data, noise, real } = this;
      const made = game.g.forward(noise, JUDGED);
      const [r, s] = [game.d.forward(real, JUDGED), game.d.forward(made, JUDGED)];
      let higher = 0;
      for (let i = 0; i < JUDGED; i++) higher += (r[i] > s[i]) + (r[i] === s[i]) / 2;
      const part = (points) => points.subarray(0, JUDGED);
      return {
        ...(data.centres ? modeScores(made, data) : {}),
        energy: energy(part(made), part(real)),
        ranks: higher / JUDGED,
      };
    }

    draw() {
      const began = performance.now();
      const look = !this.playing || !(began - this.looked < LOOK);
      this.drawWorld(look);
      if (look) {
        this.drawLosses();
        this.drawStory();
        this.report();
        this.looked = began;
      }
      const took = performance.now() - began;
      this.drawing = 0.9 * (this.drawing ?? took) + 0.1 * took;
      this.budget = Math.max(BUDGET / 3, Math.min(BUDGET, FRAME - this.drawing));
    }

    // D on a grid of the plane, as a share: 1 real, 0 synthetic. A critic's or a
    // relativistic D's zero means nothing, so it is put midway between both means.
    landscape(real, made) {
      const { d, loss } = this.game;
      if (!this.places) {
        const at = (i) => -VIEW + (2 * VIEW * (i + 0.5)) / HEAT;
        this.places = Float64Array.from({ length: 2 * HEAT * HEAT }, (_, k) => (k % 2 ? -at(Math.floor(k / 2 / HEAT)) : at((k / 2) % HEAT)));
      }
      let [middle, unit] = [0, 1];
      if (loss === "wgan" || loss === "r3") {
        const mean = (v) => v.reduce((sum, x) => sum + x, 0) / v.length;
        const [r, s] = [mean(d.forward(real, SHOWN)), mean(d.forward(made, SHOWN))];
        middle = (r + s) / 2;
      }
      const logits = d.forward(this.places, HEAT * HEAT);
      if (loss === "wgan") unit = Math.max(...logits.map((v) => Math.abs(v - middle))) / 3 || 1;
      return logits.map((v) => sigmoid((v - middle) / unit));
    }

    drawWorld(look) {
      const { colour, game, data } = this;
      const plane = this.plane("world", [-VIEW, VIEW], [-VIEW, VIEW], { margin: [0, 0, 0, 0] });
      const real = this.real.subarray(0, 2 * SHOWN);
      const made = game.g.forward(this.noise.subarray(0, NOISE * SHOWN), SHOWN);
      if (look) {
        this.says = this.landscape(real, made);
        this.paintHeat(this.says);
      }
      const { left, top, right, bottom } = plane.box;
      plane.ctx.drawImage(this.heat, left, top, right - left, bottom - top);
      this.drawHalf(plane, this.says);
      const scores = this.moments[this.state.time]?.scores ?? {};
      for (const [i, centre] of (data.centres ?? []).entries()) {
        const radius = plane.X(3 * data.std) - plane.X(0);
        plane.ctx.setLineDash(scores.covered?.[i] ? [] : [2, 4]);
        plane.ctx.beginPath();
        plane.ctx.arc(plane.X(centre[0]), plane.Y(centre[1]), radius, 0, 2 * Math.PI);
        plane.ctx.strokeStyle = scores.covered?.[i] ? colour.d : colour.soft;
        plane.ctx.lineWidth = scores.covered?.[i] ? 2 : 1;
        plane.ctx.stroke();
        plane.ctx.setLineDash([]);
      }
      if (!this.empty) this.scatter(plane, real, colour.real, 1.8, false);
      this.scatter(plane, made, colour.synthetic, 2.6, true);
      if (this.state.arrows || this.state.speed === "slow") this.drawPull(plane, made);
      if (data.points) this.drawOwn(plane);
      if (!look) return;
      const { modes } = scores;
      this.find("world").setAttribute(
        "aria-label",
        `Real and synthetic points in the plane at step ${game.steps}` +
          (modes === undefined ? "." : `; ${modes} of ${data.centres.length} modes covered.`) +
          (data.points ? " Arrow keys move the brush, space puts a spot of data." : ""),
      );
    }

    // The landscape on a small canvas of its own: the plane's draws it larger, and smooth.
    paintHeat(says) {
      const { colour } = this;
      this.heat ??= new OffscreenCanvas(HEAT, HEAT);
      const ctx = this.heat.getContext("2d");
      const picture = ctx.createImageData(HEAT, HEAT);
      const ends = [hex(colour.synthetic), hex(colour.real)];
      for (let k = 0; k < says.length; k++) {
        const end = ends[says[k] > 0.5 ? 1 : 0];
        picture.data.set(end, 4 * k);
        picture.data[4 * k + 3] = 255 * 0.9 * Math.abs(says[k] - 0.5);
      }
      ctx.putImageData(picture, 0, 0);
    }

    // The line on which D says one half: green and dotted, as D is everywhere.
    drawHalf(plane, says) {
      const { ctx } = plane;
      const at = (i) => -VIEW + (2 * VIEW * (i + 0.5)) / HEAT;
      ctx.strokeStyle = this.colour.d;
      ctx.lineWidth = 1.6;
      ctx.setLineDash([2, 3]);
      ctx.beginPath();
      for (let row = 0; row < HEAT - 1; row++) {
        for (let column = 0; column < HEAT - 1; column++) {
          const k = row * HEAT + column;
          const real = (says[k] > 0.5) + (says[k + 1] > 0.5) + (says[k + HEAT] > 0.5) + (says[k + HEAT + 1] > 0.5);
          if (real === 0 || real === 4) continue; // as most of them
          const corners = [[0, 0], [1, 0], [1, 1], [0, 1]].map(([i, j]) => [column + i, row + j]);
          const cuts = [];
          for (let c = 0; c < 4; c++) {
            const [[i, j], [k, l]] = [corners[c], corners[(c + 1) % 4]];
            const [a, b] = [says[j * HEAT + i] - 0.5, says[l * HEAT + k] - 0.5];
            if (a > 0 === b > 0) continue;
            const share = a / (a - b);
            cuts.push([plane.X(at(i + share * (k - i))), plane.Y(-at(j + share * (l - j)))]);
          }
          for (let c = 0; c + 1 < cuts.length; c += 2) {
            ctx.moveTo(...cuts[c]);
            ctx.lineTo(...cuts[c + 1]);
          }
        }
      }
      ctx.stroke();
      ctx.setLineDash([]);
    }

    scatter(plane, points, colour, radius, hollow) {
      const { ctx } = plane;
      ctx.beginPath();
      for (let i = 0; i < points.length; i += 2) {
        const [x, y] = [plane.X(points[i]), plane.Y(points[i + 1])];
        ctx.moveTo(x + radius, y);
        ctx.arc(x, y, radius, 0, 2 * Math.PI);
      }
      ctx.fillStyle = ctx.strokeStyle = colour;
      ctx.lineWidth = 1.1;
      ctx.globalAlpha = hollow ? 0.95 : 0.6;
      if (hollow) ctx.stroke();
      else ctx.fill();
      ctx.globalAlpha = 1;
    }

    // At every fifth sample, where G is told to move it.
    drawPull(plane, made) {
      const { d, loss } = this.game;
      const rule = LOSSES[loss].g;
      const shift = loss === "r3" ? d.forward(this.real, SHOWN) : null;
      const logits = d.forward(made, SHOWN);
      const slopes = Float64Array.from(logits, (s, i) => rule(shift ? shift[i] : 0, s)[2]);
      const pull = d.backward(slopes, { inputsOnly: true });
      for (let i = 0; i < 2 * SHOWN; i += 10) {
        const [dx, dy] = [-pull[i], pull[i + 1]];
        const size = Math.hypot(dx, dy);
        const scale = Math.min(18, 30 / size);
        plane.arrow([made[i], made[i + 1]], dx * scale, dy * scale, { colour: this.colour.ink });
      }
    }

    drawOwn(plane) {
      if (this.empty) {
        plane.text("Draw data here, then press Play.", [0, 0.2], { align: "center", colour: this.colour.ink, bold: true });
        plane.text("Keyboard: arrows and space.", [0, -0.2], { align: "center" });
      }
      if (this.shadowRoot.activeElement === this.find("world")) plane.cross(this.cursor);
    }

    drawLosses() {
      const { colour, history, game } = this;
      const plane = { steps: Math.max(20, history.d.length) };
      const bins = 80;
      const thin = (values) => {
        const size = Math.max(1, values.length / bins);
        const means = [];
        for (let from = 0; from < values.length; from += size) {
          const part = values.slice(Math.floor(from), Math.max(Math.floor(from) + 1, Math.floor(from + size)));
          means.push([from + size / 2, part.reduce((sum, v) => sum + v, 0) / part.length]);
        }
        return means;
      };
      const lines = { d: thin(history.d), g: thin(history.g) };
      const rest = { ns: Math.log(4), minimax: Math.log(4), r3: Math.log(2) }[game.loss];
      const values = [...lines.d, ...lines.g].map(([, v]) => v).concat(rest ?? [], 0);
      const [low, high] = [Math.min(...values), Math.max(...values, 0.5)];
      const pad = 0.08 * (high - low);
      const axes = this.plane("losses", [0, plane.steps], [low - pad, high + 3 * pad], { margin: [4, 6, 18, 30] });
      axes.axes({ xticks: [0, plane.steps], yticks: ticks(low, high), say: (v) => (Math.abs(v) >= 100 ? count(v) : v) });
      if (rest) {
        axes.line([[0, rest], [plane.steps, rest]], { colour: colour.line, width: 1 });
      }
      axes.line(lines.d, { colour: colour.d, dash: [2, 3] });
      axes.line(lines.g, { colour: colour.synthetic, dash: [6, 3] });
      axes.line([[game.steps, low - pad], [game.steps, high + 3 * pad]], { colour: colour.soft, width: 1 });
      axes.text("losses:", [38, 10], { pixels: true });
      axes.text("D", [80, 10], { pixels: true, colour: colour.d, bold: true });
      axes.text("G", [94, 10], { pixels: true, colour: colour.synthetic, bold: true });
      const last = (name) => history[name][game.steps - 1]?.toFixed(2) ?? "none yet";
      this.find("losses").setAttribute("aria-label", `Losses over ${game.steps} steps: D ${last("d")}, G ${last("g")}.`);
    }

    // Modes covered over the training; the distance to the data where none are counted.
    drawStory() {
      const { colour, moments, data, game } = this;
      const all = data.centres?.length;
      const far = Math.max(20, moments[moments.length - 1].steps);
      const values = moments.map(({ steps, scores }) => [steps, all ? scores.modes : scores.energy]);
      const top = all ?? Math.max(...values.map(([, v]) => v), 0.1);
      const axes = this.plane("story", [0, far], [0, 1.25 * top], { margin: [4, 6, 18, 30] });
      axes.axes({ xticks: [0, far], yticks: all ? [0, all] : ticks(0, top), say: (v) => (v >= 100 ? count(v) : v) });
      if (all) axes.line([[0, all], [far, all]], { colour: colour.line, width: 1 });
      axes.line(values, { colour: colour.synthetic });
      axes.line([[game.steps, 0], [game.steps, 1.25 * top]], { colour: colour.soft, width: 1 });
      axes.text(all ? "modes covered" : "distance to the data", [38, 10], { pixels: true });
      this.find("story").setAttribute("aria-label", all ? `Modes covered over the training, at most ${all}.` : "Distance to the data over the training.");
    }

    report() {
      const { game, data, moments, phase } = this;
      const { modes, quality, spread, energy: far, ranks } = moments[this.state.time].scores;
      const show = (name, text) => (this.find(name).textContent = text);
      const counted = modes !== undefined;
      for (const name of ["modes", "quality", "spread"]) this.find(name).parentElement.hidden = !counted;
      if (counted) {
        show("modes", `${modes} of ${data.centres.length}`);
        show("quality", percent(quality));
        show("spread", spread >= 0 ? `${spread.toFixed(2)} × real` : "none");
      }
      show("energy", Math.max(0, far).toFixed(3));
      show("ranks", percent(ranks));
      const pace = this.state.speed === "slow" ? "slow motion" : `${Math.round(this.pace ?? 0)} steps/s`;
      show("pace", this.playing ? pace : "paused");
      const result = counted ? `${modes} of ${data.centres.length} modes covered, ${percent(quality)} of the samples good` : `distance to the data ${Math.max(0, far).toFixed(3)}`;
      const turn = phase === 0 ? "" : phase < game.dSteps ? ` D has moved ${phase} of ${game.dSteps} times.` : " D has moved; G is next.";
      this.tell(this.empty ? "Draw some data first." : `Step ${count(game.steps)}: ${result}.${turn}`);
    }
  }

  // About three round numbers between two.
  function ticks(low, high) {
    const rough = (high - low) / 2.5;
    const unit = 10 ** Math.floor(Math.log10(rough));
    const step = unit * [1, 2, 5, 10].find((m) => m * unit >= rough);
    const first = Math.ceil(low / step);
    return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(6)));
  }

  Object.assign(GanLab, { Network, Game, Random, DATA, LOSSES, sample, modeScores, energy }); // for the tests
  customElements.define("gan-lab", GanLab);
}
