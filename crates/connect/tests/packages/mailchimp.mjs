// Comes in: the port of a server on this machine. Goes out: what the provider's own package sends there for the cases of its manifest, in
// their order. It speaks with nobody else.
import { createHash } from "node:crypto";
import mailchimp from "@mailchimp/mailchimp_marketing";

mailchimp.setConfig({ apiKey: "0123456789abcdef0123-us19", server: "us19" });
mailchimp.basePath = `http://127.0.0.1:${process.argv[2]}/3.0`;
const hash = createHash("md5").update("ada+1@example.org").digest("hex");

await mailchimp.ping.get();
await mailchimp.lists.setListMember("a1b2c3", hash, {
  email_address: "Ada+1@Example.org",
  status_if_new: "subscribed",
  merge_fields: { FNAME: "Ada", LNAME: "King (O'Lovelace)" },
});
for (const status of ["pending", "unsubscribed"]) {
  await mailchimp.lists.updateListMember("a1b2c3", hash, { status });
}
