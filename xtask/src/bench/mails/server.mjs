// A mail server (`smtp-server`) that takes everything. Prints its port; and when it has got so many mails as its argument says, how many of
// them were different, and how many seconds lay between the first and the last.
import { SMTPServer } from "smtp-server";

const wanted = Number(process.argv[2]);
const seen = new Set();
let taken = 0;
let first;

const server = new SMTPServer({
  authOptional: true,
  disabledCommands: ["STARTTLS", "AUTH"],
  logger: false,
  onData(stream, _session, answer) {
    let head = "";
    stream.on("data", (chunk) => {
      if (head.length < 4096) head += chunk.toString("latin1");
    });
    stream.on("end", () => {
      first ??= performance.now();
      seen.add(/^message-id: *(\S+)/im.exec(head)?.[1]);
      answer(null, "2.0.0 we have it");
      taken += 1;
      if (taken === wanted) console.log(`${seen.size} ${(performance.now() - first) / 1000}`);
    });
  },
});
server.on("error", () => {});
server.listen(0, "127.0.0.1", () => console.log(server.server.address().port));
