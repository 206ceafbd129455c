// Tells {{ title }} what visitors do, and gives requests the ids under which a visitor is counted there, so that what the server tells of the
// same visitor belongs to the same visit. For the pages of the site: it imports nothing and no server runs it.
//
// Nothing is loaded, kept or sent before the visitor has agreed to {{ consent }}: whoever asks the visitor calls `agree`, on each page, and
// `withdraw` when the visitor says so. What the server tells of an event is not told from the page a second time.
//
//     const tracking = createTracking({{ "{ " if given }}{% for one in given %}{{ one.name }}: '...'{% if not loop.last %}, {% endif %}{% endfor %}{{ " }" if given }});
//     if (banner.hasAgreed) tracking.agree();
//     await fetch('/api/contact', { method: 'POST', headers, body: JSON.stringify(await tracking.identified(message)) });

/** What the `Content-Security-Policy` of the pages must allow beside what they have already. */
export const contentSecurityPolicy = {{ policy }};

// How long the provider's script may take to say who the visitor is: a blocker may have kept it away.
const PATIENCE = 1000;

/**
 * @param {{ "{{" }} {% for one in given %}{{ one.name }}: string, {% endfor %}nonce?: string {{ "}}" }} {{ "account" if given else "[account]" }}{% for one in given %} `{{ one.name }}`: {{ one.title }};{% endfor %} `nonce` where the policy asks scripts for one
 */
export function createTracking({{ "account" if given else "account = {}" }}) {
{% if known %}
  account = { {% for one in known %}{{ one.name }}: {{ one.value }}, {% endfor %}...account };
{% endif %}
{% for one in given %}
  if (!account.{{ one.name }}) throw new TypeError('createTracking needs `{{ one.name }}`: {{ one.title }}');
{% endfor %}
  let isOn = false;
  let isLoaded = false;

  function load(source) {
    const script = document.createElement('script');
    script.async = true;
    script.src = source;
    if (account.nonce) script.nonce = account.nonce;
    document.head.append(script);
  }

  function begin() {
{% for one in queues %}
    window.{{ one.queue }} ??= [];
    // The provider's script wants the arguments themselves, not a list of them.
    window.{{ one.function }} ??= function () {
      window.{{ one.queue }}.push(arguments);
    };
{% endfor %}
{% for call in start %}
    {{ call }};
{% endfor %}
{% for script in scripts %}
    load({{ script }});
{% endfor %}
    isLoaded = true;
  }
{% if again %}

  function resume() {
{% for call in again %}
    {{ call }};
{% endfor %}
  }
{% endif %}
{% if identifies %}

  /** What the provider calls the visitor; nothing where it does not say so in time. */
  const identities = {
{% for one in identifies %}
    {{ one.name }}: (resolve) => {{ one.call }},
{% endfor %}
  };

  function asked(ask) {
    return new Promise((resolve) => {
      setTimeout(resolve, PATIENCE);
      ask(resolve);
    });
  }
{% endif %}

  return {
    /** The visitor has agreed: from here on the provider is told. */
    agree() {
      if (isOn) return;
      isOn = true;
{% if switched_off_by %}
      window[{{ switched_off_by }}] = false;
{% endif %}
      if (!isLoaded) begin();
{% if again %}
      else resume();
{% endif %}
    },

    /** The visitor has not, or not any more: nothing more is told, and what was kept of the visitor here is deleted. */
    withdraw() {
{% if switched_off_by %}
      window[{{ switched_off_by }}] = true;
{% endif %}
{% if stop %}
      if (isOn) {
{% for call in stop %}
    {{ call }};
{% endfor %}
      }
{% endif %}
      isOn = false;
{% if cookies %}
      forget([{{ cookies }}]);
{% endif %}
    },
{% if identifies %}

    /**
     * The body of a request with the ids of the visitor, where the visitor has agreed and the provider has said them; else as it is.
     * @param {object} body
     */
    async identified(body) {
      if (!isOn) return body;
      const found = await Promise.all(Object.entries(identities).map(async ([name, ask]) => [name, await asked(ask)]));
      // Whoever withdraws meanwhile is not told of.
      if (!isOn) return body;
      const known = found.filter(([, id]) => id !== undefined && id !== null && id !== '');
      return { ...body, ...Object.fromEntries(known.map(([name, id]) => [name, String(id)])) };
    },
{% endif %}
{% if points %}

    /** Tells of an event, where the visitor has agreed. */
    tell(name, event = {}) {
      if (!isOn) return;
{% for point in points %}
      if (name === '{{ point.event }}') {
{% for call in point.calls %}
    {{ call }};
{% endfor %}
      }
{% endfor %}
    },
{% endif %}
  };
}
{% if cookies %}

/** Deletes cookies by name, where a name may end with `*`; they may have been set for any domain above the page's. */
function forget(names) {
  const isMeant = (cookie) => names.some((name) => (name.endsWith('*') ? cookie.startsWith(name.slice(0, -1)) : cookie === name));
  const labels = location.hostname.split('.');
  const domains = ['', ...labels.map((_, index) => `; domain=${labels.slice(index).join('.')}`)];
  for (const cookie of document.cookie.split('; ').map((pair) => pair.split('=')[0]).filter(isMeant)) {
    for (const domain of domains) document.cookie = `${cookie}=; max-age=0; path=/${domain}`;
  }
}
{% endif %}
