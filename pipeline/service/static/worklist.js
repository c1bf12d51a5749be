// For comfort only: every page works without it.
"use strict";

const tasks = [...document.querySelectorAll(".task, .task-page, .task-card")];
const dialog = document.getElementById("keys");
const answers = { v: "visited", n: "not_visited", c: "cannot_tell" };
const details = { visited: "visit_date", not_visited: "reason", cannot_tell: "note" };

// A second tap on a slow line must not send the answer twice.
document.addEventListener("submit", (event) => {
  if (event.target.method === "dialog") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});

// Coming back with the browser's own button: the form may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// What only scripts can do is offered only with them.
for (const button of document.querySelectorAll("[data-prints]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
for (const button of document.querySelectorAll("[data-opens]")) {
  button.parentElement.hidden = false;
  button.addEventListener("click", () => dialog.showModal());
}

// On a wide screen there is room for all that narrows the list.
if (matchMedia("(min-width: 40rem)").matches) {
  for (const more of document.querySelectorAll("details.more")) more.open = true;
}

// On a narrow screen the tabs scroll sideways: the current one must be in sight.
const tab = document.querySelector(".tabs [aria-current]");
if (tab) tab.closest("ul").scrollLeft = tab.offsetLeft - 40;

// A note that cannot be kept empty is asked for before it is sent.
document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (event.target.name === "outcome" && form) form.note.required = form.outcome.value === "cannot_tell";
});

// The list goes on at the next task; what became of the last is still read out.
window.addEventListener("load", () => {
  const next = location.hash.startsWith("#t-") && document.getElementById(location.hash.slice(1));
  if (next) next.focus();
  const told = document.querySelector(".stays");
  if (!told) return;
  const spoken = document.body.appendChild(document.createElement("p"));
  spoken.className = "unseen";
  spoken.setAttribute("aria-live", "polite");
  setTimeout(() => { spoken.textContent = told.textContent; }, 100);
});

function current() {
  return document.activeElement.closest(".task, .task-page, .task-card");
}

function go(step) {
  const at = tasks.indexOf(current());
  const wanted = tasks[at < 0 ? 0 : at + step];
  if (!wanted) return;
  wanted.focus();
  wanted.scrollIntoView({ block: "nearest" });
}

// Chooses, and goes to the detail that is asked for; in capitals it is saved at once.
function answer(outcome, isAtOnce) {
  const task = current() || tasks[0];
  const form = task && task.querySelector("form.answer");
  const choice = form && form.querySelector(`[value=${outcome}]`);
  if (!choice) return;
  choice.click();
  if (isAtOnce) form.requestSubmit();
  else form.elements[details[outcome]].focus();
}

document.addEventListener("reset", (event) => {
  const task = event.target.closest(".task, .task-card");
  if (task) task.focus();
});

const keys = {
  j: () => go(1),
  ArrowDown: () => go(1),
  k: () => go(-1),
  ArrowUp: () => go(-1),
  v: () => answer("visited", false),
  n: () => answer("not_visited", false),
  c: () => answer("cannot_tell", false),
  V: () => answer("visited", true),
  N: () => answer("not_visited", true),
  o: () => current() && current().querySelector("a")?.click(),
  "/": () => document.getElementById("q")?.focus(),
  "?": () => dialog?.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  const target = event.target;
  const form = target.closest("form.answer");
  if (form && event.key === "Escape") {
    form.reset();
    event.preventDefault();
    return;
  }
  // Enter saves from the list of reasons too, as it does from the date.
  if (form && event.key === "Enter" && target.matches("select")) {
    event.preventDefault();
    form.requestSubmit();
    return;
  }
  const isTyping = target.matches("input:not([type=radio]), textarea, select") || dialog?.open;
  const isChoosing = target.matches("[type=radio]") && event.key.startsWith("Arrow");
  if (isTyping || isChoosing || !Object.hasOwn(keys, event.key)) return;
  if (event.key.startsWith("Arrow") && !current()) return;
  event.preventDefault();
  keys[event.key]();
});
