// <gan-field>: two players on one surface, step by step. Chapter 03.
//
// The games, their velocities and the order of the moves are those of the chapter, and
// a test holds them to the chapter's own functions. z = [x, y] or [theta, psi]: the
// first player is the generator and minimises, the second is the discriminator.

"use strict";

{
  const { Stage, slider, choice, pushButton, minus } = GanNotes;

  // Where both players want to go, with friction g on the discriminator.
  const VELOCITY = {
    bilinear: ([x, y], g) => [-y, x - g * y], // V = x y
    dirac: ([theta, psi], g) => {
      const slope = 1 / (1 + Math.exp(-theta * psi)); // f'(-theta psi), f = log sigmoid
      return [psi * slope, -theta * slope - g * psi];
    },
  };
  // The same near the equilibrium: [[0, a], [-a, -g]] with this a.
  const TURN = { bilinear: -1, dirac: 1 / 2 };

  // One move of both: k updates of the discriminator for one of the generator.
  function move(now, last, { game, order, eta, g, k }) {
    const velocity = VELOCITY[game];
    if (order === "optimistic") {
      const [v, before] = [velocity(now, g), velocity(last, g)];
      return now.map((z, i) => z + eta * (2 * v[i] - before[i]));
    }
    const x = now[0] + eta * velocity(now, g)[0];
    let [seen, y] = [order === "alternating" ? x : now[0], now[1]];
    for (let i = 0; i < k; i++) y += eta * velocity([seen, y], g)[1];
    return [x, y];
  }

  function path(settings, begin, moves) {
    const points = [begin];
    for (let t = 0; t < moves; t++) {
      points.push(move(points[t], points[Math.max(0, t - 1)], settings));
    }
    return points;
  }

  // Complex numbers are pairs [re, im]; these are the roots of z^2 - trace z + det.
  const times = ([a, b], [c, d]) => [a * c - b * d, a * d + b * c];
  function root([re, im]) {
    const size = Math.hypot(re, im);
    const half = [Math.sqrt((size + re) / 2), Math.sqrt(Math.max(0, (size - re) / 2))];
    return im < 0 ? [half[0], -half[1]] : half;
  }
  function roots(trace, det) {
    const square = times(trace, trace);
    const gap = root([square[0] - 4 * det[0], square[1] - 4 * det[1]]);
    return [1, -1].map((s) => [(trace[0] + s * gap[0]) / 2, (trace[1] + s * gap[1]) / 2]);
  }

  // Eigenvalues of the flow, and of one move, at the equilibrium.
  function flow({ game, g }) {
    return roots([-g, 0], [TURN[game] ** 2, 0]);
  }
  function factors({ game, order, eta, g, k }) {
    const a = TURN[game];
    if (order === "optimistic") {
      // mu^2 - (1 + 2 eta lambda) mu + eta lambda = 0 for each lambda of the flow.
      return flow({ game, g }).flatMap(([re, im]) =>
        roots([1 + 2 * eta * re, 2 * eta * im], [eta * re, eta * im]),
      );
    }
    // x' = x + eta a y; k updates of the discriminator: y' = keep y - gain x.
    const keep = (1 - eta * g) ** k;
    let gain = 0;
    for (let i = 0; i < k; i++) gain = gain * (1 - eta * g) + eta * a;
    const after = order === "alternating" ? keep - gain * eta * a : keep;
    const det = order === "alternating" ? keep : keep + gain * eta * a;
    return roots([1 + after, 0], [det, 0]);
  }

  const MOVES = 600;
  const TRY = {
    away: ["It runs away", { game: "bilinear", order: "simultaneous", eta: 0.2, g: 0, k: 1, moves: 60 }],
    circle: ["It circles", { game: "bilinear", order: "alternating", eta: 0.2, g: 0, k: 1, moves: 60 }],
    ahead: ["Look ahead", { game: "bilinear", order: "optimistic", eta: 0.3, g: 0, k: 1, moves: 400 }],
    gan: ["A GAN, no penalty", { game: "dirac", order: "simultaneous", eta: 0.1, g: 0, k: 1, moves: 600 }],
    friction: ["A GAN with friction", { game: "dirac", order: "simultaneous", eta: 0.1, g: 0.3, k: 1, moves: 600 }],
    critical: ["Critical damping", { game: "dirac", order: "simultaneous", eta: 0.1, g: 1, k: 1, moves: 600 }],
  };

  const shown = ([re, im]) =>
    minus(Math.abs(im) < 5e-7 ? re.toFixed(3) : `${re.toFixed(3)} ${im < 0 ? "−" : "+"} ${Math.abs(im).toFixed(3)}i`);
  // A pair of conjugates as one: a ± bi.
  const pair = (values) => {
    const [[re, im], other] = values;
    if (Math.abs(im) > 5e-7 && Math.abs(im + other[1]) < 1e-9) {
      return minus(`${re.toFixed(3)} ± ${Math.abs(im).toFixed(3)}i`);
    }
    return Math.abs(re - other[0]) < 5e-7 ? shown(values[0]) : `${shown(values[0])}, ${shown(other)}`;
  };
  const size = ([x, y]) => Math.hypot(x, y);
  const short = (v) => (v >= 1e4 || (v < 1e-3 && v > 0) ? v.toExponential(1).replace("e+", "e") : v.toFixed(3));

  class GanField extends Stage {
    static title = "Field: two players on one surface";
    static template = `
      <div class="row try" role="group" aria-label="Try">
        <span class="label">Try</span>
        ${Object.entries(TRY).map(([value, [text]]) => pushButton("tryout", text, { value })).join("")}
      </div>
      <div class="stage">
        <canvas id="plane" tabindex="0" role="application"></canvas>
        <div class="side">
          <canvas id="circle" role="img"></canvas>
          <canvas id="distance" role="img"></canvas>
        </div>
      </div>
      <p id="status" role="status"></p>
      <div class="row">
        ${pushButton("toggle", "Play", { kind: "main" })}
        ${pushButton("keep", "Keep this path to compare")}
        <div class="time">${slider("moves", "moves", { min: 0, max: MOVES, step: 1, value: 60 })}</div>
      </div>
      <div class="grid controls">
        ${choice("game", "game", { bilinear: "V = xy", dirac: "Dirac-GAN: two parameters" })}
        ${choice("order", "the players move", { simultaneous: "at the same time", alternating: "in turns", optimistic: "looking ahead (optimistic)" })}
        ${slider("eta", "learning rate η", { min: 0.01, max: 2.5, step: 0.01, value: 0.2 })}
        ${slider("g", "friction g on D", { min: 0, max: 3, step: 0.05, value: 0 })}
        ${slider("k", "D updates per move", { min: 1, max: 5, step: 1, value: 1 })}
      </div>
      <dl>
        <div><dt>eigenvalues of the flow</dt><dd id="lambda"></dd></div>
        <div><dt>eigenvalues of one move</dt><dd id="mu"></dd></div>
        <div><dt>largest |μ|</dt><dd id="factor"></dd></div>
        <div><dt>distance, start to now</dt><dd id="now"></dd></div>
      </dl>`;
    static style = `
      section { display: grid; gap: 0.75rem; }
      .stage { display: grid; gap: 0.75rem; grid-template-columns: minmax(0, 1fr); }
      #plane { aspect-ratio: 1; touch-action: none; cursor: crosshair; }
      .side { display: grid; gap: 0.75rem; grid-template-columns: 1fr 1fr; }
      #circle, #distance { aspect-ratio: 1; }
      .time { flex: 1 1 10rem; }
      .controls { grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); align-items: end; }
      #status { min-height: 2.8em; }
      dl { border-top: 1px solid var(--line); padding-top: 0.6rem; }
      @container (min-width: 560px) {
        .stage { grid-template-columns: minmax(0, 1.72fr) minmax(0, 1fr); }
        .side { grid-template-columns: 1fr; align-content: space-between; }
        #circle { aspect-ratio: 1.18; } #distance { aspect-ratio: 1.22; }
        #status { min-height: 1.4em; }
      }`;

    setup() {
      this.begin = [1, 0];
      this.kept = null;
      this.hand("plane", {
        put: (place) => this.start(place),
        step: (way) => this.start(this.begin.map((z, i) => z + way[i])),
      });
      this.compute();
    }

    start(begin) {
      this.begin = begin.map((z) => Math.round(100 * Math.max(-3.1, Math.min(3.1, z))) / 100);
      this.compute();
      this.redraw();
    }

    tryout(name) {
      this.pause();
      const settings = TRY[name][1];
      this.begin = settings.game === "dirac" ? [1, 1] : [1, 0];
      this.set(settings);
    }

    keep() {
      this.kept = this.kept ? null : this.points;
      const toggle = this.shadowRoot.querySelector("[name=keep]");
      toggle.setAttribute("aria-pressed", String(Boolean(this.kept)));
      toggle.textContent = this.kept ? "Forget the kept path" : "Keep this path to compare";
    }

    changed(name) {
      if (name !== "moves") this.compute();
      else if (this.playing) this.pause();
    }

    compute() {
      const settings = this.state;
      this.inputs.k.disabled = settings.order === "optimistic";
      this.points = path(settings, this.begin, MOVES);
      this.mu = factors(settings);
      this.factor = Math.max(...this.mu.map(size));
    }

    play() {
      if (this.calm) return this.set({ moves: MOVES }); // the end, without the motion
      if (this.state.moves >= MOVES) this.set({ moves: 0 });
      this.clock = this.state.moves;
      super.play();
    }

    advance(milliseconds) {
      this.clock = Math.min(MOVES, this.clock + milliseconds * 0.06);
      this.inputs.moves.value = Math.floor(this.clock);
      this.read(this.inputs.moves);
      if (this.clock >= MOVES) this.pause();
    }

    draw() {
      this.drawPlane();
      this.drawCircle();
      this.drawDistance();
      this.report();
    }

    drawPlane() {
      const { colour } = this;
      const { game, g, moves } = this.state;
      const plane = this.plane("plane", [-3.2, 3.2], [-3.2, 3.2], { margin: [6, 6, 24, 26] });
      const spacing = plane.X(0.5) - plane.X(0);
      for (let x = -3; x <= 3; x += 0.5) {
        for (let y = -3; y <= 3; y += 0.5) {
          const [vx, vy] = VELOCITY[game]([x, y], g);
          const scale = (0.62 * spacing) / Math.max(1.4, Math.hypot(vx, vy));
          plane.arrow([x, y], vx * scale, -vy * scale);
        }
      }
      const names = game === "dirac" ? ["θ: where G puts its samples", "ψ: slope of D"] : ["x, minimises", "y, maximises"];
      plane.axes({ xticks: [-3, -2, -1, 0, 1, 2, 3], yticks: [-3, -2, -1, 0, 1, 2, 3], xlabel: names[0], ylabel: names[1] });
      if (this.kept) plane.line(this.kept.slice(0, moves + 1), { colour: colour.soft, width: 1.5, dash: [5, 4] });
      const past = this.points.slice(0, moves + 1);
      plane.line(past, { colour: colour.synthetic, width: 2 });
      if (past.length <= 80) {
        for (const point of past.slice(1, -1)) if (size(point) < 4.5) plane.dot(point, { colour: colour.synthetic, radius: 2 });
      }
      plane.cross([0, 0]);
      plane.dot(this.begin, { radius: 6, hollow: true, width: 2 });
      const now = past[past.length - 1];
      if (size(now) < 4.5) plane.dot(now, { colour: colour.synthetic, radius: 5.5 });
      const canvas = this.find("plane");
      canvas.setAttribute(
        "aria-label",
        `Plane of both players. Start at ${this.begin.join(", ")}; arrow keys move it. ` +
          `After ${moves} moves: ${now.map((z) => short(z)).join(", ")}.`,
      );
    }

    drawCircle() {
      const { colour } = this;
      const { clientWidth, clientHeight } = this.find("circle");
      const wide = (1.45 * clientWidth) / clientHeight;
      const plane = this.plane("circle", [-wide, wide], [-1.45, 1.45], { margin: [2, 2, 2, 2] });
      const turn = Array.from({ length: 73 }, (_, i) => [Math.cos((i * Math.PI) / 36), Math.sin((i * Math.PI) / 36)]);
      plane.line([[-wide, 0], [wide, 0]], { colour: colour.line, width: 1 });
      plane.line([[0, -2], [0, 2]], { colour: colour.line, width: 1 });
      plane.line(turn, { colour: colour.soft, width: 1.5 });
      // Where the eigenvalues go as the learning rate grows.
      for (let eta = 0.02; eta <= 2.5; eta += 0.02) {
        for (const mu of factors({ ...this.state, eta })) plane.dot(mu, { colour: colour.line, radius: 1 });
      }
      for (const mu of this.mu) {
        const inside = size(mu) < 1 - 1e-9;
        plane.dot(mu, { colour: inside ? colour.d : colour.synthetic, radius: 5, hollow: !inside, width: 2.5 });
      }
      plane.text("unit circle", [0, -1.13], { align: "center" });
      plane.text("eigenvalues μ", [8, 10], { pixels: true });
      this.find("circle").setAttribute(
        "aria-label",
        `Eigenvalues of one move against the unit circle: ${this.mu.map(shown).join(" and ")}. Largest size ${this.factor.toFixed(4)}.`,
      );
    }

    drawDistance() {
      const { colour } = this;
      const { moves } = this.state;
      const log = (v) => Math.log10(Math.max(v, 1e-12));
      const plane = this.plane("distance", [0, MOVES], [-4, 4], { margin: [38, 10, 20, 34] });
      plane.axes({
        xticks: [0, 300, 600],
        yticks: [-4, -2, 0, 2, 4],
        say: (v, axis) => (axis === "y" ? { "-4": "10⁻⁴", "-2": "0.01", 0: "1", 2: "100", 4: "10⁴" }[v] : v),
        xlabel: "moves",
      });
      const curve = (points) => points.map((point, t) => [t, log(size(point))]);
      const start = log(size(this.begin));
      plane.line([[0, start], [MOVES, start + MOVES * log(this.factor)]], { colour: colour.soft, width: 1.5, dash: [2, 4] });
      if (this.kept) plane.line(curve(this.kept.slice(0, moves + 1)), { colour: colour.soft, width: 1.5, dash: [5, 4] });
      plane.line(curve(this.points.slice(0, moves + 1)), { colour: colour.synthetic });
      plane.text("distance to ×", [34, 10], { pixels: true });
      plane.text("dotted: |μ| alone", [34, 26], { pixels: true });
      this.find("distance").setAttribute("aria-label", `Distance to the equilibrium over ${moves} moves, on a logarithmic axis; ${this.verdict()}`);
    }

    verdict() {
      const { game, moves } = this.state;
      const ratio = size(this.points[moves]) / size(this.begin);
      const away = Math.abs(this.factor - 1) < 1e-9 ? 0 : this.factor - 1;
      const near = game === "dirac" ? "Near the cross, " : "";
      const rule = !away
        ? `${near}every move keeps its distance on a closed curve: it neither arrives nor leaves.`
        : `${near}${near ? "a" : "A"} move multiplies the distance by ${this.factor.toFixed(4)} in the long run: it ${away > 0 ? "runs away" : "arrives"}.`;
      const start = size(this.begin);
      return start ? `${rule} After ${moves} moves: ${short(ratio * start)}, from ${short(start)}.` : "Both players start at the equilibrium, and stay.";
    }

    report() {
      this.find("lambda").textContent = pair(flow(this.state));
      this.find("mu").textContent =
        this.mu.length > 2 ? this.mu.slice().sort((a, b) => size(b) - size(a)).slice(0, 2).map(shown).join(", ") : pair(this.mu);
      this.find("factor").textContent = this.factor.toFixed(4);
      this.find("now").textContent = `${short(size(this.begin))} → ${short(size(this.points[this.state.moves]))}`;
      this.tell(this.verdict());
    }
  }

  GanField.path = path; // what the tests compare with the chapter
  GanField.factors = factors;
  GanField.flow = flow;
  customElements.define("gan-field", GanField);
}
