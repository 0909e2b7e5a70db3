// Replaces the tables with what the server renders, and says when the stream is down.
"use strict";

const connection = document.getElementById("connection");
const live = document.getElementById("live");
const events = new EventSource(connection.dataset.events);

function show(text, state) {
  connection.textContent = text;
  connection.dataset.state = state;
}

events.addEventListener("open", () => show("Live", "on"));
events.addEventListener("health", (event) => {
  live.innerHTML = event.data;
});
events.addEventListener("error", () => {
  const gone = events.readyState === EventSource.CLOSED;
  show(gone ? "Disconnected: reload this page" : "Disconnected: trying again", "off");
});
window.addEventListener("pagehide", () => events.close());
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
