// Adds what the server tells of a run to its page, and says when the stream is down.
"use strict";

const connection = document.getElementById("connection");
const conversation = document.getElementById("conversation");
const draft = document.getElementById("draft");
const events = new EventSource(connection.dataset.events);

function show(text, state) {
  connection.textContent = text;
  connection.dataset.state = state;
}

events.addEventListener("open", () => show("Live", "on"));
events.addEventListener("message", (event) => {
  conversation.insertAdjacentHTML("beforeend", event.data);
  // A text goes on behind a message that is not its own: the number says so.
  if (event.lastEventId.endsWith(".0")) draft.textContent = "";
});
events.addEventListener("text", (event) => {
  const { text, restart } = JSON.parse(event.data);
  draft.textContent = restart ? text : draft.textContent + text;
});
events.addEventListener("state", (event) => {
  document.getElementById("state").innerHTML = event.data;
});
// What is known only at the end, such as files, comes with the page.
async function showWhatIsTold() {
  const answer = await fetch(location.pathname);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const told = page.getElementById("told");
  if (told) document.getElementById("told").replaceWith(told);
}

events.addEventListener("end", () => {
  events.close();
  draft.textContent = "";
  document.getElementById("kill").hidden = true;
  document.getElementById("again").hidden = false;
  show("Ended", "on");
  showWhatIsTold();
});
events.addEventListener("error", () => {
  const gone = events.readyState === EventSource.CLOSED;
  show(gone ? "Disconnected: reload this page" : "Disconnected: trying again", "off");
});
window.addEventListener("pagehide", () => events.close());
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
