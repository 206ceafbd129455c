// The hand-written server of the benchmark as somebody writes it with Fastify and pg: the same routes over the same tables, with keys,
// validation, a limit and schemas of answers. DATABASE_URL and KEY come in.
import { createHash, randomUUID } from 'node:crypto';
import Fastify from 'fastify';
import rateLimit from '@fastify/rate-limit';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const app = Fastify();
const hashed = (key) => createHash('sha256').update(key).digest('hex');
const columns = 'id, name, stock, active, released_at, notes, created_at, updated_at, row_version';

await pool.query('INSERT INTO api_keys (hash) VALUES ($1) ON CONFLICT DO NOTHING', [hashed(process.env.KEY)]);
const known = new Map();
app.addHook('onRequest', async (request, reply) => {
  const key = request.headers['x-api-key'];
  if (!key) return reply.code(401).send({ title: 'Authentication required' });
  const since = known.get(key);
  if (since !== undefined && Date.now() - since < 1000) return;
  const text = 'SELECT id FROM api_keys WHERE hash = $1 AND revoked_at IS NULL';
  const { rows } = await pool.query({ name: 'key', text, values: [hashed(key)] });
  if (rows.length === 0) return reply.code(401).send({ title: 'Authentication failed' });
  known.set(key, Date.now());
});
await app.register(rateLimit, { max: 50_000_000, timeWindow: '1 minute', keyGenerator: (request) => request.headers['x-api-key'] });

const text = { type: 'string' };
const optional = (of) => ({ ...of, nullable: true });
const product = {
  type: 'object',
  properties: {
    id: text, name: text, stock: { type: 'integer' }, active: { type: 'boolean', nullable: true },
    released_at: optional(text), notes: optional(text), created_at: text, updated_at: text,
  },
};
const answered = (row) => ({
  ...row,
  stock: Number(row.stock),
  released_at: row.released_at?.toISOString() ?? null,
  created_at: row.created_at.toISOString(),
  updated_at: row.updated_at.toISOString(),
});

app.get('/api/products/:id', {
  schema: { params: { type: 'object', properties: { id: { ...text, format: 'uuid' } } }, response: { 200: product } },
}, async (request, reply) => {
  const { rows } = await pool.query({ name: 'one', text: `SELECT ${columns} FROM products WHERE id = $1`, values: [request.params.id] });
  if (rows.length === 0) return reply.code(404).send({ title: 'Not found' });
  reply.header('etag', `"${rows[0].row_version}"`);
  return answered(rows[0]);
});

app.get('/api/products', {
  schema: {
    querystring: { type: 'object', properties: { limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 }, cursor: text } },
    response: { 200: { type: 'object', properties: { items: { type: 'array', items: product }, next: optional(text) } } },
  },
}, async (request) => {
  const { limit, cursor } = request.query;
  const { rows } = cursor
    ? await pool.query({ name: 'behind', text: `SELECT ${columns} FROM products WHERE id < $2 ORDER BY id DESC LIMIT $1`, values: [limit + 1, cursor] })
    : await pool.query({ name: 'first', text: `SELECT ${columns} FROM products ORDER BY id DESC LIMIT $1`, values: [limit + 1] });
  const items = rows.slice(0, limit);
  return { items: items.map(answered), next: rows.length > limit ? items[limit - 1].id : null };
});

const line = { type: 'string', maxLength: 200 };
app.post('/api/contact', {
  schema: {
    body: {
      type: 'object', required: ['name', 'email', 'message'], additionalProperties: false,
      properties: {
        name: { ...line, minLength: 1 }, email: { type: 'string', format: 'email', maxLength: 254 }, phone: { type: 'string', maxLength: 40 },
        company: line, subject: line, message: { type: 'string', minLength: 1, maxLength: 5000 },
      },
    },
    response: { 201: { type: 'object', properties: { id: text, received_at: text } } },
  },
}, async (request, reply) => {
  const { name, email, phone, company, subject, message } = request.body;
  const [id, at] = [randomUUID(), new Date().toISOString()];
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query({
      name: 'message',
      text: 'INSERT INTO contact_messages (id, name, email, phone, company, subject, message, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)',
      values: [id, name, email, phone, company, subject, message, at],
    });
    await client.query({
      name: 'event',
      text: "INSERT INTO outbox_events (id, name, payload, occurred_at) VALUES ($1, 'contact_form', $2, $3)",
      values: [randomUUID(), { id, ...request.body, created_at: at }, at],
    });
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
  return reply.code(201).send({ id, received_at: at });
});

process.on('SIGTERM', async () => {
  await app.close();
  await pool.end();
});
console.log(`listening on ${await app.listen({ host: '127.0.0.1', port: 0 })}`);
