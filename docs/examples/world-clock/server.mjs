// The time in any zone: a server for Node, with the official SDK and what Node knows of time zones.

import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

const MINUTE_MS = 60_000;

const Zone = z
  .string()
  .refine(isZone, { error: ({ input }) => `There is no time zone ${JSON.stringify(input)}; write one such as Europe/Berlin.` })
  .describe("A time zone such as Asia/Kolkata, or UTC");
const Time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d$/)
  .refine((time) => !Number.isNaN(Date.parse(`${time}Z`)), { error: "There is no such day or time." })
  .describe("Such as 2026-11-23T09:30");
const Zones = z.array(Zone).min(1).max(20);
const Times = z.object({
  times: z.array(z.object({ zone: z.string(), time: z.string(), weekday: z.string() })),
});

function build() {
  const server = new McpServer({ name: "world-clock", version: "1.0.0" });
  server.registerTool(
    "current_time",
    {
      description: "Return date, time and weekday in one time zone or several, now.",
      inputSchema: z.object({ zones: Zones }),
      outputSchema: Times,
      annotations: { readOnlyHint: true },
    },
    ({ zones }) => answer(Date.now(), zones),
  );
  server.registerTool(
    "convert_time",
    {
      description: "Return what clocks in other zones show when a clock in one zone shows a time, daylight saving included.",
      inputSchema: z.object({
        time: Time,
        zone: Zone.describe("Where it is that time"),
        zones: Zones.describe("Where it is asked for"),
      }),
      outputSchema: Times,
      annotations: { readOnlyHint: true },
    },
    ({ time, zone, zones }) => answer(instantOf(time, zone), zones),
  );
  return server;
}

function answer(instant, zones) {
  const said = { times: zones.map((zone) => ({ zone, ...shown(instant, zone) })) };
  return { content: [{ type: "text", text: JSON.stringify(said) }], structuredContent: said };
}

function shown(instant, zone) {
  const offset = offsetMinutes(instant, zone);
  const wall = new Date(instant + offset * MINUTE_MS);
  const [hours, minutes] = [Math.trunc(Math.abs(offset) / 60), Math.abs(offset) % 60].map((n) => String(n).padStart(2, "0"));
  return {
    time: `${wall.toISOString().slice(0, 19)}${offset < 0 ? "-" : "+"}${hours}:${minutes}`,
    weekday: wall.toLocaleDateString("en", { weekday: "long", timeZone: "UTC" }),
  };
}

function instantOf(time, zone) {
  const wall = Date.parse(`${time}Z`);
  // The offset depends on the instant that is looked for; the second look is right also near a change of clocks.
  const near = wall - offsetMinutes(wall, zone) * MINUTE_MS;
  return wall - offsetMinutes(near, zone) * MINUTE_MS;
}

function offsetMinutes(instant, zone) {
  const parts = new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" }).formatToParts(instant);
  const name = parts.find((part) => part.type === "timeZoneName").value; // GMT-03:30, or GMT alone
  const [, sign, hours, minutes] = name.match(/([+-])(\d\d):(\d\d)/) ?? ["", "+", 0, 0];
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

function isZone(name) {
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone: name }));
  } catch {
    return false;
  }
}

serveStdio(build);
