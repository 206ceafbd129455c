// A client of the {{ api }} API for browsers, Node.js and whatever else has `fetch`. Its types are in the `.d.ts` beside it.
//
//   import { {{ class }} } from './{{ file }}';
//
//   const api = new {{ class }}({ baseUrl: 'http://127.0.0.1:8080'{% for credential in credentials %}, {{ credential.name }}: {{ credential.example }}{% endfor %} });
//   const { data } = await api.{{ methods[0].name }}({{ methods[0].parameters | map(attribute="example") | join(", ") }});

/** What a method throws when the API does not do what it was asked. */
export class ApiError extends Error {
  constructor(response, problem) {
    super(problem ? `${problem.title}: ${problem.detail}` : `the server answered ${response.status}`);
    this.name = 'ApiError';
    this.status = response.status;
    this.problem = problem;
    this.headers = response.headers;
  }

  /** How many seconds to wait before the next try, where the server says so. */
  get retryAfter() {
    const seconds = this.headers.get('Retry-After');
    return seconds === null ? undefined : Number(seconds);
  }
}

export class {{ class }} {
  #baseUrl;
  #fetch;
{% if credentials %}
  #credentials;
{% endif %}

  constructor({ baseUrl,{% for credential in credentials %} {{ credential.name }},{% endfor %} fetch = globalThis.fetch }) {
    this.#baseUrl = String(baseUrl).replace(/\/+$/, '');
    this.#fetch = fetch;
{% if credentials %}
    this.#credentials = { {% for credential in credentials %}{{ credential.name }}{% if not loop.last %}, {% endif %}{% endfor %} };
{% endif %}
  }
{% for method in methods %}

  /** {{ method.summary }}. */
{% if method.list %}
  {{ method.name }}({% for parameter in method.parameters %}{{ parameter.name }}, {% endfor %}query, options) {
    return this.#send({{ method.call }}, options);
  }
{% if method.list.all %}

  /** Every row, page after page. */
  async *{{ method.list.all }}({% for parameter in method.parameters %}{{ parameter.name }}, {% endfor %}query, options) {
    let asked = query;
    do {
      const { data } = await this.{{ method.name }}({% for parameter in method.parameters %}{{ parameter.name }}, {% endfor %}asked, options);
      yield* data.items;
      asked = { ...query, cursor: data.next, offset: undefined };
    } while (asked.cursor !== null);
  }
{% endif %}
{% else %}
  {{ method.name }}({% for parameter in method.parameters %}{{ parameter.name }}, {% endfor %}options) {
    return this.#send({{ method.call }}, options);
  }
{% endif %}
{% endfor %}

  async #send(method, path, { body{% if queries %}, query{% endif %}{% if credentials %}, by{% endif %} }, options = {}) {
    const headers = new Headers(options.headers);
    const set = (name, value) => value !== undefined && headers.set(name, value);
{% if patched %}
    const isPatch = method === 'PATCH' && Array.isArray(body);
    if (body !== undefined) set('Content-Type', isPatch ? 'application/json-patch+json' : 'application/json');
{% else %}
    if (body !== undefined) set('Content-Type', 'application/json');
{% endif %}
{% if credentials %}
    const credential = this.#credentials[by];
    const proof = typeof credential === 'function' ? await credential() : credential;
    if (proof !== undefined) set(...proved[by](proof));
{% endif %}
{% if repeatable %}
    set('Idempotency-Key', options.idempotencyKey);
{% endif %}
{% if merging %}
    const preferences = [options.merge && 'resolution=merge-duplicates', options.prefer && `return=${options.prefer}`];
    set('Prefer', preferences.filter(Boolean).join(', ') || undefined);
{% elif preferring %}
    set('Prefer', options.prefer && `return=${options.prefer}`);
{% endif %}
{% if guarded %}
    set('If-Match', options.ifMatch);
{% endif %}
{% if spared %}
    set('If-None-Match', options.ifNoneMatch);
{% endif %}
    // Called without an object before it: browsers refuse `fetch` as a method of anything but the window.
    const send = this.#fetch;
    const response = await send(`${this.#baseUrl}${path}{% if queries %}${search(query)}{% endif %}`, {
      method,
      headers,
      body: JSON.stringify(body),
      signal: options.signal,
{% if cookies %}
      // The session of a login is a cookie.
      credentials: 'include',
{% endif %}
    });
    const data = await contentOf(response);
    if (!response.ok{% if spared %} && response.status !== 304{% endif %}) throw new ApiError(response, data?.type ? data : undefined);
    return { status: response.status, data, etag: response.headers.get('ETag') ?? undefined, headers: response.headers };
  }
}
{% if has_path_parameters %}

/** A value as one segment of a path. */
function segment(value) {
  const text = String(value);
  // `fetch` would take these for a way up.
  if (/^\.{0,2}$/.test(text)) throw new TypeError(`\`${text}\` cannot be part of a path`);
  return encodeURIComponent(text);
}
{% endif %}
{% if queries %}

function search(query) {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null);
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}
{% endif %}

{% if credentials %}
/** The header by which a credential proves who calls. */
const proved = {
{% for credential in credentials %}
{% if credential.name == 'apiKey' %}
  apiKey: (key) => ['X-API-Key', key],
{% elif credential.name == 'accessToken' %}
  accessToken: (token) => ['Authorization', `Bearer ${token}`],
{% else %}
  password: ({ email, password }) => ['Authorization', `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`${email}:${password}`)))}`],
{% endif %}
{% endfor %}
};

{% endif %}
/** The document in an answer; `undefined` where there is none, or something else, as from a proxy in between. */
async function contentOf(response) {
  const mediaType = response.headers.get('Content-Type') ?? '';
  const text = await response.text();
{% if text_lists %}
  if (/^(text\/csv|application\/x-ndjson)\b/i.test(mediaType)) return text;
{% endif %}
  return /^application\/(.+\+)?json\b/i.test(mediaType) && text !== '' ? JSON.parse(text) : undefined;
}
