// Drives servers with the official TypeScript client, all at once, and prints what it saw.
// Usage: node client.mjs MODULES < request, where MODULES is the folder that holds node_modules.
// Request: {"client": "auto" | "legacy" | "v1", "token", "visits": {NAME: {"url", "tool",
// "arguments", "resources", "prompt", "slow"}}}; the last three may be absent.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const require = createRequire(process.argv[2] + "/");
const asked = JSON.parse(await text(process.stdin));

function connectable(url) {
  const options = { requestInit: { headers: { Authorization: `Bearer ${asked.token}` } } };
  const identity = { name: "third-party-client", version: "1" };
  if (asked.client === "v1") {
    const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
    const http = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
    return [new Client(identity), new http.StreamableHTTPClientTransport(new URL(url), options)];
  }
  const { Client, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");
  const client = new Client(identity, { versionNegotiation: { mode: asked.client } });
  return [client, new StreamableHTTPClientTransport(new URL(url), options)];
}

function call(client, name, args, options) {
  const request = { name, arguments: args };
  return asked.client === "v1"
    ? client.callTool(request, undefined, options)
    : client.callTool(request, options);
}

async function visit({ url, tool, arguments: args, resources, prompt, slow }) {
  const [client, transport] = connectable(url);
  await client.connect(transport);
  // The first generation keeps the version in its transport, the second in the client.
  const version = transport.protocolVersion ?? client.getNegotiatedProtocolVersion();
  const tools = (await client.listTools()).tools.map((each) => each.name);
  const called = (await call(client, tool, args)).content.map((block) => block.text ?? "").join("");
  const seen = { version, tools, called, progress: [] };
  if (resources) {
    const [first] = (await client.listResources()).resources;
    seen.read = (await client.readResource({ uri: first.uri })).contents;
  }
  if (prompt) {
    seen.prompts = (await client.listPrompts()).prompts.map((each) => each.name);
    seen.prompt = (await client.getPrompt(prompt)).messages;
  }
  if (slow) {
    const onprogress = ({ progress }) => seen.progress.push(progress);
    await call(client, slow.tool, slow.arguments, { onprogress });
  }
  await client.close();
  return seen;
}

const visits = Object.entries(asked.visits).map(async ([name, each]) => [name, await visit(each)]);
console.log(JSON.stringify(Object.fromEntries(await Promise.all(visits))));
