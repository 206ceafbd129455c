// PostGraphile as its documentation starts it as a library, over the tables of DATABASE_URL. It asks for no key and counts no limit.
import { createServer } from 'node:http';
import { Pool } from 'pg';
import { postgraphile } from 'postgraphile';

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const handler = postgraphile(pool, 'public', { dynamicJson: true, disableQueryLog: true, ignoreRBAC: true, legacyRelations: 'omit' });
const server = createServer(handler);
server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
process.on('SIGTERM', () => server.close(() => pool.end().then(() => process.exit(0))));
