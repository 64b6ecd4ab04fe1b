// What scripts add to pages that read and submit without them: copying, keys, forms that send themselves.
(() => {
  "use strict";
  document.documentElement.classList.add("scripted");

  const ready = (root) => {
    for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select the text and copy it";
    }
    setTimeout(() => { button.textContent = before; }, 2000);
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  });

  document.addEventListener("input", (event) => {
    // The number beside a slider.
    const shown = event.target.dataset.shows && document.getElementById(event.target.dataset.shows);
    if (shown) shown.textContent = event.target.value;
  });

  // g, then the letter of a page; / goes to the search; ? shows the letters.
  let going = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    if (going) {
      going = false;
      const place = document.querySelector(`.way-wide [data-key="${CSS.escape(event.key)}"]`);
      if (place) { event.preventDefault(); place.click(); }
    } else if (event.key === "g") {
      going = true;
      setTimeout(() => { going = false; }, 1500);
    } else if (event.key === "/") {
      const search = document.querySelector("[data-search]");
      if (search) { event.preventDefault(); search.focus(); }
    } else if (event.key === "?") {
      document.body.classList.toggle("keys-shown");
    }
  });

  // Charts whose time can be chosen: the drawn one stands until this is ready.
  const plot = (place) => {
    const told = JSON.parse(place.querySelector("script[type='application/json']").textContent);
    const style = getComputedStyle(place);
    const ink = style.getPropertyValue("--quiet"), grid = style.getPropertyValue("--line");
    const colours = [1, 2, 3, 4].map((one) => style.getPropertyValue(`--series-${one}`));
    const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid } };
    const room = place.querySelector(".plot") || place;
    const made = new uPlot({
      width: place.clientWidth, height: Number(place.dataset.height || 220),
      tzDate: (stamp) => uPlot.tzDate(new Date(stamp * 1000), "Etc/UTC"),
      scales: { x: { time: told.time !== false }, y: { distr: told.log ? 3 : 1, range: told.range } },
      axes: [axis, { ...axis, size: 64 }],
      series: [{ label: told.x || "Time (UTC)" }, ...told.series.map((one, index) => ({
        label: one.label, stroke: colours[index % 4], width: 2, dash: one.dash ? [6, 4] : undefined, spanGaps: true,
      }))],
    }, [told.at, ...told.series.map((one) => one.values)], room);
    const drawn = place.querySelector("svg");
    if (drawn) drawn.remove();
    new ResizeObserver(() => made.setSize({ width: place.clientWidth, height: made.height })).observe(place);
  };

  const begin = () => {
    ready(document);
    if (window.uPlot) document.querySelectorAll("[data-plot]").forEach(plot);
    document.body.addEventListener("htmx:load", (event) => ready(event.target));
    const trim = (event) => {
      // A live list shows nothing twice, also where a stream begins anew, and does not grow without end.
      const rows = event.target.closest ? event.target.closest("[data-most]") : null;
      const newest = rows && rows.firstElementChild;
      if (newest && newest.id) [...rows.children].slice(1).forEach((row) => row.id === newest.id && row.remove());
      if (rows) while (rows.children.length > Number(rows.dataset.most)) rows.lastElementChild.remove();
    };
    document.body.addEventListener("htmx:sseMessage", trim);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin); else begin();
})();
