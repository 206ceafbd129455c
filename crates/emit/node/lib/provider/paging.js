// How a long answer goes on: the page that was read comes in, what leads to the next one goes out. It ends where the provider says so, where
// it leads in a circle, and where the manifest says that it is enough.

import { header } from './answer.js';
import { at, listed } from './place.js';
import { Unfit } from './transformations.js';
import { asText, isAbsent } from './values.js';

export class Reading {
  #paging;
  #pages = 0;
  #items = 0;
  #last;

  /** @param {{ items: string, next: object, mostPages: number }} paging */
  constructor(paging) {
    this.#paging = paging;
  }

  /**
   * Takes a page that was read from this address.
   * @returns {{ items: any[], next?: { value: any } | { address: string }, isCut: boolean }} `next` is absent behind the last one;
   *   `isCut` says that there are more, and that it is enough
   */
  page(url, answer, document) {
    const items = listed(document, this.#paging.items);
    this.#pages += 1;
    this.#items += items.length;
    const next = this.#next(url, answer, document, items);
    const leadsOn = next !== undefined && JSON.stringify(next) !== JSON.stringify(this.#last);
    const isCut = leadsOn && this.#pages >= this.#paging.mostPages;
    this.#last = leadsOn && !isCut ? next : undefined;
    return { items, next: this.#last, isCut };
  }

  #next(url, answer, document, items) {
    const { cursor, lastItem, offset, number, address, linkHeader } = this.#paging.next;
    const saysMore = (path) => asText(at(document, path) ?? '') === 'true';
    const value = (found) => (isAbsent(found) || asText(found) === '' ? undefined : { value: found });
    if (cursor) return cursor.more === undefined || saysMore(cursor.more) ? value(at(document, cursor.at)) : undefined;
    if (lastItem) return items.length > 0 && saysMore(lastItem.more) ? value(at(items.at(-1), lastItem.at)) : undefined;
    if (offset) return items.length > 0 && items.length >= offset.pageSize ? { value: this.#items } : undefined;
    if (number) return items.length > 0 ? { value: number.first + this.#pages } : undefined;
    const told = linkHeader ? nextLink(header(answer, 'Link') ?? '') : at(document, address);
    return isAbsent(told) || told === '' ? undefined : { address: sameHost(url, asText(told)) };
  }
}

/** The address of a page, where it lies on the host of the one before: with our credential nobody goes elsewhere. */
function sameHost(url, told) {
  const here = new URL(url);
  const there = URL.canParse(told, here) ? new URL(told, here) : undefined;
  if (there?.origin !== here.origin || there.username !== '' || there.password !== '') throw new Unfit('the next page lies on another host');
  return there.href;
}

/** The address of `rel="next"` in a header `Link`, RFC 8288. */
function nextLink(text) {
  for (const link of text.split(',')) {
    const [, address, parameters] = /^\s*<([^>]*)>(.*)$/s.exec(link) ?? [];
    const isNext = parameters?.split(';').some((parameter) => /^\s*rel\s*=\s*"?(?:[^"]* )?next(?: [^"]*)?"?\s*$/i.test(parameter));
    if (isNext) return address;
  }
  return undefined;
}
