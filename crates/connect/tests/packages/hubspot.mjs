// Comes in: the port of a server on this machine. Goes out: what the provider's own package sends there for the cases of its manifest, in
// their order. It speaks with nobody else.
import { Client } from "@hubspot/api-client";

const hubspot = new Client({ accessToken: "pat-0123456789abcdef0123", basePath: `http://127.0.0.1:${process.argv[2]}` });

await hubspot.crm.properties.coreApi.getAll("contacts");
const property = {
  name: "website_source",
  label: "Website source",
  description: "What brought this contact in",
  groupName: "contactinformation",
  type: "string",
  fieldType: "text",
};
// It takes nothing but 201 for an answer, and this server gives 200.
await hubspot.crm.properties.coreApi.create("contacts", property).catch(() => {});
const ada = { email: "ada+1@example.org", firstname: "Ada", lastname: "King (O'Lovelace)", website_source: "contact_form" };
const zoe = { email: "zoë@example.org" };
const input = (properties) => ({ id: properties.email, idProperty: "email", objectWriteTraceId: properties.email, properties });
await hubspot.crm.contacts.batchApi.upsert({ inputs: [input(ada), input(zoe)] });
const changed = { propertyName: "lastmodifieddate", value: "1769860800500", operator: "GTE" };
const { basicApi, searchApi } = hubspot.crm.contacts;
const asked = ["email", "firstname", "lastname", "company", "phone"];
await searchApi.doSearch({ limit: 200, sorts: ["lastmodifieddate"], properties: asked, filterGroups: [{ filters: [changed] }] });
await basicApi.getPage(100, "200", undefined, undefined, undefined, true);
