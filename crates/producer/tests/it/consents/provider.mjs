// A provider whose tokens come of a person's agreement: `oidc-provider`, certified by the OpenID Foundation, with an API behind it that
// takes its tokens. Prints its address. `/_person?url=...` opens an address as a person's browser does, agrees (`&no=1`: does not), and
// answers where it was led back to; `/_forget` takes every agreement back. Nobody logs in: whoever asks is the same person.
import Provider from "oidc-provider";
import http from "node:http";

const PATH = "/services/oauth2";
const CODES_HOLD_SECONDS = 3;
let says_no = false;
let grants = [];

const provider = new Provider("http://127.0.0.1", {
  clients: [
    {
      client_id: "our-id",
      client_secret: "our-password",
      application_type: "native",
      token_endpoint_auth_method: "client_secret_post",
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: ["http://127.0.0.1/oauth/callback"],
    },
  ],
  scopes: ["api"],
  clientBasedCORS: () => false,
  pkce: { required: () => true },
  routes: { authorization: `${PATH}/authorize`, token: `${PATH}/token` },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/_interaction/${interaction.uid}` },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
  ttl: { AuthorizationCode: CODES_HOLD_SECONDS, AccessToken: 3600, Grant: 86400, Interaction: 600, RefreshToken: 86400, Session: 600 },
  cookies: { keys: ["of the test alone"] },
});
const handler = provider.callback();

const decide = async (request, response) => {
  const { params, prompt, session } = await provider.interactionDetails(request, response);
  if (says_no) {
    const refused = { error: "access_denied", error_description: "the person said no" };
    return provider.interactionFinished(request, response, refused);
  }
  if (prompt.name === "login") {
    return provider.interactionFinished(request, response, { login: { accountId: "ada" } });
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  grants.push(await grant.save());
  return provider.interactionFinished(request, response, { consent: { grantId: grants.at(-1) } });
};

// Follows every redirect that stays here, with cookies, and answers the first that leads away.
const open = async (url, at) => {
  const cookies = new Map();
  for (let step = 0; step < 20; step += 1) {
    const header = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, { redirect: "manual", headers: { cookie: header } });
    for (const cookie of answer.headers.getSetCookie()) {
      const [name, value] = cookie.split(";")[0].split("=");
      cookies.set(name, value);
    }
    const location = answer.headers.get("location");
    if (!location) throw new Error(`${answer.status}: ${await answer.text()}`);
    url = new URL(location, url).href;
    if (!url.startsWith(at)) return url;
  }
  throw new Error("it leads nowhere");
};

const api = async (request, response) => {
  const token = await provider.AccessToken.find((request.headers.authorization ?? "").replace("Bearer ", ""));
  response.writeHead(token ? 200 : 401, { "content-type": "application/json" });
  response.end(JSON.stringify(token ? { DailyApiRequests: { Remaining: 100 } } : [{ errorCode: "INVALID_SESSION_ID", message: "no" }]));
};

const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, "http://127.0.0.1");
  try {
    if (url.pathname === "/_person") {
      says_no = url.searchParams.has("no");
      const led = await open(url.searchParams.get("url"), `http://127.0.0.1:${server.address().port}`);
      response.end(led);
    } else if (url.pathname === "/_forget") {
      for (const grant of grants) {
        await provider.AccessToken.revokeByGrantId(grant);
        await provider.RefreshToken.revokeByGrantId(grant);
      }
      response.end();
    } else if (url.pathname.startsWith("/_interaction/")) await decide(request, response);
    else if (url.pathname.startsWith("/services/data/")) await api(request, response);
    else handler(request, response);
  } catch (error) {
    response.writeHead(500);
    response.end(String(error?.stack ?? error));
  }
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
