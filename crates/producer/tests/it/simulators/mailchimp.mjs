// Mailchimp's own package as the client of a simulated Mailchimp. Comes in: the simulator's address and the key that it printed. Goes out:
// `done`, when the package took every answer for the provider's own.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import mailchimp from "@mailchimp/mailchimp_marketing";

const [address, apiKey] = process.argv.slice(2);
mailchimp.basePath = `${address}/3.0`;
const refused = (status, title) => (error) => error.status === status && error.response.body.title === title;
const hash = (email) => createHash("md5").update(email).digest("hex");
const { lists, ping } = mailchimp;

// Who is let in.
mailchimp.setConfig({ apiKey: "short", server: "us1" });
await assert.rejects(ping.get(), refused(401, "API Key Invalid"));
mailchimp.setConfig({ apiKey, server: "us1" });
assert.equal((await ping.get()).health_status, "Everything's Chimpy!");

// A member is made, then changed; the status of one who is there stays, and what is not said of him too.
const ada = hash("ada@example.org");
const put = (more) => lists.setListMember("a1", ada, { email_address: "ada@example.org", status_if_new: "subscribed", ...more });
const made = await put({ merge_fields: { FNAME: "Ada" } });
assert.deepEqual([made.id, made.list_id, made.status], [ada, "a1", "subscribed"]);
assert.equal((await lists.updateListMember("a1", ada, { status: "unsubscribed" })).status, "unsubscribed");
const changed = await put({ merge_fields: { LNAME: "King" } });
assert.deepEqual([changed.status, changed.merge_fields], ["unsubscribed", { FNAME: "Ada", LNAME: "King" }]);
const bob = hash("bob@example.org");
const putBob = (more) => lists.setListMember("a1", bob, { email_address: "bob@example.org", status_if_new: "subscribed", ...more });
assert.equal((await putBob({})).merge_fields, null);
assert.deepEqual((await putBob({ merge_fields: { FNAME: "Bob" } })).merge_fields, { FNAME: "Bob" });
assert.equal((await lists.getListMember("a1", ada)).email_address, "ada@example.org");
assert.equal((await lists.getListMembersInfo("a1")).members.length, 2);
await assert.rejects(lists.updateListMember("a1", hash("nobody"), { status: "unsubscribed" }), refused(404, "Resource Not Found"));
await assert.rejects(put({ status_if_new: "delighted" }), refused(400, "Invalid Resource"));

// What goes wrong there.
const faults = (...names) => fetch(`${address}/_simulator/faults`, { method: "POST", body: JSON.stringify({ faults: names }) });
await faults("rate_limit");
await assert.rejects(ping.get(), refused(429, "Too Many Requests"));
await faults();

console.log("done");
