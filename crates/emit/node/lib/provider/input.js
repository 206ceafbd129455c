// What an operation is given is held against what it declares, before anything is sent. The first value that is wrong is named; what it
// is, is never said.

import { Unfit } from './transformations.js';
import { isAbsent } from './values.js';

const isText = (fits = () => true) => (value) => typeof value === 'string' && fits(value);
const isDecimal = (value) => /^-?\d+(?:\.\d+)?$/.test(value);

// An e-mail address or a telephone number is looked at by the provider, not here.
const kinds = {
  json: () => true,
  list: Array.isArray,
  boolean: (value) => typeof value === 'boolean',
  integer: Number.isSafeInteger,
  decimal: (value) => typeof value === 'number' || isText(isDecimal)(value),
  text: isText(),
  phone: isText(),
  email: isText((value) => value.includes('@')),
  url: isText((value) => /^https?:\/\//.test(value)),
  uuid: isText((value) => /^[0-9a-fA-F-]{36}$/.test(value)),
  currency: isText((value) => /^[A-Za-z]{3}$/.test(value)),
  country: isText((value) => /^[A-Za-z]{2}$/.test(value)),
  date: isText((value) => /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value))),
  timestamp: isText((value) => /^\d{4}-\d\d-\d\dT/.test(value) && !Number.isNaN(Date.parse(value))),
};

/**
 * @param {Record<string, any>} given
 * @param {Record<string, { type: string, required?: boolean, max?: number, choices?: string[], of?: object }>} declared
 */
export function check(given, declared = {}, before = '') {
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(declared, name));
  if (unknown !== undefined) throw new Unfit(`the input \`${before}${unknown}\` is none that the operation takes`);
  for (const [name, rules] of Object.entries(declared)) {
    if (!isAbsent(given[name])) checkOne(`${before}${name}`, given[name], rules);
    else if (rules.required) throw new Unfit(`the input \`${before}${name}\` is missing`);
  }
}

function checkOne(name, value, { type, max = Infinity, choices, of }) {
  const wrong = (what) => new Unfit(`the input \`${name}\` ${what}`);
  if (!kinds[type](value)) throw wrong(`is not of the type \`${type}\``);
  if (typeof value === 'string' && [...value].length > max) throw wrong(`has more than ${max} characters`);
  if (Array.isArray(value) && value.length > max) throw wrong(`has more than ${max} items`);
  if (choices && !choices.includes(value)) throw wrong(`is none of ${choices.join(', ')}`);
  if (!Array.isArray(value) || !of) return;
  value.forEach((item, number) => {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) throw wrong(`has no fields in item ${number}`);
    check(item, of, `${name}[${number}].`);
  });
}
