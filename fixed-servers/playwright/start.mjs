// Starts Playwright's MCP server for one session, with a browser and an output folder of its own.

import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const MIB = 1024 * 1024;
const SESSION_BYTES = 128 * MIB;
const EARLIER_BYTES = 256 * MIB; // with four sessions well below data_dir_mb
const UNTOUCHED_MS = 3600 * 1000; // a folder that was written to later may be in use
const sessions = join(process.env.DATA_DIR, "sessions");
const own = join(sessions, `${new Date().toISOString().replaceAll(":", "-")}-${randomBytes(3).toString("hex")}`);

function bytesOf(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0)
    .reduce((sum, size) => sum + size, 0);
}

function removeOldest() {
  let left = EARLIER_BYTES;
  for (const name of readdirSync(sessions).sort().reverse()) {
    const folder = join(sessions, name);
    left -= bytesOf(folder);
    const touched = statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (left < 0 && Date.now() - touched > UNTOUCHED_MS) rmSync(folder, { recursive: true, force: true });
  }
}

mkdirSync(sessions, { recursive: true });
removeOldest();
const [program] = process.argv.splice(2, 1);
process.argv.push(
  "--headless",
  "--isolated",
  "--browser", "chromium",
  "--executable-path", "/usr/lib/chromium/chromium",
  "--no-sandbox", // its own needs namespaces, which no server may make; ours is around all of it
  "--snapshot-mode", "none", // beside an answer it would be a file, which no model can read
  "--output-dir", own,
  "--output-max-size", String(SESSION_BYTES),
);
// Of a server with granted hosts: the proxy in its own network namespace.
if (process.env.HTTPS_PROXY) process.argv.push("--proxy-server", process.env.HTTPS_PROXY);
createRequire(import.meta.url)(program);
