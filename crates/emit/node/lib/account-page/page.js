// The page to which the link of a mail leads: the token stands behind `#`, where no server and no other page sees it. Nothing is done before
// somebody asks for it, since programs that look at mails open links too. It asks this server alone.

(() => {
  const main = document.querySelector('main');
  const { path, does, calls } = main.dataset;
  // Where a mail program ends a subscription, the token stands in the path, and what is called is the page's own address.
  const isCalledHere = does === 'end_subscription';
  const root = isCalledHere ? '' : location.pathname.slice(0, -path.length);
  const token = isCalledHere || new URLSearchParams(location.hash.slice(1)).get('token');
  const form = main.querySelector('form');
  const [label, wrong, button] = ['label', '.wrong', 'button'].map((name) => form.querySelector(name));
  const input = label.querySelector('input');

  const words = {
    verify: {
      asks: ['Confirm your address', 'One more click, and this address is proved to be yours.', 'Confirm my address'],
      done: ['Thank you', 'Your address is confirmed. You can close this page.'],
    },
    reset_password: {
      asks: ['Choose a new password', 'You are signed out everywhere else when it is set.', 'Set the password'],
      done: ['Your password is set', 'Sign in with it. You can close this page.'],
      takesPassword: true,
    },
    confirm_email: {
      asks: ['Confirm your new address', 'From then on you sign in with it.', 'Use this address'],
      done: ['Your address is changed', 'Sign in with the new one from now on. You can close this page.'],
    },
    accept_invitation: {
      asks: ['You are invited', 'Choose a password, and your account is made.', 'Make my account'],
      done: ['Welcome', 'Your account is made. Sign in with your address and this password.'],
      takesPassword: true,
    },
    confirm_subscription: {
      asks: ['Confirm your subscription', 'One more click, and the newsletter goes to your address.', 'Confirm the subscription'],
      done: ['Thank you', 'You are subscribed. You can close this page.'],
    },
    end_subscription: {
      asks: ['Unsubscribe', 'One click, and no newsletter goes to your address any more.', 'Unsubscribe'],
      done: ['You are unsubscribed', 'No newsletter is sent to you any more. You can close this page.'],
    },
  }[does];

  function show(mood, [title, text]) {
    main.dataset.mood = mood;
    document.title = title;
    main.querySelector('h1').textContent = title;
    main.querySelector('p').textContent = text;
  }

  function end(mood, said) {
    show(mood, said);
    form.hidden = true;
  }

  async function send() {
    const body = words.takesPassword ? { token, new_password: input.value } : { token };
    const request = { headers: { 'Content-Type': 'application/json', Accept: 'application/json' }, body: JSON.stringify(body) };
    const answer = await fetch(isCalledHere ? location.pathname : `${root}${calls}`, { method: 'POST', ...(isCalledHere ? {} : request) });
    if (answer.ok) return end('good', words.done);
    const problem = await answer.json().catch(() => ({}));
    if (answer.status === 410) return end('bad', ['This link is over', 'It was used, or is too old. Ask for another one.']);
    if (answer.status === 404 && isCalledHere) return end('bad', ['This link is not whole', 'Open it from the mail once more, or copy all of it.']);
    if (answer.status === 409) return end('bad', ['This cannot be done', 'Somebody else has this address by now.']);
    const entry = problem.errors?.find(({ pointer }) => pointer === '/new_password');
    wrong.textContent = entry ? `The password ${entry.detail}.` : problem.detail ?? 'It did not work. Please try again later.';
    return undefined;
  }

  // Another link of a mail, opened where this page is.
  addEventListener('hashchange', () => location.reload());
  if (!token) return show('bad', ['This link is not whole', 'Open it from the mail once more, or copy all of it.']);
  // It is in nobody's history, and in no page that is opened from here.
  if (!isCalledHere) history.replaceState(null, '', location.pathname);
  show('waits', words.asks);
  button.textContent = words.asks[2];
  label.hidden = !words.takesPassword;
  input.required = Boolean(words.takesPassword);
  form.hidden = false;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    wrong.textContent = '';
    button.disabled = true;
    send()
      .catch(() => { wrong.textContent = 'The server does not answer. Please try again later.'; })
      .finally(() => { button.disabled = false; });
  });
  return undefined;
})();
