// Starts the application: settings, database, HTTP. Settings are `PORT`, `HOST` and `DATABASE_URL`, from the environment
// or from `.env`.

import { buildApplication } from './application.js';
import { connect } from './databases/connection-config.js';
import { openCertificate } from './lib/certificate.js';
import { openCounts } from './lib/counts.js';
import { listenAddress, loadEnvironment } from './lib/environment.js';
import { createServer, listen } from './lib/server.js';
import { stopOnSignals } from './lib/shutdown.js';

loadEnvironment(new URL('.env', import.meta.url));

const database = await connect();
const application = buildApplication(database, openCounts(new URL('data/', import.meta.url)));
const server = createServer(application.listener(), openCertificate());
stopOnSignals(server, database);
// An application that integrates a service brings its events there; one that writes mails sends them.
for (const deliveries of application.deliveries ?? []) deliveries.start();
console.log(`listening on ${await listen(server, listenAddress())}`);
