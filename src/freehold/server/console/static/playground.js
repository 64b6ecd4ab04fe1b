// Answers as they come. Without this the form is sent, and answers are drawn when all of them are done.
(() => {
  "use strict";
  const form = document.getElementById("playground");
  if (!form) return;
  const answers = document.getElementById("answers");
  const status = document.getElementById("asking");
  const stop = form.querySelector(".stop");
  const send = form.querySelector("button.main");
  let running = null;

  const made = (name, text, kind) => {
    const one = document.createElement(name);
    if (text) one.textContent = text;
    if (kind) one.className = kind;
    return one;
  };
  const seconds = (value) => value == null ? "-" : value < 1 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(1)} s`;
  const money = (text) => {
    if (text == null) return "not settled yet";
    const value = Number(text);
    if (value === 0) return "$0.00";
    return value >= 0.01 ? `$${value.toFixed(2)}` : `$${value.toPrecision(2)}`;
  };
  const link = (call, text) => {
    const one = made("a", text);
    one.href = `${form.dataset.calls}/${encodeURIComponent(call)}`;
    return one;
  };

  const column = (model) => {
    const place = made("section", "", "answer panel");
    place.setAttribute("aria-label", model);
    const text = made("div", "", "turn-text"), after = made("div");
    place.append(made("h2", model), text, after);
    answers.append(place);
    return { text, after };
  };

  const facts = (place, event) => {
    const list = made("dl", "", "facts");
    const row = (name, value) => {
      const told = made("dd");
      told.append(value);
      list.append(made("dt", name), told);
    };
    row("First text", seconds(event.first_text_seconds));
    row("Whole answer", seconds(event.seconds));
    row("Cost", money(event.cost));
    const estimated = event.estimated ? " (estimated)" : "";
    row("Tokens", event.input_tokens == null ? "not settled yet"
      : `${event.input_tokens} in, ${event.output_tokens} out${estimated}`);
    row("Answered by", `${event.target || "unknown"}${event.owned ? " (owned)" : ""}`);
    if (event.label) row("Label", event.label);
    row("Ended", [event.finish, event.outcome === "ok" ? "" : event.outcome].filter(Boolean).join(", ") || "-");
    const found = Object.entries(event.found || {}).map(([name, count]) => `${name} ${count}`);
    if (found.length) row("Guard found", found.join(", "));
    if (event.call) row("Call", link(event.call, event.call.slice(-8)));
    place.after.replaceChildren(list);
  };

  const trouble = (place, event) => {
    const box = made("div", "", "trouble");
    box.setAttribute("role", "alert");
    box.append(made("p", event.message, "empty-title"));
    if (event.hint) box.append(made("p", event.hint));
    const end = made("p", [event.code, event.seconds == null ? "" : `after ${seconds(event.seconds)}`].join(" ").trim(), "quiet");
    if (event.call) end.append(" · ", link(event.call, "the call"));
    box.append(end);
    place.after.replaceChildren(box);
  };

  const body = () => {
    const fields = new FormData(form);
    const told = { models: fields.getAll("models").filter(Boolean), prompt: String(fields.get("prompt") || "") };
    for (const name of ["system", "key", "secret", "label"]) if (fields.get(name)) told[name] = fields.get(name);
    for (const name of ["max_tokens", "temperature"]) if (fields.get(name)) told[name] = Number(fields.get(name));
    return told;
  };

  const read = async (response, places) => {
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      rest += decoder.decode(value || new Uint8Array(), { stream: !done });
      const lines = rest.split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const event = JSON.parse(line);
        const place = places.get(event.model);
        if (event.event === "text") place.text.append(event.text);
        else if (event.event === "end") facts(place, event);
        else if (event.event === "error") trouble(place, event);
      }
      if (done) return;
    }
  };

  form.addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    if (running) return;
    running = new AbortController();
    const asked = body();
    send.disabled = true;
    stop.hidden = false;
    status.textContent = "Asking…";
    answers.replaceChildren();
    try {
      const response = await fetch(form.dataset.stream, {
        method: "POST",
        signal: running.signal,
        headers: { "content-type": "application/json", "x-freehold-form": form.elements.form.value },
        body: JSON.stringify(asked),
      });
      if (!response.ok) {
        const told = (await response.json()).error || { message: "this was refused" };
        const place = { after: answers };
        trouble(place, told);
      } else {
        await read(response, new Map(asked.models.map((one) => [one, column(one)])));
      }
      status.textContent = "Done.";
    } catch (error) {
      status.textContent = error.name === "AbortError" ? "Stopped." : "The answers were cut: ask again.";
    } finally {
      running = null;
      send.disabled = false;
      stop.hidden = true;
    }
  });
  stop.addEventListener("click", () => running && running.abort());
})();
