// A front end's use of the client of the sample about products: what must have types, and what must come of it.

import { ApiError, ProductsArticlesClient } from '../client/products-articles-client.js';
import type { Problem, Product, ProductChanges, ProductRecord } from '../client/products-articles-client.js';

declare const process: { argv: string[] };
const [baseUrl = '', apiKey = ''] = process.argv.slice(2);

function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`not so: ${what}`);
}

async function problemOf(work: Promise<unknown>): Promise<Problem> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ApiError && error.problem) return error.problem;
    throw error;
  }
  throw new Error('the call succeeded');
}

const api = new ProductsArticlesClient({ baseUrl: `${baseUrl}/`, apiKey: async () => apiKey });

// A record's life.
const lamp: Product = { name: 'Lamp', stock: 3 };
const made = await api.createProduct(lamp, { idempotencyKey: 'lamp-1' });
const status: 201 = made.status;
const record: ProductRecord = made.data;
must(status === 201 && record.name === 'Lamp' && record.active === null, 'a record is made');
const again = await api.createProduct(lamp, { idempotencyKey: 'lamp-1' });
must(again.data.id === record.id && again.headers.get('Idempotency-Replayed') === 'true', 'it is made once');

const same = await api.getProduct(record.id, { ifNoneMatch: made.etag ?? '' });
must(same.status === 304 && same.data === undefined, 'a record that is known is not sent');

const part = await api.getProduct(record.id, { fields: ['stock', 'name'] });
const partial: { stock: number; name: string } = part.data;
must(Object.keys(partial).join() === 'stock,name' && part.etag === made.etag, 'some fields of a record are read under its tag');

const changes: ProductChanges = { stock: 4, active: true };
const changed = await api.updateProduct(record.id, changes, { ifMatch: made.etag });
must(changed.data.stock === 4 && changed.data.active === true, 'a record is changed');

const late = await problemOf(api.replaceProduct(record.id, lamp, { ifMatch: made.etag }));
must(late.type === 'urn:problem-type:precondition-failed' && late.status === 412, 'the version decides over a change');

const emptied = await api.updateProduct(record.id, { active: null });
must(emptied.data.active === null, 'a field is emptied');

const gone = await api.deleteProduct(record.id);
must(gone.status === 204 && gone.data === undefined, 'a record is deleted');
must((await problemOf(api.getProduct(record.id))).type === 'urn:problem-type:not-found', 'and is not there any more');

// Lists.
const chairs: Product[] = Array.from({ length: 5 }, (_, stock) => ({ name: `Chair & ${stock}`, stock }));
const several: ProductRecord[] = (await api.createProduct(chairs)).data;
must(several.map(({ stock }) => stock).join() === '0,1,2,3,4', 'records are made at once, in their order');
const page = await api.listProducts({ limit: 2, sort: '-stock', 'stock[gte]': 1 });
must(page.data.items.length === 2 && page.data.next !== null, 'a page has as many rows as were asked for');
const stocks: number[] = [];
for await (const { stock } of api.allProducts({ limit: 2, sort: '-stock', 'stock[gte]': 1 })) stocks.push(stock);
must(stocks.join() === '4,3,2,1', `every page was read: ${stocks}`);
for await (const { name } of api.allProducts({ name: 'Chair & 3' })) must(name === 'Chair & 3', 'a filter may hold anything');

const counted = await api.listProducts({ offset: 3, count: 'exact', sort: 'stock', fields: ['stock'] });
must(counted.data.total === 5 && counted.data.items.map(({ stock }) => stock).join() === '3,4', 'rows are counted and passed over');
const behind: number[] = [];
for await (const { stock } of api.allProducts({ limit: 1, offset: 2, sort: 'stock', fields: ['stock'] })) behind.push(stock);
must(behind.join() === '2,3,4', `every page behind the offset was read: ${behind}`);

// What is wrong.
const wrong = await problemOf(api.createProduct({ ...lamp, name: 'x'.repeat(81) }));
must(wrong.type === 'urn:problem-type:validation-failed', wrong.type);
must(wrong.errors[0]?.pointer === '/name' && wrong.errors[0].code === 'too_long', 'the wrong field is named');
const oneWrong = await problemOf(api.createProduct([lamp, { ...lamp, name: '' }]));
must(oneWrong.type === 'urn:problem-type:validation-failed' && oneWrong.errors[0]?.pointer === '/1/name', 'so is its record');
const keyless = new ProductsArticlesClient({ baseUrl });
must((await problemOf(keyless.createProduct(lamp))).status === 401, 'a key is asked for');
must((await keyless.listProducts()).status === 200, 'and not where none is needed');

const aborted = await api.listProducts({}, { signal: AbortSignal.abort() }).then(() => false, (error) => error.name === 'AbortError');
must(aborted, 'a call ends early');
let refused = false;
try {
  await api.deleteProduct('..');
} catch (error) {
  refused = error instanceof TypeError;
}
must(refused, 'no id leads to another path');

/** Never called: each line must be refused by the compiler. */
export async function mistakes(): Promise<void> {
  // @ts-expect-error a field is missing
  await api.createProduct({ name: 'Lamp' });
  // @ts-expect-error a field of one of several is missing
  await api.createProduct([lamp, { name: 'Lamp' }]);
  // @ts-expect-error a field has another type
  await api.createProduct({ name: 'Lamp', stock: '3' });
  // @ts-expect-error a field is unknown
  await api.createProduct({ name: 'Lamp', stock: 3, colour: 'red' });
  // @ts-expect-error a required field cannot be emptied
  await api.updateProduct(record.id, { name: null });
  // @ts-expect-error a field that was not asked for
  part.data.notes;
  // @ts-expect-error no field is called so
  await api.listProducts({ fields: ['colour'] });
  // @ts-expect-error nothing can be sorted by this
  await api.listProducts({ sort: 'colour' });
  // @ts-expect-error there may be nothing new
  (await api.getProduct(record.id, { ifNoneMatch: '"1"' })).data.name;
  // @ts-expect-error not every problem has single errors
  late.errors;
  // @ts-expect-error a read cannot be made conditional on `If-Match`
  await api.getProduct(record.id, { ifMatch: '"1"' });
}

// Every method that the types promise is there.
const promised: Record<keyof ProductsArticlesClient, true> = {
  createProduct: true, listProducts: true, allProducts: true, getProduct: true, replaceProduct: true, updateProduct: true,
  deleteProduct: true, createArticle: true, getArticle: true,
};
const there = Object.getOwnPropertyNames(ProductsArticlesClient.prototype).filter((name) => name !== 'constructor');
must(there.sort().join() === Object.keys(promised).sort().join(), `the methods are ${there}`);
console.log('done');
