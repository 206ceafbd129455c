// When something is due again: a time comes in, the first one behind it goes out, both in milliseconds since 1970, in UTC.

const MINUTE = 60_000;
const DAY = 86_400_000;
// The 29th of February comes every eight years at the least.
const MOST_DAYS = 366 * 8 + 1;

export function everyMinutes(minutes) {
  return (after) => after + minutes * MINUTE;
}

/**
 * The times of a cron expression, which names at least one.
 * @param {{ minutes: number[], hours: number[], days: number[], months: number[], weekdays: number[], both: boolean }} cron all in order;
 *   Sunday is 0; `both` where a day counts that days and weekdays both name, and not one that either does
 */
export function atTimes({ minutes, hours, days, months, weekdays, both }) {
  const isMeant = (day) => {
    const [ofMonth, ofWeek] = [days.includes(day.getUTCDate()), weekdays.includes(day.getUTCDay())];
    return months.includes(day.getUTCMonth() + 1) && (both ? ofMonth && ofWeek : ofMonth || ofWeek);
  };
  return (after) => {
    const first = Math.floor(after / DAY) * DAY;
    for (let day = first; day < first + MOST_DAYS * DAY; day += DAY) {
      if (!isMeant(new Date(day))) continue;
      for (const hour of hours) {
        for (const minute of minutes) {
          const time = day + (hour * 60 + minute) * MINUTE;
          if (time > after) return time;
        }
      }
    }
    return first + MOST_DAYS * DAY;
  };
}
