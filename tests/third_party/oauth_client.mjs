// Signs in with the official TypeScript client, refreshes, and prints what it saw.
// Usage: node oauth_client.mjs MODULES, where MODULES is the folder that holds node_modules.
// First line on stdin: {"client": "v1" | "auto", "url", "redirect", "metadataUrl", "information"}; the
// last two may be absent. It prints {"authorize": URL}, reads the address to which the owner's browser was
// sent back, and prints {"clientId", "tools", "refreshed"}.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.argv[2] + "/");
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const nextLine = async () => (await lines.next()).value;
const asked = JSON.parse(await nextLine());

const kept = { information: asked.information };
const provider = {
  redirectUrl: asked.redirect,
  clientMetadataUrl: asked.metadataUrl,
  clientMetadata: {
    client_name: "TypeScript client",
    redirect_uris: [asked.redirect],
    grant_types: ["authorization_code", "refresh_token"],
    token_endpoint_auth_method: "none",
  },
  clientInformation: () => kept.information,
  saveClientInformation: (information) => (kept.information = information),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => (kept.tokens = tokens),
  redirectToAuthorization: (url) => console.log(JSON.stringify({ authorize: url.href })),
  saveCodeVerifier: (verifier) => (kept.verifier = verifier),
  codeVerifier: () => kept.verifier,
  saveDiscoveryState: (state) => (kept.discovery = state),
  discoveryState: () => kept.discovery,
};

function parts() {
  const identity = { name: "oauth-client", version: "1" };
  if (asked.client === "v1") {
    const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
    const http = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
    return [new Client(identity), http.StreamableHTTPClientTransport];
  }
  const { Client, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");
  return [new Client(identity, { versionNegotiation: { mode: "auto" } }), StreamableHTTPClientTransport];
}

async function connected() {
  const [client, Transport] = parts();
  await client.connect(new Transport(new URL(asked.url), { authProvider: provider }));
  return client;
}

async function signIn() {
  const [client, Transport] = parts();
  const transport = new Transport(new URL(asked.url), { authProvider: provider });
  try {
    await client.connect(transport);
  } catch {
    const answer = new URL(await nextLine());
    await (asked.client === "v1"
      ? transport.finishAuth(answer.searchParams.get("code"))
      : transport.finishAuth(answer.searchParams));
    return;
  }
  throw new Error("it was let in without a token");
}

await signIn();
const client = await connected();
const tools = (await client.listTools()).tools.map((each) => each.name);
const first = kept.tokens.access_token;
kept.tokens = { ...kept.tokens, access_token: "cra_expired" };
const again = (await client.listTools()).tools.length;
const refreshed = again === tools.length && ![first, "cra_expired"].includes(kept.tokens.access_token);
await client.close();
console.log(JSON.stringify({ clientId: kept.information.client_id, tools, refreshed }));
process.exit(0);
