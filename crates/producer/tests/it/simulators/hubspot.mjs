// HubSpot's own package as the client of a simulated HubSpot. Comes in: the simulator's address and the token that it printed. Goes out:
// `done`, when the package took every answer for the provider's own.

import assert from "node:assert/strict";
import { Client } from "@hubspot/api-client";

const [address, accessToken] = process.argv.slice(2);
const hubspot = new Client({ accessToken, basePath: address });
const { contacts, properties } = hubspot.crm;
const refused = (code) => (error) => error.code === code && error.body.status === "error" && error.body.category !== undefined;

// Who is let in.
const stranger = new Client({ accessToken: "short", basePath: address });
await assert.rejects(stranger.crm.properties.coreApi.getAll("contacts"), refused(401));
const names = (await properties.coreApi.getAll("contacts")).results.map(({ name }) => name);
assert.deepEqual(names, ["email", "firstname", "lastname", "company", "phone"]);

// A property is there once.
const property = { name: "website_source", label: "Source", groupName: "contactinformation", type: "string", fieldType: "text" };
assert.equal((await properties.coreApi.create("contacts", property)).name, "website_source");
await assert.rejects(properties.coreApi.create("contacts", property), refused(409));

// A contact is made, then changed; what is not said of it stays.
const input = (email, more) => ({ id: email, idProperty: "email", objectWriteTraceId: email, properties: { email, ...more } });
const upsert = async (...inputs) => contacts.batchApi.upsert({ inputs });
const made = await upsert(input("ada@example.org", { firstname: "Ada", company: "Engines" }));
assert.deepEqual([made.status, made.results[0]._new, made.results[0].archived], ["COMPLETE", true, false]);
assert.ok(made.startedAt instanceof Date && made.results[0].createdAt instanceof Date);
const changed = await upsert(input("ada@example.org", { lastname: "King" }), input("bob@example.org"));
assert.deepEqual(changed.results.map(({ _new }) => _new), [false, true]);
const [{ id }] = made.results;
assert.equal(changed.results[0].id, id);
const known = (await contacts.basicApi.getById(id)).properties;
assert.deepEqual(known, { email: "ada@example.org", firstname: "Ada", company: "Engines", lastname: "King" });
await assert.rejects(contacts.basicApi.getById("1"), refused(404));
assert.equal((await contacts.basicApi.getPage(10)).results.length, 2);

// One that is not taken keeps nothing from the others.
const partly = await upsert(input("nobody"), input("eve@example.org"));
assert.deepEqual([partly.numErrors, partly.results.length], [1, 1]);
assert.deepEqual([partly.errors[0].category, partly.errors[0].context.objectWriteTraceId], ["VALIDATION_ERROR", ["nobody"]]);
await assert.rejects(contacts.batchApi.upsert({ inputs: [] }), refused(400));

// What was changed since then is found, the oldest change first, page by page; what is archived is listed apart.
const since = (value) => ({ filters: [{ propertyName: "lastmodifieddate", operator: "GTE", value: String(value) }] });
const search = (value, limit, after) =>
  contacts.searchApi.doSearch({ limit, after, sorts: ["lastmodifieddate"], properties: ["email"], filterGroups: [since(value)] });
const [first, none] = [await search(0, 2), await search(Date.now() + 60_000, 200)];
assert.deepEqual([first.results.length, none.results.length, none.paging], [2, 0, undefined]);
const second = await search(0, 2, first.paging.next.after);
const found = [...first.results, ...second.results];
assert.deepEqual([found.length, second.paging], [3, undefined]);
assert.deepEqual(found.map(({ updatedAt }) => updatedAt.getTime()), found.map(({ updatedAt }) => updatedAt.getTime()).sort());
const { id: gone } = found[2];
await fetch(`${address}/_simulator/acts/archive`, { method: "POST", body: JSON.stringify({ id: gone }) });
assert.equal((await search(0, 200)).results.length, 2);
const archived = await contacts.basicApi.getPage(10, undefined, undefined, undefined, undefined, true);
assert.deepEqual(archived.results.map(({ id, archived, archivedAt }) => [id, archived, archivedAt instanceof Date]), [[gone, true, true]]);

// What goes wrong there.
const faults = (...names) => fetch(`${address}/_simulator/faults`, { method: "POST", body: JSON.stringify({ faults: names }) });
await faults("rate_limit");
await assert.rejects(upsert(input("ada@example.org")), refused(429));
await faults("server_error");
await assert.rejects(upsert(input("ada@example.org")), refused(500));
await faults();

console.log("done");
