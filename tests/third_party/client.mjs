// Drives servers with the official TypeScript client, all at once, and prints what it saw.
// Usage: node client.mjs MODULES < request, where MODULES is the folder that holds node_modules.
// Request: {"client": "auto" | "legacy" | "v1", "token", "visits": {NAME: {"url", "tool",
// "arguments", "resources", "prompt", "slow", "asking", "given"}}}; all after "arguments" may be absent.
// "asking" is a tool that asks its user for something; the user answers with "given".
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const require = createRequire(process.argv[2] + "/");
const asked = JSON.parse(await text(process.stdin));

function connectable(url, given) {
  const options = { requestInit: { headers: { Authorization: `Bearer ${asked.token}` } } };
  const identity = { name: "third-party-client", version: "1" };
  const capabilities = { elicitation: { form: {} } };
  const answer = () => ({ action: "accept", content: given });
  if (asked.client === "v1") {
    const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
    const http = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
    const { ElicitRequestSchema } = require("@modelcontextprotocol/sdk/types.js");
    const client = new Client(identity, { capabilities });
    client.setRequestHandler(ElicitRequestSchema, answer);
    return [client, new http.StreamableHTTPClientTransport(new URL(url), options)];
  }
  const { Client, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");
  const versionNegotiation = { mode: asked.client };
  const client = new Client(identity, { capabilities, versionNegotiation });
  client.setRequestHandler("elicitation/create", answer);
  return [client, new StreamableHTTPClientTransport(new URL(url), options)];
}

function call(client, name, args, options) {
  const request = { name, arguments: args };
  return asked.client === "v1"
    ? client.callTool(request, undefined, options)
    : client.callTool(request, options);
}

function texts(result) {
  return result.content.map((block) => block.text ?? "").join("");
}

async function visit({ url, tool, arguments: args, resources, prompt, slow, asking, given }) {
  const [client, transport] = connectable(url, given);
  await client.connect(transport);
  // The first generation keeps the version in its transport, the second in the client.
  const version = transport.protocolVersion ?? client.getNegotiatedProtocolVersion();
  const tools = (await client.listTools()).tools.map((each) => each.name);
  const called = texts(await call(client, tool, args));
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
  if (asking) {
    seen.asked = texts(await call(client, asking, {}));
  }
  await client.close();
  return seen;
}

const visits = Object.entries(asked.visits).map(async ([name, each]) => [name, await visit(each)]);
console.log(JSON.stringify(Object.fromEntries(await Promise.all(visits))));
