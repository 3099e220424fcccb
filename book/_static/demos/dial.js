// <gan-dial>: the GAN with one dial of chapter 01; the reader is the forger.
//
// Originals are N(2, 1), canvases theta + z. The critic draws a line through the logits,
// D(x) = sigmoid(w x + b). Rate, minibatch and the order of the moves are the chapter's,
// and a test holds the slopes to the chapter's own functions.

"use strict";

{
  const { Stage, slider, pushButton } = GanNotes;

  const MEAN = 2;
  const RATE = 0.1;
  const BATCH = 64;
  const WIDE = [-5, 7];

  const sigmoid = (t) => 1 / (1 + Math.exp(-t));
  const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  const batch = (centre) => Array.from({ length: BATCH }, () => centre + normal());

  function criticSlopes(w, b, x, synthetic) {
    const [real, made] = [x, synthetic].map((samples) => samples.map((v) => sigmoid(w * v + b)));
    return [
      mean(real.map((d, i) => (1 - d) * x[i])) - mean(made.map((d, i) => d * synthetic[i])),
      mean(real.map((d) => 1 - d)) - mean(made),
    ];
  }
  function forgerSlope(w, b, synthetic) {
    return w * mean(synthetic.map((v) => 1 - sigmoid(w * v + b)));
  }

  class GanDial extends Stage {
    static title = "Dial: you are the forger";
    static template = `
      <canvas id="game" role="img"></canvas>
      ${slider("theta", "<b class=synthetic>your dial θ</b>: where your canvases are", { min: -4, max: 6, step: 0.05, value: -1 })}
      <p id="status" role="status"></p>
      <div class="row">
        ${pushButton("toggle", "Play", { kind: "main" })}
        ${pushButton("again", "New game")}
        <label class="check"><input type="checkbox" name="follow"> let the slope turn the dial</label>
        <label class="check"><input type="checkbox" name="show"> show the originals</label>
      </div>
      <canvas id="path" role="img"></canvas>`;
    static style = `
      section { display: grid; gap: 0.6rem; }
      #game { height: 215px; touch-action: pan-y; cursor: grab; }
      #path { height: 120px; }
      #status { min-height: 2.8em; }
      @container (min-width: 560px) { #status { min-height: 1.4em; } }`;

    setup() {
      this.hand("game", { put: ([theta]) => this.set({ theta, follow: false }) });
      this.begin();
    }

    begin() {
      Object.assign(this, { w: 0, b: 0, theta: -1, past: [], wait: 0 });
    }

    again() {
      this.begin();
      this.set({ theta: -1 });
    }

    changed(name) {
      if (name === "theta") this.theta = this.state.theta;
    }

    // One update: she moves first, then he, if the slope may turn the dial.
    update() {
      const [w, b] = criticSlopes(this.w, this.b, batch(MEAN), batch(this.theta));
      this.w += RATE * w;
      this.b += RATE * b;
      if (this.state.follow) {
        this.theta += RATE * forgerSlope(this.w, this.b, batch(this.theta));
        this.inputs.theta.value = this.theta;
        this.read(this.inputs.theta);
      }
      this.past.push([this.theta, this.w]);
    }

    advance(milliseconds) {
      this.wait += Math.min(100, milliseconds) * 0.03; // 30 updates a second
      for (; this.wait >= 1; this.wait--) this.update();
      if (this.past.length >= 3000) this.pause();
    }

    draw() {
      this.drawGame();
      this.drawPath();
      this.report();
    }

    drawGame() {
      const { colour, w, b, theta, state } = this;
      const plane = this.plane("game", WIDE, [0, 0.5], { margin: [34, 30, 20, 8] });
      plane.axes({ xticks: [-4, -2, 0, 2, 4, 6] });
      const at = (f) => Array.from({ length: 121 }, (_, i) => [-5 + i * 0.1, f(-5 + i * 0.1)]);
      const bell = (centre) => at((x) => Math.exp(-((x - centre) ** 2) / 2) / Math.sqrt(2 * Math.PI));
      if (state.show) {
        plane.area(bell(MEAN), { colour: colour.real, base: 0 });
        plane.line(bell(MEAN), { colour: colour.real });
        plane.text("originals", [plane.box.right - 6, 12], { pixels: true, colour: colour.real, align: "right", bold: true });
      }
      plane.line(bell(theta), { colour: colour.synthetic, dash: [7, 4], width: 2.5 });
      plane.dot([theta, 1 / Math.sqrt(2 * Math.PI)], { colour: colour.synthetic, radius: 7, hollow: true, width: 2.5 });
      plane.line(at((x) => sigmoid(w * x + b) * 0.48), { colour: colour.d, dash: [2, 4], width: 3 });
      for (const d of [0, 0.5, 1]) plane.text(String(d), [plane.box.right + 6, plane.Y(0.48 * d)], { pixels: true, colour: colour.d });
      const advice = 60 * Math.max(-1.5, Math.min(1.5, forgerSlope(w, b, [theta])));
      plane.arrow([theta, 0.05], advice, 0, { colour: colour.ink, width: 2, head: 8 });
      if (Math.abs(advice) > 8) plane.text("her advice", [plane.X(theta) + advice / 2, plane.Y(0.05) - 12], { pixels: true, align: "center", colour: colour.ink });
      plane.text("your canvases", [plane.box.left + 8, 12], { pixels: true, colour: colour.synthetic, bold: true });
      plane.text("D(x): the critic finds it real", [plane.box.left + 8, 29], { pixels: true, colour: colour.d, bold: true });
      this.find("game").setAttribute("aria-label", `Your canvases lie around ${theta.toFixed(2)}. The critic's line has slope ${w.toFixed(2)}: she finds ${w < 0 ? "the left" : "the right"} more real.`);
    }

    drawPath() {
      const { colour, past } = this;
      const far = Math.max(300, past.length);
      const plane = this.plane("path", [0, far], [-2.5, 4.5], { margin: [6, 10, 20, 30] });
      plane.axes({ xticks: [0, far], yticks: [-2, 0, 2, 4], xlabel: "update" });
      if (this.state.show) plane.line([[0, MEAN], [far, MEAN]], { colour: colour.real, width: 1.5 });
      plane.line([[0, 0], [far, 0]], { colour: colour.line, width: 1 });
      plane.line(past.map(([theta], t) => [t, theta]), { colour: colour.synthetic, dash: [7, 4] });
      plane.line(past.map(([, w], t) => [t, w]), { colour: colour.d, dash: [2, 3] });
      plane.text("dial θ", [36, 12], { pixels: true, colour: colour.synthetic, bold: true });
      plane.text("her slope w", [80, 12], { pixels: true, colour: colour.d, bold: true });
      this.find("path").setAttribute("aria-label", `Dial and slope over ${past.length} updates.`);
    }

    report() {
      const { w, b, theta } = this;
      const believes = mean(Array.from({ length: 41 }, (_, i) => sigmoid(w * (theta + (i - 20) / 10) + b)));
      const way = Math.abs(w) < 0.05 ? "Her line is flat: she cannot tell." : `Her line rises to the ${w > 0 ? "right" : "left"}: that way looks more real.`;
      this.tell(this.past.length ? `She finds your canvases ${Math.round(100 * believes)} % real. ${way}` : "She knows nothing yet. Press Play, and turn the dial to where she finds your canvases real.");
    }
  }

  Object.assign(GanDial, { criticSlopes, forgerSlope }); // for the tests
  customElements.define("gan-dial", GanDial);
}
