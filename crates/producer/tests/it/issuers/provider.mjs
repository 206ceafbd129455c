// An issuer of access tokens: `oidc-provider`, certified by the OpenID Foundation. Prints its own address, and one where a test tells it
// what to do: `/token?sub=&alg=&aud=&scope=&email=` gives a token that it has issued, `/forge?kind=` one that somebody else made,
// `/rotate` has it issue with other keys, `/down` and `/up` take it off its address and back, `/asked` tells how often its keys were asked for.
import Provider from "oidc-provider";
import { SignJWT, UnsecuredJWT, exportJWK, exportSPKI, generateKeyPair, importJWK } from "jose";
import http from "node:http";
import { randomUUID } from "node:crypto";

const ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"];
const sockets = new Set();
let asked = 0;
let provider;
let handler;
let keys;
let said;

const keysOf = async () => {
  const make = async (alg) => ({ ...(await exportJWK((await generateKeyPair(alg, { extractable: true })).privateKey)), alg, use: "sig", kid: randomUUID() });
  return Promise.all(ALGORITHMS.map(make));
};

const begin = async () => {
  keys = await keysOf();
  provider = new Provider(issuer(), {
    jwks: { keys },
    clients: [{ client_id: "page", client_secret: "our-password", redirect_uris: [], response_types: [], grant_types: ["client_credentials"] }],
    scopes: ["notes:read", "notes:write"],
    features: { devInteractions: { enabled: false }, clientCredentials: { enabled: true }, resourceIndicators: { enabled: true, getResourceServerInfo: () => resource({}) } },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    ttl: { AccessToken: 600, ClientCredentials: 600 },
    extraTokenClaims: () => said,
    cookies: { keys: ["of the test alone"] },
  });
  handler = provider.callback();
};

const resource = ({ aud = "https://notes.example", alg = "RS256" }) => ({
  audience: aud, scope: "notes:read notes:write", accessTokenTTL: 600, accessTokenFormat: "jwt", jwt: { sign: { alg } },
});

const token = async ({ sub, aud, alg, scope, email, unproved }) => {
  const client = await provider.Client.find("page");
  const about = { client, scope, accountId: sub, gty: "authorization_code", expiresWithSession: false };
  const issued = sub ? new provider.AccessToken(about) : new provider.ClientCredentials({ client, scope });
  issued.resourceServer = new provider.ResourceServer("https://notes.example", resource({ aud, alg }));
  issued.scope = scope;
  said = email && { email, email_verified: !unproved, name: "Ada Lovelace" };
  return issued.save();
};

const forge = async ({ kind, sub }) => {
  const now = Math.floor(Date.now() / 1000);
  const said = { iss: issuer(), aud: "https://notes.example", sub, iat: now, exp: now + 600, scope: "notes:read notes:write" };
  const [rsa] = keys;
  const header = { alg: "RS256", typ: "at+jwt", kid: rsa.kid };
  const own = await importJWK(rsa, "RS256");
  if (kind === "none") return new UnsecuredJWT(said).encode();
  if (kind === "expired") return new SignJWT({ ...said, exp: now - 60 }).setProtectedHeader(header).sign(own);
  if (kind === "later") return new SignJWT({ ...said, nbf: now + 600 }).setProtectedHeader(header).sign(own);
  if (kind === "id_token") return new SignJWT({ ...said, aud: "page", nonce: "n" }).setProtectedHeader({ ...header, typ: "JWT" }).sign(own);
  if (kind === "logout") return new SignJWT(said).setProtectedHeader({ ...header, typ: "logout+jwt" }).sign(own);
  if (kind === "foreign") return new SignJWT({ ...said, iss: "https://elsewhere.example" }).setProtectedHeader(header).sign(own);
  if (kind === "hs256") {
    const { d, p, q, dp, dq, qi, ...open } = rsa;
    const pem = await exportSPKI(await importJWK(open, "RS256"));
    return new SignJWT(said).setProtectedHeader({ alg: "HS256", kid: rsa.kid }).sign(Buffer.from(pem));
  }
  const { privateKey } = await generateKeyPair("RS256");
  const kid = kind === "stolen_name" ? rsa.kid : randomUUID();
  const far = { jku: "https://attacker.example/keys", x5u: "https://attacker.example/keys" };
  return new SignJWT(said).setProtectedHeader({ ...header, ...far, kid }).sign(privateKey);
};

const server = http.createServer((request, response) => {
  if (request.url === "/jwks") asked += 1;
  handler(request, response);
});
server.on("connection", (socket) => {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
});
let port = 0;
const issuer = () => `http://127.0.0.1:${port}`;
const listening = (at) => new Promise((resolve) => server.listen(at, "127.0.0.1", resolve));
await listening(0);
port = server.address().port;
await begin();

const told = {
  "/token": token,
  "/forge": forge,
  "/rotate": begin,
  "/asked": () => String(asked),
  "/up": () => listening(port),
  "/down": () => new Promise((resolve) => {
    server.close(resolve);
    for (const socket of sockets) socket.destroy();
  }),
};
const control = http.createServer(async (request, response) => {
  const url = new URL(request.url, "http://127.0.0.1");
  try {
    response.end(String((await told[url.pathname](Object.fromEntries(url.searchParams))) ?? ""));
  } catch (error) {
    response.writeHead(500);
    response.end(String(error?.stack ?? error));
  }
});
control.listen(0, "127.0.0.1", () => console.log(`${issuer()} ${control.address().port}`));
