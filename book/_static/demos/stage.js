// What the demos of this book share: a stage with a theme, canvases and controls.
//
// dial.js, field.js, lab.js, latent.js, market.js and value.js each put one custom
// element on it.
// Plain scripts, no library, no network: they work from file://, too. What stands
// between an element's tags, a static figure, is what a reader without scripts sees.
//
// A page has scripts of its theme, too. So all that is shared hangs on one global name,
// GanNotes, and each script is a block in strict mode, which lets no name out.

"use strict";

{
  class Stage extends HTMLElement {
    // A demo says what it is made of: `static template` and `static style`; it starts in
    // `setup()`, answers a moved control in `changed(name)`, paints in `draw()`, and
    // moves on by one frame in `advance(milliseconds)` while it plays.

    connectedCallback() {
      if (!this.shadowRoot) {
        this.build();
        this.theme();
        this.setup();
      }
      this.watchers = [
        watch(new ResizeObserver(() => this.redraw()), this),
        watch(new MutationObserver(() => this.theme()), document.documentElement, {
          attributeFilter: ["data-theme"],
        }),
        watch(new IntersectionObserver(([seen]) => this.seen(seen.isIntersecting)), this),
      ];
      DARK.addEventListener("change", (this.onscheme = () => this.theme()));
    }

    disconnectedCallback() {
      this.pause();
      for (const watcher of this.watchers) watcher.disconnect();
      DARK.removeEventListener("change", this.onscheme);
    }

    build() {
      const root = this.attachShadow({ mode: "open" });
      const { template, style } = this.constructor;
      root.innerHTML = `<style>${STYLE}${style}</style><section>${template}</section>`;
      root.firstElementChild.nextSibling.setAttribute("aria-label", this.constructor.title);
      this.find = (name) => root.getElementById(name);
      this.planes = {}; // by canvas, as last drawn
      this.state = {};
      this.inputs = {};
      for (const input of root.querySelectorAll("input, select")) {
        this.inputs[input.name] = input;
        this.read(input);
        input.addEventListener("input", () => {
          this.read(input);
          this.changed(input.name);
          this.redraw();
        });
      }
      for (const button of root.querySelectorAll("button[name]")) {
        button.addEventListener("click", () => {
          this[button.name](button.value);
          this.redraw();
        });
      }
    }

    // Take the value of a control into `state`, and show it beside the label.
    read(input) {
      const { name, type } = input;
      if (type === "checkbox") this.state[name] = input.checked;
      else if (type !== "range") this.state[name] = input.value;
      else {
        const value = (this.state[name] = this.scale(name, Number(input.value)));
        const text = this.say(name, value);
        input.setAttribute("aria-valuetext", text);
        input.previousElementSibling.textContent = minus(text);
        const share = (input.value - input.min) / (input.max - input.min || 1);
        input.style.setProperty("--share", `${100 * share}%`);
      }
    }

    // Move controls as if by hand: set({ eta: 0.2, game: "dirac" }).
    set(values) {
      for (const [name, value] of Object.entries(values)) {
        const input = this.inputs[name];
        if (input.type === "checkbox") input.checked = value;
        else input.value = input.type === "range" ? this.unscale(name, value) : value;
        this.read(input);
      }
      for (const name of Object.keys(values)) this.changed(name);
      this.redraw();
    }

    // What a slider's position means, and how it reads; demos override both.
    scale(name, value) {
      return value;
    }
    unscale(name, value) {
      return value;
    }
    say(name, value) {
      const step = Number(this.inputs[name].step);
      return value.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
    }

    setup() {}
    changed() {}
    advance() {}

    get calm() {
      return CALM.matches; // the reader asked for less motion
    }

    // Playing: `advance` and `draw` once a frame. Off the screen it waits.
    toggle() {
      if (this.playing) this.pause();
      else this.play();
    }

    play() {
      if (this.playing) return;
      this.playing = true;
      this.label();
      let [last, painted] = [performance.now(), -Infinity];
      const frame = (now) => {
        if (!this.playing) return;
        if (this.onscreen !== false) {
          this.advance(now - last);
          if (!this.calm || now - painted > 1000) {
            this.paint(); // who asked for less motion gets a picture a second
            painted = now;
          }
        }
        last = now;
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    }

    pause() {
      this.playing = false;
      this.label();
      this.redraw();
    }

    label() {
      const button = this.shadowRoot.querySelector("button[name=toggle]");
      if (button) button.textContent = this.playing ? "Pause" : "Play";
      this.toggleAttribute("playing", Boolean(this.playing));
    }

    seen(onscreen) {
      this.onscreen = onscreen;
    }

    redraw() {
      if (this.waiting || this.playing) return;
      this.waiting = true;
      requestAnimationFrame(() => {
        this.waiting = false;
        this.paint();
      });
    }

    paint() {
      if (this.isConnected && this.clientWidth) this.draw();
    }

    // Say something to a screen reader, and under the picture: at most once a second.
    tell(text) {
      const status = this.find("status");
      const now = performance.now();
      if (status.textContent === text) return;
      if (this.playing && now - (this.told || 0) < 1000) return;
      this.told = now;
      status.textContent = text;
    }

    theme() {
      const chosen = document.documentElement.dataset.theme;
      this.toggleAttribute("dark", chosen ? chosen === "dark" : DARK.matches);
      const style = getComputedStyle(this);
      this.colour = {};
      for (const role of ["ink", "soft", "line", "paper", "real", "synthetic", "d"]) {
        this.colour[role] = style.getPropertyValue(`--${role}`).trim();
      }
      // Words in a role's colour, dark enough to read.
      this.colour.words = Object.fromEntries(
        ["real", "synthetic", "d"].map((role) => [this.colour[role], style.getPropertyValue(`--${role}-words`).trim()]),
      );
      this.font = style.fontFamily;
      this.redraw();
    }

    // A canvas ready to be drawn on, its plane mapped to x = [left, right], y = [low, high].
    plane(name, x, y, { margin = [8, 10, 26, 40] } = {}) {
      const canvas = this.find(name);
      const ratio = window.devicePixelRatio || 1;
      const [width, height] = [canvas.clientWidth, canvas.clientHeight];
      if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
      if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
      const ctx = canvas.getContext("2d");
      ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
      ctx.clearRect(0, 0, width, height);
      ctx.font = `12px ${this.font}`;
      ctx.lineJoin = "round";
      const box = { left: margin[3], top: margin[0], right: width - margin[1], bottom: height - margin[2] };
      return (this.planes[name] = new Plane(ctx, this.colour, x, y, box));
    }

    // A reader's hand on a plane: `put([x, y], pressed)` when mouse or finger presses, and
    // while it drags; `step([dx, dy])` at an arrow key. Both only while `ready()`.
    hand(name, { put, step, ready = () => true }) {
      const canvas = this.find(name);
      const press = (event) => {
        if (!ready()) return;
        const pressed = event.type === "pointerdown";
        if (pressed) canvas.setPointerCapture(event.pointerId);
        if (!canvas.hasPointerCapture(event.pointerId)) return;
        event.preventDefault();
        put(this.planes[name].at(event), pressed);
      };
      for (const type of ["pointerdown", "pointermove"]) canvas.addEventListener(type, press);
      if (!step) return;
      canvas.addEventListener("keydown", (event) => {
        const way = ARROWS[event.key];
        if (!way || !ready()) return;
        event.preventDefault();
        step(way);
      });
    }
  }

  // A rectangle of a canvas with numbers on its axes.
  class Plane {
    constructor(ctx, colour, x, y, box) {
      Object.assign(this, { ctx, colour, x, y, box });
      this.X = (v) => box.left + ((v - x[0]) / (x[1] - x[0])) * (box.right - box.left);
      this.Y = (v) => box.bottom - ((v - y[0]) / (y[1] - y[0])) * (box.bottom - box.top);
    }

    // The numbers at a pointer event.
    at(event) {
      const { left, right, top, bottom } = this.box;
      const place = event.target.getBoundingClientRect();
      const across = (event.clientX - place.left - left) / (right - left);
      const up = (bottom - (event.clientY - place.top)) / (bottom - top);
      return [
        this.x[0] + across * (this.x[1] - this.x[0]),
        this.y[0] + up * (this.y[1] - this.y[0]),
      ];
    }

    // Frame, ticks and the two titles; `names` replaces numbers by words.
    axes({ xticks = [], yticks = [], xlabel = "", ylabel = "", say = String } = {}) {
      const { ctx, colour, box } = this;
      ctx.lineWidth = 1;
      ctx.strokeStyle = colour.line;
      ctx.fillStyle = colour.soft;
      ctx.beginPath();
      ctx.moveTo(box.left, box.top);
      ctx.lineTo(box.left, box.bottom);
      ctx.lineTo(box.right, box.bottom);
      ctx.stroke();
      ctx.textAlign = "center";
      ctx.textBaseline = "top";
      for (const tick of xticks) {
        const words = minus(say(tick, "x"));
        const half = ctx.measureText(words).width / 2;
        const edge = ctx.canvas.clientWidth - half; // the last one stays on the canvas
        ctx.fillText(words, Math.max(half, Math.min(edge, this.X(tick))), box.bottom + 5);
      }
      ctx.textAlign = "right";
      ctx.textBaseline = "middle";
      for (const tick of yticks) ctx.fillText(minus(say(tick, "y")), box.left - 5, this.Y(tick));
      if (xlabel) this.text(xlabel, [box.right, box.bottom - 9], { align: "right", pixels: true });
      if (ylabel) this.text(ylabel, [box.left + 6, box.top + 7], { pixels: true });
    }

    // A line through points [[x, y], ...]; what is far outside is kept near the edge.
    line(points, { colour = this.colour.ink, width = 2, dash = [], alpha = 1, close = false } = {}) {
      const { ctx, box } = this;
      const far = 4 * (box.right - box.left);
      const keep = (pixels) => Math.max(-far, Math.min(far, pixels));
      ctx.save();
      ctx.beginPath();
      ctx.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
      ctx.clip();
      ctx.globalAlpha = alpha;
      ctx.strokeStyle = colour;
      ctx.lineWidth = width;
      ctx.setLineDash(dash);
      ctx.beginPath();
      for (const [x, y] of points) ctx.lineTo(keep(this.X(x)), keep(this.Y(y)));
      if (close) ctx.closePath();
      ctx.stroke();
      ctx.restore();
    }

    // The area between a line and the lower edge, or `base`.
    area(points, { colour, alpha = 0.25, base = this.y[0] } = {}) {
      const { ctx } = this;
      ctx.save();
      ctx.globalAlpha = alpha;
      ctx.fillStyle = colour;
      ctx.beginPath();
      ctx.moveTo(this.X(points[0][0]), this.Y(base));
      for (const [x, y] of points) ctx.lineTo(this.X(x), this.Y(y));
      ctx.lineTo(this.X(points[points.length - 1][0]), this.Y(base));
      ctx.fill();
      ctx.restore();
    }

    dot([x, y], { colour = this.colour.ink, radius = 4, hollow = false, width = 1.5 } = {}) {
      const { ctx } = this;
      ctx.beginPath();
      ctx.arc(this.X(x), this.Y(y), radius, 0, 2 * Math.PI);
      ctx.lineWidth = width;
      ctx.fillStyle = hollow ? this.colour.paper : colour;
      ctx.strokeStyle = colour;
      ctx.fill();
      if (hollow) ctx.stroke();
    }

    cross([x, y], { colour = this.colour.ink, size = 5 } = {}) {
      const { ctx } = this;
      const [px, py] = [this.X(x), this.Y(y)];
      ctx.strokeStyle = colour;
      ctx.lineWidth = 2;
      ctx.beginPath();
      ctx.moveTo(px - size, py - size);
      ctx.lineTo(px + size, py + size);
      ctx.moveTo(px - size, py + size);
      ctx.lineTo(px + size, py - size);
      ctx.stroke();
    }

    // An arrow from a place by so many pixels.
    arrow([x, y], dx, dy, { colour = this.colour.line, width = 1.2, head = 4 } = {}) {
      const { ctx } = this;
      const length = Math.hypot(dx, dy);
      if (length < 0.5) return;
      const [px, py] = [this.X(x), this.Y(y)];
      const [ux, uy] = [dx / length, dy / length];
      const tip = Math.min(head, length);
      ctx.strokeStyle = colour;
      ctx.lineWidth = width;
      ctx.beginPath();
      ctx.moveTo(px, py);
      ctx.lineTo(px + dx, py + dy);
      ctx.moveTo(px + dx - tip * (ux - 0.6 * uy), py + dy - tip * (uy + 0.6 * ux));
      ctx.lineTo(px + dx, py + dy);
      ctx.lineTo(px + dx - tip * (ux + 0.6 * uy), py + dy - tip * (uy - 0.6 * ux));
      ctx.stroke();
    }

    text(words, [x, y], { colour = this.colour.soft, align = "left", pixels = false, bold = false } = {}) {
      const { ctx } = this;
      ctx.save();
      if (bold) ctx.font = `600 ${ctx.font}`;
      ctx.fillStyle = this.colour.words[colour] ?? colour;
      ctx.textAlign = align;
      ctx.textBaseline = "middle";
      // A rim of paper, so that lines under the words do not hide them.
      ctx.strokeStyle = this.colour.paper;
      ctx.lineWidth = 3;
      const place = pixels ? [x, y] : [this.X(x), this.Y(y)];
      ctx.strokeText(words, ...place);
      ctx.fillText(words, ...place);
      ctx.restore();
    }
  }

  // Controls, as the HTML of a template.
  const slider = (name, label, { min, max, step, value }) =>
    `<div class="slider"><label for="in-${name}">${label}</label><output></output>` +
    `<input id="in-${name}" type="range" name="${name}" min="${min}" max="${max}" step="${step}" value="${value}">` +
    `</div>`;

  const choice = (name, label, options) =>
    `<label class="choice">${label} <select name="${name}">` +
    Object.entries(options).map(([value, text]) => `<option value="${value}">${text}</option>`).join("") +
    `</select></label>`;

  const number = (name, label, value) =>
    `<label class="field">${label} <input type="number" name="${name}" min="1" max="999999" step="1" value="${value}"></label>`;

  const pushButton = (name, text, { value = "", kind = "", title = "" } = {}) =>
    `<button type="button" name="${name}" value="${value}" class="${kind}" title="${title}">${text}</button>`;

  const minus = (text) => String(text).replace("-", "−");

  // What an arrow key moves, on the axes of a plane.
  const ARROWS = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };

  const CALM = window.matchMedia("(prefers-reduced-motion: reduce)");
  const DARK = window.matchMedia("(prefers-color-scheme: dark)");

  function watch(observer, element, options) {
    observer.observe(element, options);
    return observer;
  }

  // Random numbers: the same seed gives the same draws.
  class Random {
    constructor(seed) {
      this.state = seed >>> 0;
    }
    uniform() {
      // mulberry32
      let t = (this.state = (this.state + 0x6d2b79f5) >>> 0);
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    }
    normal() {
      return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
    }
    normals(n) {
      return Float64Array.from({ length: n }, () => this.normal());
    }
  }

  // The standard normal's distribution function, by a series for its middle (Marsaglia 2004).
  function phi(z) {
    if (Math.abs(z) > 7) return z > 0 ? 1 : 0;
    const square = z * z;
    let [term, sum] = [z, z];
    for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) sum += term *= square / k;
    return 0.5 + (sum * Math.exp(-square / 2)) / Math.sqrt(2 * Math.PI);
  }

  // A shipped network, read when the reader asks for it. The build of the site writes it
  // beside this script, as a script too: a page opened from a file may load nothing else.
  // It says `GanNotes.shipped[NAME] = {...}`; an array in it is `{ shape, float16: base64 }`, or
  // float32, and comes back as a Float32Array with its shape.
  const shipped = {};
  const FOLDER = document.currentScript.src;

  function loadWeights(name) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = new URL(`${name}.js`, FOLDER);
      script.onload = () => resolve(unpack(shipped[name]));
      script.onerror = () => reject(new Error(`${name}.js is not beside the scripts of this page: build the book again.`));
      document.head.append(script);
    });
  }

  function unpack(value) {
    if (Array.isArray(value)) return value.map(unpack);
    if (value === null || typeof value !== "object") return value;
    if (!value.shape) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, unpack(inner)]));
    const bytes = Uint8Array.from(atob(value.float16 ?? value.float32), (letter) => letter.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    const array = value.float16
      ? Float32Array.from({ length: bytes.length / 2 }, (_, i) => half(view.getUint16(2 * i, true)))
      : Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
    return Object.assign(array, { shape: value.shape });
  }

  // A float16 from its bits: a sign, five of the exponent, ten of the fraction.
  function half(bits) {
    const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
  }

  // The colours of gan_notes/plots.py, lighter on a dark page; the rest is the theme's.
  const STYLE = `
  :host {
    --real: #0173b2; --synthetic: #de8f05; --d: #029e73;
    --real-words: #0169a3; --synthetic-words: #9a5f00; --d-words: #027353;
    --ink: var(--pst-color-text-base, #222832);
    --soft: var(--pst-color-text-muted, #48566b);
    --line: var(--pst-color-border, #c9c9c9);
    --paper: var(--pst-color-background, #fff);
    --panel: var(--pst-color-surface, #f5f5f5);
    --key: var(--pst-color-primary, #0a7d91);
    --on-key: var(--pst-color-primary-text, #fff);
    display: block; margin: 1.25rem 0; color: var(--ink);
    font-size: 0.875rem; line-height: 1.4; container-type: inline-size;
  }
  :host([dark]) {
    --real: #56b4f0; --synthetic: #f5ae3d; --d: #2fc79b;
    --real-words: #56b4f0; --synthetic-words: #f5ae3d; --d-words: #2fc79b;
    --ink: var(--pst-color-text-base, #ced6dd);
    --soft: var(--pst-color-text-muted, #9ca4af);
    --line: var(--pst-color-border, #48566b);
    --paper: var(--pst-color-background, #14181e);
    --panel: var(--pst-color-surface, #29313d);
    --key: var(--pst-color-primary, #3fb1c5);
    --on-key: var(--pst-color-primary-text, #14181e);
    color-scheme: dark;
  }
  :host([hidden]) { display: none; }
  section { border: 1px solid var(--line); border-radius: 8px; background: var(--paper); padding: 0.75rem; }
  canvas { display: block; width: 100%; border-radius: 4px; }
  canvas:focus-visible, button:focus-visible, select:focus-visible, input:focus-visible {
    outline: 2px solid var(--key); outline-offset: 2px;
  }
  .row { display: flex; flex-wrap: wrap; gap: 0.4rem 0.6rem; align-items: center; }
  .grid { display: grid; gap: 0.5rem 1rem; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); }
  .label, .soft { color: var(--soft); }
  button, select {
    font: inherit; color: var(--ink); background: var(--panel); border: 1px solid var(--line);
    border-radius: 6px; padding: 0.3rem 0.7rem; min-height: 2.1rem; cursor: pointer;
  }
  select { padding: 0.3rem 0.4rem; max-width: 100%; }
  button:hover { border-color: var(--key); }
  button:disabled { opacity: 0.5; cursor: default; }
  button.main { background: var(--key); color: var(--on-key); border-color: var(--key); font-weight: 600; min-width: 5.2rem; }
  button[aria-pressed="true"] { border-color: var(--key); box-shadow: inset 0 0 0 1px var(--key); }
  label { color: var(--ink); }
  .slider { display: block; }
  .slider output { float: right; font-variant-numeric: tabular-nums; color: var(--ink); font-weight: 600; }
  .choice { display: flex; flex-direction: column; }
  .field { display: inline-flex; gap: 0.4rem; align-items: center; }
  input[type="number"] {
    font: inherit; color: var(--ink); background: var(--panel); border: 1px solid var(--line);
    border-radius: 6px; padding: 0.3rem 0.4rem; width: 5rem; min-height: 2.1rem; box-sizing: border-box;
  }
  .check { display: inline-flex; gap: 0.35rem; align-items: center; min-height: 2.1rem; }
  .check input { width: 1.05rem; height: 1.05rem; accent-color: var(--key); }
  input[type="range"] {
    appearance: none; display: block; width: 100%; height: 1.6rem; margin: 0; background: none; cursor: pointer;
  }
  input[type="range"]::-webkit-slider-runnable-track {
    height: 4px; border-radius: 2px;
    background: linear-gradient(to right, var(--key) var(--share, 0%), var(--line) var(--share, 0%));
  }
  input[type="range"]::-moz-range-track { height: 4px; border-radius: 2px; background: var(--line); }
  input[type="range"]::-moz-range-progress { height: 4px; border-radius: 2px; background: var(--key); }
  input[type="range"]::-webkit-slider-thumb {
    appearance: none; width: 16px; height: 16px; margin-top: -6px; border-radius: 50%;
    background: var(--key); border: 2px solid var(--paper); box-shadow: 0 0 0 1px var(--key);
  }
  input[type="range"]::-moz-range-thumb {
    width: 12px; height: 12px; border-radius: 50%;
    background: var(--key); border: 2px solid var(--paper); box-shadow: 0 0 0 1px var(--key);
  }
  dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.2rem, 1fr)); gap: 0.4rem 0.9rem; margin: 0; }
  dt { color: var(--soft); }
  dd { margin: 0; font-variant-numeric: tabular-nums; font-weight: 600; }
  dd small { font-weight: 400; color: var(--soft); font-size: inherit; }
  p { margin: 0; }
  a { color: var(--key); }
  .real { color: var(--real-words); } .synthetic { color: var(--synthetic-words); } .d { color: var(--d-words); }
  @media (pointer: coarse) { button, select, input[type="number"] { min-height: 2.6rem; } input[type="range"] { height: 2.2rem; } }
  `;

  globalThis.GanNotes = { Stage, Random, slider, choice, number, pushButton, minus, phi, shipped, loadWeights, unpack };
}
