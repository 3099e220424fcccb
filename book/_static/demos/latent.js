// <gan-latent>: the shipped generators of chapter 04 draw images in the page.
//
// A point of a plane in the latent space, a step of a walk between two seeds, or a fresh
// draw goes through dense, convolutional and transposed layers, as Keras has them. A
// test holds what comes out to Keras, on the same rounded weights and noise.

"use strict";

{
  const { Stage, Random, slider, choice, number, pushButton, minus, loadWeights } = GanNotes;

  const SIDE = 7; // images along a side of the map
  const REACH = 2; // the plane goes from -REACH to REACH each way
  const FRESH = 24; // images of one draw
  const FILM = 10; // images in a frame of a film
  const LAP = 6000; // milliseconds of a walk there and back
  const SLICE = 12; // milliseconds a frame for the map

  // The number of outputs before which TensorFlow's "same" padding puts nothing.
  const before = (kernel, stride) => Math.floor((kernel - stride) / 2);

  // out += x w, for a row x at `from` and a matrix w (inputs, outputs) at `at`.
  function add(out, to, outputs, x, from, inputs, w, at) {
    for (let i = 0; i < inputs; i++) {
      const v = x[from + i];
      if (v === 0) continue;
      for (let o = 0, k = at + i * outputs; o < outputs; o++, k++) out[to + o] += v * w[k];
    }
  }

  const LAYERS = {
    dense(x, { kernel, bias }) {
      const [inputs, outputs] = kernel.shape;
      const out = new Float32Array(outputs);
      if (bias) out.set(bias);
      add(out, 0, outputs, x.values, 0, inputs, kernel, 0);
      return { values: out, shape: [outputs] };
    },
    reshape: (x, { to }) => ({ values: x.values, shape: to }),
    affine(x, { scale, shift }) {
      const n = scale.length;
      return { values: x.values.map((v, i) => v * scale[i % n] + shift[i % n]), shape: x.shape };
    },
    // Each pixel looks at those around it; Keras keeps the kernel (y, x, in, out).
    convolution(x, { kernel, bias }) {
      const [height, width] = x.shape;
      const [side, , inputs, outputs] = kernel.shape;
      const edge = before(side, 1);
      const out = start(height * width, outputs, bias);
      for (let row = 0; row < height; row++) {
        for (let column = 0; column < width; column++) {
          const to = (row * width + column) * outputs;
          for (let a = 0; a < side; a++) {
            const y = row + a - edge;
            if (y < 0 || y >= height) continue;
            for (let b = 0; b < side; b++) {
              const z = column + b - edge;
              if (z < 0 || z >= width) continue;
              add(out, to, outputs, x.values, (y * width + z) * inputs, inputs, kernel, (a * side + b) * inputs * outputs);
            }
          }
        }
      }
      return { values: out, shape: [height, width, outputs] };
    },
    // Each pixel paints a patch, `stride` apart; Keras keeps the kernel (y, x, out, in).
    transposed(x, { kernel, bias, stride }) {
      const [height, width] = x.shape;
      const [side, , outputs, inputs] = kernel.shape;
      const edge = before(side, stride);
      const [high, wide] = [height * stride, width * stride];
      const out = start(high * wide, outputs, bias);
      for (let row = 0; row < height; row++) {
        for (let column = 0; column < width; column++) {
          const from = (row * width + column) * inputs;
          for (let a = 0; a < side; a++) {
            const y = row * stride + a - edge;
            if (y < 0 || y >= high) continue;
            for (let b = 0; b < side; b++) {
              const z = column * stride + b - edge;
              if (z < 0 || z >= wide) continue;
              const to = (y * wide + z) * outputs;
              for (let o = 0, k = (a * side + b) * outputs * inputs; o < outputs; o++) {
                let sum = 0;
                for (let i = 0; i < inputs; i++, k++) sum += x.values[from + i] * kernel[k];
                out[to + o] += sum;
              }
            }
          }
        }
      }
      return { values: out, shape: [high, wide, outputs] };
    },
    leaky: (x, { slope }) => ({ values: x.values.map((v) => (v < 0 ? slope * v : v)), shape: x.shape }),
    tanh: (x) => ({ values: x.values.map(Math.tanh), shape: x.shape }),
  };

  function start(pixels, channels, bias) {
    const out = new Float32Array(pixels * channels);
    if (bias) for (let i = 0; i < out.length; i += channels) out.set(bias, i);
    return out;
  }

  class Generator {
    // What page_weights.images wrote: latent, classes (their names), layers and film.
    constructor(content) {
      Object.assign(this, content);
    }

    // Noise (latent) and a class, where there are some, to an image in [-1, 1].
    image(z, label = 0) {
      const input = [...z, ...this.classes.map((_, i) => (i === label ? 1 : 0))];
      let x = { values: Float32Array.from(input), shape: [input.length] };
      for (const layer of this.layers) x = LAYERS[layer.kind](x, layer);
      return x.values;
    }

    noise(seed) {
      return new Random(seed).normals(this.latent);
    }

    // A plane through three draws. Divided so, z is as long as a draw is, everywhere.
    point([corner, across, up], [u, v]) {
      const norm = Math.sqrt(1 + u * u + v * v);
      return corner.map((c, i) => (c + u * across[i] + v * up[i]) / norm);
    }

    // From one draw to another along the arc, so that no z on the way is too short.
    between(a, b, t) {
      const dot = (x, y) => x.reduce((sum, v, i) => sum + v * y[i], 0);
      const angle = Math.acos(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)));
      if (angle < 1e-6) return a; // the same draw twice
      const [p, q] = [Math.sin((1 - t) * angle), Math.sin(t * angle)];
      return a.map((v, i) => (p * v + q * b[i]) / Math.sin(angle));
    }
  }

  // Lay images side by side on a canvas of their own, ink on paper.
  function sheet(images, columns, side) {
    const canvas = document.createElement("canvas");
    canvas.width = columns * side;
    canvas.height = Math.ceil(images.length / columns) * side;
    const ctx = canvas.getContext("2d");
    images.forEach((image, n) => {
      if (!image) return;
      const picture = ctx.createImageData(side, side);
      const channels = image.length / side ** 2;
      for (let i = 0; i < side ** 2; i++) {
        for (let c = 0; c < 3; c++) {
          const v = image[i * channels + (channels > 1 ? c : 0)];
          // Of one channel, 1 is ink; of three, light.
          picture.data[4 * i + c] = 127.5 * (channels > 1 ? 1 + v : 1 - v);
        }
        picture.data[4 * i + 3] = 255;
      }
      ctx.putImageData(picture, (n % columns) * side, Math.floor(n / columns) * side);
    });
    return canvas;
  }

  async function decoded(picture) {
    const image = new Image();
    image.src = `data:image/png;base64,${picture}`;
    await image.decode();
    return image;
  }

  const digits = (values) => values.map((v) => minus(v.toFixed(1))).join(", ");

  class GanLatent extends Stage {
    static title = "Latent space: walk through what a generator can draw";
    static weights = ["dcgan-mnist-0", "dcgan-mnist-labels-0", "dcgan-fashion-0", "dcgan2016-mnist-0"];
    static names = { "dcgan-mnist-0": "digits", "dcgan2016-mnist-0": "digits, networks of 2016", "dcgan-mnist-labels-0": "digits, by class", "dcgan-fashion-0": "clothes" };
    static template = `
      <div class="row" id="open">${pushButton("open", "Start the generator", { kind: "main" })}</div>
      <div id="still"><slot></slot></div>
      <div id="live" hidden>
        <div class="row">
          <span id="which">${choice("generator", "generator", {})}</span>
          <span id="picker" hidden>${choice("label", "class", {})}</span>
          ${pushButton("another", "Another plane")}
        </div>
        <div class="stage">
          <canvas id="plane" tabindex="0" role="application"></canvas>
          <div class="side">
            <canvas id="image" role="img"></canvas>
            <p class="soft" id="where"></p>
          </div>
        </div>
        <div class="row">
          ${pushButton("toggle", "Play", { kind: "main", title: "Walk there and back" })}
          ${number("from", "walk from no.", 1)}
          ${number("to", "to no.", 2)}
        </div>
        ${slider("walk", "along the walk", { min: 0, max: 1, step: 0.01, value: 0 })}
        <div class="row">${pushButton("fresh", `Draw ${FRESH} fresh ones`)}</div>
        <canvas id="grid" role="img"></canvas>
        <div id="learning" hidden>
          ${slider("film", "ten vectors while it learned", { min: 0, max: 1, step: 1, value: 0 })}
          <canvas id="frame" role="img"></canvas>
        </div>
      </div>
      <p id="status" role="status"></p>`;
    static style = `
      section, #live, #learning { display: grid; gap: 0.6rem; }
      #still { text-align: center; }
      [hidden]#live, [hidden]#still, [hidden]#picker, [hidden]#which, [hidden]#learning { display: none; }
      .stage { display: grid; gap: 0.75rem; grid-template-columns: minmax(0, 1fr); }
      #plane { aspect-ratio: 1; touch-action: none; cursor: crosshair; }
      .side { display: grid; gap: 0.4rem; justify-items: center; align-content: start; }
      #image { aspect-ratio: 1; width: 60%; }
      #grid { aspect-ratio: ${FRESH / 4} / 4; }
      #frame { aspect-ratio: ${FILM}; }
      .choice { flex-direction: row; gap: 0.4rem; align-items: center; }
      #status { min-height: 2.8em; }
      @container (min-width: 560px) {
        .stage { grid-template-columns: minmax(0, 1.72fr) minmax(0, 1fr); }
        #image { width: 100%; }
        #grid { aspect-ratio: ${FRESH / 2} / 2; }
      }`;

    setup() {
      const { weights, names } = GanLatent;
      this.fill("generator", weights.map((name) => [name, names[name]]));
      this.find("which").hidden = weights.length < 2;
      Object.assign(this, { generators: {}, at: [0, 0], plot: 1, sheets: 0 });
      this.hand("plane", {
        put: (place) => this.go(place),
        step: (way) => this.go(this.at.map((v, i) => v + way[i])),
        ready: () => this.generator,
      });
      this.tell("The picture shows a plane through the space of noise: each place is a vector, each image what the generator makes of it. Start it to walk there.");
    }

    fill(name, options) {
      const input = this.inputs[name];
      input.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
      this.read(input);
    }

    say(name, value) {
      if (name !== "film") return `${Math.round(100 * value)} %`;
      return this.film ? `${this.film.steps[value].toLocaleString("en")} updates` : "";
    }

    // The button: read the weights, then show the generator at work.
    async open() {
      if (await this.load()) {
        this.find("still").hidden = true;
        this.find("open").remove();
        this.find("live").hidden = false;
        this.find("plane").focus({ preventScroll: true });
        this.redraw();
      }
    }

    async load() {
      const name = this.state.generator;
      if (!this.generators[name]) {
        this.tell("Reading the generator.");
        try {
          const generator = (this.generators[name] = new Generator(await loadWeights(name)));
          if (generator.film) generator.film.frames = await decoded(generator.film.picture);
        } catch (error) {
          this.tell(error.message);
          return false;
        }
      }
      this.generator = this.generators[name];
      const { classes } = this.generator;
      this.find("picker").hidden = !classes.length;
      this.fill("label", classes.map((text, i) => [i, text]));
      this.rewind();
      this.survey();
      this.fresh();
      this.go([0, 0]);
      return true;
    }

    // The film of the generator, where it has one, at its end.
    rewind() {
      const { film } = this.generator;
      this.find("learning").hidden = !film;
      this.film = film;
      if (!film) return;
      this.inputs.film.max = film.steps.length - 1;
      this.inputs.film.value = film.steps.length - 1;
      this.read(this.inputs.film);
    }

    get chosen() {
      return Number(this.state.label) || 0; // the class
    }

    seed(name) {
      return Math.max(1, Math.round(Number(this.state[name])) || 1);
    }

    make(z) {
      return this.generator.image(z, this.chosen);
    }

    // The plane anew: its map is filled in while the page stays alive.
    survey() {
      this.corners = [0, 1, 2].map((i) => this.generator.noise(1e6 + 3 * this.plot + i));
      this.thumbnails = Array(SIDE * SIDE).fill(null);
      this.queue = Array.from(this.thumbnails.keys());
    }

    fillMap() {
      const until = performance.now() + SLICE;
      while (this.queue.length && performance.now() < until) {
        const n = this.queue.shift();
        const place = [n % SIDE, SIDE - 1 - Math.floor(n / SIDE)];
        const at = place.map((i) => REACH * ((2 * i) / (SIDE - 1) - 1));
        this.thumbnails[n] = this.make(this.generator.point(this.corners, at));
      }
      if (this.queue.length) this.redraw();
    }

    // Put the marker on the plane.
    go(at) {
      this.at = at.map((v) => Math.round(100 * Math.max(-REACH, Math.min(REACH, v))) / 100);
      this.show(this.generator.point(this.corners, this.at), `at ${digits(this.at)} of the plane`);
    }

    stroll() {
      const [a, b] = ["from", "to"].map((name) => this.generator.noise(this.seed(name)));
      const share = this.say("walk", this.state.walk);
      this.show(this.generator.between(a, b, this.state.walk), `${share} of the way from no. ${this.seed("from")} to no. ${this.seed("to")}`);
    }

    show(z, where) {
      const began = performance.now();
      this.z = z;
      this.picture = this.make(z);
      this.took = performance.now() - began;
      this.where = where;
      this.redraw();
    }

    another() {
      this.plot += 1;
      this.survey();
      this.go([0, 0]);
    }

    fresh() {
      this.sheets += 1;
      this.deal();
    }

    deal() {
      const first = 2e6 + this.sheets * FRESH;
      this.samples = Array.from({ length: FRESH }, (_, i) => this.make(this.generator.noise(first + i)));
    }

    changed(name) {
      if (!this.generator) return;
      if (name === "film") return; // a picture that is there
      if (name === "generator") this.load();
      else if (name === "label") {
        this.survey();
        this.deal();
        this.show(this.z, this.where);
      } else this.stroll();
    }

    play() {
      if (this.calm) return this.set({ walk: this.state.walk < 1 ? 1 : 0 }); // no motion: the other end
      this.clock = this.state.walk / 2;
      super.play();
    }

    advance(milliseconds) {
      this.clock = (this.clock + milliseconds / LAP) % 1;
      this.inputs.walk.value = 1 - Math.abs(2 * this.clock - 1);
      this.read(this.inputs.walk);
      this.stroll();
    }

    draw() {
      if (!this.generator) return;
      this.fillMap();
      this.drawPlane();
      this.drawImage("image", [this.picture], 1);
      const { clientWidth, clientHeight } = this.find("grid");
      this.drawImage("grid", this.samples, clientWidth > 4 * clientHeight ? FRESH / 2 : FRESH / 4);
      if (this.film) this.drawFrame();
      this.report();
    }

    drawFrame() {
      const { film, side, state } = this;
      const { ctx, box } = this.plane("frame", [0, 1], [0, 1], { margin: [0, 0, 0, 0] });
      ctx.imageSmoothingEnabled = false;
      ctx.drawImage(film.frames, 0, state.film * side, FILM * side, side, 0, 0, box.right, box.bottom);
      this.find("frame").setAttribute("aria-label", `What ten vectors of noise became after ${this.say("film", state.film)}.`);
    }

    drawPlane() {
      const { colour, at } = this;
      const reach = REACH * (SIDE / (SIDE - 1)); // half an image beyond the last one's middle
      const plane = this.plane("plane", [-reach, reach], [-reach, reach], { margin: [4, 4, 22, 26] });
      const { ctx, box } = plane;
      ctx.imageSmoothingEnabled = false;
      ctx.drawImage(sheet(this.thumbnails, SIDE, this.side), box.left, box.top, box.right - box.left, box.bottom - box.top);
      plane.axes({ xticks: [-2, -1, 0, 1, 2], yticks: [-2, -1, 0, 1, 2] });
      plane.dot(at, { colour: colour.paper, radius: 9 });
      plane.dot(at, { colour: colour.synthetic, radius: 6 });
      this.find("plane").setAttribute("aria-label", `A plane of noise with ${SIDE} by ${SIDE} images on it. The marker is at ${digits(at)}; arrow keys move it.`);
    }

    drawImage(name, images, columns) {
      const { ctx, box } = this.plane(name, [0, 1], [0, 1], { margin: [0, 0, 0, 0] });
      ctx.imageSmoothingEnabled = false;
      ctx.drawImage(sheet(images, columns, this.side), 0, 0, box.right, box.bottom);
    }

    get side() {
      return Math.sqrt(this.picture.length / this.generator.channels);
    }

    report() {
      const kind = this.generator.classes[this.chosen] ?? "";
      const length = Math.hypot(...this.z);
      this.find("where").textContent = this.where;
      this.find("image").setAttribute("aria-label", `A synthetic image ${kind && `of class ${kind} `}${this.where}.`);
      this.find("grid").setAttribute("aria-label", `${FRESH} synthetic images ${kind && `of class ${kind} `}from fresh noise, draw no. ${this.sheets}.`);
      this.tell(`The image ${this.where}: noise of length ${length.toFixed(1)}, drawn in ${Math.max(1, Math.round(this.took))} ms.`);
    }
  }

  Object.assign(GanLatent, { Generator }); // for the tests
  customElements.define("gan-latent", GanLatent);
}
