// Progressive enhancement: every page works without this script.
"use strict";

const tasks = [...document.querySelectorAll(".task, .task-page, .task-card")];
const dialog = document.getElementById("keys");
const answers = { v: "visited", n: "not_visited", c: "cannot_tell" };
const details = { visited: "visit_date", not_visited: "reason", cannot_tell: "note" };

// Ignore a second tap on a slow connection, so that an answer is sent once.
document.addEventListener("submit", (event) => {
  if (event.target.method === "dialog") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});

// After going back in the browser's history, forms may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// Show the controls that need scripts.
for (const button of document.querySelectorAll("[data-prints]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
for (const button of document.querySelectorAll("[data-opens]")) {
  button.parentElement.hidden = false;
  button.addEventListener("click", () => dialog.showModal());
}

// Open the filters on a wide screen, which hides what folds them.
const wide = matchMedia("(min-width: 40rem)");
function openFilters() {
  for (const more of document.querySelectorAll("details.more")) more.open ||= wide.matches;
}
openFilters();
wide.addEventListener("change", openFilters);

// On a narrow screen the tabs scroll sideways; scroll to the current one.
const tab = document.querySelector(".tabs [aria-current]");
if (tab) tab.closest("ul").scrollLeft = tab.offsetLeft - 40;

// "Cannot tell yet" needs a note.
document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (event.target.name === "outcome" && form) form.note.required = form.outcome.value === "cannot_tell";
});

// Focus the next task, and announce the result of the last answer to screen readers.
window.addEventListener("load", () => {
  const next = location.hash.startsWith("#t-") && document.getElementById(location.hash.slice(1));
  if (next) next.focus();
  const notice = document.querySelector(".notice.sticky");
  if (!notice) return;
  const announcement = document.body.appendChild(document.createElement("p"));
  announcement.className = "unseen";
  announcement.setAttribute("aria-live", "polite");
  setTimeout(() => { announcement.textContent = notice.textContent; }, 100);
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

// Choose an answer and focus its detail, or save it at once.
function answer(outcome, saveNow) {
  const task = current() || tasks[0];
  const form = task && task.querySelector("form.answer");
  const choice = form && form.querySelector(`[value=${outcome}]`);
  if (!choice) return;
  choice.click();
  if (saveNow) form.requestSubmit();
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
  // Enter saves from the list of reasons, as it does from the date.
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
