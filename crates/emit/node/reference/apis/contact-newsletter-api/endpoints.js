// The endpoints of the contact-newsletter API. Each is its procedure, step by step; a step that fails throws the problem
// that the caller is answered with.

import { authorize } from '../../lib/authorization.js';
import { uuidv7 } from '../../lib/identifiers.js';
import { anonymous } from '../../lib/request.js';
import { respond } from '../../lib/response.js';
import { validate } from '../../lib/validation.js';
import { contactMessage, createMiddleware, newsletterSubscription } from './middleware.js';

const insertContactMessage = `INSERT INTO contact_messages (id, name, email, phone, company, subject, message, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;

const insertNewsletterSubscriber = `INSERT INTO newsletter_subscribers (id, email, name, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (email) DO NOTHING`;

/**
 * @param {{ database: import('../../lib/database.js').Database, metrics: object,
 *   counts?: import('../../lib/counts.js').Counts }} parts
 */
export function registerEndpoints(application, { database, metrics, counts }) {
  const { keys, limits, outbox } = createMiddleware({ database, metrics, counts });

  // POST /api/contact: stores a contact message and emits `contact_form`.
  application.route('POST', '/api/contact', async (request) => {
    const caller = authorize(request, keys, limits.default);
    limits.default.take(request, caller);
    const input = await validate(request, contactMessage);
    const id = uuidv7();

    database.transaction((transaction) => {
      transaction.run(insertContactMessage, [
        id,
        input.name,
        input.email,
        input.phone,
        input.company,
        input.subject,
        input.message,
        request.receivedAt,
      ]);
      const event = {
        id,
        name: input.name,
        email: input.email,
        phone: input.phone,
        company: input.company,
        subject: input.subject,
        message: input.message,
        created_at: request.receivedAt,
      };
      outbox.emit(transaction, 'contact_form', event, request.receivedAt);
    });

    return respond(201, { id, received_at: request.receivedAt });
  });

  // POST /api/newsletter: subscribes an address and emits `newsletter_signup`. An address that is subscribed already is
  // left as it is, and the answer does not reveal it.
  application.route('POST', '/api/newsletter', async (request) => {
    const caller = anonymous(request);
    limits.default.take(request, caller);
    const input = await validate(request, newsletterSubscription);
    const id = uuidv7();

    database.transaction((transaction) => {
      const subscriber = transaction.insert(insertNewsletterSubscriber, [id, input.email, input.name, request.receivedAt]);
      switch (subscriber) {
        case 'inserted': {
          const event = { id, email: input.email, name: input.name, created_at: request.receivedAt };
          outbox.emit(transaction, 'newsletter_signup', event, request.receivedAt);
          break;
        }
        case 'present':
          break;
      }
    });

    return respond(202, { status: 'accepted' });
  });
}
