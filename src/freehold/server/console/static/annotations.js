// Annotating by keys alone: a number chooses, Enter keeps, l puts off. Without it the form is filled in and sent as it is.
(() => {
  "use strict";
  const form = document.getElementById("say");
  if (!form) return;
  const help = document.getElementById("keys-help");
  if (help) help.hidden = false;
  const answer = document.getElementById("answer");
  const choose = (radio) => {
    radio.checked = true;
    radio.focus();
    if (radio.value === "other" && answer) answer.focus();
  };
  if (answer) answer.addEventListener("input", () => { document.getElementById("c-3").checked = true; });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const at = event.target;
    const writing = at.closest("textarea, select, input:not([type='radio'])");
    if (writing) {
      if (event.key === "Escape") at.blur();
      return;
    }
    const radio = /^[1-9]$/.test(event.key) && document.getElementById(`c-${event.key}`);
    if (radio && !radio.disabled) {
      event.preventDefault();
      choose(radio);
    } else if (event.key === "Enter" && !at.closest("a, button, summary") && form.querySelector("input[type='radio']:checked")) {
      event.preventDefault();
      form.requestSubmit();
    } else if (event.key === "l") {
      window.location.href = form.dataset.later;
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && at === document.body) {
      const first = form.querySelector("input[type='radio']:not([disabled])");
      if (first) { event.preventDefault(); choose(first); }
    }
  });
})();
