// <gan-market>: the shipped returns generator of chapter 06 draws markets in the page.
//
// Noise goes through a GRU and two dense layers, as in gan_notes/models/returns.py; curves
// set the ranks of what comes out and turn it into log-returns, which are chained to
// prices. A test holds every step to Keras, on the same rounded weights and noise.

"use strict";

{
  const { Stage, Random, slider, number, pushButton, minus, phi, loadWeights } = GanNotes;

  const DAY_NOISE = 16;
  const WINDOW_NOISE = 16; // the last is the window's level, from calm to stormy
  const SLOPE = 0.2; // of Keras's leaky_relu, below zero
  const YEAR = 252; // trading days
  const KEPT = 30; // earlier markets, in grey
  const UNFOLD = 1200; // milliseconds in which a market unfolds

  const sigmoid = (t) => 1 / (1 + Math.exp(-t));
  const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const percent = (share, digits = 0) => `${minus((100 * share).toFixed(digits))} %`;

  // out += x w, for a row x and a matrix w (x.length, out.length) in a flat array.
  function add(out, x, w) {
    const n = out.length;
    for (let i = 0, k = 0; i < x.length; i++) {
      for (let j = 0; j < n; j++, k++) out[j] += x[i] * w[k];
    }
  }

  // Follow a line through knots (x, y); its first and last piece go on.
  function follow({ x, y }, at) {
    let [low, high] = [0, x.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (x[middle] <= at) low = middle;
      else high = middle;
    }
    return y[low] + ((at - x[low]) * (y[high] - y[low])) / (x[high] - x[low]);
  }

  class Generator {
    constructor(content) {
      Object.assign(this, content);
      const [kernel, recurrent, bias, hidden, hiddenBias, last, lastBias] = content.weights;
      const units = bias.length / 3;
      // Keras keeps the gates z and r and the candidate side by side.
      const columns = (from, to) => recurrent.filter((_, k) => k % bias.length >= from && k % bias.length < to);
      Object.assign(this, { units, kernel, bias, hidden, hiddenBias, last, lastBias });
      this.gates = columns(0, 2 * units);
      this.candidate = columns(2 * units, 3 * units);
    }

    // Noise as in ReturnsGAN.noise, for each day the day's beside its window's. A market
    // of more days begins with the same ones, and a level of its own changes no other draw.
    noise(seed, days, level = null) {
      const random = new Random(seed);
      const z = [];
      let held;
      for (let day = 0; day < days; day++) {
        if (day % this.length === 0) {
          const [before, fresh] = [held, random.normals(WINDOW_NOISE)];
          held = fresh;
          if (before) held[WINDOW_NOISE - 1] = this.next(before[WINDOW_NOISE - 1], fresh[WINDOW_NOISE - 1]);
          else if (level !== null) held[WINDOW_NOISE - 1] = level;
        }
        z.push([...random.normals(DAY_NOISE), ...held]);
      }
      return z;
    }

    // The level of the next window, which follows the last one as neighbours do.
    next(level, fresh) {
      return this.persistence * level + Math.sqrt(1 - this.persistence ** 2) * fresh;
    }

    // Noise (days, 32) to the network's output (days, tickers).
    run(z) {
      const { units, bias } = this;
      const state = new Float64Array(units);
      return z.map((noise) => {
        const all = Float64Array.from(bias);
        add(all, noise, this.kernel);
        const [gates, candidate] = [all.subarray(0, 2 * units), all.subarray(2 * units)];
        add(gates, state, this.gates);
        const [update, reset] = [gates.subarray(0, units).map(sigmoid), gates.subarray(units).map(sigmoid)];
        add(candidate, state.map((h, i) => reset[i] * h), this.candidate);
        for (let i = 0; i < units; i++) state[i] = update[i] * state[i] + (1 - update[i]) * Math.tanh(candidate[i]);
        const hidden = Float64Array.from(this.hiddenBias);
        add(hidden, [...state, ...noise], this.hidden);
        const out = Float64Array.from(this.lastBias);
        add(out, hidden.map((v) => (v < 0 ? SLOPE * v : v)), this.last);
        return [...out];
      });
    }

    // Noise to normal scores, log-returns, prices and their changes since the start, (days,
    // tickers) each.
    market(z) {
      const scores = this.run(z).map((row) => row.map((v, i) => follow(this.calibration[i], v)));
      const returns = scores.map((row) => row.map((v, i) => follow(this.returns[i], v)));
      const sum = this.prices.map(() => 0);
      const prices = returns.map((row) => row.map((v, i) => this.prices[i] * Math.exp((sum[i] += v))));
      const changes = prices.map((row) => row.map((price, i) => price / this.prices[i] - 1));
      return { scores, returns, prices, changes, level: z[0][DAY_NOISE + WINDOW_NOISE - 1] };
    }
  }

  // What is said of a market: deviation over a year, the mean correlation of two tickers,
  // the day on which they moved most.
  function describe(returns) {
    const columns = returns[0].map((_, i) => returns.map((row) => row[i]));
    const centred = columns.map((column) => column.map((v) => v - mean(column)));
    const product = (a, b) => mean(a.map((v, t) => v * b[t]));
    const deviation = centred.map((column) => Math.sqrt(product(column, column)));
    const pairs = centred.flatMap((a, i) => centred.slice(0, i).map((b, j) => product(a, b) / deviation[i] / deviation[j]));
    const size = returns.map((row) => mean(row.map(Math.abs)));
    return {
      volatility: mean(deviation) * Math.sqrt(YEAR),
      correlation: mean(pairs),
      wildest: size.indexOf(Math.max(...size)),
    };
  }

  class GanMarket extends Stage {
    static title = "Market: draw another one";
    static weights = ["returns-offline-0"];
    static template = `
      <div class="row">
        ${pushButton("another", "Draw another market", { kind: "main" })}
        <label class="check"><input type="checkbox" name="asItComes" checked> as it comes</label>
        ${number("seed", "market no.", 1)}
        <label class="field">days <select name="days"><option>24</option><option>120</option></select></label>
      </div>
      ${slider("level", "calm to stormy", { min: -2, max: 2, step: 0.1, value: 0 })}
      <div id="still"><slot></slot></div>
      <div id="live" hidden>
        <div id="prices">${[0, 1, 2, 3, 4, 5].map((i) => `<canvas id="price-${i}" role="img"></canvas>`).join("")}</div>
        <p class="soft" id="scale"></p>
        <canvas id="days" role="img"></canvas>
        <dl>
          <div><dt>volatility, a year</dt><dd id="volatility"></dd></div>
          <div><dt>correlation of two tickers</dt><dd id="correlation"></dd></div>
          <div><dt>wildest day</dt><dd id="wildest"></dd></div>
        </dl>
      </div>
      <p id="status" role="status"></p>`;
    static style = `
      section, #live { display: grid; gap: 0.6rem; }
      #still { text-align: center; }
      [hidden]#live, #still[hidden] { display: none; }
      #prices { display: grid; gap: 0.3rem 0.5rem; grid-template-columns: repeat(2, minmax(0, 1fr)); }
      #prices canvas { height: 100px; }
      #days { height: 236px; }
      .slider output { float: none; display: block; }
      #status { min-height: 2.8em; }
      @container (min-width: 560px) {
        #prices { grid-template-columns: repeat(3, minmax(0, 1fr)); }
        #prices canvas { height: 116px; }
        .slider output { float: right; }
      }`;

    setup() {
      this.fresh();
      this.tell("The picture shows one market that the generator of chapter 06 drew. Draw another: no two are alike.");
    }

    // No earlier market, and the least of the two scales: a total and a day's change.
    fresh() {
      Object.assign(this, { past: [], far: 0.1, wild: 0.03 });
    }

    say(name, level) {
      const share = phi(Math.abs(level));
      if (Math.abs(level) < 0.05) return "as the median of real windows";
      return `${level < 0 ? "calmer" : "stormier"} than ${percent(share)} of real windows`;
    }

    // The button: the next market, which unfolds day by day.
    async another() {
      if (!this.generator) {
        if (!(await this.load())) return;
      } else {
        this.past = [...this.past, this.market].slice(-KEPT);
        this.inputs.seed.value = this.seed + 1;
        this.read(this.inputs.seed);
      }
      this.invent();
      this.day = 0;
      if (this.calm) this.advance(UNFOLD);
      else this.play();
      this.redraw();
    }

    async load() {
      this.tell("Reading the generator.");
      try {
        this.generator = new Generator(await loadWeights(GanMarket.weights[0]));
      } catch (error) {
        this.tell(error.message);
        return false;
      }
      this.find("still").hidden = true;
      this.find("live").hidden = false;
      return true;
    }

    get seed() {
      return Math.max(1, Math.round(Number(this.state.seed)) || 1);
    }

    // Draw the market of this number, length and level.
    invent() {
      const { generator, state } = this;
      const z = generator.noise(this.seed, Number(state.days), state.asItComes ? null : state.level);
      this.market = generator.market(z);
      this.day = this.market.returns.length;
      if (state.asItComes) {
        this.inputs.level.value = this.market.level;
        this.read(this.inputs.level);
      }
      // Scales grow with what is drawn; they shrink only for another number of days.
      const { returns, changes } = this.market;
      this.far = roomy(Math.max(this.far, ...changes.flat().map(Math.abs)));
      const sizes = returns.flat().map(Math.abs).sort((a, b) => a - b);
      this.wild = roomy(Math.max(this.wild, sizes[Math.floor(0.98 * sizes.length)]));
    }

    changed(name) {
      if (name === "level") {
        this.inputs.asItComes.checked = false;
        this.read(this.inputs.asItComes);
      }
      if (name === "days") this.fresh();
      else if (name !== "seed") this.past = [];
      else if (this.market) this.past = [...this.past, this.market].slice(-KEPT);
      if (!this.generator) return;
      this.invent();
      this.pause();
    }

    advance(milliseconds) {
      const { length } = this.market.returns;
      this.day = Math.min(length, this.day + (milliseconds * length) / UNFOLD);
      if (this.day >= length) this.pause();
    }

    draw() {
      if (!this.market) return;
      this.said = describe(this.market.returns);
      this.generator.tickers.forEach((ticker, i) => this.drawPrice(ticker, i));
      this.drawDays();
      if (!this.playing) this.report();
    }

    // A price as its change since the start, all six on one scale.
    drawPrice(ticker, i) {
      const { colour, market, far, past } = this;
      const { changes, prices } = market;
      const days = prices.length;
      const plane = this.plane(`price-${i}`, [0, days], [Math.max(-1, -far), far], { margin: [20, 6, 18, 42] });
      plane.axes({ xticks: [0, days], yticks: [-far / 2, 0, far / 2], say: (v, axis) => (axis === "x" ? String(v) : percent(v)) });
      plane.line([[0, 0], [days, 0]], { colour: colour.line, width: 1 });
      const path = (rows) => [[0, 0], ...rows.map((row, t) => [t + 1, row[i]])];
      for (const other of past) plane.line(path(other.changes), { colour: colour.soft, width: 1, alpha: 0.3 });
      const day = Math.floor(this.day);
      plane.line(path(changes.slice(0, day)), { colour: colour.synthetic });
      const [start, now, end] = [this.generator.prices[i], (prices[day - 1] ?? this.generator.prices)[i], prices[days - 1][i]];
      plane.text(ticker, [4, 9], { pixels: true, colour: colour.ink, bold: true });
      plane.text(`${start.toFixed(0)} → ${now.toFixed(0)}`, [plane.box.right, 9], { pixels: true, align: "right", colour: colour.synthetic });
      this.find(`price-${i}`).setAttribute("aria-label", `${ticker}, synthetic: from ${start.toFixed(2)} to ${end.toFixed(2)} in ${days} days, a change of ${percent(changes[days - 1][i], 1)}.`);
    }

    // Seismographs, one below the other: wild days are dense, and they come for all at once.
    drawDays() {
      const { colour, market, wild, said } = this;
      const { tickers, length } = this.generator;
      const { returns } = market;
      const [days, rows] = [returns.length, tickers.length];
      const [low, top] = [-0.3, rows + 0.3];
      const plane = this.plane("days", [0.5, days + 0.5], [low, top], { margin: [0, 6, 20, 42] });
      const { ctx, box, X, Y } = plane;
      const [gap, high] = [(box.right - box.left) / days, (box.bottom - box.top) / (top - low)];
      plane.area([[said.wildest + 0.5, top], [said.wildest + 1.5, top]], { colour: colour.line, alpha: this.day > said.wildest ? 0.6 : 0 });
      plane.axes({ xticks: [1, ...Array.from({ length: days / length }, (_, i) => (i + 1) * length)] });
      const width = Math.min(9, 0.8 * gap);
      tickers.forEach((ticker, i) => {
        const middle = rows - i - 0.5;
        plane.line([[0.5, middle], [days + 0.5, middle]], { colour: colour.line, width: 1 });
        plane.text(ticker, [4, Y(middle)], { pixels: true, colour: colour.ink, bold: true });
        ctx.fillStyle = colour.synthetic;
        for (let t = 0; t < Math.floor(this.day); t++) {
          const up = high * Math.max(-1, Math.min(1, (0.5 * returns[t][i]) / wild));
          ctx.fillRect(X(t + 1) - width / 2, Y(middle) - Math.max(0, up), width, Math.max(0.5, Math.abs(up)));
        }
      });
      this.find("scale").textContent = `The change of each price from day to day; half a row is ${percent(wild)}:`;
      const day = returns[said.wildest];
      this.find("days").setAttribute("aria-label", `Changes from day to day. The wildest is day ${said.wildest + 1}: ${tickers.map((ticker, i) => `${ticker} ${percent(Math.expm1(day[i]), 1)}`).join(", ")}.`);
    }

    report() {
      const { market, said, past } = this;
      const day = market.returns[said.wildest].map(Math.expm1);
      const { tickers } = this.generator;
      this.find("volatility").textContent = percent(said.volatility);
      this.find("correlation").textContent = minus(said.correlation.toFixed(2));
      this.find("wildest").textContent = `${said.wildest + 1}`;
      const down = day.filter((change) => change < 0).length;
      const worst = day.reduce((found, change, i) => (Math.abs(change) > Math.abs(day[found]) ? i : found), 0);
      const together = down === 0 || down === day.length ? `all six ${down ? "fell" : "rose"}` : `${down} of six fell`;
      const on = this.state.days > this.generator.length ? ` The slider sets the first ${this.generator.length} days; each window after them follows the last as real ones do.` : "";
      const others = past.length ? ` In grey: ${past.length} market${past.length > 1 ? "s" : ""} drawn before.` : "";
      this.tell(`Market no. ${this.seed}. On its wildest day, ${said.wildest + 1}, ${together}, ${tickers[worst]} by ${percent(Math.abs(day[worst]), 1)}.${on}${others}`);
    }
  }

  // The next larger of a few round numbers, as the end of an axis.
  function roomy(value) {
    return [0.03, 0.04, 0.06, 0.08, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1, 2, 3, 4, 6, 8].find((end) => end >= value) ?? value;
  }

  Object.assign(GanMarket, { Generator, describe }); // for the tests
  customElements.define("gan-market", GanMarket);
}
