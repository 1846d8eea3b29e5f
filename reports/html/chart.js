(() => {
  const block = document.getElementById("timeline-data");
  if (!block) return;
  const {step, rows, phases, faults, marks, limits} = JSON.parse(block.textContent);
  const pictures = [...document.querySelectorAll("svg[data-end]")];
  if (pictures.length === 0) return;
  const end = +pictures[0].dataset.end;
  const two = v => String(Math.floor(v)).padStart(2, "0");
  const clock = s => (s < 3600 ? Math.floor(s / 60) : Math.floor(s / 3600) + ":" + two(s / 60 % 60)) + ":" + two(s % 60);
  const digits = v => String(Number(v.toPrecision(3)));
  const ms = v => v <= 0 ? "–" : v < 1000 ? digits(v) + " ms" : digits(v / 1000) + " s";
  const make = (name, attributes) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    return e;
  };
  const element = (name, properties, ...children) => {
    const e = Object.assign(document.createElement(name), properties);
    e.append(...children);
    return e;
  };

  // The close-up is made when somebody opens it, by uPlot, in the colours of the picture.
  const ink = (name, property) => getComputedStyle(pictures[0].querySelector("." + name) ?? pictures[0])[property];
  let plots = [], range = [0, end];
  const shown = element("p", {className: "note", role: "status"});
  const room = element("div", {className: "plots"});
  const zoom = (from, to) => {
    const span = Math.min(end, Math.max(to - from, Math.min(end, 3 * step)));
    from = Math.max(0, Math.min(end - span, from));
    range = [from, from + span];
    shown.textContent = "Shown: " + clock(range[0]) + " to " + clock(range[1]) + " of " + clock(end) + ".";
    for (const p of plots) {
      p.setSelect({left: 0, top: 0, width: 0, height: 0}, false);
      p.setScale("x", {min: range[0], max: range[1]});
    }
  };
  const clipped = (u, draw) => {
    const {left, top, width, height} = u.bbox;
    u.ctx.save();
    u.ctx.beginPath();
    u.ctx.rect(left, top, width, height);
    u.ctx.clip();
    u.ctx.font = 11 * uPlot.pxRatio + "px system-ui, sans-serif";
    u.ctx.textAlign = "left";
    draw(u.ctx, v => u.valToPos(v, "x", true), v => u.valToPos(v, "y", true), top, top + height);
    u.ctx.restore();
  };
  const ground = u => clipped(u, (ctx, x, y, top, bottom) => {
    for (const f of faults) {
      ctx.globalAlpha = 0.16;
      ctx.fillStyle = ink("fault", "fill");
      ctx.fillRect(x(f.from), top, Math.max(1, x(f.to) - x(f.from)), bottom - top);
    }
    ctx.globalAlpha = 1;
    ctx.fillStyle = ctx.strokeStyle = ink("label", "fill");
    for (const p of phases) {
      ctx.fillRect(x(p.from), top, uPlot.pxRatio, bottom - top);
      const left = x(Math.max(p.from, range[0])), wide = x(Math.min(p.to, range[1])) - left;
      if (ctx.measureText(p.name).width + 10 * uPlot.pxRatio < wide) ctx.fillText(p.name, left + 5 * uPlot.pxRatio, top + 12 * uPlot.pxRatio);
    }
  });
  const over = latencies => u => clipped(u, (ctx, x, y, top, bottom) => {
    const stroke = (name, x1, y1, x2, y2, dash) => {
      ctx.strokeStyle = ink(name, "stroke");
      ctx.lineWidth = 1.5 * uPlot.pxRatio;
      ctx.setLineDash(dash ? [5 * uPlot.pxRatio, 3 * uPlot.pxRatio] : []);
      ctx.beginPath();
      ctx.moveTo(x1, y1);
      ctx.lineTo(x2, y2);
      ctx.stroke();
    };
    if (latencies) for (const l of limits) stroke("limit", x(l.from), y(l.ms), x(l.to), y(l.ms), true);
    for (const m of marks) {
      stroke(m.kind, x(m.at), top, x(m.at), bottom, m.kind === "limit");
      ctx.fillStyle = ink(m.kind, "stroke");
      ctx.textAlign = m.kind === "t0" ? "right" : "left";
      ctx.fillText(m.said, x(m.at) + (m.kind === "t0" ? -4 : 4) * uPlot.pxRatio, top + (m.kind === "limit" ? 42 : 27) * uPlot.pxRatio);
    }
  });
  const plot = (title, names, first, latencies) => {
    const label = ink("label", "fill"), grid = {stroke: ink("grid", "stroke"), width: 1}, font = "11px system-ui, sans-serif";
    const axis = {stroke: label, grid, ticks: grid, font};
    const rate = v => digits(v) + "/s", said = latencies ? ms : rate;
    const wide = u => [...u.root.querySelectorAll(".u-legend th")];
    const last = rows[rows.length - 1];
    const u = new uPlot({
      width: room.clientWidth, height: 230,
      scales: {
        x: {time: false},
        y: latencies ? {distr: 3, range: (_, low, high) => low > 0 ? uPlot.rangeLog(low, Math.max(high, ...limits.map(l => l.ms)), 10, true) : [1, 10]}
          : {range: (_, low, high) => [0, 1.4 * (high || 1)]},
      },
      axes: [
        {...axis, values: (_, at) => at.map(clock), incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400]},
        {...axis, size: 64, values: (_, at) => at.map(v => v === null ? "" : latencies ? ms(v) : digits(v))},
      ],
      series: [{label: "Time", value: (_, v) => v === null ? "–" : clock(v)}, ...names.map(name => ({
        label: name[1], stroke: ink(name[0], "stroke"), width: 1.5, dash: name[0] === "offered" ? [4, 3] : undefined,
        paths: latencies ? undefined : uPlot.paths.stepped({align: 1}), points: latencies ? undefined : {show: false},
        value: (_, v) => v === null ? "–" : said(v),
      }))],
      cursor: {sync: {key: "timeline"}, y: false, drag: {x: true, y: false, setScale: false}, bind: {dblclick: () => () => zoom(0, end)}},
      hooks: {
        drawClear: [ground], draw: [over(latencies)],
        setSelect: [u => { if (u.select.width > 0) zoom(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")); }],
        setSeries: [(u, i) => { if (i > 0) wide(u)[i].setAttribute("aria-pressed", u.series[i].show); }],
      },
    }, [
      [...rows.map(row => row[0]), end],
      ...names.map((_, i) => [...rows, last].map(row => latencies && row[first + i] <= 0 ? null : row[first + i])),
    ], room);
    u.root.prepend(element("h4", {textContent: title}));
    for (const th of wide(u).slice(1)) {
      th.tabIndex = 0;
      th.setAttribute("role", "button");
      th.setAttribute("aria-pressed", "true");
      th.addEventListener("keydown", e => {
        if (e.key !== "Enter" && e.key !== " ") return;
        e.preventDefault();
        th.click();
      });
    }
    return u;
  };
  const build = () => {
    for (const p of plots) p.destroy();
    room.replaceChildren();
    plots = [plot("Operations per second", [["offered", "offered"], ["ok-line", "ok"], ["bad-line", "errors"]], 1, false)];
    if (rows.some(row => row[5] > 0)) plots.push(plot("Latency of ok, log scale", [["p50", "p50"], ["p99", "p99"]], 4, true));
    zoom(...range);
  };
  const by = (name, change) => {
    const b = element("button", {type: "button", textContent: name});
    b.addEventListener("click", () => zoom(...change(range[0], range[1], (range[1] - range[0]) / 4)));
    return b;
  };
  const buttons = element("div", {className: "buttons"},
    by("Zoom in", (from, to, q) => [from + q, to - q]), by("Zoom out", (from, to, q) => [from - 2 * q, to + 2 * q]),
    by("Earlier", (from, to, q) => [from - q, to - q]), by("Later", (from, to, q) => [from + q, to + q]), by("All", () => [0, end]));
  buttons.setAttribute("role", "group");
  buttons.setAttribute("aria-label", "Zoom");
  const closer = element("details", {className: "closer"},
    element("summary", {textContent: "Look closer: zoom in, hide single series"}),
    element("p", {className: "note", textContent: "Drag over a chart to zoom in, double-click to see all again. A click on a name hides its series."}),
    buttons, shown, room);
  const open = () => {
    if (plots.length === 0) build();
  };
  if (rows.length > 1 && typeof uPlot !== "undefined") {
    pictures[0].closest("figure").append(closer);
    closer.addEventListener("toggle", () => { if (closer.open) open(); });
    new ResizeObserver(() => {
      for (const p of plots) if (room.clientWidth > 0 && room.clientWidth !== p.width) p.setSize({width: room.clientWidth, height: p.height});
    }).observe(room);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (plots.length > 0 && closer.open) build(); });
  }

  for (const svg of pictures) {
    const low = +svg.dataset.low, high = +svg.dataset.high, box = svg.viewBox.baseVal;
    const cursor = svg.appendChild(make("line", {class: "cursor", y1: 20, y2: box.height - 24, visibility: "hidden"}));
    const chosen = svg.appendChild(make("rect", {class: "chosen", y: 20, height: box.height - 44, visibility: "hidden"}));
    const said = document.createElement("p");
    said.className = "note readout";
    said.setAttribute("aria-live", "polite");
    said.textContent = "Point at the chart, or choose it and use the arrow keys, to read what it shows. Drag over it to look closer.";
    svg.before(said);
    svg.setAttribute("tabindex", "0");
    let at = -1, begin = -1;
    const show = i => {
      at = Math.max(0, Math.min(rows.length - 1, i));
      const [t, offered, ok, errors, p50, p99] = rows[at];
      const x = low + (high - low) * Math.min(1, (t + step / 2) / end);
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
      cursor.setAttribute("visibility", "visible");
      said.textContent = clock(t) + (step > 1 ? " to " + clock(t + step) : "") + ": offered " + digits(offered) + "/s, ok " + digits(ok) +
        "/s, errors " + digits(errors) + "/s, p50 " + ms(p50) + ", p99 " + ms(p99) + (step > 1 ? " (worst second)" : "");
    };
    const time = e => {
      const r = svg.getBoundingClientRect();
      return Math.max(0, Math.min(end, ((e.clientX - r.left) / r.width * box.width - low) / (high - low) * end));
    };
    const across = t => low + (high - low) * t / end;
    svg.addEventListener("pointermove", e => {
      const t = time(e);
      show(rows.findLastIndex(row => row[0] <= t));
      if (begin < 0) return;
      chosen.setAttribute("x", across(Math.min(begin, t)));
      chosen.setAttribute("width", across(Math.abs(t - begin)) - low);
      chosen.setAttribute("visibility", "visible");
    });
    svg.addEventListener("pointerdown", e => { if (e.button === 0 && closer.isConnected) begin = time(e); });
    addEventListener("pointerup", e => {
      if (begin < 0) return;
      const from = begin, to = time(e);
      begin = -1;
      chosen.setAttribute("visibility", "hidden");
      if (Math.abs(across(to) - across(from)) < 8) return;
      closer.open = true;
      open();
      zoom(Math.min(from, to), Math.max(from, to));
    });
    addEventListener("pointercancel", () => {
      begin = -1;
      chosen.setAttribute("visibility", "hidden");
    });
    svg.addEventListener("keydown", e => {
      const by = {ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10}[e.key];
      if (!by) return;
      e.preventDefault();
      show(at + by);
    });
  }
})();
