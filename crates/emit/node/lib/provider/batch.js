// How the items of a batch came out: what was sent and the answer come in, the first item that the provider does not take goes out.

import { clean } from './answer.js';
import { at, holds, listed } from './place.js';
import { asText, isAbsent } from './values.js';

/**
 * @param {{ list: string, outcome: object }} batch as an operation describes it
 * @returns {{ code?: string, message?: string } | undefined}
 */
export function failedItem({ list, outcome }, input, document) {
  for (const [number, item] of (input[list] ?? []).entries()) {
    const failed = failureOf(outcome, document, number, item);
    if (failed !== undefined) return failed;
  }
  return undefined;
}

function failureOf({ inOrder, byName, failures }, document, number, item) {
  if (inOrder) {
    // One that the answer says nothing of is not known to be done.
    const told = listed(document, inOrder.at)[number];
    if (told === undefined) return {};
    return inOrder.successWhen.every((test) => holds(told, test)) ? undefined : { code: words(told, inOrder.code) };
  }
  const { at: where, message } = byName ?? failures ?? {};
  if (where === undefined) return undefined;
  const isIt = (told) => {
    const found = at(told, byName ? byName.name : failures.position);
    return !isAbsent(found) && asText(found) === (byName ? asText(item[byName.item] ?? '') : String(number));
  };
  const told = listed(document, where).find(isIt);
  return told === undefined ? undefined : { message: words(told, message) };
}

function words(told, path) {
  const found = path === undefined ? undefined : at(told, path);
  return isAbsent(found) ? undefined : clean(asText(found));
}
