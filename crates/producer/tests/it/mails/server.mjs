// A mail server (`smtp-server`) as others run them. Takes options as JSON, prints its port, then a line of JSON for each thing that
// happens: who signed in, what arrived (read by `mailparser`), what was refused. What it does with a mail is said by the recipient:
// `later-...` is not taken the first time, `never-...` not at all, `lost-...` is taken and the answer lost, once.
import { readFileSync } from "node:fs";
import { simpleParser } from "mailparser";
import { SMTPServer } from "smtp-server";

const { key, certificate, is_plain, asks_who } = JSON.parse(process.argv[2]);
const seen = new Set();
const told = (what) => console.log(JSON.stringify(what));
const refused = (responseCode, message) => Object.assign(new Error(message), { responseCode });
const firstTime = (name) => !seen.has(name) && seen.add(name);

const server = new SMTPServer({
  authOptional: !asks_who,
  key: readFileSync(key),
  cert: readFileSync(certificate),
  disabledCommands: is_plain ? ["STARTTLS"] : [],
  allowInsecureAuth: is_plain,
  closeTimeout: 100,
  logger: false,
  onAuth({ username, password }, session, answer) {
    told({ kind: "sign-in", username, is_encrypted: session.secure });
    if (username !== "ann@shop.example" || password !== "p@ss word") return answer(refused(535, "5.7.8 that is not ann@shop.example"));
    return answer(null, { user: username });
  },
  onRcptTo({ address }, _session, answer) {
    const refuse = (code, message) => {
      told({ kind: "refused", address });
      return answer(refused(code, message));
    };
    if (address.startsWith("never-")) return refuse(550, `5.1.1 <${address}> is nobody here`);
    if (address.startsWith("later-") && firstTime(address)) return refuse(451, "4.7.1 come back later");
    return answer();
  },
  onData(stream, session, answer) {
    const chunks = [];
    stream.on("data", (chunk) => chunks.push(chunk));
    stream.on("end", async () => {
      const raw = Buffer.concat(chunks);
      const mail = await simpleParser(raw);
      const [{ address }] = session.envelope.rcptTo;
      told({
        kind: "mail",
        envelope: { from: session.envelope.mailFrom.address, to: address },
        is_encrypted: session.secure,
        from: mail.from?.text,
        to: mail.to?.text,
        bcc: mail.bcc?.text,
        subject: mail.subject,
        date: mail.date,
        id: mail.messageId,
        type: mail.headers.get("content-type")?.value,
        automatic: mail.headers.get("auto-submitted"),
        unsubscribe: mail.headers.get("list-unsubscribe") ?? mail.headers.get("list")?.unsubscribe,
        headers: mail.headerLines.map(({ line }) => line),
        text: mail.text,
        html: mail.html,
        is_ascii: raw.every((byte) => byte < 128),
      });
      if (address.startsWith("lost-") && firstTime(address)) {
        server.connections.forEach((connection) => connection._socket.destroy());
        return;
      }
      answer(null, "2.0.0 we have it");
    });
  },
});
server.on("error", () => {});
server.listen(0, "127.0.0.1", () => console.log(server.server.address().port));
