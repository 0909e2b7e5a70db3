// Shows the next times of a schedule while it is typed.
"use strict";

// A block of its own: the scripts of a page share their names.
{
  const PAUSE_MS = 300; // after the last key
  const SCHEDULE = ["cron", "at", "timezone", "jitter_s"];

  const place = document.querySelector("[data-preview]");
  const form = place.closest("form");
  let timer = 0;
  let asked = 0;

  async function look() {
    const mine = ++asked;
    const asking = new URLSearchParams(["job", ...SCHEDULE].map((name) => [name, form.elements[name].value]));
    try {
      const answer = await fetch(`${place.dataset.preview}?${asking}`);
      const html = await answer.text();
      // A later question may have been answered first.
      if (answer.ok && mine === asked) place.innerHTML = html;
    } catch {
      // The gateway is away; the button asks again.
    }
  }

  form.addEventListener("input", (event) => {
    if (!SCHEDULE.includes(event.target.name)) return;
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE_MS);
  });
  if (form.elements.cron.value || form.elements.at.value) look();
}
