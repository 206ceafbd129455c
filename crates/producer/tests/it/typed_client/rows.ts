// A page that reads rows of others with its own, as its author would write it. `process` is Node.js's alone.
import { AuthBoardsCheckedClient } from '../client/auth-boards-checked-client.js';

declare const process: { argv: string[] };
declare const console: { log(text: string): void };

const [, , baseUrl = '', accessToken = ''] = process.argv;
const api = new AuthBoardsCheckedClient({ baseUrl, accessToken });

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

const plain = await api.listBoards({ limit: 1 });
const board = plain.data.items[0];
must(board !== undefined && !('notes' in board), 'what nobody asks for does not come');
const { data } = await api.listBoards({ limit: 1, fields: ['title'], include: ['notes', 'pins'] });
for (const { title, notes, pins } of data.items) {
  must(title === board?.title && notes.length > 0 && pins.length > 0, `${title}: ${notes.length} notes, ${pins.length} pins`);
  must(notes.every((note) => note.board_id === board?.id), 'the notes are of the board');
}
const few = await api.listBoards({ limit: 1, include: ['notes', 'pins'], 'notes.limit': 1, 'notes.sort': '-title', 'pins.filter': 'title = null' });
must(few.data.items[0]?.notes.length === 1 && few.data.items[0].pins.length === 0, 'as many as are asked for');
for await (const { board: of } of api.allNotes({ include: ['board'], limit: 1 })) must(of === null || of.title !== '', 'to one');
const note = (await api.listNotes({ filter: 'board_id != null' })).data.items[0];
const one = await api.getNote(note?.id ?? '', { fields: ['id'], include: ['board'] });
must(one.data.board?.id === note?.board_id, 'one record comes with what it leads to');

/** Never called: each line must be refused by the compiler. */
export async function mistakes(): Promise<void> {
  // @ts-expect-error nothing comes that was not asked for
  plain.data.items[0]?.notes;
  // @ts-expect-error nothing that comes is called so
  await api.listBoards({ include: ['checks'] });
  // @ts-expect-error nothing of a note is called so
  await api.listBoards({ include: ['notes'], 'notes.sort': 'words' });
  // @ts-expect-error what an endpoint hides does not come with a row either
  data.items[0]?.notes[0]?.user_id;
  // @ts-expect-error there may be none
  one.data.board.title;
}
console.log('done');
