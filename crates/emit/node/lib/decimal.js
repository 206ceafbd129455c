// Exact decimal numbers: a whole number of units, and how many digits of it stand behind the point. Text in, text out; no
// arithmetic of doubles, so '0.10' stays '0.10'. The database keeps the units, JSON the text.

/** Digits of a number, on both sides of the point together: as many as 2^53 holds. */
export const DIGITS = 15;

export class Decimal {
  constructor(units, scale) {
    this.units = units;
    this.scale = scale;
  }

  toString() {
    const digits = String(Math.abs(this.units)).padStart(this.scale + 1, '0');
    const point = digits.length - this.scale;
    const fraction = this.scale > 0 ? `.${digits.slice(point)}` : '';
    return `${this.units < 0 ? '-' : ''}${digits.slice(0, point)}${fraction}`;
  }

  toJSON() {
    return this.toString();
  }

  /** Makes `<` and `>` compare numbers of one scale. */
  valueOf() {
    return this.units;
  }

  /** The greatest number of a scale; its negative is the least. */
  static greatest(scale) {
    return new Decimal(10 ** DIGITS - 1, scale);
  }
}

/**
 * @param {string} text `-`, digits, and perhaps a point with digits behind it
 * @returns {{ value: Decimal } | { code: string, detail: string }}
 */
export function parseDecimal(text, scale) {
  const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (whole === undefined) return { code: 'format', detail: 'must be a decimal number' };
  if (fraction.length > scale) return { code: 'format', detail: `must have at most ${scale} ${scale === 1 ? 'decimal' : 'decimals'}` };
  if (whole.length > DIGITS - scale) {
    const greatest = Decimal.greatest(scale);
    return { code: 'range', detail: `must be between -${greatest} and ${greatest}` };
  }
  const units = Number(whole + fraction.padEnd(scale, '0'));
  // `0 - 0` and not `-0`.
  return { value: new Decimal(sign ? 0 - units : units, scale) };
}

/** So many times the number; `null` where that has too many digits. @param {Decimal} number @param {number} factor */
export function times(number, factor) {
  return fitting(BigInt(number.units) * BigInt(factor), number.scale);
}

/** The sum of numbers of one scale; `null` where that has too many digits. @param {Decimal[]} numbers not empty */
export function sum(numbers) {
  return fitting(numbers.reduce((units, number) => units + BigInt(number.units), 0n), numbers[0].scale);
}

function fitting(units, scale) {
  const greatest = BigInt(Decimal.greatest(scale).units);
  return units > greatest || units < -greatest ? null : new Decimal(Number(units), scale);
}

/**
 * A number is what a double makes of it, RFC 8259, 6: so many digits come back from it as they were sent.
 * @param {number} number
 */
export function decimalOf(number, scale) {
  return parseDecimal(plain(number), scale);
}

/** The number without an exponent. */
function plain(number) {
  const [, sign, first, rest = '', exponent] = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(String(number)) ?? [];
  if (first === undefined) return String(number);
  const digits = first + rest;
  if (exponent.startsWith('-')) return `${sign}0.${'0'.repeat(-Number(exponent) - 1)}${digits}`;
  return sign + digits.padEnd(Number(exponent) + 1, '0');
}
