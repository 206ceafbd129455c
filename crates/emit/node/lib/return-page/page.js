// The page to which somebody comes back from paying: the address says whose order it is, the API how it stands, and the page says
// what that means. It looks again while nothing is settled, asks this server alone, and believes nothing that the address says of payments.

(() => {
  const LOOKS = [1000, 1000, 2000, 3000, 5000, 8000, 10_000, 15_000];
  const main = document.querySelector('main');
  const { path, came, asks } = main.dataset;
  const root = location.pathname.slice(0, -path.length);
  const parameters = new URLSearchParams(location.search);
  const pairs = asks.split(' ').map((pair) => pair.split('='));
  const asked = pairs.find(([name]) => /^[\w-]+$/.test(parameters.get(name) ?? ''));

  const waiting = came === 'paid'
    ? ['waits', 'Your payment is on its way', 'We have not heard of it yet. This page looks again by itself.']
    : ['waits', 'Nothing was paid', 'What you chose is kept for a while. You can still pay.'];
  const said = {
    pending: waiting,
    incomplete: waiting,
    paid: ['good', 'Thank you', 'Your order is paid.'],
    processing: ['good', 'Thank you', 'Your order is paid, and being worked on.'],
    shipped: ['good', 'Thank you', 'Your order is paid, and on its way to you.'],
    delivered: ['good', 'Thank you', 'Your order is paid, and was delivered.'],
    refunded: ['bad', 'Your order was refunded', 'What you paid is given back.'],
    active: ['good', 'Thank you', 'Your subscription runs.'],
    trialing: ['good', 'Thank you', 'Your subscription runs. It costs nothing at first.'],
    past_due: ['bad', 'A payment failed', 'Your subscription waits for its payment.'],
    paused: ['waits', 'Your subscription is paused', 'Nothing is taken for it at present.'],
    cancelled: ['bad', 'It was cancelled', 'Nothing more is taken for it.'],
    expired: ['bad', 'It was not paid in time', 'Nothing was taken. You can begin again.'],
  };

  function show([mood, title, text], facts = {}, url) {
    main.dataset.mood = mood;
    document.title = title;
    main.querySelector('h1').textContent = title;
    main.querySelector('p').textContent = text;
    main.querySelector('dl').replaceChildren(...Object.entries(facts).filter(([, value]) => value).map(([name, value]) => {
      const line = document.createElement('div');
      for (const [element, content] of [['dt', name], ['dd', value]]) line.append(Object.assign(document.createElement(element), { textContent: content }));
      return line;
    }));
    main.querySelector('a')?.remove();
    if (/^https?:\/\//.test(url ?? '')) main.append(Object.assign(document.createElement('a'), { href: url, textContent: 'Pay now' }));
  }

  async function look(times) {
    const [name, where] = asked;
    const answer = await fetch(`${root}${where}${parameters.get(name)}`, { headers: { Accept: 'application/json' } });
    if (answer.status === 404 || answer.status === 422) return show(['bad', 'We do not know this order', 'Its address is not one that we gave out.']);
    if (answer.status === 401 || answer.status === 403) return show(['waits', 'Thank you', 'Sign in to see how your order stands.']);
    if (answer.ok) {
      const { id, status, total, price, currency, quantity, interval, url } = await answer.json();
      const amount = total ?? price;
      const facts = {
        Total: total && `${total} ${currency}`,
        Price: price && `${price} ${currency}${interval ? ` a ${interval}` : ''}${quantity > 1 ? `, ${quantity} times` : ''}`,
        Reference: id,
      };
      const isOpen = status === 'pending' || status === 'incomplete';
      show(said[status] ?? ['waits', 'Your payment', `It is ${status}.`], amount === undefined ? { Reference: id } : facts, isOpen && came === 'unpaid' ? url : undefined);
      if (!isOpen) return undefined;
    }
    if (times < LOOKS.length) setTimeout(() => again(times + 1), LOOKS[times]);
    return undefined;
  }

  function again(times) {
    look(times).catch(() => {
      if (times < LOOKS.length) setTimeout(() => again(times + 1), LOOKS[times]);
      else show(['waits', 'Your payment', 'It cannot be looked up at present. Please try again later.']);
    });
  }

  if (asked) again(0);
  else show(['waits', 'Your payment', 'The address of this page does not say which order is meant.']);
})();
