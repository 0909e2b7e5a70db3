// Follows the live fragments of a page, and says when nothing comes any more.
"use strict";

// A block of its own: the scripts of a page share their names.
{
  const RETRY_MS = 5000; // after an answer that is none: the gateway is starting, or the session has ended
  const HIDDEN_MS = 30000; // a tab that nobody sees lets its connection go after this long

  const connection = document.getElementById("connection");
  const names = [...document.querySelectorAll("[data-live]")].map((place) => ["live", place.dataset.live]);
  let events = null;
  let timer = 0;

  const morphing = {
    ignoreActiveValue: true,
    callbacks: {
      // What the reader has folded out, or chosen, is the reader's.
      beforeAttributeUpdated: (name, node) => !(name === "open" && node.nodeName === "DETAILS"),
    },
  };

  function show(text, state) {
    connection.textContent = text;
    connection.dataset.state = state;
  }

  function apply({ live, row, html }) {
    const place = row ? document.getElementById(row) : document.querySelector(`[data-live="${CSS.escape(live)}"]`);
    if (place) Idiomorph.morph(place, html, { ...morphing, morphStyle: row ? "outerHTML" : "innerHTML" });
  }

  function follow() {
    clearTimeout(timer);
    events = new EventSource(`/events?${new URLSearchParams(names)}`);
    events.addEventListener("open", () => show("Live", "on"));
    events.addEventListener("live", (event) => JSON.parse(event.data).forEach(apply));
    events.addEventListener("error", () => {
      const refused = events.readyState === EventSource.CLOSED;
      show(refused ? "Disconnected: log in again, or wait" : "Disconnected: trying again", "off");
      if (refused) timer = setTimeout(follow, RETRY_MS);
    });
  }

  function leave() {
    clearTimeout(timer);
    events.close();
  }

  if (names.length) {
    follow();
    document.addEventListener("visibilitychange", () => {
      clearTimeout(timer);
      if (document.hidden) timer = setTimeout(leave, HIDDEN_MS);
      else if (events.readyState === EventSource.CLOSED) follow();
    });
    window.addEventListener("pagehide", leave);
    window.addEventListener("pageshow", (event) => event.persisted && location.reload());
  }
}
