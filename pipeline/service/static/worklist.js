// For comfort only: every page works without it.
"use strict";

// A second tap on a slow line must not send the answer twice.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});

// Coming back with the browser's own button: the form may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// "/" goes to the search box.
document.addEventListener("keydown", (event) => {
  const search = document.getElementById("q");
  const isTyping = event.target.matches("input:not([type=radio]), textarea, select");
  if (event.key !== "/" || isTyping || !search) return;
  event.preventDefault();
  search.focus();
});
