// Adds the lines that a server writes to its page, and says when the stream is down.
"use strict";

// A block of its own: the scripts of a page share their names.
{
  const MAX_LINES = 2000;
  const connection = document.getElementById("connection");
  const log = document.getElementById("log");
  const events = new EventSource(connection.dataset.events);

  function show(text, state) {
    connection.textContent = text;
    connection.dataset.state = state;
  }

  function add(line) {
    const at = document.createElement("span");
    at.className = "quiet";
    at.textContent = line.at;
    const row = document.createElement("span");
    row.append(at, ` ${line.text}\n`);
    log.append(row);
  }

  events.addEventListener("open", () => show("Live", "on"));
  events.addEventListener("lines", (event) => {
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    const { lines, skipped } = JSON.parse(event.data);
    if (skipped) log.replaceChildren("Lines are left out here.\n");
    lines.forEach(add);
    while (log.childNodes.length > MAX_LINES) log.firstChild.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  });
  events.addEventListener("error", () => {
    const gone = events.readyState === EventSource.CLOSED;
    show(gone ? "Disconnected: reload this page" : "Disconnected: trying again", "off");
  });
  window.addEventListener("pagehide", () => events.close());
  window.addEventListener("pageshow", (event) => event.persisted && location.reload());
  log.scrollTop = log.scrollHeight;
}
