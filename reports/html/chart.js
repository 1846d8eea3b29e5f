(() => {
  const block = document.getElementById("timeline-data");
  if (!block) return;
  const {step, rows} = JSON.parse(block.textContent);
  const clock = s => Math.floor(s / 60) + ":" + String(Math.floor(s % 60)).padStart(2, "0");
  const digits = v => String(Number(v.toPrecision(3)));
  const ms = v => v <= 0 ? "–" : v < 1000 ? digits(v) + " ms" : digits(v / 1000) + " s";
  const make = (name, attributes) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    return e;
  };
  for (const svg of document.querySelectorAll("svg[data-end]")) {
    const low = +svg.dataset.low, high = +svg.dataset.high, end = +svg.dataset.end, box = svg.viewBox.baseVal;
    const cursor = svg.appendChild(make("line", {class: "cursor", y1: 20, y2: box.height - 24, visibility: "hidden"}));
    const said = document.createElement("p");
    said.className = "note readout";
    said.setAttribute("aria-live", "polite");
    said.textContent = "Point at the chart, or choose it and use the arrow keys, to read what it shows.";
    svg.before(said);
    svg.setAttribute("tabindex", "0");
    let at = -1;
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
    svg.addEventListener("pointermove", e => {
      const r = svg.getBoundingClientRect();
      const t = ((e.clientX - r.left) / r.width * box.width - low) / (high - low) * end;
      show(rows.findLastIndex(row => row[0] <= t));
    });
    svg.addEventListener("keydown", e => {
      const by = {ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10}[e.key];
      if (!by) return;
      e.preventDefault();
      show(at + by);
    });
  }
})();
